/*
 * Flags and keywords of many messages of a .mbox file at once: in workers
 * only.  The From_ lines are overwritten in place, then synced once.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "mbox.h"
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

int
mbox_write_flags(struct patch *p, const struct rec *r, uint32_t flags,
    uint32_t keywords)
{
	static const char hex[] = "0123456789ABCDEF";
	char text[FROM_FLAGS + 8];
	int i;

	from_flags(text, flags);
	for (i = 7; i >= 0; i--, keywords >>= 4)
		text[FROM_FLAGS + i] = hex[keywords & 15];
	return patch_at(p, r->offset + r->fromlen - FROM_TAIL + 1, text,
	    sizeof(text));
}

/* One whose line has no room for news is only noted, for a rewrite. */
static int
change_one(struct box *b, struct patch *p, struct rec *r,
    const struct flag_change *c, uint64_t modseq)
{
	uint32_t flags = flags_after(r, c), kw = keywords_after(r, c);

	if (!(r->flags & REC_FIXED))
		b->rewrite = true;
	else if (mbox_write_flags(p, r, flags, kw) == -1)
		return -1;
	r->flags = flags;
	r->keywords = kw;
	r->modseq = modseq;
	idx_seal(&b->idx, r);
	return 0;
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

int
mbox_change(struct box *b, const uint32_t *uids, size_t n,
    const struct flag_change *c)
{
	uint64_t modseq = 0;
	struct patch p;
	struct rec *r;
	uint32_t at = 0;
	size_t k = 0;
	int ret = 0;

	patch_begin(&p, b->fd, b->size, n);
	while (ret == 0 && (r = next(b, uids, n, &k, &at, c)) != NULL) {
		if (modseq == 0)
			modseq = box_modseq(b);
		ret = change_one(b, &p, r, c, modseq);
	}
	patch_end(&p);
	if (modseq == 0)
		return 0;
	b->revision++;
	if (ret == 0)
		ret = fdatasync(b->fd);
	/* Not known what of it is in the file: read it all again. */
	if (ret == -1)
		b->bad = true;
	else if (b->rewrite)
		ret = mbox_compact(b, NULL, 0);
	return ret;
}
