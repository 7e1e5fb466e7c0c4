/*
 * The .mdir format: opening, taking over, reading, changing, releasing.  Runs
 * in delivery and in workers.  See mdir.h.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "folder.h"
#include "log.h"
#include "mdir.h"

static uint32_t
stamp_of(int64_t sec, uint32_t nsec)
{
	return (uint32_t)sec * 2654435761u ^ nsec;
}

/* --- what others do to it --- */

uint32_t
mdir_stamp(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return 0;
	return stamp_of(st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

void
mdir_touching(struct box *b)
{
	if (b->mdir->stamp != mdir_stamp(b->fd))
		b->mdir->foreign = true;
}

void
mdir_touched(struct box *b)
{
	b->mdir->stamp = mdir_stamp(b->fd);
}

static bool
changed(struct box *b)
{
	struct stat st;

	if (fstatat(b->acct->dirfd, box_place(b), &st,
	    AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_ino == b->ino)
		return false;
	log_msg(LOG_PROBLEM, "%s: changed by somebody else", b->file);
	return true;
}

/* --- opening --- */

int
mdir_sync(struct box *b)
{
	if (fsync(b->fd) == -1)
		return -1;
	if (!b->fresh)
		return 0;
	if (b->acct->single == NULL && box_sync_dir(b) == -1)
		return -1;
	b->fresh = false;
	b->idx.head->clean |= IDX_DIRSYNCED;
	return 0;
}

static int
open_dir(struct box *b)
{
	const struct acct *a = b->acct;
	int fd;

	fd = file_open_beneath(a->dirfd, box_place(b), O_RDONLY | O_DIRECTORY, 0);
	if (fd != -1 || errno != ENOENT || strcmp(b->name, "INBOX") != 0)
		return fd;
	if (a->single != NULL) {
		errno = ESTALE;
		return -1;
	}
	if (folder_mkdir(a->dirfd, b->file) == -1)
		return -1;
	b->fresh = true;
	return file_open_beneath(a->dirfd, b->file, O_RDONLY | O_DIRECTORY, 0);
}

static int
recover(struct box *b, bool sure)
{
	uint32_t last = 0;

	info_sweep(&b->acct->info);
	if (mdir_recover(b, sure, &last) == -1)
		return -1;
	b->mdir->counted = false;
	/* Nobody knows what was done to the messages. */
	b->idx.head->clean &= ~(uint32_t)IDX_CLEAN_FLAGS;
	return box_recover(b, last);
}

static bool
in_order(const struct box *b)
{
	const struct idx_head *h = b->idx.head;

	return h->clean & IDX_CLEAN_TAIL && h->stamp == b->mdir->stamp &&
	    h->uidnext != 0;
}

static int
take_over(struct box *b)
{
	struct idx_head *h = b->idx.head;
	uint32_t born = box_born(b->fd);
	bool known = b->idx.believed && h->ino == b->ino && h->born == born;
	bool sure = known && idx_same_boot(h);

	idx_slots_claim(&b->idx, b->ino);
	if (!known)
		idx_reset(&b->idx, b->ino);
	h->born = born;
	if (!idx_same_boot(h))
		h->clean &= IDX_DIRSYNCED;
	if (!(h->clean & IDX_DIRSYNCED))
		b->fresh = true;
	b->mdir->stamp = mdir_stamp(b->fd);
	b->mdir->messages = h->tailcount;
	b->mdir->counted = true;
	b->size = h->size;
	if (!in_order(b) && recover(b, sure) == -1)
		return -1;
	h->clean &= ~(uint32_t)IDX_CLEAN_TAIL;
	h->boot = idx_boot();
	return idx_put_head(&b->idx);
}

static void
shut(struct box *b)
{
	if (b->mdir != NULL && b->mdir->fd != -1)
		close(b->mdir->fd);
	free(b->mdir);
	b->mdir = NULL;
	idx_close(&b->idx);
	if (b->fd != -1)
		close(b->fd);
	b->fd = -1;
}

static int
mdir_open(struct box *b)
{
	struct stat st;
	char *path;
	int err;

	b->fresh = b->checked = b->rewrite = b->tail = false;
	if ((b->fd = open_dir(b)) == -1)
		return -1;
	path = xasprintf("%s.idx", b->file);
	err = idx_open(&b->idx, b->acct->dirfd, path, b->acct->worker);
	free(path);
	if (err == 0 && fstat(b->fd, &st) == 0 &&
	    (b->mdir = calloc(1, sizeof(*b->mdir))) != NULL) {
		b->mdir->fd = -1;
		b->ino = st.st_ino;
		if (take_over(b) == 0)
			return 0;
	}
	err = errno;
	shut(b);
	errno = err;
	return -1;
}

/* After trouble nothing is marked: whoever comes next shall look. */
static void
mdir_close(struct box *b)
{
	struct idx_head *h = b->idx.head;
	struct mdir *m = b->mdir;

	if (b->fd == -1)
		return;
	if (!b->bad)
		mdir_touching(b);
	if (!b->bad && !m->foreign && (m->counted || mdir_count(b) == 0) &&
	    idx_slots_settle(&b->idx, UINT64_MAX) == 0) {
		h->size = b->size;
		h->tailcount = (uint32_t)m->messages;
		h->stamp = m->stamp;
		h->clean |= IDX_CLEAN_TAIL;
		if (b->checked)
			h->clean |= IDX_CLEAN_FLAGS;
		(void)idx_put_head(&b->idx);
	}
	shut(b);
}

/* --- for limits --- */

static int
live(struct box *b, uint64_t *bytes, uint64_t *messages)
{
	if (b->bad || b->fd == -1) {
		errno = EIO;
		return -1;
	}
	mdir_touching(b);
	if ((!b->mdir->counted || b->mdir->foreign) && mdir_count(b) == -1)
		return -1;
	*bytes = b->size;
	*messages = b->mdir->messages;
	return 0;
}

static bool
peek(const struct idx_head *h, const struct statx *st, uint64_t *bytes,
    uint64_t *messages)
{
	if (h->stamp != stamp_of(st->stx_mtime.tv_sec, st->stx_mtime.tv_nsec))
		return false;
	*bytes = h->size;
	*messages = h->tailcount;
	return true;
}

/* --- messages --- */

void
mdir_rec_name(char *out, const struct rec *r)
{
	struct mdir_name n = { r->uid, r->flags & MSG_FLAGS, r->keywords,
		r->date };

	mdir_name_format(out, &n);
}

static int
open_message(struct box *b, const struct rec *r)
{
	struct mdir *m = b->mdir;
	char name[MDIR_NAME];
	struct stat st;

	if (m->fd != -1 && m->uid == r->uid)
		return 0;
	if (m->fd != -1)
		close(m->fd);
	mdir_rec_name(name, r);
	m->uid = r->uid;
	m->fd = openat(b->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
	if (m->fd != -1 && fstat(m->fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size == r->size)
		return 0;
	/* Gone or another one: whoever looks next finds what there is. */
	log_msg(LOG_PROBLEM, "%s/%s: changed by somebody else", b->file,
	    name);
	b->bad = true;
	if (m->fd != -1)
		close(m->fd);
	m->fd = -1;
	errno = EIO;
	return -1;
}

static ssize_t
mdir_read(struct box *b, const struct rec *r, uint64_t off, void *p, size_t n)
{
	if (b->bad || open_message(b, r) == -1) {
		errno = EIO;
		return -1;
	}
	return file_pread(b->mdir->fd, p, n, off);
}

static int
source(struct box *b, const struct rec *r, struct stored_msg *m)
{
	char name[MDIR_NAME];

	mdir_rec_name(name, r);
	if ((m->name = strdup(name)) == NULL)
		return -1;
	m->open = r->flags & REC_OPENEND;
	return 0;
}

static int
mark(struct box *b, struct patch *p, const struct rec *r, uint32_t flags,
    uint32_t keywords)
{
	struct mdir_name n = { r->uid, flags & MSG_FLAGS, keywords, r->date };
	char old[MDIR_NAME], new[MDIR_NAME];

	mdir_rec_name(old, r);
	mdir_name_format(new, &n);
	if (strcmp(old, new) == 0)
		return 0;
	mdir_touching(b);
	if (renameat2(b->fd, old, b->fd, new, RENAME_NOREPLACE) == -1)
		return -1;
	mdir_touched(b);
	return 0;
}

/* The message with all its names; what is not there is gone already. */
static int
unlink_one(struct box *b, const struct rec *r)
{
	char name[MDIR_NAME];

	mdir_rec_name(name, r);
	return unlinkat(b->fd, name, 0) == -1 && errno != ENOENT ? -1 : 0;
}

static int
expunge(struct box *b, const uint32_t *uids, size_t n)
{
	uint64_t bytes;
	const struct rec *r;
	uint32_t count = box_count(b);
	size_t i;

	/* Slots that wait for a message must not see it go. */
	if (idx_slots_settle(&b->idx, UINT64_MAX) == -1)
		return -1;
	mdir_touching(b);
	for (i = 0; i < n; i++)
		if ((r = box_find(b, uids[i])) != NULL &&
		    unlink_one(b, r) == -1)
			goto fail;
	bytes = idx_drop(&b->idx, uids, n);
	b->size -= bytes;
	b->mdir->messages -= count - box_count(b);
	(void)idx_put_head(&b->idx);
	if (mdir_sync(b) == -1)
		goto fail;
	mdir_touched(b);
	return 0;
fail:
	b->bad = true;
	return -1;
}

static void
tidy(struct box *b)
{
	if (b->mdir->fd != -1)
		close(b->mdir->fd);
	b->mdir->fd = -1;
}

/* --- as a whole --- */

/* Its files, whatever they are called; a directory in it stays, and it too. */
static int
mdir_remove(int dirfd, const char *path)
{
	int fd = file_open_beneath(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
	const struct dirent *e;
	size_t removed;
	DIR *d;
	int ret;

	if (fd == -1)
		return -1;
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return -1;
	}
	/* Not every file system tells all names while some go. */
	do {
		rewinddir(d);
		removed = 0;
		while ((e = readdir(d)) != NULL)
			if (strcmp(e->d_name, ".") != 0 &&
			    strcmp(e->d_name, "..") != 0)
				removed += unlinkat(fd, e->d_name, 0) == 0;
		ret = unlinkat(dirfd, path, AT_REMOVEDIR);
	} while (ret == -1 && removed > 0);
	closedir(d);
	return ret;
}

const struct box_format format_mdir = {
	.ext = ".mdir",
	.type = "MailDirMailbox",
	.mode = S_IFDIR,
	.make = folder_mkdir,
	.remove = mdir_remove,
	.peek = peek,
	.open = mdir_open,
	.close = mdir_close,
	.changed = changed,
	.append = mdir_append,
	.refresh = mdir_refresh,
	.read = mdir_read,
	.mark = mark,
	.marked = mdir_sync,
	.expunge = expunge,
	.tidy = tidy,
	.source = source,
	.put_begin = mdir_put_begin,
	.put_more = mdir_put_more,
	.put_end = mdir_put_end,
	.live = live
};
