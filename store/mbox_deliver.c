/*
 * Appending messages to a .mbox file: many at once, one sync.  Runs in
 * delivery's threads and in workers.  Bytes are copied, never parsed: the one
 * thing looked for is an empty line followed by "From ".
 *
 * Before bytes are written, a slot of the index notes what is coming, so that
 * whoever finds the file after a kill knows what is whole (DECISIONS,
 * Delivery exactly once).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deliver.h"
#include "file.h"
#include "log.h"
#include "mbox.h"

enum {
	BUFSIZE = DELIVER_BUFFER,
	OVERHEAD = FROM_MAX + DELIVER_HEAD,
	CARRY = 8		/* enough to see a LF LF From over a seam */
};

/* One batch on its way into the file. */
struct batch {
	struct box	*b;
	char		*buf;
	size_t		 len;		/* composed, not yet written */
	uint64_t	 start;		/* file size before the batch */
	uint64_t	 off;		/* where buf goes */
	unsigned	 slot, nslots;	/* not yet written */
	unsigned	 first, total;	/* all of this batch */
};

/*
 * Puts > before each "From " that follows an empty line in p[0..len); matches
 * begin at from or later.  There is room.  Returns the new length.
 */
static size_t
quote(char *p, size_t from, size_t len)
{
	char *hit;
	size_t at;

	while (len > from &&
	    (hit = memmem(p + from, len - from, "\nFrom ", 6)) != NULL) {
		at = hit - p;
		from = at + 1;
		if (at == 0 || (p[at - 1] != '\n' &&
		    !(at >= 2 && p[at - 1] == '\r' && p[at - 2] == '\n')))
			continue;
		memmove(hit + 2, hit + 1, len - at - 1);
		hit[1] = '>';
		len++;
	}
	return len;
}

static int
flush(struct batch *t)
{
	if (t->nslots > 0 &&
	    idx_put_slots(&t->b->idx, t->slot, t->nslots) == -1)
		return -1;
	t->slot = t->b->idx.next;
	t->nslots = 0;
	if (file_pwrite(t->b->fd, t->buf, t->len, t->off) == -1)
		return -1;
	t->off += t->len;
	t->len = 0;
	return 0;
}

static struct slot *
note(struct batch *t, const struct delivery *d, uint64_t old, uint64_t new)
{
	struct slot *s = idx_slot_take(&t->b->idx);

	s->id = d->id;
	s->ino = t->b->ino;
	s->rcpt = d->rcpt;
	s->size = d->size;
	s->time = d->time;
	s->uid = d->uid;
	s->old = old;
	s->new = new;
	s->state = SLOT_PENDING;
	t->nslots++;
	t->total++;
	return s;
}

/* The From_ line alone; the same width whatever the length. */
static size_t
compose_from(const struct delivery *d, char *p, int64_t length)
{
	struct from_line f = { .path = str_make(d->sender),
		.flags = MSG_RECENT, .uid = d->uid, .length = length,
		.date = d->time };
	char line[FROM_MAX];
	size_t n = from_format(line, &f);

	memcpy(p, line, n);
	return n;
}

/* What was read is the whole message; 0 bytes short. */
static bool
read_message(struct delivery *d, char *p)
{
	return file_pread(d->fd, p, d->size, d->offset) == (ssize_t)d->size;
}

/* A message that fits the buffer. */
static int
add_small(struct batch *t, struct delivery *d)
{
	size_t from, len;
	uint64_t at;
	char *p;

	if (t->len + OVERHEAD + d->size + d->size / 4 > BUFSIZE &&
	    flush(t) == -1)
		return -1;
	at = t->off + t->len;
	p = t->buf + t->len;
	from = compose_from(d, p, 0);
	p += from;
	len = deliver_head(d, p);
	if (!read_message(d, p + len)) {
		deliver_settle(d, 2, "4.3.0", "the queue file cannot be read");
		return 0;
	}
	len = quote(p, 0, len + d->size);
	if (p[len - 1] != '\n')
		p[len++] = '\n';
	p[len] = '\n';
	compose_from(d, p - from, len);
	note(t, d, at, at + from + len + 1);
	t->len += from + len + 1;
	return 0;
}

/*
 * A message that does not fit: its length is known only at its end, so the
 * slot says "never whole" until then, and the From_ line's length is one that
 * no file reaches.
 */
