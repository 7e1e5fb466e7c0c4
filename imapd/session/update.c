/*
 * What others did to the selected mailbox, told at the right moments.  Runs
 * in the account's worker.
 */
#include <string.h>

#include "box.h"
#include "int.h"
#include "keyword.h"
#include "view.h"

enum { PIECE = 32 * 1024 };	/* told at once */

/* So many before it are there: mostly it is the next. */
static bool
is_there(const struct imap_session *s, uint32_t before, uint32_t uid)
{
	if (before < box_count(s->box) &&
	    box_rec(s->box, before)->uid == uid)
		return true;
	return box_find(s->box, uid) != NULL;
}

/* Of those that the view has, some are gone: there are fewer of them. */
static bool
some_gone(const struct imap_session *s)
{
	const struct view *v = &s->view;

	return v->count > 0 &&
	    idx_lower(&s->box->idx, v->uids[v->count - 1] + 1) < v->count;
}

/*
 * Takes away what is gone, and tells each; the others move up.  False: that is
 * enough for now.
 */
static bool
tell_expunged(struct imap_session *s, size_t enough)
{
	struct view *v = &s->view;
	uint32_t i = v->at, n = v->at;

	for (; i < v->count && s->out.len < enough; i++) {
		if (is_there(s, n, v->uids[i])) {
			v->uids[n++] = v->uids[i];
			continue;
		}
		if (view_recent(v, v->uids[i]))
			v->nrecent--;
		imap_say(s, "%u EXPUNGE", n + 1);
	}
	memmove(v->uids + n, v->uids + i, (v->count - i) * sizeof(*v->uids));
	v->count -= i - n;
	v->at = n;
	return v->at == v->count;
}

static void
tell_flags(struct imap_session *s, uint32_t seq, const struct rec *r)
{
	struct buf *b = &s->out;

	buf_printf(b, "* %u FETCH (UID %u FLAGS ", seq, r->uid);
	imap_put_flags(b, s->box, r->flags, r->keywords,
	    view_recent(&s->view, r->uid));
	if (s->condstore)
		buf_printf(b, " MODSEQ (%llu)",
		    (unsigned long long)r->modseq);
	buf_puts(b, ")\r\n");
}

static bool
tell_changed(struct imap_session *s, size_t enough)
{
	struct view *v = &s->view;
	const struct rec *r;

	for (; v->at < v->count && s->out.len < enough; v->at++) {
		r = view_rec(s, v->at + 1);
		if (r != NULL && r->modseq > v->modseq)
			tell_flags(s, v->at + 1, r);
	}
	return v->at == v->count;
}

static void
tell_new(struct imap_session *s)
{
	struct view *v = &s->view;
	uint32_t i, old = v->count, n = box_count(s->box), last;

	last = v->maxuid;
	for (i = n; i > 0 && box_rec(s->box, i - 1)->uid > last; i--)
		continue;
	for (; i < n; i++)
		if (!view_add(v, box_rec(s->box, i)->uid))
			break;
	if (v->count == old)
		return;
	view_claim(s, old);
	imap_say(s, "%u EXISTS", v->count);
	imap_say(s, "%u RECENT", v->nrecent);
}

/* The mailbox that was selected, as it is now? */
static bool
readable(struct imap_session *s)
{
	if (s->box->gone)
		imap_bye(s, "the mailbox has been deleted");
	else if (box_refresh(s->box) == -1)
		return false;
	else if (s->box->idx.head->uidvalidity != s->view.uidvalidity)
		imap_bye(s, "the mailbox has been replaced");
	return !s->leaving;
}

/* What changes from now on is for the next round. */
static void
begin_round(struct imap_session *s, bool expunge)
{
	struct view *v = &s->view;

	v->upto = box_highest_modseq(s->box);
	v->then = s->box->revision;
	v->round = expunge && some_gone(s) ? ROUND_GONE : ROUND_FLAGS;
	v->at = 0;
	if (keyword_count(s->box) > v->keywords)
		imap_say_flags(s);
}

int
imap_update(struct imap_session *s, bool expunge)
{
	struct view *v = &s->view;
	size_t enough = s->out.len + PIECE;

	if (s->box == NULL)
		return 0;
	if (!readable(s)) {
		v->round = ROUND_NONE;
		return -1;
	}
	if (v->round == ROUND_NONE) {
		if (!view_old(s) && !(v->ghosts && expunge))
			return 0;
		begin_round(s, expunge);
	}
	if (v->round == ROUND_GONE) {
		if (!tell_expunged(s, enough))
			return 1;
		v->round = ROUND_FLAGS;
		v->at = 0;
	}
	if (s->box->flagseq > v->modseq && !tell_changed(s, enough))
		return 1;
	v->ghosts = some_gone(s);
	tell_new(s);
	v->round = ROUND_NONE;
	v->modseq = v->upto;
	v->revision = v->then;
	return 0;
}

void
imap_told(struct imap_session *s)
{
	/* Not the revision: mail may have come along. */
	s->view.modseq = box_highest_modseq(s->box);
}

void
imap_condstore(struct imap_session *s)
{
	if (s->condstore)
		return;
	s->condstore = true;
	if (s->box != NULL)
		imap_say(s, "OK [HIGHESTMODSEQ %llu] from now on",
		    (unsigned long long)box_highest_modseq(s->box));
}
