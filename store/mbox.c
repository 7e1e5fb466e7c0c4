/*
 * The .mbox format: opening, taking over, releasing.  Runs in delivery and in
 * workers.  A mailbox that was not released in order is checked before it is
 * believed (DECISIONS, Delivery exactly once).
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"
#include "log.h"
#include "mbox.h"
#include "outside.h"

static int
open_box(struct box *b)
{
	const struct acct *a = b->acct;
	int fd;

	if (b->outside != NULL)
		return outside_open(b);
	/* A single mailbox has two names while it is lent: see single.h. */
	if (a->single != NULL && a->worker)
		return openat(a->dirfd, b->file,
		    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	fd = file_open_beneath(a->dirfd, b->file, O_RDWR, 0);
	if (fd != -1 || errno != ENOENT || strcmp(b->name, "INBOX") != 0)
		return fd;
	/* It is the account itself: nobody makes it by delivering to it. */
	if (a->single != NULL && !a->making) {
		errno = ESTALE;
		return -1;
	}
	fd = file_open_beneath(a->dirfd, b->file,
	    O_RDWR | O_CREAT | O_EXCL, 0600);
	b->fresh = fd != -1;
	return fd;
}

static bool
pending_whole(const struct box *b)
{
	unsigned i;

	for (i = 0; i < IDX_SLOTS; i++)
		if (b->idx.slots[i].state == SLOT_PENDING &&
		    b->idx.slots[i].new <= b->size)
			return true;
	return false;
}

int
mbox_sync(struct box *b)
{
	if (!b->fresh)
		return fdatasync(b->fd);
	if (fsync(b->fd) == -1 || box_sync_dir(b) == -1)
		return -1;
	b->fresh = false;
	b->idx.head->clean |= IDX_DIRSYNCED;
	return 0;
}

/*
 * A slot is done when the file is longer than it says, and it is looked at when
 * the mailbox is closed.  Where others take messages out that would prove
 * nothing: it is told at once.
 */
void
mbox_done(struct box *b)
{
	if (b->outside != NULL && idx_slots_settle(&b->idx, b->size) == -1)
		b->bad = true;
}

/* What somebody was writing who was killed. */
static void
sweep(struct box *b)
{
	static const char *const ends[] = { "new", "idx.new", "dat.new" };
	char *path;
	size_t i;

	info_sweep(&b->acct->info);
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		path = xasprintf("%s.%s", b->file, ends[i]);
		if (unlinkat(b->acct->dirfd, path, 0) == -1 && errno != ENOENT)
			log_warn("%s", path);
		free(path);
	}
}

/*
 * Nobody released it in order: look, repair, make sure.  After a loss of
 * power a file's size proves nothing of its bytes: what was not yet told
 * as done is done again.
 */
static int
recover(struct box *b, bool power_lost)
{
	uint32_t last = 0;

	sweep(b);
	if (mbox_repair(b, power_lost, &last) == -1)
		return -1;
	/* Written by somebody who died before the sync. */
	if (!power_lost && pending_whole(b) && mbox_sync(b) == -1)
		return -1;
	if (idx_slots_settle(&b->idx, power_lost ? 0 : b->size) == -1)
		return -1;
	return box_recover(b, last);
}

static int
take_over(struct box *b)
{
	struct idx_head *h = b->idx.head;
	uint32_t born = box_born(b->fd);
	bool known = b->idx.believed && h->ino == b->ino && h->born == born;
	bool power_lost = known && !idx_same_boot(h);

	/* Each slot stands for itself: a kill may have spoilt the head. */
	idx_slots_claim(&b->idx, b->ino);
	if (!known)
		idx_reset(&b->idx, b->ino);
	h->born = born;
	if (!idx_same_boot(h))
		h->clean &= IDX_DIRSYNCED;
	/* Others may have been there, whatever we left. */
	if (b->outside != NULL)
		h->clean &= ~(uint32_t)IDX_CLEAN_FLAGS;
	/* Who made it may have died before the directory was synced. */
	if (!(h->clean & IDX_DIRSYNCED))
		b->fresh = true;
	if ((!(h->clean & IDX_CLEAN_TAIL) || h->size != b->size ||
		h->uidnext == 0) && recover(b, power_lost) == -1)
		return -1;
	h->clean &= ~(uint32_t)IDX_CLEAN_TAIL;
	h->boot = idx_boot();
	return idx_put_head(&b->idx);
}

