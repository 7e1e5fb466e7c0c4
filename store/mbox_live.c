/*
 * How much of a .mbox file is mail: for limits.  In delivery and in workers.
 * The index knows it up to where it goes; what lies behind is counted from
 * From_ line to From_ line, once: appends count themselves.  No message is
 * looked into where its length is true.
 */
#include <sys/stat.h>

#include <errno.h>

#include "mbox.h"
#include "outside.h"

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

/* From there to the end: what is no mail any more, and how many are. */
static int
walk(const struct box *b, uint64_t off, uint64_t *garbage, uint64_t *count)
{
	struct from_line f;
	struct win w;
	uint64_t next;
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
			*garbage += next - off;
		else if (len != 0)
			++*count;
	}
	win_free(&w);
	if (off >= b->size)
		return 0;
	errno = EIO;
	return -1;
}

static int
count_tail(struct box *b)
{
	struct idx_head *h = b->idx.head;
	uint64_t garbage = h->tailgarbage, n = h->tailcount;

	if (walk(b, h->tailend, &garbage, &n) == -1) {
		mbox_tail_reset(b);
		return -1;
	}
	h->tailgarbage = garbage;
	h->tailcount = n;
	h->tailend = b->size;
	return 0;
}

/*
 * Who had it last was killed, perhaps between the file and the index: what
 * was expunged is known by the file alone until a worker has read it anew.
 */
static bool
doubtful(const struct box *b)
{
	const struct idx_head *h = b->idx.head;

	return !b->checked && !(h->clean & IDX_CLEAN_FLAGS) && h->count > 0;
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
	if (doubtful(b)) {
		*messages = gone = 0;
		if (walk(b, outside_counted(b, &gone, messages), &gone,
			messages) == -1)
			return -1;
		outside_count(b, gone, *messages);
	} else if (h->tailend < b->size && count_tail(b) == -1)
		return -1;
	else {
		gone = h->garbage + h->tailgarbage;
		*messages = h->count + (uint64_t)h->tailcount;
	}
	*bytes = gone < b->size ? b->size - gone : 0;
	return 0;
}

/* By what the last one who closed it in order has written. */
bool
mbox_peek(const struct idx_head *h, const struct statx *st, uint64_t *bytes,
    uint64_t *messages)
{
	uint64_t gone = h->garbage + h->tailgarbage;

	if (h->size != st->stx_size || h->tailfrom != h->end ||
	    h->tailend != h->size)
		return false;
	*bytes = gone < h->size ? h->size - gone : 0;
	*messages = h->count + (uint64_t)h->tailcount;
	return true;
}
