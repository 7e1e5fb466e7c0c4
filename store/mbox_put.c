/*
 * Putting messages into a .mbox file that are in its form already: what
 * clients appended and what is copied.  In workers only.  As with delivery, a
 * slot of the index says what is coming, so that a kill in between leaves all
 * or nothing.  Many are put a piece at a time (put.c sees to it that nobody
 * else touches the file meanwhile), and the disk begins to write at once, so
 * that little is left for the sync at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "mbox.h"

enum {
	BUFSIZE = 1024 * 1024,
	BEHIND = 16 * BUFSIZE		/* what the disk may lag behind */
};

struct put {
	struct box	*b;
	struct stored_msg *m;		/* the caller's */
	size_t		 n, next;	/* the one in hand */
	uint64_t	 done;		/* bytes of its text */
	bool		 inside;
	char		 last;		/* its last byte so far */
	struct win	 w;		/* on the file that is copied from */
	int		 src;		/* that one, if it is a message's own */
	uint64_t	 from;		/* where its next line is to be quoted */
	char		*buf;
	size_t		 len;		/* in it, not yet written */
	uint64_t	 off;		/* where buf goes */
	unsigned	 place;		/* our slot */
	bool		 noted, over;
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

/* From off on, which is before end, in the file that a message is in. */
static struct str
bytes(struct put *t, const struct stored_msg *m, uint64_t off, uint64_t end)
{
	struct str s;

	int fd = t->src != -1 ? t->src : m->fd;

	if (t->w.fd != fd)
		t->w.len = 0;
	t->w.fd = fd;
	t->w.size = m->offset + m->size;
	s = win_at(&t->w, off, end - off < WIN_SIZE ? end - off : WIN_SIZE);
	if (s.len > end - off)
		s.len = end - off;
	return s;
}

/* Is the line that ends there empty? */
static bool
is_empty(const struct put *t, uint64_t lf)
{
	char c[2] = { '\n', '\n' };
	size_t n = lf < 2 ? lf : 2;

	if (file_pread(t->src, c + 2 - n, n, lf - n) != (ssize_t)n)
		return false;
	return c[1] == '\n' || (c[1] == '\r' && c[0] == '\n');
}

/*
 * In a file of its own nobody has quoted lines.  Where the next "From " stands
 * that follows an empty one, from off on; the message's size if none does.
 */
static uint64_t
next_from(struct put *t, const struct stored_msg *m, uint64_t off)
{
	const char *hit;
	struct str s;

	while (off < m->size) {
		s = bytes(t, m, off, m->size);
		hit = memmem(s.p, s.len, "\nFrom ", 6);
		if (hit != NULL) {
			off += (uint64_t)(hit - s.p) + 1;
			if (is_empty(t, off - 1))
				return off;
		} else if (s.len <= 5 || off + s.len == m->size)
			break;
		else
			off += s.len - 5;
	}
	return m->size;
}

/* What all that quoting adds to its size. */
static uint64_t
quotes(struct put *t, const struct stored_msg *m)
{
	uint64_t n = 0, off;

	for (off = t->from; off < m->size; n++)
		off = next_from(t, m, off);
	return n;
}

static int
open_source(struct put *t, const struct stored_msg *m)
{
	t->from = m->size;
	if (m->name == NULL)
		return 0;
	t->src = openat(m->fd, m->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
	t->w.len = 0;
	if (t->src == -1)
		return -1;
	t->from = next_from(t, m, 0);
	return 0;
}

/* A piece of the message's text. */
static int
add_text(struct put *t, const struct stored_msg *m)
{
	struct str s = { m->text, m->size };
	uint64_t end = m->size;

	if (t->done == t->from && t->from < m->size) {
		if (add(t, ">", 1) == -1)
			return -1;
		t->from = next_from(t, m, t->done);
	}
	if (t->from < end)
		end = t->from;
	if (s.p == NULL)
		s = bytes(t, m, m->offset + t->done, m->offset + end);
	if (s.len == 0) {
		errno = EIO;
		return -1;
	}
	t->last = s.p[s.len - 1];
	t->done += s.len;
	return add(t, s.p, s.len);
}

/* As delivery writes it, in a file of its own. */
static struct str
header_path(struct put *t, const struct stored_msg *m)
{
	static const char field[] = "Return-Path: <";
	struct str s = bytes(t, m, 0, m->size), none = { "", 0 };
	size_t n = sizeof(field) - 1;
	const char *end;

	if (s.len <= n || memcmp(s.p, field, n) != 0)
		return none;
	s.p += n;
	s.len = s.len - n < FROM_PATHMAX ? s.len - n : FROM_PATHMAX;
	end = memchr(s.p, '>', s.len);
	if (end == NULL || memchr(s.p, '\n', end - s.p) != NULL)
		return none;
	s.len = end - s.p;
	return s;
}

/* The return-path, if an old From_ line has it. */
static struct str
old_path(struct put *t, const struct stored_msg *m)
{
	struct from_line f = { .path = { "", 0 } };
	struct str s;

	if (t->src != -1)
		return header_path(t, m);
	if (m->fromlen == 0)
		return f.path;
	s = bytes(t, m, m->offset - m->fromlen, m->offset);
	while (s.len > 0 && (s.p[s.len - 1] == '\n' || s.p[s.len - 1] == '\r'))
		s.len--;
	(void)from_parse(s.p, s.len, &f);
	return f.path;
}

static int
begin_message(struct put *t, struct stored_msg *m)
{
	struct from_line f = { .flags = m->flags, .keywords = m->keywords,
		.date = m->date };
	char line[FROM_MAX];

	if (open_source(t, m) == -1)
		return -1;
	f.length = m->size + quotes(t, m);
	f.path = old_path(t, m);
	f.uid = m->uid = t->b->idx.head->uidnext++;
	t->inside = true;
	t->done = 0;
	t->last = '\n';
	return add(t, line, from_format(line, &f));
}

static int
end_message(struct put *t)
{
	t->inside = false;
	t->next++;
	if (t->src != -1)
		close(t->src);
	t->src = -1;
	/* A last line without its end stays so: its length says it. */
	return add(t, "\n\n", t->last == '\n' ? 1 : 2);
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
add_some(struct put *t)
{
	struct stored_msg *m = &t->m[t->next];

	if (!t->inside)
		return begin_message(t, m);
	return t->done < m->size ? add_text(t, m) : end_message(t);
}

/* The disk begins with what was just written, and has done what was before. */
static void
push_out(const struct put *t, uint64_t from)
{
	/* Only to spare time later: an error will be the sync's, too. */
	(void)sync_file_range(t->b->fd, (off_t)from, (off_t)(t->off - from),
	    SYNC_FILE_RANGE_WRITE);
	if (from >= t->b->size + BEHIND)
		(void)sync_file_range(t->b->fd, (off_t)(from - BEHIND),
		    (off_t)(t->off - from), SYNC_FILE_RANGE_WAIT_BEFORE |
		    SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
}

/*
 * Until it is whole it is nothing: whoever finds the slot pending cuts the
 * file back.  No queue has this id.
 */
static int
note(struct put *t)
{
	struct box *b = t->b;
	struct slot *s;

	t->place = b->idx.next;
	t->noted = true;
	s = idx_slot_take(&b->idx);
	s->id = UINT64_MAX;
	s->ino = b->ino;
	s->uid = b->idx.head->uidnext;
	s->old = b->size + t->len;	/* behind what joins it */
	s->new = SLOT_NEVER;
	s->state = SLOT_PENDING;
	return idx_put_slots(&b->idx, t->place, 1);
}

static void
undo(struct put *t)
{
	struct box *b = t->b;
	int err = errno;

	t->over = true;
	if (ftruncate(b->fd, b->size) == -1) {
		log_warn("%s: truncating to %llu", b->file,
		    (unsigned long long)b->size);
		b->bad = true;
	} else {
		memset(&b->idx.slots[t->place], 0, sizeof(struct slot));
		if (idx_put_slots(&b->idx, t->place, 1) == -1)
			b->bad = true;
	}
	errno = err;
}

static int
commit(struct put *t)
{
	struct box *b = t->b;

	b->idx.slots[t->place].new = t->off;
	b->idx.slots[t->place].uid = b->idx.head->uidnext - 1;
	if (idx_put_slots(&b->idx, t->place, 1) == -1 || mbox_sync(b) == -1) {
		/* Final for this file: never sync again and believe it. */
		undo(t);
		b->bad = true;
		return -1;
	}
	t->over = true;
	mbox_grew(b, t->n, t->off);
	b->size = t->off;
	mbox_done(b);
	b->revision++;
	return 0;
}

int
mbox_put_more(struct put *t)
{
	uint64_t from = t->off;

	while (t->next < t->n && t->off == from)
		if (add_some(t) == -1)
			goto fail;
	if (t->next == t->n) {
		if (flush(t) == -1)
			goto fail;
		return commit(t);
	}
	push_out(t, from);
	return 1;
fail:
	undo(t);
	return -1;
}

void
mbox_put_end(struct put *t)
{
	if (t->noted && !t->over)
		undo(t);
	if (t->src != -1)
		close(t->src);
	win_free(&t->w);
	free(t->buf);
	free(t);
}

struct put *
mbox_put_begin(struct box *b, struct stored_msg *m, size_t n)
{
	struct put *t;
	int err;

	if (mbox_cut_tail(b) == -1 || box_reserve(b, n) == -1 ||
	    (t = calloc(1, sizeof(*t))) == NULL)
		return NULL;
	t->b = b;
	t->m = m;
	t->n = n;
	t->off = b->size;
	t->src = -1;
	t->buf = malloc(BUFSIZE);
	if (t->buf != NULL && win_init(&t->w, -1, 0) == 0 && join(t) == 0 &&
	    note(t) == 0)
		return t;
	err = errno;
	mbox_put_end(t);
	errno = err;
	return NULL;
}
