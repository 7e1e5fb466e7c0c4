/*
 * FETCH and UID FETCH: the answers, made as fast as the client takes them and
 * no faster.  Runs in the account's worker.
 */
#include <stdlib.h>
#include <string.h>

#include "box.h"
#include "cache.h"
#include "fetch.h"
#include "fetch_section.h"
#include "int.h"
#include "log.h"

enum {
	PIECE = 32 * 1024,	/* of answers at a time */
	SYNC_SEEN = 64		/* more are marked in one go */
};

/* A FETCH on its way. */
struct fetch {
	struct fetch_cmd cmd;
	struct imap_set	 seqs;
	uint32_t	 range, seq;	/* where we are in it; seq 0: before */
	uint32_t	 item;		/* of the message at hand */
	bool		 inside;	/* its answer has begun */
	bool		 failed;	/* something could not be read */
	bool		 look;		/* \Seen is to be set first */
	uint8_t		*newly;		/* bits of seqs: \Seen was just set */
	struct rec	 rec;		/* of the message at hand */
	struct text	 text;
	struct section	 section;
};

static void
fetch_drop(void *arg)
{
	struct fetch *f = arg;

	fetch_free(&f->cmd);
	imap_set_free(&f->seqs);
	text_free(&f->text);
	free(f->newly);
	free(f);
}

/* --- \Seen, by a look --- */

static bool
is_newly(const struct fetch *f, uint32_t seq)
{
	return f->newly != NULL && f->newly[seq / 8] & 1 << seq % 8;
}

/*
 * "OK means on disk" is for what a client asked to be changed.  A look's \Seen
 * is in the file before the answer, so no kill loses it, but it waits for no
 * sync: nobody asked for it, and after a loss of power the message is unseen
 * again at worst.  Many at once are cheaper in one go, with a sync.
 */
static int
set_seen(struct imap_session *s, const uint32_t *uids, uint32_t n)
{
	const struct flag_change change = { .set = MSG_SEEN };
	struct rec *r;
	uint32_t i;

	if (n > SYNC_SEEN)
		return box_change(s->box, uids, n, &change);
	for (i = 0; i < n; i++)
		if ((r = box_find(s->box, uids[i])) != NULL &&
		    box_flags(s->box, r, MSG_SEEN, 0) == -1)
			return -1;
	return 0;
}

/* Notes those that are not seen yet; how many, their UIDs in uids. */
static uint32_t
unseen(struct imap_session *s, struct fetch *f, uint32_t *uids)
{
	const struct rec *r;
	uint32_t i, seq, n = 0;

	for (i = 0; i < f->seqs.n; i++)
		for (seq = f->seqs.v[i].lo; seq <= f->seqs.v[i].hi; seq++) {
			r = view_rec(s, seq);
			if (r == NULL || r->flags & MSG_SEEN ||
			    (f->cmd.since && r->modseq <= f->cmd.modified))
				continue;
			f->newly[seq / 8] |= 1 << seq % 8;
			uids[n++] = r->uid;
		}
	return n;
}

/*
 * All at once and before the answer, so that what others change meanwhile is
 * told apart from it.  A disk that takes no flag keeps no mail back.
 */
static void
look(struct imap_session *s, struct fetch *f)
{
	uint32_t *uids, n;

	f->newly = calloc(s->view.count / 8 + 1, 1);
	uids = calloc((size_t)s->view.count + 1, sizeof(*uids));
	if (f->newly != NULL && uids != NULL &&
	    (n = unseen(s, f, uids)) > 0) {
		if (set_seen(s, uids, n) == -1) {
			log_warn("%s: flags", s->log);
			free(f->newly);
			f->newly = NULL;
		} else
			imap_told(s);
	}
	free(uids);
}

/* --- items --- */

static void
put_summary(struct imap_session *s, struct fetch *f, enum fetch_kind kind)
{
	struct str what = { "NIL", 3 };
	struct buf *b = &s->out;
	struct summary sum;

	if (f->text.gone || box_summary(s->box, &f->rec, &sum) == -1)
		f->failed = true;
	else
		what = kind == FETCH_ENVELOPE ? sum.envelope :
		    kind == FETCH_BODY ? sum.body : sum.bodystructure;
	if (kind == FETCH_ENVELOPE)
		buf_add(b, "ENVELOPE ", 9);
	else if (kind == FETCH_BODY)
		buf_add(b, "BODY ", 5);
	else
		buf_add(b, "BODYSTRUCTURE ", 14);
	buf_add(b, what.p, what.len);
}

static void
put_section(struct imap_session *s, struct fetch *f,
    const struct fetch_item *it)
{
	if (section_begin(&f->section, &f->text, &f->cmd, it, &s->out))
		return;
	f->failed = true;
	buf_add(&s->out, it->label.p, it->label.len);
	buf_add(&s->out, " NIL", 4);
}

static void
put_modseq(struct imap_session *s, const struct rec *r)
{
	buf_add(&s->out, "MODSEQ (", 8);
	imap_put_number(&s->out, r->modseq);
	buf_add(&s->out, ")", 1);
}

static void
put_flags(struct imap_session *s, const struct rec *r)
{
	buf_add(&s->out, "FLAGS ", 6);
	imap_put_flags(&s->out, s->box, r->flags, r->keywords,
	    view_recent(&s->view, r->uid));
}

