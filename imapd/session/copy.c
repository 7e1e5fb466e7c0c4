/*
 * COPY and MOVE: all messages or none, on disk before the OK.  Runs in the
 * account's worker.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "box.h"
#include "copy.h"
#include "int.h"

struct copy {
	struct buf	 name;
	struct imap_set	 set, seqs;
	uint32_t	*uids, *newuids;	/* in one piece of memory */
	uint32_t	 n;
};

static bool
parse(struct imap_session *s, struct cur *c, struct copy *cp)
{
	if (!imap_set(c, &cp->set) || !cur_lit(c, " ")) {
		imap_bad(s, "wrong set of messages");
		return false;
	}
	return imap_mailbox(s, c, &cp->name) && imap_alone(s, c) &&
	    view_resolve(s, &cp->set, s->byuid, &cp->seqs);
}

static bool
choose(struct imap_session *s, struct copy *cp)
{
	const struct rec *r;
	uint32_t i, seq;

	cp->uids = calloc((size_t)s->view.count + 1, 2 * sizeof(uint32_t));
	if (cp->uids == NULL)
		return false;
	cp->newuids = cp->uids + s->view.count + 1;
	for (i = 0; i < cp->seqs.n; i++)
		for (seq = cp->seqs.v[i].lo; seq <= cp->seqs.v[i].hi; seq++)
			if ((r = view_rec(s, seq)) != NULL)
				cp->uids[cp->n++] = r->uid;
	return true;
}

/* Takes out what was not there any more. */
static void
keep_copied(struct copy *cp)
{
	uint32_t i, n = 0;

	for (i = 0; i < cp->n; i++)
		if (cp->newuids[i] != 0) {
			cp->uids[n] = cp->uids[i];
			cp->newuids[n++] = cp->newuids[i];
		}
	cp->n = n;
}

/* "COPYUID 17 1:3,5 8:11" */
static bool
put_copyuid(struct buf *b, uint32_t uidvalidity, const struct copy *cp)
{
	struct imap_set from = { 0 }, to = { 0 };
	bool good = true;
	uint32_t i;

	for (i = 0; i < cp->n && good; i++)
		good = imap_set_add(&from, cp->uids[i], cp->uids[i]) &&
		    imap_set_add(&to, cp->newuids[i], cp->newuids[i]);
	if (good) {
		buf_puts(b, "COPYUID ");
		imap_put_number(b, uidvalidity);
		buf_putc(b, ' ');
		imap_put_set(b, &from);
		buf_putc(b, ' ');
		imap_put_set(b, &to);
	}
	imap_set_free(&from);
	imap_set_free(&to);
	return good && !b->failed;
}

/* Copied: says so, and with a MOVE takes them away. */
static void
finish(struct imap_session *s, struct copy *cp, uint32_t uidvalidity,
    bool move)
{
	struct buf b;

	buf_init(&b, 0);
	if (cp->n == 0)
		imap_ok(s, "nothing to be done");
	else if (!put_copyuid(&b, uidvalidity, cp))
		imap_no(s, "[UNAVAILABLE] out of memory");
	else if (!move)
		imap_ok(s, "[%s] done", b.p);
	else if (box_expunge(s->box, cp->uids, cp->n) == -1)
		imap_no_errno(s, errno);
	else {
		imap_say(s, "OK [%s] moved", b.p);
		imap_ok(s, "done");
	}
	buf_free(&b);
}

static void
copy(struct imap_session *s, struct copy *cp, bool move)
{
	struct box *to;
	int ret = 0;

	if ((to = box_open(s->acct, cp->name.p)) == NULL) {
		imap_no_target(s, errno);
		return;
	}
	if (!choose(s, cp)) {
		errno = ENOMEM;
		ret = -1;
	} else if (!move)
		ret = copy_fits(s->box, cp->uids, cp->n);
	if (ret == 0 && cp->n > 0)
		ret = copy_messages(s->box, cp->uids, cp->n, to, cp->newuids);
	if (ret == -1)
		imap_no_errno(s, errno);
	else {
		keep_copied(cp);
		finish(s, cp, to->idx.head->uidvalidity, move);
	}
	box_close(to);
}

static void
copy_or_move(struct imap_session *s, struct cur *c, bool move)
{
	struct copy cp = { .n = 0 };

	buf_init(&cp.name, 0);
	if (parse(s, c, &cp))
		copy(s, &cp, move);
	imap_set_free(&cp.set);
	imap_set_free(&cp.seqs);
	free(cp.uids);
	buf_free(&cp.name);
}

void
cmd_copy(struct imap_session *s, struct cur *c)
{
	copy_or_move(s, c, false);
}

void
cmd_move(struct imap_session *s, struct cur *c)
{
	copy_or_move(s, c, true);
}
