/*
 * Files of single-mailbox accounts as a whole: see single.h.  Runs in
 * delivery.  A worker's directory is looked at only when the worker is gone;
 * of what it left, files of the known names and kinds are taken, no others.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"
#include "log.h"
#include "single.h"

enum { COPY_MAX = 256 * 1024 * 1024, DEPTH_MAX = 40 };

/* Beside the mailbox; the first few go before it when it is moved. */
static const char *const beside[] = { "info", "mbox.idx", "mbox.dat",
	"mbox.torn", "info.bad", "info.new", "mbox.idx.new", "mbox.dat.new" };
enum { NBESIDE = sizeof(beside) / sizeof(beside[0]), NCOPIED = 2 };

bool
single_shares(const char *file)
{
	size_t n = strlen(file);

	return n > 5 && strcmp(file + n - 5, ".mbox") == 0;
}

/* john.mbox and "info": john.info; free it. */
static char *
name_of(const char *file, const char *ext)
{
	size_t n = strlen(file);

	if (single_shares(file))
		n -= 5;
	return xasprintf("%.*s.%s", (int)n, file, ext);
}

static int
open_work(int dirfd, const char *work)
{
	return file_open_beneath(dirfd, work, O_RDONLY | O_DIRECTORY, 0);
}

static int
move_one(int from, const char *a, int to, const char *b)
{
	return renameat(from, a, to, b) == -1 && errno != ENOENT ? -1 : 0;
}

/* --- lent --- */

static int
lend_files(int dirfd, const char *file, int fd)
{
	int ret = 0, test;
	char *name;
	size_t i;

	/* A plain file with one name, or nobody gets it. */
	if ((test = file_open_beneath(dirfd, file, O_RDONLY, 0)) == -1)
		return -1;
	close(test);
	if (linkat(dirfd, file, fd, file, 0) == -1)
		return -1;
	for (i = 0; ret == 0 && i < NBESIDE; i++) {
		name = name_of(file, beside[i]);
		ret = move_one(dirfd, name, fd, name);
		free(name);
	}
	return ret == 0 && fsync(fd) == 0 && fsync(dirfd) == 0 ? 0 : -1;
}

int
single_lend(int dirfd, const char *file)
{
	char *work = name_of(file, "work");
	int fd = -1, saved;

	if (mkdirat(dirfd, work, 0700) == 0 || errno == EEXIST)
		fd = open_work(dirfd, work);
	free(work);
	if (fd == -1 || lend_files(dirfd, file, fd) == 0)
		return fd;
	saved = errno;
	close(fd);
	(void)single_return(dirfd, file);
	errno = saved;
	return -1;
}

/* --- taken back --- */

static int
empty(int fd, int depth)
{
	struct dirent *de;
	int sub, ret = 0;
	DIR *d;

	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return -1;
	}
	while ((de = readdir(d)) != NULL) {
		const char *n = de->d_name;

		if (strcmp(n, ".") == 0 || strcmp(n, "..") == 0 ||
		    unlinkat(dirfd(d), n, 0) == 0)
			continue;
		sub = depth < DEPTH_MAX ? open_work(dirfd(d), n) : -1;
		if (sub == -1 || empty(sub, depth + 1) == -1 ||
		    unlinkat(dirfd(d), n, AT_REMOVEDIR) == -1)
			ret = -1;
	}
	closedir(d);
	return ret;
}

static int
return_beside(int dirfd, int fd, const char *name)
{
	struct stat st;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    !S_ISREG(st.st_mode) || st.st_nlink != 1)
		return 0;
	return move_one(fd, name, dirfd, name);
}

/* The same file by two names, or what it was compacted into. */
static int
return_mailbox(int dirfd, int fd, const char *file)
{
	struct stat in, out;

	if (fstatat(fd, file, &in, AT_SYMLINK_NOFOLLOW) == -1 ||
	    !S_ISREG(in.st_mode))
		return 0;
	if (fstatat(dirfd, file, &out, AT_SYMLINK_NOFOLLOW) == 0 &&
	    in.st_ino == out.st_ino)
		return unlinkat(fd, file, 0);
	return renameat(fd, file, dirfd, file);
}

