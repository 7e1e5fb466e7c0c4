/*
 * Deliveries into a .mdir mailbox: many at once.  Runs in delivery's threads
 * and in workers.  All are written, then all are synced, then they get their
 * names, and the directory is synced: so a message is there whole or not at
 * all.  Before that a slot of the index notes each, so that whoever comes
 * after a kill knows by its UID whether it is there (DECISIONS, Delivery
 * exactly once).  Bytes are copied, never parsed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "deliver.h"
#include "file.h"
#include "mdir.h"

struct batch {
	struct box	*b;
	char		*buf;
	struct mdir_new	 file[DELIVER_BATCH];
	unsigned	 first, total;	/* slots */
	bool		 writing;	/* what others may have, too */
};

static struct mdir_name
name_of(const struct delivery *d)
{
	struct mdir_name n = { d->uid, MSG_RECENT, 0, d->time };

	return n;
}

static int
note(struct batch *t, struct delivery *d, size_t n)
{
	struct idx *ix = &t->b->idx;
	struct slot *s;
	size_t i;

	t->first = ix->next;
	for (i = 0; i < n; i++) {
		if (d[i].settled)
			continue;
		d[i].uid = ix->head->uidnext++;
		s = idx_slot_take(ix);
		s->id = d[i].id;
		s->ino = t->b->ino;
		s->rcpt = d[i].rcpt;
		s->size = d[i].size;
		s->time = d[i].time;
		s->uid = d[i].uid;
		s->old = s->new = d[i].uid;
		s->state = SLOT_PENDING;
		t->total++;
	}
	return idx_put_slots(ix, t->first, t->total);
}

/* 1: what is to be stored cannot be read. */
static int
copy(struct batch *t, struct mdir_new *f, const struct delivery *d)
{
	size_t len = deliver_head(d, t->buf), want;
	uint64_t off = 0;
	char last;

	do {
		want = DELIVER_BUFFER - len;
		if (want > d->size - off)
			want = d->size - off;
		if (file_pread(d->fd, t->buf + len, want, d->offset + off) !=
		    (ssize_t)want)
			return 1;
		off += want;
		last = t->buf[len + want - 1];
		if (mdir_new_write(f, t->buf, len + want) == -1)
			return -1;
		len = 0;
	} while (off < d->size);
	return last == '\n' ? 0 : mdir_new_write(f, "\n", 1);
}

/* It will be sent again, and must not be taken for one that is there. */
static int
give_up(struct batch *t, struct delivery *d)
{
	struct idx *ix = &t->b->idx;
	struct mdir_name name = name_of(d);
	struct slot *s;
	unsigned k;

	deliver_settle(d, 2, "4.3.0", "the queue file cannot be read");
	mdir_new_undo(t->b, &name);
	for (k = 0; k < t->total; k++) {
		s = &ix->slots[(t->first + k) % IDX_SLOTS];
		if (s->uid == d->uid)
			memset(s, 0, sizeof(*s));
	}
	return idx_put_slots(ix, t->first, t->total);
}

static int
write_all(struct batch *t, struct delivery *d, size_t n)
{
	size_t i;
	int ret;

	for (i = 0; i < n; i++) {
		if (d[i].settled ||
		    mdir_share_link(t->b, &d[i], &t->file[i].size,
		    &t->writing))
			continue;
		if (mdir_new_open(&t->file[i], t->b, d[i].uid) == -1)
			return -1;
		ret = copy(t, &t->file[i], &d[i]);
		if (ret == 1)
			ret = give_up(t, &d[i]);
		if (ret == -1)
			return -1;
	}
	/* All on their way, so that one journal's commit does for many. */
	for (i = 0; n > 1 && i < n; i++)
		if (t->file[i].fd != -1)
			(void)sync_file_range(t->file[i].fd, 0, 0,
			    SYNC_FILE_RANGE_WRITE);
	for (i = 0; i < n; i++)
		if (mdir_new_close(&t->file[i], !d[i].settled) == -1)
			return -1;
	return 0;
}

static int
name_all(struct batch *t, const struct delivery *d, size_t n)
{
	struct mdir_name name;
	size_t i;

	for (i = 0; i < n; i++) {
		if (d[i].settled)
			continue;
		name = name_of(&d[i]);
		if (mdir_new_name(t->b, &name) == -1)
			return -1;
	}
	return 0;
}

static void
undo(struct batch *t, const struct delivery *d, size_t n)
{
	struct idx *ix = &t->b->idx;
	struct mdir_name name;
	unsigned k;
	size_t i;

	mdir_share_end(&t->writing);
	for (i = 0; i < n; i++) {
		(void)mdir_new_close(&t->file[i], false);
		if (d[i].settled)
			continue;
		name = name_of(&d[i]);
		mdir_new_undo(t->b, &name);
	}
	for (k = 0; k < t->total; k++)
		memset(&ix->slots[(t->first + k) % IDX_SLOTS], 0,
		    sizeof(struct slot));
	if (idx_put_slots(ix, t->first, t->total) == -1)
		t->b->bad = true;
	ix->next = t->first;
}

/* What is there now, for the index; its records only if they are all there. */
static void
count_in(struct batch *t, const struct delivery *d, size_t n)
{
	struct box *b = t->b;
	bool record = mdir_complete(b);
	uint64_t modseq = record ? mdir_add_modseq(b) : 0;
	struct mdir_name name;
	size_t i;

	for (i = 0; i < n; i++) {
		if (d[i].settled)
			continue;
		name = name_of(&d[i]);
		mdir_added(b, &name, t->file[i].size, t->file[i].wire, false,
		    modseq);
		mdir_share_keep(b, &d[i], &name);
	}
	mdir_share_end(&t->writing);
	mdir_touched(b);
	b->revision++;
}

void
mdir_append(struct box *b, struct delivery *d, size_t n)
{
	struct batch t = { .b = b, .buf = deliver_buffer() };
	size_t i;
	int err;

	for (i = 0; i < n; i++)
		t.file[i].fd = -1;
	if (t.buf == NULL || box_reserve(b, n) == -1) {
		deliver_failed(b, d, n, errno);
		return;
	}
	mdir_touching(b);
	if (note(&t, d, n) == -1 || write_all(&t, d, n) == -1 ||
	    name_all(&t, d, n) == -1) {
		err = errno;
		undo(&t, d, n);
		if (n == 1 || b->bad) {
			deliver_failed(b, d, n, err);
			return;
		}
		/* One that is too large must not keep the others out. */
		for (i = 0; i < n; i++)
			if (!d[i].settled)
				mdir_append(b, &d[i], 1);
		return;
	}
	if (mdir_sync(b) == -1) {
		err = errno;
		undo(&t, d, n);
		b->bad = true;
		deliver_failed(b, d, n, err);
		return;
	}
	count_in(&t, d, n);
	deliver_tell(d, n, 0, "2.0.0", "Delivered to the user mailbox");
}
