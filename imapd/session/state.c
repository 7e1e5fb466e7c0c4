/*
 * A session put aside and taken up again (ARCHITECTURE 5.4): all that its
 * client was told, in at most IMAP_STATE_MAX bytes.  Runs in the account's
 * worker; the broker seals it.
 *
 * Mailbox and tag with their NULs, then numbers of seven bits a byte: flags,
 * errors; of a mailbox UIDVALIDITY, modseq, keywords, the UIDs of \Recent, and
 * those of the view, both as ranges, each from the end of the one before.
 */
#include <stdlib.h>
#include <string.h>

#include "box.h"
#include "int.h"
#include "view.h"

enum {
	S_BOX = 1 << 0,
	S_READONLY = 1 << 1,
	S_CONDSTORE = 1 << 2,
	S_IDLE = 1 << 3
};

static void
put(struct buf *b, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		buf_putc(b, (int)(n & 0x7f) | 0x80);
	buf_putc(b, (int)n);
}

static bool
get(struct cur *c, uint64_t *n)
{
	int ch, shift;

	*n = 0;
	for (shift = 0; shift < 63; shift += 7) {
		if ((ch = cur_get(c)) == -1)
			return false;
		*n |= (uint64_t)(ch & 0x7f) << shift;
		if (!(ch & 0x80))
			return true;
	}
	return false;
}

static void
put_ranges(struct buf *b, const struct imap_set *set)
{
	uint32_t i, last = 0;

	put(b, set->n);
	for (i = 0; i < set->n; i++) {
		put(b, set->v[i].lo - last);
		put(b, set->v[i].hi - set->v[i].lo);
		last = set->v[i].hi;
	}
}

static bool
get_ranges(struct cur *c, struct imap_set *set)
{
	uint64_t n, lo, len, last = 0;

	if (!get(c, &n) || n > IMAP_STATE_MAX)
		return false;
	for (; n > 0; n--) {
		if (!get(c, &lo) || !get(c, &len) ||
		    lo > UINT32_MAX || len > UINT32_MAX ||
		    last + lo + len > UINT32_MAX)
			return false;
		lo += last;
		last = lo + len;
		if (!imap_set_add(set, (uint32_t)lo, (uint32_t)last))
			return false;
	}
	return true;
}

/* The view's UIDs; where a UID between was never there, or is gone. */
static bool
put_view(struct buf *b, const struct view *v)
{
	struct imap_set set = { 0 };
	bool good = true;
	uint32_t i;

	for (i = 0; i < v->count && good; i++)
		good = imap_set_add(&set, v->uids[i], v->uids[i]) &&
		    set.n < IMAP_STATE_MAX;
	if (good)
		put_ranges(b, &set);
	imap_set_free(&set);
	return good;
}

bool
imap_session_save(struct imap_session *s, void *state, size_t *len)
{
	const struct view *v = &s->view;
	bool good = imap_session_quiet(s) && !(s->box != NULL && s->box->gone);
	struct buf b;

	buf_init(&b, IMAP_STATE_MAX);
	buf_puts(&b, s->box != NULL ? s->box->name : "");
	buf_putc(&b, '\0');
	buf_puts(&b, s->tag);
	buf_putc(&b, '\0');
	put(&b, (s->box != NULL ? S_BOX : 0) |
	    (s->readonly ? S_READONLY : 0) |
	    (s->condstore ? S_CONDSTORE : 0) | (s->idle ? S_IDLE : 0));
	put(&b, (uint64_t)s->errors);
	if (good && s->box != NULL) {
		put(&b, v->uidvalidity);
		put(&b, v->modseq);
		put(&b, v->keywords);
		put(&b, v->nrecent);
		put(&b, v->maxuid);
		put_ranges(&b, &v->recent);
		good = put_view(&b, v);
	}
	good = good && !b.failed;
	if (good) {
		memcpy(state, b.p, b.len);
		*len = b.len;
	}
	buf_free(&b);
	return good;
}

static bool
load_view(struct imap_session *s, struct cur *c)
{
	struct imap_set set = { 0 };
	struct view *v = &s->view;
	uint64_t keywords = 0, recent = 0, uidvalidity = 0, maxuid = 0;
	uint32_t i, uid;
	bool good;

	good = get(c, &uidvalidity) && get(c, &v->modseq) &&
	    get(c, &keywords) && get(c, &recent) && get(c, &maxuid) &&
	    get_ranges(c, &v->recent) && get_ranges(c, &set) &&
	    cur_left(c) == 0 && box_refresh(s->box) == 0 &&
	    uidvalidity == s->box->idx.head->uidvalidity;
	for (i = 0; i < set.n && good; i++)
		for (uid = set.v[i].lo; good; uid++) {
			good = view_add(v, uid);
			if (uid == set.v[i].hi)
				break;
		}
	imap_set_free(&set);
	v->uidvalidity = (uint32_t)uidvalidity;
	v->keywords = (unsigned)keywords;
	v->nrecent = (uint32_t)recent;
	v->maxuid = (uint32_t)maxuid;
	/* Whatever was done meanwhile is news. */
	v->revision = s->box->revision - 1;
	v->ghosts = true;
	return good;
}

static bool
get_text(struct cur *c, struct str *w)
{
	w->p = c->p;
	w->len = strnlen(c->p, cur_left(c));
	return cur_skip(c, w->len + 1);
}

bool
imap_state_load(struct imap_session *s, const void *state, size_t len)
{
	struct cur c = cur_make(state, len);
	struct str box, tag;
	uint64_t flags, errors;

	if (!get_text(&c, &box) || !get_text(&c, &tag) ||
	    !str_copy(tag, s->tag, sizeof(s->tag)) || !get(&c, &flags) ||
	    !get(&c, &errors))
		return false;
	s->readonly = flags & S_READONLY;
	s->condstore = flags & S_CONDSTORE;
	s->idle = flags & S_IDLE;
	s->errors = (int)errors;
	if (!(flags & S_BOX))
		return true;
	if ((s->box = box_open(s->acct, box.p)) == NULL)
		return false;
	return load_view(s, &c);
}

const char *
imap_state_mailbox(const void *state, size_t len)
{
	struct cur c = cur_make(state, len);
	struct str box, tag;
	uint64_t flags;

	if (!get_text(&c, &box) || !get_text(&c, &tag) || !get(&c, &flags) ||
	    !(flags & S_IDLE))
		return "";
	return box.p;
}
