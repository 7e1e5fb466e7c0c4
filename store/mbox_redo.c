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
#include <unistd.h>

#include "buf.h"
#include "file.h"
#include "log.h"
#include "mbox.h"
#include "outside.h"

/* Behind its contents: how long the mailbox was before, sixteen digits. */
enum { FOOT = 16 };

struct redo {
	struct box	*b;
	char		*path;
	int		 fd;
	uint64_t	 old, new;	/* sizes */
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

static bool
same_bytes(int a, int b, uint64_t size)
{
	char *p = malloc(2 * WIN_SIZE);
	bool same = p != NULL;
	uint64_t off;
	size_t n;

	for (off = 0; same && off < size; off += n) {
		n = size - off < WIN_SIZE ? size - off : WIN_SIZE;
		same = file_pread(a, p, n, off) == (ssize_t)n &&
		    file_pread(b, p + WIN_SIZE, n, off) == (ssize_t)n &&
		    memcmp(p, p + WIN_SIZE, n) == 0;
	}
	free(p);
	return same;
}

static int
put_foot(int fd, uint64_t old, uint64_t new)
{
	char foot[FOOT + 1];

	snprintf(foot, sizeof(foot), "%016" PRIx64, old);
	if (file_pwrite(fd, foot, FOOT, new) == -1 ||
	    ftruncate(fd, new + FOOT) == -1)
		return -1;
	return fsync(fd);
}

static int
get_foot(struct redo *r)
{
	char foot[FOOT + 1] = "", *end;
	struct stat st;

	if (fstat(r->fd, &st) == -1)
		return -1;
	errno = EIO;
	if (st.st_size < FOOT)
		return -1;
	r->new = st.st_size - FOOT;
	if (file_pread(r->fd, foot, FOOT, r->new) != FOOT)
		return -1;
	r->old = strtoull(foot, &end, 16);
	return end == foot + FOOT ? 0 : -1;
}

/* As often as need be: nothing that is read here is written. */
static int
overwrite(struct redo *r)
{
	struct box *b = r->b;

	if (copy_bytes(r->fd, 0, r->new, b->fd, 0) == -1 ||
	    ftruncate(b->fd, r->new) == -1 || fsync(b->fd) == -1)
		return -1;
	b->size = r->new;
	if (unlinkat(b->acct->dirfd, r->path, 0) == -1)
		return -1;
	return box_sync_dir(b);
}

int
outside_replace(struct box *b, int fd, const char *name, uint64_t size)
{
	struct redo r = { .b = b, .fd = fd, .old = b->size, .new = size };
	int ret = -1, dirfd = b->acct->dirfd, err;

	r.path = xasprintf("%s.redo", b->file);
	if (put_foot(fd, r.old, r.new) == 0 &&
	    renameat(dirfd, name, dirfd, r.path) == 0 &&
	    box_sync_dir(b) == 0)
		ret = overwrite(&r);
	err = errno;
	free(r.path);
	errno = err;
	return ret;
}

/* --- after a kill --- */

/* Somebody has added to the mailbox since: that is part of it now. */
static int
extend(struct redo *r, uint64_t size)
{
	int dirfd = r->b->acct->dirfd, fd, ret = -1;
	char *path = xasprintf("%s.new", r->b->file);
	uint64_t new = r->new + (size - r->old);

	if (unlinkat(dirfd, path, 0) == -1 && errno != ENOENT) {
		free(path);
		return -1;
	}
	fd = file_open_beneath(dirfd, path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd != -1 && copy_bytes(r->fd, 0, r->new, fd, 0) == 0 &&
	    copy_bytes(r->b->fd, r->old, size, fd, r->new) == 0 &&
	    put_foot(fd, size, new) == 0 &&
	    renameat(dirfd, path, dirfd, r->path) == 0 &&
	    box_sync_dir(r->b) == 0)
		ret = 0;
	free(path);
	if (ret == -1) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	close(r->fd);
	r->fd = fd;
	r->old = size;
	r->new = new;
	return 0;
}

/*
 * How far did it come, and what did others do since?  What cannot be told
 * from what we wrote is kept aside before it is overwritten.
 */
static int
finish(struct redo *r)
{
	struct box *b = r->b;
	uint64_t size = b->size;

	if (get_foot(r) == -1)
		return -1;
	log_msg(LOG_PROBLEM, "%s: what was begun before is brought to its end",
	    b->file);
	if (size == r->old || (size > r->old && size < r->new))
		return overwrite(r);
	if (size >= r->new && same_bytes(r->fd, b->fd, r->new)) {
		if (unlinkat(b->acct->dirfd, r->path, 0) == -1)
			return -1;
		return box_sync_dir(b);
	}
	if ((size > r->old ? extend(r, size) : mbox_put_aside(b, 0, size)) ==
	    -1)
		return -1;
	return overwrite(r);
}

int
outside_redo(struct box *b)
{
	struct redo r = { .b = b };
	int ret, err;

	r.path = xasprintf("%s.redo", b->file);
	r.fd = file_open_beneath(b->acct->dirfd, r.path, O_RDONLY, 0);
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