static int
mbox_open(struct box *b)
{
	struct stat st;
	char *path;
	int ret;

	b->fresh = b->checked = b->rewrite = b->tail = false;
	if ((b->fd = open_box(b)) == -1)
		return -1;
	path = xasprintf("%s.idx", b->file);
	ret = idx_open(&b->idx, b->acct->dirfd, path, b->acct->worker);
	free(path);
	if (ret == -1 || fstat(b->fd, &st) == -1)
		goto fail;
	b->ino = st.st_ino;
	b->size = st.st_size;
	if ((b->outside == NULL || outside_redo(b) == 0) && take_over(b) == 0)
		return 0;
fail:
	ret = errno;
	idx_close(&b->idx);
	close(b->fd);
	b->fd = -1;
	errno = ret;
	return -1;
}

/*
 * The orderly end.  After trouble nothing is marked: whoever comes next shall
 * check.
 */
static void
mbox_close(struct box *b)
{
	struct idx_head *h = b->idx.head;

	if (b->fd == -1)
		return;
	if (!b->bad && !b->tail && idx_slots_settle(&b->idx, b->size) == 0) {
		h->size = b->size;
		h->clean |= IDX_CLEAN_TAIL;
		if (b->checked)
			h->clean |= IDX_CLEAN_FLAGS;
		(void)idx_put_head(&b->idx);
	}
	idx_close(&b->idx);
	close(b->fd);
	b->fd = -1;
}

static ssize_t
mbox_read(struct box *b, const struct rec *r, uint64_t off, void *p, size_t n)
{
	ssize_t got = file_pread(b->fd, p, n, r->offset + r->fromlen + off);

	return outside_same(b, r) ? got : -1;
}

/* A file of ours, or nothing at all, stands for it. */
static int
mbox_make(int dirfd, const char *path)
{
	int fd = file_open_beneath(dirfd, path, O_RDWR | O_CREAT | O_EXCL,
	    0600);

	if (fd == -1)
		return -1;
	close(fd);
	return 0;
}

static int
mbox_remove(int dirfd, const char *path)
{
	return unlinkat(dirfd, path, 0);
}

static int
mbox_source(struct box *b, const struct rec *r, struct stored_msg *m)
{
	m->offset = r->offset + r->fromlen;
	m->fromlen = r->fromlen;
	return 0;
}

const struct box_format format_mbox = {
	.ext = ".mbox",
	.type = "TextMailbox",
	.mode = S_IFREG,
	.quoted = true,
	.make = mbox_make,
	.remove = mbox_remove,
	.peek = mbox_peek,
	.open = mbox_open,
	.close = mbox_close,
	.changed = mbox_changed,
	.append = mbox_append,
	.refresh = mbox_refresh,
	.read = mbox_read,
	.mark = mbox_mark,
	.marked = mbox_marked,
	.expunge = mbox_expunge,
	.tidy = mbox_tidy,
	.source = mbox_source,
	.put_begin = mbox_put_begin,
	.put_more = mbox_put_more,
	.put_end = mbox_put_end,
	.live = mbox_live
};

size_t
mbox_from_at(struct win *w, uint64_t off, struct from_line *f)
{
	struct str s = win_at(w, off, FROM_MAX);
	const char *lf;
	size_t len;

	if (s.len < 6 || memcmp(s.p, "From ", 5) != 0)
		return 0;
	if (s.len > FROM_MAX)
		s.len = FROM_MAX;
	if ((lf = memchr(s.p, '\n', s.len)) == NULL)
		return 0;
	len = lf - s.p;
	if (len > 0 && lf[-1] == '\r')
		len--;
	if (!from_parse(s.p, len, f))
		return 0;
	return lf - s.p + 1;
}
