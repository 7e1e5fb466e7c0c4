/*
 * Flags and keywords of messages, whatever the format: in workers only.  What
 * stands in the mailbox is changed first, then the record; many are made
 * durable together.
 */
#include <errno.h>
#include <string.h>

#include "box.h"
#include "outside.h"
#include "patch.h"

static uint32_t
flags_after(const struct rec *r, const struct flag_change *c)
{
	return (r->flags & ~(c->clear & MSG_FLAGS)) | (c->set & MSG_FLAGS);
}

static uint32_t
keywords_after(const struct rec *r, const struct flag_change *c)
{
	return (r->keywords & ~c->kwclear) | c->kwset;
}

static int
change_one(struct box *b, struct patch *p, struct rec *r, uint32_t flags,
    uint32_t keywords, uint64_t modseq)
{
	if (b->fmt->mark(b, p, r, flags, keywords) == -1)
		return -1;
	r->flags = flags;
	r->keywords = keywords;
	r->modseq = modseq != 0 ? modseq : box_modseq(b);
	idx_seal(&b->idx, r);
	return 0;
}

int
box_flags(struct box *b, struct rec *r, uint32_t set, uint32_t clear)
{
	uint32_t now = (r->flags | (set & MSG_FLAGS)) & ~clear, uid = r->uid;
	const struct flag_change c = { .set = set, .clear = clear };
	struct patch p;
	int ret;

	box_put_settle(b, true);
	if (now == r->flags)
		return 0;
	/* Is it still where the record says? */
	if (b->outside != NULL)
		return box_change(b, &uid, 1, &c);
	patch_begin(&p, b->fd, b->size, 1, true);
	ret = change_one(b, &p, r, now, r->keywords, 0);
	patch_end(&p);
	if (ret == 0)
		b->revision++;
	return ret;
}

/* The next of uids that is there and would change; NULL at the end. */
static struct rec *
next(struct box *b, const uint32_t *uids, size_t n, size_t *k, uint32_t *at,
    const struct flag_change *c)
{
	struct rec *r;

	while (*k < n && *at < box_count(b)) {
		r = box_rec(b, *at);
		if (r->uid < uids[*k]) {
			/* A gap is worth a search, a neighbour is not. */
			if (++*at < box_count(b) &&
			    box_rec(b, *at)->uid < uids[*k])
				*at = idx_lower(&b->idx, uids[*k]);
			continue;
		}
		if (r->uid == uids[(*k)++] && (flags_after(r, c) != r->flags ||
			keywords_after(r, c) != r->keywords))
			return r;
	}
	return NULL;
}

static int
change_all(struct box *b, const uint32_t *uids, size_t n,
    const struct flag_change *c)
{
	uint64_t modseq = 0;
	struct patch p;
	struct rec *r;
	uint32_t at = 0;
	size_t k = 0;
	int ret = 0;

	if (box_refresh(b) == -1)
		return -1;
	patch_begin(&p, b->fd, b->size, n, b->outside == NULL);
	while (ret == 0 && (r = next(b, uids, n, &k, &at, c)) != NULL) {
		if (modseq == 0)
			modseq = box_modseq(b);
		ret = change_one(b, &p, r, flags_after(r, c),
		    keywords_after(r, c), modseq);
	}
	patch_end(&p);
	if (modseq == 0)
		return 0;
	b->revision++;
	if (ret == 0)
		ret = b->fmt->marked(b);
	/* Not known what of it is in the mailbox: read it all again. */
	if (ret == -1)
		b->bad = true;
	return ret;
}

int
box_change(struct box *b, const uint32_t *uids, size_t n,
    const struct flag_change *c)
{
	int ret;

	if (n == 0)
		return 0;
	box_put_settle(b, true);
	if (outside_lock(b) == -1)
		return -1;
	ret = change_all(b, uids, n, c);
	outside_unlock(b, true);
	return ret;
}
