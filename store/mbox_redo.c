/*
 * Giving a .mbox file that lies elsewhere new contents in place, as its name
 * and its inode are others': see outside.h.  In workers, and in delivery where
 * one was killed over it.  The new contents are first a whole file of the
 * account's, INBOX.mbox.redo, so that nothing is lost if we die between two
 * writes.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"
#include "log.h"
#include "mbox.h"
#include "outside.h"

/*
 * Behind its contents: which file they are for, how long it was, and a sum of
 * what was in it, so that it can be told whether anything was written.
 */
enum { FOOT = 16 + 16 + 8 + 8 };

struct redo {
	struct box	*b;
	char		*path;
	int		 fd;
	uint64_t	 old, new;	/* sizes */
	uint64_t	 ino;
	uint32_t	 born, sum;
};

static int
copy_bytes(int from, uint64_t off, uint64_t end, int to, uint64_t at)
{
	char *buf = malloc(WIN_SIZE);
	ssize_t n;
	int ret = buf != NULL ? 0 : -1;

	for (; ret == 0 && off < end; off += n, at += n) {
		n = end - off < WIN_SIZE ? end - off : WIN_SIZE;
		n = file_pread(from, buf, n, off);
		if (n == 0)
			errno = EIO;
		if (n <= 0 || file_pwrite(to, buf, n, at) == -1)
			ret = -1;
	}
	free(buf);
	return ret;
}

static int
sum_up(int fd, uint64_t size, uint32_t *sum)
{
	char *buf = malloc(WIN_SIZE);
	uint64_t off;
	ssize_t n;
	int ret = buf != NULL ? 0 : -1;

	*sum = 0;
	for (off = 0; ret == 0 && off < size; off += n) {
		n = size - off < WIN_SIZE ? size - off : WIN_SIZE;
		n = file_pread(fd, buf, n, off);
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			ret = -1;
		else
			*sum = crc32c(*sum, buf, n);
	}
	free(buf);
	return ret;
}

static int
put_foot(const struct redo *r)
{
	char foot[FOOT + 1];

	snprintf(foot, sizeof(foot), "%016" PRIx64 "%016" PRIx64 "%08" PRIx32
	    "%08" PRIx32, r->old, r->ino, r->born, r->sum);
	if (file_pwrite(r->fd, foot, FOOT, r->new) == -1 ||
	    ftruncate(r->fd, r->new + FOOT) == -1)
		return -1;
	return fsync(r->fd);
}

static int
get_foot(struct redo *r)
{
	char foot[FOOT + 1] = "";
	struct stat st;

	if (fstat(r->fd, &st) == -1)
		return -1;
	r->new = st.st_size;
	if (st.st_size < FOOT || file_pread(r->fd, foot, FOOT,
	    st.st_size - FOOT) != FOOT)
		return -1;
	r->new -= FOOT;
	return sscanf(foot, "%16" SCNx64 "%16" SCNx64 "%8" SCNx32 "%8" SCNx32,
	    &r->old, &r->ino, &r->born, &r->sum) == 4 ? 0 : -1;
}

/* Much of it is what is there already. */
static int
put_over(const struct redo *r)
{
	char *p = malloc(2 * WIN_SIZE);
	int ret = p != NULL ? 0 : -1, fd = r->b->fd;
	uint64_t off;
	ssize_t n;

	for (off = 0; ret == 0 && off < r->new; off += n) {
		n = r->new - off < WIN_SIZE ? r->new - off : WIN_SIZE;
		n = file_pread(r->fd, p, n, off);
		if (n == 0)
			errno = EIO;
		if (n <= 0 || ((file_pread(fd, p + WIN_SIZE, n, off) != n ||
		    memcmp(p, p + WIN_SIZE, n) != 0) &&
		    file_pwrite(fd, p, n, off) == -1))
			ret = -1;
	}
	free(p);
	return ret;
}

/*
 * First its size, so that what others add behind that can be told from ours
 * whatever happens.  Then as often as need be: nothing that is read here is
 * written.
 */
static int
overwrite(struct redo *r)
{
	struct box *b = r->b;

	if (ftruncate(b->fd, r->new) == -1 || put_over(r) == -1 ||
	    fsync(b->fd) == -1)
		return -1;
	b->size = r->new;
	if (unlinkat(b->acct->dirfd, r->path, 0) == -1)
		return -1;
	return box_sync_dir(b);
}

/* Room for all of it, or nothing is begun.  Not every file system can say. */
static int
make_room(const struct redo *r)
{
	if (r->new <= r->old || fallocate(r->b->fd, FALLOC_FL_KEEP_SIZE,
	    r->old, r->new - r->old) == 0)
		return 0;
	return errno == EOPNOTSUPP || errno == ENOSYS ? 0 : -1;
}

