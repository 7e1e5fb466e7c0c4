/*
 * Changing a .mbox file in place, in workers only: flags, and messages that
 * go.  A message that goes is marked by one letter in its From_ line, or, at
 * the end of the file, cut off; its bytes are collected when enough of them
 * are garbage (mbox_compact.c).  Where others look, too, that is at once.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "mbox.h"
#include "patch.h"

enum { GARBAGE_MIN = 1024 * 1024 };	/* less is not worth a copy */

int
mbox_mark(struct box *b, struct patch *p, const struct rec *r, uint32_t flags,
    uint32_t keywords)
{
	static const char hex[] = "0123456789ABCDEF";
	char text[FROM_FLAGS + 8];
	int i;

	/* One whose line has no room for news is only noted, for a rewrite. */
	if (!(r->flags & REC_FIXED)) {
		b->rewrite = true;
		return 0;
	}
	from_flags(text, flags);
	for (i = 7; i >= 0; i--, keywords >>= 4)
		text[FROM_FLAGS + i] = hex[keywords & 15];
	return patch_at(p, r->offset + r->fromlen - FROM_TAIL + 1, text,
	    sizeof(text));
}

int
mbox_marked(struct box *b)
{
	if (fdatasync(b->fd) == -1)
		return -1;
	return b->rewrite ? mbox_compact(b, NULL, 0) : 0;
}

static void
drop_records(struct box *b, const uint32_t *uids, size_t n)
{
	b->idx.head->garbage += idx_drop(&b->idx, uids, n);
	(void)idx_put_head(&b->idx);
}

/* The records of these UIDs: how many, whether all lines are ours. */
static size_t
examine(struct box *b, const uint32_t *uids, size_t n, bool *fixed)
{
	size_t i, found = 0;
	const struct rec *r;

	*fixed = true;
	for (i = 0; i < n; i++) {
		if ((r = box_find(b, uids[i])) == NULL)
			continue;
		found++;
		if (!(r->flags & REC_FIXED))
			*fixed = false;
	}
	return found;
}

/*
 * Are these the last messages of the file, with nothing behind?  *off is
 * where the file could end then.
 */
static bool
at_end(struct box *b, const uint32_t *uids, size_t n, size_t found,
    uint64_t *off)
{
	const struct idx_head *h = b->idx.head;
	uint32_t first = h->count - found, i;
	const struct rec *r;
	size_t k = 0;

	if (h->end != b->size || h->junk != 0 || b->tail)
		return false;
	for (i = first; i < h->count; i++)
		if (!uid_listed(uids, n, &k, box_rec(b, i)->uid))
			return false;
	*off = 0;
	if (first > 0) {
		r = box_rec(b, first - 1);
		*off = r->offset + r->fromlen + r->size + r->sep;
	}
	return true;
}

static int
truncate_at(struct box *b, uint64_t off, const uint32_t *uids, size_t n)
{
	struct idx_head *h = b->idx.head;
	uint64_t live = 0;
	uint32_t i;

	/* Slots that say "whole at this size" must not see it shrink. */
	if (idx_slots_settle(&b->idx, b->size) == -1)
		return -1;
	if (ftruncate(b->fd, off) == -1)
		return -1;
	b->size = off;
	drop_records(b, uids, n);
	for (i = 0; i < h->count; i++)
		live += box_rec(b, i)->fromlen + box_rec(b, i)->size +
		    box_rec(b, i)->sep;
	h->garbage = off - live;
	h->end = off;
	(void)idx_put_head(&b->idx);
	return fsync(b->fd);
}

static int
mark(struct box *b, const uint32_t *uids, size_t n)
{
	const struct rec *r;
	struct patch p;
	size_t i;
	int ret = 0;

	patch_begin(&p, b->fd, b->size, n, true);
	for (i = 0; i < n && ret == 0; i++)
		if ((r = box_find(b, uids[i])) != NULL)
			ret = mbox_mark(b, &p, r, r->flags | MSG_EXPUNGED,
			    r->keywords);
	patch_end(&p);
	if (ret == -1)
		return -1;
	/* From here on the marks stand, synced or not. */
	drop_records(b, uids, n);
	return fdatasync(b->fd);
}

int
mbox_expunge(struct box *b, const uint32_t *uids, size_t n)
{
	uint64_t off;
	size_t found;
	bool fixed;
	int ret;

	if ((found = examine(b, uids, n, &fixed)) == 0)
		return 0;
	if (at_end(b, uids, n, found, &off))
		ret = truncate_at(b, off, uids, n);
	else if (fixed && b->outside == NULL)
		ret = mark(b, uids, n);
	else
		return mbox_compact(b, uids, n);
	if (ret == -1)
		b->bad = true;
	return ret;
}

void
mbox_tidy(struct box *b)
{
	const struct idx_head *h;
	bool collect;

	if (!b->checked || mbox_refresh(b) == -1)
		return;
	h = b->idx.head;
	collect = h->garbage >= GARBAGE_MIN &&
	    h->garbage >= (b->size - h->garbage) / 2;
	if (!collect && !b->rewrite)
		return;
	if (mbox_compact(b, NULL, 0) == -1)
		log_warn("%s: compacting", b->file);
}
