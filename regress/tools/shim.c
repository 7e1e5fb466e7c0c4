/*
 * Preloaded into the suite's processes by tests of durability.  It stands
 * between them and the disk, and does two things, both steered through the
 * file that $CG_SHIM names (mapped at start, before any sandbox, so that no
 * further system call is needed):
 *
 *	faults	the n-th call of a kind fails with an errno of the test's
 *		choice, in processes of a given name
 *	record	each change of a file, in the order of its happening over all
 *		processes, with its bytes: regress/tools/replay.py makes from
 *		it the disk as a loss of power would have left it
 *
 * Files are told apart by inode: a process in a chroot knows no paths.
 * shim.py holds the same layout.
 */
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum op { OP_OPEN, OP_WRITE, OP_SYNC, OP_RENAME, OP_UNLINK, OP_TRUNCATE,
	OP_MAX };
enum what { CREATE = 1, MKDIR, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, LINK };
enum { LOG_START = 4096 };

struct shared {
	_Atomic uint64_t	head;		/* end of the log */
	_Atomic uint32_t	recording;
	_Atomic uint32_t	overflow;
	char			who[64];	/* whose calls fail */
	struct {
		_Atomic int32_t	 left;		/* 1: the next one fails */
		_Atomic int32_t	 every;		/* it stays failing */
		_Atomic int32_t	 err;
		_Atomic uint32_t fired;
		_Atomic uint32_t seen;
	} fault[OP_MAX];
};

/* A record: this, then the name(s), each NUL-terminated, or the bytes. */
struct record {
	uint32_t	 len;			/* of all of it */
	uint32_t	 what;
	uint64_t	 ino;
	uint64_t	 dir, dir2;
	uint64_t	 off;
	uint32_t	 uid, gid, mode;
	_Atomic uint32_t ready;
};

static struct shared	*sh;
static size_t		 shsize;

__attribute__((constructor)) static void
start(void)
{
	const char *path = getenv("CG_SHIM");
	struct stat st;
	int fd;

	if (path == NULL || (fd = open(path, O_RDWR | O_CLOEXEC)) == -1)
		return;
	if (fstat(fd, &st) == 0) {
		sh = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		    fd, 0);
		if (sh == MAP_FAILED)
			sh = NULL;
		shsize = st.st_size;
	}
	close(fd);
}

/* Is it this call that the test wants to fail? */
static int
fails(enum op op)
{
	const char *me = program_invocation_short_name;
	int32_t left;

	if (sh == NULL || (sh->who[0] != '\0' && strcmp(sh->who, me) != 0))
		return 0;
	atomic_fetch_add(&sh->fault[op].seen, 1);
	if (atomic_load(&sh->fault[op].left) <= 0)
		return 0;
	left = atomic_fetch_sub(&sh->fault[op].left, 1);
	if (left != 1)
		return 0;
	if (sh->fault[op].every)
		atomic_store(&sh->fault[op].left, 1);
	atomic_fetch_add(&sh->fault[op].fired, 1);
	errno = sh->fault[op].err;
	return 1;
}

static int
recording(void)
{
	return sh != NULL && atomic_load(&sh->recording);
}

static struct record *
reserve(enum what what, size_t extra)
{
	size_t len = (sizeof(struct record) + extra + 7) & ~(size_t)7;
	uint64_t at = atomic_fetch_add(&sh->head, len);
	struct record *r;

	if (LOG_START + at + len > shsize) {
		atomic_store(&sh->overflow, 1);
		return NULL;
	}
	r = (struct record *)((char *)sh + LOG_START + at);
	r->len = len;
	r->what = what;
	return r;
}

static void
done(struct record *r)
{
	atomic_store(&r->ready, 1);
}

/* The directory that a path stands in, and the name in it. */
static uint64_t
parent(int dirfd, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	struct stat st;

	*name = slash != NULL ? slash + 1 : path;
	if (slash == NULL)
		snprintf(dir, sizeof dir, ".");
	else
		snprintf(dir, sizeof dir, "%.*s",
		    slash == path ? 1 : (int)(slash - path), path);
	return fstatat(dirfd, dir, &st, 0) == 0 ? st.st_ino : 0;
}

static void
record_names(enum what what, const struct stat *st, int d1, const char *p1,
    int d2, const char *p2)
{
	const char *n1, *n2 = "";
	uint64_t i1 = parent(d1, p1, &n1);
	uint64_t i2 = p2 != NULL ? parent(d2, p2, &n2) : 0;
	struct record *r = reserve(what, strlen(n1) + strlen(n2) + 2);
	char *p;

	if (r == NULL)
		return;
	r->dir = i1;
	r->dir2 = i2;
	if (st != NULL) {
		r->ino = st->st_ino;
		r->uid = st->st_uid;
		r->gid = st->st_gid;
		r->mode = st->st_mode;
	}
	p = (char *)(r + 1);
	p = stpcpy(p, n1) + 1;
	strcpy(p, n2);
	done(r);
}

