/*
 * What others did to the selected mailbox, told at the right moments.  Runs
 * in the account's worker.
 */
#include <string.h>

#include "box.h"
#include "int.h"
#include "keyword.h"
#include "view.h"

/* So many before it are there: mostly it is the next. */
static bool
is_there(const struct imap_session *s, uint32_t before, uint32_t uid)
{
	if (before < box_count(s->box) &&
	    box_rec(s->box, before)->uid == uid)
		return true;
	return box_find(s->box, uid) != NULL;
}

/* Takes away what is gone, and tells each; the others move up. */
static void
tell_expunged(struct imap_session *s)
{
	struct view *v = &s->view;
	uint32_t i, n = 0;

	for (i = 0; i < v->count; i++) {
		if (is_there(s, n, v->uids[i])) {
			v->uids[n++] = v->uids[i];
			continue;
		}
		if (view_recent(v, v->uids[i]))
			v->nrecent--;
		imap_say(s, "%u EXPUNGE", n + 1);
	}
	v->count = n;
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

/* Are some gone that are still in the view? */
static bool
tell_changed(struct imap_session *s)
{
	const struct rec *r;
	bool gone = false;
	uint32_t seq;

	for (seq = 1; seq <= s->view.count; seq++) {
		if ((r = view_rec(s, seq)) == NULL)
			gone = true;
		else if (r->modseq > s->view.modseq)
			tell_flags(s, seq, r);
	}
	return gone;
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

int
imap_update(struct imap_session *s, bool expunge)
{
	struct view *v = &s->view;

	if (s->box == NULL)
		return 0;
	if (s->box->gone) {
		imap_bye(s, "the mailbox has been deleted");
		return -1;
	}
	if (box_refresh(s->box) == -1)
		return -1;
	if (s->box->idx.head->uidvalidity != v->uidvalidity) {
		imap_bye(s, "the mailbox has been replaced");
		return -1;
	}
	if (!view_old(s) && !(v->ghosts && expunge))
		return 0;
	if (keyword_count(s->box) > v->keywords)
		imap_say_flags(s);
	if (expunge)
		tell_expunged(s);
	v->ghosts = tell_changed(s);
	tell_new(s);
	v->modseq = box_highest_modseq(s->box);
	v->revision = s->box->revision;
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
