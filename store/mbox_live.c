/*
 * How much of a .mbox file is mail: for limits.  In delivery and in workers.
 * The index knows it up to where it goes; what lies behind is counted from
 * From_ line to From_ line, once: appends count themselves.  No message is
 * looked into where its length is true.
 */
#include <errno.h>

#include "mbox.h"

void
mbox_tail_reset(struct box *b)
{
	struct idx_head *h = b->idx.head;

	h->tailfrom = h->tailend = h->end;
	h->tailgarbage = 0;
	h->tailcount = 0;
}

static bool
tail_holds(const struct box *b)
{
	const struct idx_head *h = b->idx.head;

	return h->tailfrom == h->end && h->tailend >= h->end &&
	    h->tailend <= b->size;
}

void
mbox_grew(struct box *b, size_t n, uint64_t end)
{
	struct idx_head *h = b->idx.head;

	if (h->end == b->size)
		mbox_tail_reset(b);
	if (!tail_holds(b) || h->tailend != b->size)
		return;
	h->tailcount += n;
	h->tailend = end;
}

static int
count(struct box *b)
{
	struct idx_head *h = b->idx.head;
	uint64_t off = h->tailend, next;
	struct from_line f;
	struct win w;
	unsigned sep;
	size_t len;

	if (win_init(&w, b->fd, b->size) == -1)
		return -1;
	for (; off < b->size; off = next) {
		len = mbox_from_at(&w, off, &f);
		next = mbox_end(&w, off + len, len != 0 ? &f : NULL, &sep) +
		    sep;
		if (next <= off)
			break;
		if (len != 0 && f.flags & MSG_EXPUNGED)
			h->tailgarbage += next - off;
		else if (len != 0)
			h->tailcount++;
	}
	win_free(&w);
	if (off < b->size) {
		mbox_tail_reset(b);
		errno = EIO;
		return -1;
	}
	h->tailend = b->size;
	return 0;
}

int
mbox_live(struct box *b, uint64_t *bytes, uint64_t *messages)
{
	struct idx_head *h = b->idx.head;
	uint64_t gone;

	if (b->bad || b->fd == -1) {
		errno = EIO;
		return -1;
	}
	if (h->end > b->size)
		mbox_forget(b, "the mailbox was cut");
	if (!tail_holds(b))
		mbox_tail_reset(b);
	if (h->tailend < b->size && count(b) == -1)
		return -1;
	gone = h->garbage + h->tailgarbage;
	*bytes = gone < b->size ? b->size - gone : 0;
	*messages = h->count + (uint64_t)h->tailcount;
	return 0;
}
