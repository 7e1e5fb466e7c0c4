/*
 * Small durable files, and descriptors that carry bytes between processes.
 * Runs in the owners of bytes and in cgserver; never in the way of a loop
 * that must not wait for the disk (file_replace does).
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"

int
file_pwrite(int fd, const void *data, size_t len, off_t off)
{
	const char *p = data;
	ssize_t n;

	while (len > 0) {
		n = pwrite(fd, p, len, off);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

int
file_write(int fd, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		p += n;
		len -= n;
	}
	return 0;
}

ssize_t
file_pread(int fd, void *data, size_t len, off_t off)
{
	size_t got = 0;
	ssize_t n;

	while (got < len) {
		n = pread(fd, (char *)data + got, len - got, off + got);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (n == 0)
			break;
		got += n;
	}
	return got;
}

bool
path_is_plain(const char *path)
{
	struct cur c = cur_str(path);
	struct str part;

	do {
		if (cur_get(&c) != '/')
			return false;
		part = cur_until(&c, "/");
		if (part.len == 0 || str_eq(part, ".") || str_eq(part, ".."))
			return false;
	} while (cur_left(&c) > 0);
	return true;
}

bool
path_ends(const char *path, const char *end)
{
	size_t len = strlen(path), n = strlen(end);

	return len > n && strcmp(path + len - n, end) == 0;
}

static void
close_keep_errno(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

/* The directory that path stands in, opened; *base is path's last part. */
static int
open_parent(int dirfd, const char *path, const char **base)
{
	const char *slash = strrchr(path, '/');
	char *dir;
	int fd;

	*base = slash != NULL ? slash + 1 : path;
	if (slash == NULL)
		dir = strdup(".");
	else if (slash == path)
		dir = strdup("/");
	else
		dir = strndup(path, slash - path);
	if (dir == NULL)
		return -1;
	fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	return fd;
}

/* Writes and syncs a new file beside its final name. */
static int
write_new(int dfd, const char *tmp, mode_t mode, const void *p, size_t len)
{
	int fd;

	fd = openat(dfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, mode);
	if (fd == -1)
		return -1;
	if (file_write(fd, p, len) == -1 || fsync(fd) == -1) {
		close_keep_errno(fd);
		return -1;
	}
	return close(fd);
}

int
file_replace_by(int dirfd, const char *tmp, const char *name, mode_t mode,
    const void *p, size_t len)
{
	int saved;

	/* A leftover of a process that died. */
	if (unlinkat(dirfd, tmp, 0) == -1 && errno != ENOENT)
		return -1;
	if (write_new(dirfd, tmp, mode, p, len) == 0 &&
	    renameat(dirfd, tmp, dirfd, name) == 0)
		return fsync(dirfd);
	saved = errno;
	unlinkat(dirfd, tmp, 0);
	errno = saved;
	return -1;
}

/* By a file beside it, whose name has a mark. */
static int
replace_beside(int dirfd, const char *path, const char *mark, mode_t mode,
    const void *p, size_t len)
{
	const char *base;
	char *tmp;
	int dfd, ret = -1, saved;

	if ((dfd = open_parent(dirfd, path, &base)) == -1)
		return -1;
	if (asprintf(&tmp, "%s%s.new", base, mark) != -1) {
		ret = file_replace_by(dfd, tmp, base, mode, p, len);
		saved = errno;
		free(tmp);
		errno = saved;
	}
	close_keep_errno(dfd);
	return ret;
}

int
file_replace(int dirfd, const char *path, mode_t mode, const void *p,
    size_t len)
{
	static atomic_uint serial;
	char mark[48];

	snprintf(mark, sizeof(mark), ".%ld.%u", (long)getpid(),
	    atomic_fetch_add(&serial, 1));
	return replace_beside(dirfd, path, mark, mode, p, len);
}

int
file_replace_alone(int dirfd, const char *path, mode_t mode, const void *p,
    size_t len)
{
	return replace_beside(dirfd, path, "", mode, p, len);
}

char *
file_read_fd(int fd, size_t max, size_t *len)
{
	size_t cap, got = 0;
	struct stat st;
	char *p, *bigger;
	ssize_t n;

	if (fstat(fd, &st) == -1)
		return NULL;
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return NULL;
	}
	/* The size is a hint: /proc's files say 0, a file may grow. */
	cap = st.st_size > 0 ? (size_t)st.st_size + 1 : 4096;
	if (cap > max + 1)
		cap = max + 1;
	if ((p = malloc(cap + 1)) == NULL)
		return NULL;
	for (;;) {
		if ((n = file_pread(fd, p + got, cap - got, got)) == -1)
			break;
		got += n;
		if (got < cap) {
			p[got] = '\0';
			if (len != NULL)
				*len = got;
			return p;
		}
		if (cap > max) {
			errno = EFBIG;
			break;
		}
		cap = cap > max / 2 ? max + 1 : cap * 2;
		if ((bigger = realloc(p, cap + 1)) == NULL)
			break;
		p = bigger;
	}
	free(p);
	return NULL;
}

char *
file_read(int dirfd, const char *path, size_t max, size_t *len)
{
	char *p;
	int fd;

	if ((fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC)) == -1)
		return NULL;
	p = file_read_fd(fd, max, len);
	close_keep_errno(fd);
	return p;
}

int
file_memfd(const char *name, const void *p, size_t len)
{
	int fd;

	if ((fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)) == -1)
		return -1;
	if (file_pwrite(fd, p, len, 0) == -1 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
		F_SEAL_WRITE) == -1) {
		close_keep_errno(fd);
		return -1;
	}
	return fd;
}

/* What was opened is of the kind that was asked for, and only there. */
static bool
is_plain(int fd, int flags)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return false;
	if (flags & O_DIRECTORY)
		return S_ISDIR(st.st_mode);
	if (S_ISREG(st.st_mode) && st.st_nlink == 1)
		return true;
	errno = EPERM;
	return false;
}

int
file_open_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
	/* O_TRUNC would act before the check: it is done after it. */
	struct open_how how = {
		.flags = (flags & ~O_TRUNC) | O_NOFOLLOW | O_NONBLOCK |
		    O_CLOEXEC | O_NOCTTY,
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	int fd, tries = 0;

	/* EAGAIN: a rename raced with the walk; but a lease says so too. */
	do
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	while (fd == -1 && (errno == EINTR || errno == EAGAIN) && ++tries < 16);
	if (fd == -1)
		return -1;
	if (!is_plain(fd, flags) ||
	    (flags & O_TRUNC && ftruncate(fd, 0) == -1)) {
		close_keep_errno(fd);
		return -1;
	}
	return fd;
}

DIR *
file_list(int fd)
{
	DIR *d = fd == -1 ? NULL : fdopendir(fd);

	if (d == NULL && fd != -1)
		close_keep_errno(fd);
	return d;
}