int
outside_replace(struct box *b, int fd, const char *name, uint64_t size)
{
	struct redo r = { .b = b, .fd = fd, .old = b->size, .new = size,
		.ino = b->ino, .born = b->idx.head->born };
	int ret = -1, dirfd = b->acct->dirfd, err;
	struct stat st;

	r.path = xasprintf("%s.redo", b->file);
	if (sum_up(b->fd, r.old, &r.sum) == 0 && make_room(&r) == 0 &&
	    put_foot(&r) == 0 && renameat(dirfd, name, dirfd, r.path) == 0 &&
	    box_sync_dir(b) == 0 && fstat(b->fd, &st) == 0) {
		/* Somebody who does not know the lock: to be found by finish(). */
		if ((uint64_t)st.st_size != r.old)
			errno = EAGAIN;
		else
			ret = overwrite(&r);
	}
	err = errno;
	free(r.path);
	errno = err;
	return ret;
}

/* --- after a kill --- */

/* What others have written is part of the mailbox: from there, behind ours. */
static int
extend(struct redo *r, uint64_t from, uint64_t size)
{
	struct redo n = *r;
	int dirfd = r->b->acct->dirfd, ret = -1;
	char *path = xasprintf("%s.new", r->b->file);

	if (unlinkat(dirfd, path, 0) == -1 && errno != ENOENT) {
		free(path);
		return -1;
	}
	n.new = r->new + (size - from);
	/* Whatever was there, this is what it shall be. */
	n.old = size;
	n.fd = file_open_beneath(dirfd, path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (n.fd != -1 && sum_up(r->b->fd, size, &n.sum) == 0 &&
	    copy_bytes(r->fd, 0, r->new, n.fd, 0) == 0 &&
	    copy_bytes(r->b->fd, from, size, n.fd, r->new) == 0 &&
	    make_room(&n) == 0 && put_foot(&n) == 0 &&
	    renameat(dirfd, path, dirfd, r->path) == 0 &&
	    box_sync_dir(r->b) == 0)
		ret = 0;
	free(path);
	if (ret == -1) {
		if (n.fd != -1)
			close(n.fd);
		return -1;
	}
	close(r->fd);
	*r = n;
	return 0;
}

/* It is not for this file: for one that is gone, as others rename, too. */
static int
set_aside(struct redo *r)
{
	int dirfd = r->b->acct->dirfd, ret;
	char *path = xasprintf("%s.%lld", r->path, (long long)time(NULL));

	log_msg(LOG_CRASH, "%s: another file has its place; what was to be in "
	    "the one before is in %s", r->b->file, path);
	ret = ftruncate(r->fd, r->new);
	if (ret == 0)
		ret = renameat(dirfd, r->path, dirfd, path);
	free(path);
	return ret == 0 ? box_sync_dir(r->b) : -1;
}

static bool
message_at(const struct redo *r, uint64_t off)
{
	struct from_line f;
	struct win w;
	bool yes;
	int i;

	if (win_init(&w, r->b->fd, r->b->size) == -1)
		return false;
	/* An empty line may stand before it. */
	for (i = 0; i < 2 && off < r->b->size &&
	    win_at(&w, off, 1).p[0] == '\n'; i++)
		off++;
	yes = mbox_from_at(&w, off, &f) != 0;
	win_free(&w);
	return yes;
}

/*
 * How far did it come, and what did others do since?  What is theirs is kept:
 * a message twice is better than none.
 */
static int
finish(struct redo *r)
{
	struct box *b = r->b;
	uint64_t size = b->size, from;
	uint32_t sum = 0;

	if (get_foot(r) == -1 || r->ino != b->ino ||
	    r->born != box_born(b->fd))
		return set_aside(r);
	log_msg(LOG_PROBLEM, "%s: what was begun before is brought to its end",
	    b->file);
	if (size >= r->old && sum_up(b->fd, r->old, &sum) == -1)
		return -1;
	/* Nothing was written, or all that is of its size is ours. */
	from = size >= r->old && sum == r->sum ? r->old : r->new;
	/* Ours may begin with all that was there, or with nothing yet. */
	if (from == r->old && size >= r->new && r->new > r->old &&
	    !message_at(r, from))
		from = r->new;
	if (size == from)
		return overwrite(r);
	if (size < from || !message_at(r, from))
		from = 0;
	if (from == 0 && !message_at(r, 0)) {
		if (mbox_put_aside(b, 0, size) == -1)
			return -1;
		return overwrite(r);
	}
	return extend(r, from, size) == 0 ? overwrite(r) : -1;
}

int
outside_redo(struct box *b)
{
	struct redo r = { .b = b };
	int ret, err;

	r.path = xasprintf("%s.redo", b->file);
	r.fd = file_open_beneath(b->acct->dirfd, r.path, O_RDWR, 0);
	if (r.fd == -1)
		ret = errno == ENOENT ? 0 : -1;
	else {
		ret = finish(&r);
		err = errno;
		close(r.fd);
		errno = err;
	}
	err = errno;
	free(r.path);
	errno = err;
	return ret;
}