static void
put_item(struct imap_session *s, struct fetch *f, const struct fetch_item *it)
{
	struct buf *b = &s->out;

	switch (it->kind) {
	case FETCH_UID:
		buf_add(b, "UID ", 4);
		imap_put_number(b, f->rec.uid);
		break;
	case FETCH_FLAGS:
		put_flags(s, &f->rec);
		break;
	case FETCH_DATE:
		buf_add(b, "INTERNALDATE ", 13);
		imap_put_date_time(b, f->rec.date);
		break;
	case FETCH_SIZE:
		buf_add(b, "RFC822.SIZE ", 12);
		imap_put_number(b, f->rec.wire);
		break;
	case FETCH_MODSEQ:
		put_modseq(s, &f->rec);
		break;
	case FETCH_SECTION:
		put_section(s, f, it);
		break;
	default:
		put_summary(s, f, it->kind);
		break;
	}
}

/* --- messages --- */

static void
begin_message(struct imap_session *s, struct fetch *f)
{
	struct buf *b = &s->out;

	f->inside = true;
	f->item = 0;
	text_message(&f->text, &f->rec);
	buf_add(b, "* ", 2);
	imap_put_number(b, f->seq);
	buf_add(b, " FETCH (", 8);
}

static void
end_message(struct imap_session *s, struct fetch *f)
{
	bool newly = is_newly(f, f->seq);

	f->inside = false;
	if (newly && !f->cmd.flags) {
		buf_add(&s->out, " ", 1);
		put_flags(s, &f->rec);
	}
	if (newly && s->condstore && !f->cmd.modseq) {
		buf_add(&s->out, " ", 1);
		put_modseq(s, &f->rec);
	}
	buf_add(&s->out, ")\r\n", 3);
}

/* Goes on with a message; false: its literal cannot be finished. */
static bool
go_on(struct imap_session *s, struct fetch *f, size_t enough)
{
	while (f->section.active || f->item < f->cmd.nitems) {
		if (s->out.len >= enough)
			return true;
		if (f->section.active) {
			if (!section_more(&f->section, &f->text, &s->out))
				return false;
			continue;
		}
		if (f->item > 0)
			buf_add(&s->out, " ", 1);
		put_item(s, f, &f->cmd.items[f->item++]);
	}
	end_message(s, f);
	return true;
}

/* The next message of the set; false at its end. */
static bool
next_message(struct fetch *f)
{
	if (f->range == f->seqs.n)
		return false;
	if (f->seq < f->seqs.v[f->range].lo)
		f->seq = f->seqs.v[f->range].lo;
	else
		f->seq++;
	if (f->seq <= f->seqs.v[f->range].hi)
		return true;
	if (++f->range == f->seqs.n)
		return false;
	f->seq = f->seqs.v[f->range].lo;
	return true;
}

/*
 * Others may remove a message while a slow client reads it: then what was
 * read of it has to do.
 */
static bool
message(struct imap_session *s, struct fetch *f, size_t enough)
{
	const struct rec *r = view_rec(s, f->seq);

	if (!f->inside) {
		if (r == NULL ||
		    (f->cmd.since && r->modseq <= f->cmd.modified))
			return true;
		begin_message(s, f);
	}
	f->text.gone = r == NULL;
	if (r != NULL)
		f->rec = *r;
	return go_on(s, f, enough);
}

static enum imap_more
fetch_more(struct imap_session *s, void *arg)
{
	struct fetch *f = arg;
	size_t enough = s->out.len + PIECE;
	int told;

	if (f->look) {
		if ((told = imap_update(s, false)) == 1)
			return MORE_AGAIN;
		if (told == 0)
			look(s, f);
		f->look = false;
	}
	/* Between two pieces another program may have been at the mailbox. */
	if (!box_current(s->box))
		(void)box_refresh(s->box);
	while (f->inside || next_message(f)) {
		if (!message(s, f, enough))
			return MORE_FAILED;
		if (s->out.len >= enough)
			return MORE_AGAIN;
	}
	if (f->cmd.summary || f->cmd.sections)
		cache_flush(s->box);
	if (f->failed)
		imap_no(s, "[UNAVAILABLE] some messages cannot be read now");
	else
		imap_ok(s, "done");
	return MORE_DONE;
}

/* --- the command --- */

static bool
parse(struct imap_session *s, struct cur *c, struct fetch *f)
{
	struct imap_set set = { 0 };
	const char *why = NULL;
	bool good;

	good = imap_set(c, &set) && cur_lit(c, " ");
	if (good)
		why = fetch_parse(c, s->byuid, &f->cmd);
	if (!good || why != NULL)
		imap_bad(s, "%s", good ? why : "wrong set of messages");
	good = good && why == NULL &&
	    view_resolve(s, &set, s->byuid, &f->seqs);
	imap_set_free(&set);
	return good;
}

void
cmd_fetch(struct imap_session *s, struct cur *c)
{
	struct fetch *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		imap_no(s, "[UNAVAILABLE] out of memory");
		return;
	}
	text_init(&f->text, s->box, false);
	if (!parse(s, c, f)) {
		fetch_drop(f);
		return;
	}
	f->text.ahead = f->cmd.bodies ? TEXT_WINDOW : TEXT_FIRST;
	if (f->cmd.modseq)
		imap_condstore(s);
	f->look = f->cmd.seen && !s->readonly;
	imap_job(s, fetch_more, fetch_drop, f);
}
