/*
 * What the client believes of the mailbox: its sequence numbers.  Runs in the
 * account's worker.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "box.h"
#include "int.h"
#include "recent.h"
#include "view.h"

struct rec *
view_rec(const struct imap_session *s, uint32_t seq)
{
	uint32_t uid = s->view.uids[seq - 1];
	struct rec *r;

	/* Mostly nothing was expunged, and it is where it was. */
	if (seq <= box_count(s->box)) {
		r = box_rec(s->box, seq - 1);
		if (r->uid == uid)
			return r;
	}
	return box_find(s->box, uid);
}

bool
view_old(const struct imap_session *s)
{
	return s->box->gone || s->view.revision != s->box->revision;
}

/* How many have a UID below this one. */
static uint32_t
below(const struct view *v, uint32_t uid)
{
	uint32_t lo = 0, hi = v->count, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (v->uids[mid] < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint32_t
view_seq(const struct view *v, uint32_t uid)
{
	uint32_t i = below(v, uid);

	return i < v->count && v->uids[i] == uid ? i + 1 : 0;
}

bool
view_recent(const struct view *v, uint32_t uid)
{
	return v->nrecent > 0 && imap_set_has(&v->recent, uid, UINT32_MAX);
}

/* --- sets --- */

/* Ranges of a set without its *, from lo on no further than the * begins. */
static bool
add_range(struct view *v, bool byuid, uint32_t lo, uint32_t hi,
    struct imap_set *seqs)
{
	if (byuid) {
		lo = below(v, lo) + 1;
		hi = hi == UINT32_MAX ? v->count : below(v, hi + 1);
	}
	return lo > hi || imap_set_add(seqs, lo, hi);
}

static bool
beyond(struct imap_session *s, const struct imap_set *set)
{
	if (set->n > 0 && set->v[set->n - 1].hi > s->view.count)
		return true;
	return set->star != 0 && s->view.count == 0;
}

bool
view_resolve(struct imap_session *s, const struct imap_set *set, bool byuid,
    struct imap_set *seqs)
{
	struct view *v = &s->view;
	uint32_t i, hi, max, from = 0;
	bool good = true;

	if (!byuid && beyond(s, set)) {
		imap_bad(s, "there are only %u messages", v->count);
		return false;
	}
	max = byuid && v->count > 0 ? v->uids[v->count - 1] : v->count;
	if (set->star != 0)
		from = set->star < max ? set->star : max;
	for (i = 0; i < set->n && good; i++) {
		hi = set->v[i].hi;
		if (from != 0 && hi >= from)
			hi = from - 1;
		if (set->v[i].lo <= hi)
			good = add_range(v, byuid, set->v[i].lo, hi, seqs);
	}
	if (good && from != 0)
		good = add_range(v, byuid, from, max, seqs);
	if (!good)
		imap_no(s, "[UNAVAILABLE] out of memory");
	return good;
}

/* --- the mailbox as it is --- */

bool
view_add(struct view *v, uint32_t uid)
{
	uint32_t cap, *p;

	if (v->count == v->cap) {
		cap = v->cap < 64 ? 64 : v->cap * 2;
		if ((p = reallocarray(v->uids, cap, sizeof(*p))) == NULL)
			return false;
		v->uids = p;
		v->cap = cap;
	}
	v->uids[v->count++] = uid;
	v->maxuid = uid;
	return true;
}

static void
claimed(void *arg, uint32_t uid)
{
	struct view *v = arg;

	if (v->recent.n == IMAP_MAXRECENT &&
	    v->recent.v[IMAP_MAXRECENT - 1].hi + 1 != uid)
		return;
	if (imap_set_add(&v->recent, uid, uid))
		v->nrecent++;
}

/* Ours are those that no session before us was told of. */
void
view_claim(struct imap_session *s, uint32_t from)
{
	struct view *v = &s->view;

	if (from < v->count)
		recent_claim(s->box, idx_lower(&s->box->idx, v->uids[from]),
		    !s->readonly, claimed, v);
}

int
view_open(struct imap_session *s)
{
	struct view *v = &s->view;
	uint32_t i, n;

	if (box_refresh(s->box) == -1)
		return -1;
	n = box_count(s->box);
	for (i = 0; i < n; i++)
		if (!view_add(v, box_rec(s->box, i)->uid)) {
			errno = ENOMEM;
			return -1;
		}
	v->uidvalidity = s->box->idx.head->uidvalidity;
	view_claim(s, 0);
	v->modseq = box_highest_modseq(s->box);
	v->revision = s->box->revision;
	return 0;
}

void
view_close(struct view *v)
{
	free(v->uids);
	imap_set_free(&v->recent);
	memset(v, 0, sizeof(*v));
}