static int
add_large(struct batch *t, struct delivery *d)
{
	uint64_t at, done = 0, length = 0;
	char line[FROM_MAX], last = '\n';
	size_t from, len, want, scan;
	struct slot *s;
	unsigned mine;

	if (t->len > 0 && flush(t) == -1)
		return -1;
	at = t->off;
	mine = t->b->idx.next;
	s = note(t, d, at, SLOT_NEVER);
	scan = from = compose_from(d, t->buf, FROM_UNKNOWN);
	len = from + deliver_head(d, t->buf + from);
	while (done < d->size) {
		want = (BUFSIZE - len) / 2;
		if (want > d->size - done)
			want = d->size - done;
		if (file_pread(d->fd, t->buf + len, want, d->offset + done) !=
		    (ssize_t)want) {
			errno = EIO;
			return -1;
		}
		done += want;
		len = quote(t->buf, scan, len + want);
		last = t->buf[len - 1];
		t->len = len > CARRY ? len - CARRY : 0;
		if (done < d->size) {
			char carry[CARRY];

			memcpy(carry, t->buf + t->len, CARRY);
			length += t->len;
			if (flush(t) == -1)
				return -1;
			memcpy(t->buf, carry, CARRY);
			len = CARRY;
			scan = 0;
		}
	}
	if (last != '\n')
		t->buf[len++] = '\n';
	length += len - from;
	t->buf[len++] = '\n';
	t->len = len;
	if (flush(t) == -1)
		return -1;
	compose_from(d, line, length);
	if (file_pwrite(t->b->fd, line, from, at) == -1)
		return -1;
	s->new = t->off;
	return idx_put_slots(&t->b->idx, mine, 1);
}

/* A file that others left without its last line end gets it now. */
static int
join(struct batch *t)
{
	char c[2];
	ssize_t n;

	if (t->start == 0)
		return 0;
	n = t->start < 2 ? t->start : 2;
	if (file_pread(t->b->fd, c, n, t->start - n) != n)
		return -1;
	if (c[n - 1] != '\n')
		t->buf[t->len++] = '\n';
	if (c[n - 1] != '\n' || n < 2 || c[0] != '\n')
		t->buf[t->len++] = '\n';
	return 0;
}

/* Back to the size before the batch; slots last: see mbox_torn.c. */
static void
undo(struct batch *t)
{
	unsigned i;

	if (ftruncate(t->b->fd, t->start) == -1) {
		log_warn("%s: truncating to %llu", t->b->file,
		    (unsigned long long)t->start);
		t->b->bad = true;
		return;
	}
	for (i = 0; i < t->total; i++)
		memset(&t->b->idx.slots[(t->first + i) % IDX_SLOTS], 0,
		    sizeof(struct slot));
	if (idx_put_slots(&t->b->idx, t->first, t->total) == -1)
		t->b->bad = true;
	t->b->idx.next = t->first;
}

static int
write_all(struct batch *t, struct delivery *d, size_t n)
{
	uint32_t uid = t->b->idx.head->uidnext;
	size_t i;
	int ret;

	t->b->idx.head->uidnext += n;
	if (join(t) == -1)
		return -1;
	for (i = 0; i < n; i++) {
		if (d[i].settled)
			continue;
		d[i].uid = uid++;
		if (d[i].size + d[i].size / 4 + OVERHEAD < BUFSIZE)
			ret = add_small(t, &d[i]);
		else
			ret = add_large(t, &d[i]);
		if (ret == -1)
			return -1;
	}
	return flush(t);
}

void
mbox_append(struct box *b, struct delivery *d, size_t n)
{
	struct batch t = { .b = b, .buf = deliver_buffer() };
	size_t i;
	int err;

	if (t.buf == NULL || mbox_cut_tail(b) == -1 ||
	    box_reserve(b, n) == -1) {
		deliver_failed(b, d, n, errno);
		return;
	}
	t.start = t.off = b->size;
	t.first = t.slot = b->idx.next;
	if (write_all(&t, d, n) == -1) {
		err = errno;
		undo(&t);
		if (n == 1 || b->bad) {
			deliver_failed(b, d, n, err);
			return;
		}
		/* One that is too large must not keep the others out. */
		for (i = 0; i < n; i++)
			if (!d[i].settled)
				mbox_append(b, &d[i], 1);
		return;
	}
	if (mbox_sync(b) == -1) {
		/* Final for this file: never sync again and believe it. */
		err = errno;
		undo(&t);
		b->bad = true;
		deliver_failed(b, d, n, err);
		return;
	}
	mbox_grew(b, deliver_left(d, n), t.off);
	b->size = t.off;
	mbox_done(b);
	b->revision++;
	deliver_tell(d, n, 0, "2.0.0", "Delivered to the user mailbox");
}
