/*
 * Putting messages into a .mbox file that are in its form already: what
 * clients appended and what is copied.  In workers only.  As with delivery, a
 * slot of the index says what is coming, so that a kill in between leaves all
 * or nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "mbox.h"

enum { BUFSIZE = 1024 * 1024 };

struct put {
	struct box	*b;
	struct win	 w;		/* on the file that is copied from */
	char		*buf;
	size_t		 len;		/* in it, not yet written */
	uint64_t	 off;		/* where buf goes */
};

static int
flush(struct put *t)
{
	if (file_pwrite(t->b->fd, t->buf, t->len, t->off) == -1)
		return -1;
	t->off += t->len;
	t->len = 0;
	return 0;
}

static int
add(struct put *t, const char *p, size_t len)
{
	size_t n;

	for (; len > 0; p += n, len -= n) {
		if (t->len == BUFSIZE && flush(t) == -1)
			return -1;
		n = len < BUFSIZE - t->len ? len : BUFSIZE - t->len;
		memcpy(t->buf + t->len, p, n);
		t->len += n;
	}
	return 0;
}

/* Bytes at off of a message that is in a file. */
static struct str
piece(struct put *t, const struct stored_msg *m, uint64_t off)
{
	uint64_t left = m->size - off;
	struct str s;

	if (t->w.fd != m->fd)
		t->w.len = 0;
	t->w.fd = m->fd;
	t->w.size = m->offset + m->size;
	s = win_at(&t->w, m->offset + off, left < WIN_SIZE ? left : WIN_SIZE);
	if (s.len > left)
		s.len = left;
	return s;
}

static int
add_text(struct put *t, const struct stored_msg *m, char *last)
{
	uint64_t off;
	struct str s;

	if (m->text != NULL) {
		if (m->size > 0)
			*last = m->text[m->size - 1];
		return add(t, m->text, m->size);
	}
	for (off = 0; off < m->size; off += s.len) {
		s = piece(t, m, off);
		if (s.len == 0) {
			errno = EIO;
			return -1;
		}
		*last = s.p[s.len - 1];
		if (add(t, s.p, s.len) == -1)
			return -1;
	}
	return 0;
}

static int
add_message(struct put *t, const struct stored_msg *m)
{
	struct from_line f = { .path = str_make(m->path), .flags = m->flags,
		.keywords = m->keywords, .uid = m->uid, .length = m->size,
		.date = m->date };
	char line[FROM_MAX], last = '\n';

	if (add(t, line, from_format(line, &f)) == -1 ||
	    add_text(t, m, &last) == -1)
		return -1;
	/* A last line without its end stays so: its length says it. */
	return add(t, "\n\n", last == '\n' ? 1 : 2);
}

/* A file that others left without its last line end gets it now. */
static int
join(struct put *t)
{
	char c[2] = { '\n', '\n' };
	ssize_t n = t->b->size < 2 ? t->b->size : 2;

	if (n == 0)
		return 0;
	if (file_pread(t->b->fd, c + 2 - n, n, t->b->size - n) != n)
		return -1;
	if (c[1] != '\n')
		return add(t, "\n\n", 2);
	return c[0] == '\n' ? 0 : add(t, "\n", 1);
}

static int
write_all(struct put *t, struct stored_msg *m, size_t n)
{
	struct idx_head *h = t->b->idx.head;
	size_t i;

	if (join(t) == -1)
		return -1;
	for (i = 0; i < n; i++) {
		m[i].uid = h->uidnext++;
		if (add_message(t, &m[i]) == -1)
			return -1;
	}
	return flush(t);
}

/*
 * Until it is whole it is nothing: whoever finds the slot pending cuts the
 * file back.  No queue has this id.
 */
static int
note(struct box *b, unsigned *place)
{
	struct slot *s;

	*place = b->idx.next;
	s = idx_slot_take(&b->idx);
	s->id = UINT64_MAX;
	s->ino = b->ino;
	s->uid = b->idx.head->uidnext;
	s->old = b->size;
	s->new = SLOT_NEVER;
	s->state = SLOT_PENDING;
	return idx_put_slots(&b->idx, *place, 1);
}

static void
undo(struct box *b, unsigned place)
{
	int err = errno;

	if (ftruncate(b->fd, b->size) == -1) {
		log_warn("%s: truncating to %llu", b->file,
		    (unsigned long long)b->size);
		b->bad = true;
	} else {
		memset(&b->idx.slots[place], 0, sizeof(struct slot));
		if (idx_put_slots(&b->idx, place, 1) == -1)
			b->bad = true;
	}
	errno = err;
}

static int
put_all(struct put *t, struct stored_msg *m, size_t n)
{
	struct box *b = t->b;
	unsigned place;

	if (note(b, &place) == -1)
		return -1;
	if (write_all(t, m, n) == -1) {
		undo(b, place);
		return -1;
	}
	b->idx.slots[place].new = t->off;
	b->idx.slots[place].uid = b->idx.head->uidnext - 1;
	if (idx_put_slots(&b->idx, place, 1) == -1 || mbox_sync(b) == -1) {
		/* Final for this file: never sync again and believe it. */
		undo(b, place);
		b->bad = true;
		return -1;
	}
	mbox_grew(b, n, t->off);
	b->size = t->off;
	b->revision++;
	return 0;
}

int
mbox_put(struct box *b, struct stored_msg *m, size_t n)
{
	struct put t = { .b = b, .off = b->size };
	int ret = -1;

	if (mbox_cut_tail(b) == -1 || box_reserve(b, n) == -1)
		return -1;
	t.buf = malloc(BUFSIZE);
	if (t.buf != NULL && win_init(&t.w, -1, 0) == 0)
		ret = put_all(&t, m, n);
	win_free(&t.w);
	free(t.buf);
	return ret;
}
