/*
 * Putting messages into a .mdir mailbox: what clients appended and what is
 * copied, a piece at a time (put.c).  In workers only.  What lies in a .mdir
 * mailbox already just gets one more name.  A slot of the index says which
 * UIDs are coming, so that a kill before the end leaves none of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "mdir.h"
#include "win.h"

enum {
	PIECE = 1024 * 1024,
	LINKS = 256,		/* in a piece */
	FEW = 16		/* files that are synced one by one */
};

struct made {
	uint64_t	 size, wire;
	bool		 open;		/* its last line has no end */
};

struct put {
	struct box	*b;
	struct stored_msg *m;		/* the caller's */
	struct made	*made;
	size_t		 n, next;	/* the one in hand */
	struct mdir_new	 file;		/* its */
	int		 src;		/* it is copied from this one, or -1 */
	uint64_t	 done;		/* bytes of its text */
	bool		 inside;
	struct win	 w;		/* on what is copied from */
	uint32_t	 first;		/* UID */
	unsigned	 place;		/* our slot */
	bool		 noted, over;
	bool		 unsynced;	/* files are */
};

static struct mdir_name
name_of(const struct stored_msg *m)
{
	struct mdir_name n = { m->uid, m->flags & MSG_FLAGS, m->keywords,
		m->date };

	return n;
}

/* --- one message --- */

/* It has a file of its own: that may be this mailbox's as well. */
static bool
link_it(struct put *t, const struct stored_msg *m)
{
	char temp[MDIR_NAME];

	mdir_new_temp(temp, m->uid);
	(void)unlinkat(t->b->fd, temp, 0);
	if (linkat(m->fd, m->name, t->b->fd, temp, 0) == -1)
		return false;
	t->made[t->next] = (struct made){ m->size, m->wire, m->open };
	return true;
}

static int
begin_message(struct put *t, struct stored_msg *m)
{
	t->inside = true;
	t->done = 0;
	t->w.len = 0;
	if (m->name != NULL) {
		t->src = openat(m->fd, m->name, O_RDONLY | O_NOFOLLOW |
		    O_NONBLOCK | O_CLOEXEC);
		if (t->src == -1)
			return -1;
	}
	return mdir_new_open(&t->file, t->b, m->uid);
}

static int
add_text(struct put *t, const struct stored_msg *m)
{
	struct str s = { m->text, m->size };
	uint64_t left = m->size - t->done;

	if (s.p == NULL) {
		t->w.fd = t->src != -1 ? t->src : m->fd;
		t->w.size = m->offset + m->size;
		s = win_at(&t->w, m->offset + t->done,
		    left < WIN_SIZE ? left : WIN_SIZE);
		if (s.len > left)
			s.len = left;
	}
	if (s.len == 0) {
		errno = EIO;
		return -1;
	}
	t->done += s.len;
	return mdir_new_write(&t->file, s.p, s.len);
}

static int
end_message(struct put *t)
{
	struct made *made = &t->made[t->next];

	t->inside = false;
	made->size = t->file.size;
	made->wire = t->file.wire;
	made->open = t->file.last != '\n';
	if (t->src != -1)
		close(t->src);
	t->src = -1;
	t->next++;
	t->unsynced = t->n > FEW;
	return mdir_new_close(&t->file, !t->unsynced);
}

/* --- all of them --- */

static int
note(struct put *t)
{
	struct box *b = t->b;
	struct slot *s;

	t->place = b->idx.next;
	t->noted = true;
	s = idx_slot_take(&b->idx);
	s->id = MDIR_PUT;
	s->ino = b->ino;
	s->uid = t->first + (uint32_t)t->n - 1;
	s->old = t->first;
	s->new = s->uid;
	s->state = SLOT_PENDING;
	return idx_put_slots(&b->idx, t->place, 1);
}

/* It stands for nothing any more. */
static int
unnote(struct put *t)
{
	memset(&t->b->idx.slots[t->place], 0, sizeof(struct slot));
	return idx_put_slots(&t->b->idx, t->place, 1);
}

static void
undo(struct put *t)
{
	struct mdir_name name;
	int err = errno;
	size_t i;

	t->over = true;
	(void)mdir_new_close(&t->file, false);
	for (i = 0; i < t->n && i <= t->next; i++) {
		name = name_of(&t->m[i]);
		mdir_new_undo(t->b, &name);
	}
	if (unnote(t) == -1)
		t->b->bad = true;
	mdir_touched(t->b);
	errno = err;
}

/* Their bytes, then their names. */
static int
make_durable(struct put *t)
{
	struct mdir_name name;
	size_t i;

	if (t->unsynced && syncfs(t->b->fd) == -1)
		return -1;
	for (i = 0; i < t->n; i++) {
		name = name_of(&t->m[i]);
		if (mdir_new_name(t->b, &name) == -1)
			return -1;
	}
	return mdir_sync(t->b) == -1 || unnote(t) == -1 ? -1 : 0;
}

static int
commit(struct put *t)
{
	struct box *b = t->b;
	struct mdir_name name;
	uint64_t modseq;
	size_t i;

	mdir_touching(b);
	if (make_durable(t) == -1) {
		undo(t);
		b->bad = true;
		return -1;
	}
	t->over = true;
	modseq = mdir_complete(b) ? mdir_add_modseq(b) : 0;
	for (i = 0; i < t->n; i++) {
		name = name_of(&t->m[i]);
		mdir_added(b, &name, t->made[i].size, t->made[i].wire,
		    t->made[i].open, modseq);
	}
	mdir_touched(b);
	b->revision++;
	return 0;
}

/* A step; what it costs, in bytes; -1. */
static ssize_t
step(struct put *t)
{
	struct stored_msg *m = &t->m[t->next];
	uint64_t was = t->done;

	if (!t->inside && m->name != NULL && link_it(t, m)) {
		t->next++;
		return PIECE / LINKS;
	}
	if (!t->inside)
		return begin_message(t, m);
	if (t->done == m->size)
		return end_message(t);
	return add_text(t, m) == -1 ? -1 : (ssize_t)(t->done - was);
}

int
mdir_put_more(struct put *t)
{
	ssize_t n;
	size_t some = 0;

	mdir_touching(t->b);
	while (t->next < t->n && some < PIECE) {
		if ((n = step(t)) == -1) {
			undo(t);
			return -1;
		}
		some += (size_t)n;
	}
	mdir_touched(t->b);
	return t->next < t->n ? 1 : commit(t);
}

void
mdir_put_end(struct put *t)
{
	if (t->noted && !t->over)
		undo(t);
	if (t->src != -1)
		close(t->src);
	win_free(&t->w);
	free(t->made);
	free(t);
}

struct put *
mdir_put_begin(struct box *b, struct stored_msg *m, size_t n)
{
	struct put *t;
	size_t i;
	int err;

	if (box_reserve(b, (uint32_t)n) == -1 ||
	    (t = calloc(1, sizeof(*t))) == NULL)
		return NULL;
	t->b = b;
	t->m = m;
	t->n = n;
	t->src = t->file.fd = -1;
	t->first = b->idx.head->uidnext;
	b->idx.head->uidnext += (uint32_t)n;
	for (i = 0; i < n; i++)
		m[i].uid = t->first + (uint32_t)i;
	t->made = calloc(n, sizeof(*t->made));
	if (t->made != NULL && win_init(&t->w, -1, 0) == 0 && note(t) == 0)
		return t;
	err = errno;
	mdir_put_end(t);
	errno = err;
	return NULL;
}