static void
record_write(int fd, const struct iovec *iov, int n, uint64_t off, size_t len)
{
	struct stat st;
	struct record *r;
	char *p;
	size_t part;
	int i;

	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		return;
	if ((r = reserve(WRITE, len)) == NULL)
		return;
	r->ino = st.st_ino;
	r->off = off;
	r->uid = len;
	p = (char *)(r + 1);
	for (i = 0; i < n && len > 0; i++) {
		part = iov[i].iov_len < len ? iov[i].iov_len : len;
		memcpy(p, iov[i].iov_base, part);
		p += part;
		len -= part;
	}
	done(r);
}

static void
record_fd(enum what what, int fd, uint64_t off)
{
	struct stat st;
	struct record *r;

	if (fstat(fd, &st) == -1 || (r = reserve(what, 0)) == NULL)
		return;
	r->ino = st.st_ino;
	r->off = off;
	done(r);
}

#define REAL(name)	__typeof__(name) *real = \
			    (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define RAW(nr, ...)	raw(nr, __VA_ARGS__, 0, 0, 0, 0, 0, 0)

static long (*real_syscall)(long, ...);

static long
raw(long nr, long a, long b, long c, long d, long e, long f, ...)
{
	if (real_syscall == NULL)
		real_syscall = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	return real_syscall(nr, a, b, c, d, e, f);
}

static int
opened(int fd, int dirfd, const char *path, int flags, int was)
{
	struct stat st;
	int e = errno;

	if (fd != -1 && recording() && fstat(fd, &st) == 0) {
		if (flags & O_CREAT && !was)
			record_names(CREATE, &st, dirfd, path, 0, NULL);
		if (flags & O_TRUNC && was)
			record_fd(TRUNCATE, fd, 0);
	}
	errno = e;
	return fd;
}

static int
there(int dirfd, const char *path, int flags)
{
	struct stat st;

	return flags & O_CREAT && recording() &&
	    fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int
openat_common(int dirfd, const char *path, int flags, mode_t mode)
{
	int was;

	if (fails(OP_OPEN))
		return -1;
	was = there(dirfd, path, flags);
	return opened(RAW(SYS_openat, dirfd, (long)path, flags, mode), dirfd,
	    path, flags, was);
}

#define MODE(flags, last)						\
	mode_t mode = 0;						\
	if ((flags) & O_CREAT) {					\
		va_list ap;						\
		va_start(ap, last);					\
		mode = va_arg(ap, mode_t);				\
		va_end(ap);						\
	}

int
open(const char *path, int flags, ...)
{
	MODE(flags, flags)
	return openat_common(AT_FDCWD, path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
	MODE(flags, flags)
	return openat_common(AT_FDCWD, path, flags, mode);
}

int
openat(int dirfd, const char *path, int flags, ...)
{
	MODE(flags, flags)
	return openat_common(dirfd, path, flags, mode);
}

int
openat64(int dirfd, const char *path, int flags, ...)
{
	MODE(flags, flags)
	return openat_common(dirfd, path, flags, mode);
}

int __open_2(const char *, int);
int __open64_2(const char *, int);
int __openat_2(int, const char *, int);
int __openat64_2(int, const char *, int);

int
__open_2(const char *path, int flags)
{
	return openat_common(AT_FDCWD, path, flags, 0);
}

int
__open64_2(const char *path, int flags)
{
	return openat_common(AT_FDCWD, path, flags, 0);
}

int
__openat_2(int dirfd, const char *path, int flags)
{
	return openat_common(dirfd, path, flags, 0);
}

int
__openat64_2(int dirfd, const char *path, int flags)
{
	return openat_common(dirfd, path, flags, 0);
}

/* openat2 has no wrapper in libc: its callers come through here. */
long
syscall(long nr, ...)
{
	long a[6];
	va_list ap;
	const uint64_t *how;
	int i, was;

	va_start(ap, nr);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (nr != SYS_openat2)
		return raw(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (fails(OP_OPEN))
		return -1;
	how = (const uint64_t *)a[2];
	was = there(a[0], (const char *)a[1], how[0]);
	return opened(raw(nr, a[0], a[1], a[2], a[3], 0, 0), a[0],
	    (const char *)a[1], how[0], was);
}

static ssize_t
wrote(int fd, const struct iovec *iov, int n, ssize_t r, off_t off)
{
	int e = errno;

	if (r > 0 && recording()) {
		if (off == -1)
			off = lseek(fd, 0, SEEK_CUR) - r;
		if (off >= 0)
			record_write(fd, iov, n, off, r);
	}
	errno = e;
	return r;
}

/* Only files fail: a socket's errors are another matter. */
static int
write_fails(int fd)
{
	struct stat st;

	return sh != NULL && sh->fault[OP_WRITE].left > 0 &&
	    fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fails(OP_WRITE);
}

ssize_t
write(int fd, const void *p, size_t n)
{
	struct iovec iov = { (void *)p, n };

	if (write_fails(fd))
		return -1;
	return wrote(fd, &iov, 1, RAW(SYS_write, fd, (long)p, n), -1);
}

ssize_t
writev(int fd, const struct iovec *iov, int n)
{
	if (write_fails(fd))
		return -1;
	return wrote(fd, iov, n, RAW(SYS_writev, fd, (long)iov, n), -1);
}

ssize_t
pwrite64(int fd, const void *p, size_t n, off_t off)
{
	struct iovec iov = { (void *)p, n };

	if (write_fails(fd))
		return -1;
	return wrote(fd, &iov, 1, RAW(SYS_pwrite64, fd, (long)p, n, off), off);
}

ssize_t
pwritev64(int fd, const struct iovec *iov, int n, off_t off)
{
	if (write_fails(fd))
		return -1;
	return wrote(fd, iov, n, RAW(SYS_pwritev, fd, (long)iov, n, off, 0),
	    off);
}

/* Copies between files are recorded as what they wrote. */
static void
copied(int in, off_t inoff, int out, off_t outoff, size_t n)
{
	struct iovec iov = { malloc(n), n };

	if (iov.iov_base != NULL &&
	    pread(in, iov.iov_base, n, inoff) == (ssize_t)n)
		record_write(out, &iov, 1, outoff, n);
	free(iov.iov_base);
}

ssize_t
copy_file_range(int in, off64_t *inoff, int out, off64_t *outoff, size_t len,
    unsigned int flags)
{
	REAL(copy_file_range);
	off_t i, o;
	ssize_t r;

	if (write_fails(out))
		return -1;
	i = inoff != NULL ? *inoff : lseek(in, 0, SEEK_CUR);
	o = outoff != NULL ? *outoff : lseek(out, 0, SEEK_CUR);
	r = real(in, inoff, out, outoff, len, flags);
	if (r > 0 && recording())
		copied(in, i, out, o, r);
	return r;
}

ssize_t
sendfile64(int out, int in, off64_t *inoff, size_t len)
{
	REAL(sendfile64);
	off_t i, o;
	ssize_t r;

	if (write_fails(out))
		return -1;
	i = inoff != NULL ? *inoff : lseek(in, 0, SEEK_CUR);
	o = lseek(out, 0, SEEK_CUR);
	r = real(out, in, inoff, len);
	if (r > 0 && o >= 0 && recording())
		copied(in, i, out, o, r);
	return r;
}

int
ftruncate64(int fd, off_t len)
{
	int r;

	if (fails(OP_TRUNCATE))
		return -1;
	r = RAW(SYS_ftruncate, fd, len);
	if (r == 0 && recording())
		record_fd(TRUNCATE, fd, len);
	return r;
}

int
fsync(int fd)
{
	int r;

	if (fails(OP_SYNC))
		return -1;
	r = RAW(SYS_fsync, fd);
	if (r == 0 && recording())
		record_fd(SYNC, fd, 0);
	return r;
}

int
fdatasync(int fd)
{
	int r;

	if (fails(OP_SYNC))
		return -1;
	r = RAW(SYS_fdatasync, fd);
	if (r == 0 && recording())
		record_fd(SYNC, fd, 1);
	return r;
}

static int
rename_common(int d1, const char *p1, int d2, const char *p2, unsigned flags)
{
	int r;

	if (fails(OP_RENAME))
		return -1;
	r = RAW(SYS_renameat2, d1, (long)p1, d2, (long)p2, flags);
	if (r == 0 && recording())
		record_names(RENAME, NULL, d1, p1, d2, p2);
	return r;
}

int
rename(const char *p1, const char *p2)
{
	return rename_common(AT_FDCWD, p1, AT_FDCWD, p2, 0);
}

int
renameat(int d1, const char *p1, int d2, const char *p2)
{
	return rename_common(d1, p1, d2, p2, 0);
}

int
renameat2(int d1, const char *p1, int d2, const char *p2, unsigned flags)
{
	return rename_common(d1, p1, d2, p2, flags);
}

int
unlinkat(int d, const char *p, int flags)
{
	int r;

	if (fails(OP_UNLINK))
		return -1;
	r = RAW(SYS_unlinkat, d, (long)p, flags);
	if (r == 0 && recording())
		record_names(UNLINK, NULL, d, p, 0, NULL);
	return r;
}

int
unlink(const char *p)
{
	return unlinkat(AT_FDCWD, p, 0);
}

int
linkat(int d1, const char *p1, int d2, const char *p2, int flags)
{
	int r = RAW(SYS_linkat, d1, (long)p1, d2, (long)p2, flags);

	if (r == 0 && recording())
		record_names(LINK, NULL, d1, p1, d2, p2);
	return r;
}

int
mkdirat(int d, const char *p, mode_t mode)
{
	struct stat st;
	int r = RAW(SYS_mkdirat, d, (long)p, mode);

	if (r == 0 && recording() && fstatat(d, p, &st, 0) == 0)
		record_names(MKDIR, &st, d, p, 0, NULL);
	return r;
}

int
mkdir(const char *p, mode_t mode)
{
	return mkdirat(AT_FDCWD, p, mode);
}