static int
return_files(int dirfd, int fd, const char *file)
{
	int ret = 0;
	char *name;
	size_t i;

	for (i = 0; ret == 0 && i < NBESIDE; i++) {
		name = name_of(file, beside[i]);
		ret = return_beside(dirfd, fd, name);
		free(name);
	}
	return ret == 0 ? return_mailbox(dirfd, fd, file) : -1;
}

int
single_return(int dirfd, const char *file)
{
	char *work = name_of(file, "work");
	int fd, ret;

	if ((fd = open_work(dirfd, work)) == -1) {
		ret = errno == ENOENT ? 0 : -1;
		free(work);
		return ret;
	}
	if ((ret = return_files(dirfd, fd, file)) == -1) {
		close(fd);
	} else {
		/* The rest is nobody's, and in nobody's way. */
		if (empty(fd, 0) == -1 ||
		    unlinkat(dirfd, work, AT_REMOVEDIR) == -1)
			log_warn("%s", work);
		ret = fsync(dirfd);
	}
	free(work);
	return ret;
}

/* --- moved, removed --- */

static int
copy_one(int dirfd, const char *from, int newdirfd, const char *to)
{
	int fd, ret = -1;
	size_t len;
	char *p, *tmp;

	fd = file_open_beneath(dirfd, from, O_RDONLY, 0);
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	if ((p = file_read_fd(fd, COPY_MAX, &len)) != NULL) {
		tmp = xasprintf("%s.new", to);
		ret = file_replace_by(newdirfd, tmp, to, 0600, p, len);
		free(tmp);
	}
	free(p);
	close(fd);
	return ret;
}

static int
remove_beside(int dirfd, const char *file)
{
	int ret = 0;
	char *name;
	size_t i;

	for (i = 0; i < NBESIDE; i++) {
		name = name_of(file, beside[i]);
		if (unlinkat(dirfd, name, 0) == -1 && errno != ENOENT)
			ret = -1;
		free(name);
	}
	return ret;
}

static int
copy_beside(int dirfd, const char *file, int newdirfd, const char *newfile)
{
	char *from, *to;
	int ret = 0;
	size_t i;

	for (i = 0; ret == 0 && i < NCOPIED; i++) {
		from = name_of(file, beside[i]);
		to = name_of(newfile, beside[i]);
		ret = copy_one(dirfd, from, newdirfd, to);
		free(from);
		free(to);
	}
	return ret;
}

int
single_move(int dirfd, const char *file, int newdirfd, const char *newfile)
{
	char *from, *to;
	size_t i;

	if (single_new(newdirfd, newfile) == -1 ||
	    copy_beside(dirfd, file, newdirfd, newfile) == -1 ||
	    renameat(dirfd, file, newdirfd, newfile) == -1)
		return -1;
	if (fsync(newdirfd) == -1 || fsync(dirfd) == -1)
		return -1;
	for (i = NCOPIED; i < NBESIDE; i++) {
		from = name_of(file, beside[i]);
		to = name_of(newfile, beside[i]);
		if (move_one(dirfd, from, newdirfd, to) == -1)
			log_warn("%s", from);
		free(from);
		free(to);
	}
	(void)remove_beside(dirfd, file);
	return 0;
}

int
single_remove(int dirfd, const char *file)
{
	if (unlinkat(dirfd, file, 0) == -1 && errno != ENOENT)
		return -1;
	if (fsync(dirfd) == -1)
		return -1;
	return remove_beside(dirfd, file);
}

int
single_new(int dirfd, const char *file)
{
	if (faccessat(dirfd, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return remove_beside(dirfd, file);
}
