/*
 * APPEND: the message goes from the wire into the store's hands as it comes,
 * and into the mailbox at the end of the command.  Runs in the account's
 * worker.
 */
#include <errno.h>
#include <string.h>

#include "append.h"
#include "box.h"
#include "folder.h"
#include "int.h"
#include "quota.h"
#include "utf7.h"

struct head {
	struct buf	 wire;		/* the mailbox's name */
	struct imap_flags flags;
	int64_t		 date;
};

/* "INBOX (\Seen) "date" ", up to the message's literal; NULL or what's wrong */
static const char *
parse_head(struct cur *c, struct head *h)
{
	const char *why;

	if (!imap_astring(c, &h->wire) || !cur_lit(c, " "))
		return "no mailbox";
	if (cur_peek(c) == '(') {
		if ((why = imap_flags_parse(c, &h->flags)) != NULL)
			return why;
		if (!cur_lit(c, " "))
			return "no message";
	}
	if (cur_peek(c) == '"') {
		if (!imap_date_time(c, &h->date))
			return "wrong date";
		if (!cur_lit(c, " "))
			return "no message";
	}
	return NULL;
}

static void
head_init(struct head *h)
{
	memset(h, 0, sizeof(*h));
	buf_init(&h->wire, IMAP_MAXLINE);
}

/* Is it there, and may the message come? */
static void
begin(struct imap_session *s, struct str wire, uint64_t size)
{
	/* RFC822.SIZE and partial fetches know no larger ones. */
	uint64_t max = s->maxmessage > 0 ? s->maxmessage : UINT32_MAX;
	struct buf name;
	bool there = false;

	if (s->append != NULL) {	/* MULTIAPPEND is not offered */
		imap_bad(s, "one message, please");
		return;
	}
	buf_init(&name, 0);
	if (utf7_decode(&name, wire) && name.p != NULL)
		there = folder_exists(s->acct, name.p);
	if (!there)
		imap_no(s, "[TRYCREATE] no such mailbox");
	else if (size > max)
		imap_no(s, "[TOOBIG] at most %llu octets, please",
		    (unsigned long long)max);
	/* As LF it may be half as long: the last word is the store's. */
	else if (quota_room(s->acct, size / 2, 1) == -1)
		imap_no_errno(s, errno);
	else if ((s->append = append_begin(s->acct, size)) != NULL)
		append_for(s->append, name.p);
	else
		imap_no_errno(s, errno);
	buf_free(&name);
}

/* The literal behind a whole head is the message; one before is a name. */
bool
append_literal(struct imap_session *s, struct cur *c, uint64_t size)
{
	struct head h;
	bool message;

	head_init(&h);
	cur_lit(c, " ");
	message = parse_head(c, &h) == NULL && cur_peek(c) == '{';
	if (message)
		begin(s, (struct str){ h.wire.p, h.wire.len }, size);
	buf_free(&h.wire);
	return message;
}

static void
commit(struct imap_session *s, struct box *b, const struct head *h)
{
	struct append_to to = { .msg = s->append, .flags = h->flags.flags,
		.date = h->date };

	if (imap_flags_bits(b, &h->flags, true, &to.keywords) == -1)
		imap_no(s, "[LIMIT] no place for that keyword");
	else if (append_commit(b, &to, 1) == 0)
		imap_ok(s, "[APPENDUID %u %u] done",
		    b->idx.head->uidvalidity, to.uid);
	else if (errno == EINVAL)
		imap_no(s, "[CANNOT] there is a NUL in the message");
	else
		imap_no_errno(s, errno);
}

void
cmd_append(struct imap_session *s, struct cur *c)
{
	const char *why;
	struct buf name;
	struct head h;
	struct box *b;

	head_init(&h);
	buf_init(&name, 0);
	why = parse_head(c, &h);
	if (why == NULL && s->append == NULL)
		why = "the message must be a literal";
	if (why == NULL) {
		cur_until(c, "}");
		if (!cur_lit(c, "}\r\n"))
			why = "the message must be a literal";
	}
	if (why != NULL)
		imap_bad(s, "%s", why);
	else if (imap_alone(s, c)) {
		utf7_decode(&name, (struct str){ h.wire.p, h.wire.len });
		if ((b = box_open(s->acct, name.p)) == NULL)
			imap_no_target(s, errno);
		else {
			commit(s, b, &h);
			box_close(b);
		}
	}
	append_free(s->append);
	s->append = NULL;
	buf_free(&name);
	buf_free(&h.wire);
}
