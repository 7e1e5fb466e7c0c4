/*
 * What queued's threads do to the files of the queue.  All of it may wait for
 * the disk: the loop calls disk_name() and disk_open() at most.
 */
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "queued.h"

enum {
	CHUNK = 128 * 1024	/* holds most envelopes and small messages */
};

struct disk disk = { -1, -1, -1, false };

/*
 * Threads that change names in one directory wait here, asleep, one after
 * the other: in the kernel they would spin for the directory's lock and take
 * the processor from everybody else.
 */
static pthread_mutex_t	names = PTHREAD_MUTEX_INITIALIZER;

int
disk_create(const char *name)
{
	int fd;

	pthread_mutex_lock(&names);
	fd = openat(disk.queue, name, O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	pthread_mutex_unlock(&names);
	return fd;
}

static int
disk_rename(const char *from, const char *to)
{
	int rc;

	pthread_mutex_lock(&names);
	rc = renameat(disk.queue, from, disk.queue, to);
	pthread_mutex_unlock(&names);
	return rc;
}

static int
disk_remove(const char *name)
{
	int rc;

	pthread_mutex_lock(&names);
	rc = unlinkat(disk.queue, name, 0);
	pthread_mutex_unlock(&names);
	return rc;
}

/* Each thread's own, for its life. */
static char *
chunk(void)
{
	static _Thread_local char *p;

	if (p == NULL)
		p = malloc(CHUNK);
	return p;
}

static int
open_dir(const char *name)
{
	int fd;

	fd = openat(proc_basefd(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (fd == -1)
		fatal("%s", name);
	return fd;
}

void
disk_init(void)
{
	disk.queue = open_dir("Queue");
	disk.bad = open_dir("BadFiles");
	disk.submitted = open_dir("Submitted");
}

void
disk_name(char name[NAME_LEN], const char *dir, uint64_t id, const char *ext)
{
	snprintf(name, NAME_LEN, "%s%" PRIu64 ".%s", dir == NULL ? "" : dir, id,
	    ext);
}

int
disk_open(const char *dir, uint64_t id, const char *ext)
{
	char name[NAME_LEN];
	int fd, flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

	disk_name(name, dir, id, ext);
	fd = openat(disk.queue, name, flags | O_NOATIME);
	if (fd == -1 && errno == EPERM)		/* another's file */
		fd = openat(disk.queue, name, flags);
	return fd;
}

/* An envelope that is longer than a chunk. */
static int
long_envelope(int fd, struct qfile *q, const char **why)
{
	ssize_t n;
	char *p;
	int rc = -1;

	if ((p = malloc(QFILE_MAXENVELOPE)) == NULL)
		return 1;
	if ((n = file_pread(fd, p, QFILE_MAXENVELOPE, 0)) != -1)
		rc = qfile_parse(q, p, n, why);
	free(p);
	if (n == -1)
		return 1;
	if (rc == 1)
		*why = "no end of the envelope";
	return rc == 0 ? 0 : -1;
}

/* The sum of a message of which the chunk holds no more than the beginning. */
static int
long_crc(int fd, uint64_t at, uint64_t left, uint32_t *crc)
{
	char *p = chunk();
	size_t want;

	while (left > 0) {
		want = left < CHUNK ? left : CHUNK;
		if (file_pread(fd, p, want, at) != (ssize_t)want)
			return -1;
		*crc = crc32c(*crc, p, want);
		at += want;
		left -= want;
	}
	return 0;
}

/* Of a small file all is in the chunk by then: it is read once. */
int
disk_message(int fd, struct qfile *q, uint64_t *size, uint32_t *crc,
    const char **why)
{
	struct stat st;
	ssize_t n, got;
	int rc;

	*why = "cannot be read";
	if (fstat(fd, &st) == -1 || chunk() == NULL)
		return 1;
	*why = "not a regular file";
	if (!S_ISREG(st.st_mode))
		return -1;
	*why = "cannot be read";
	n = st.st_size < CHUNK ? st.st_size : CHUNK;
	if ((got = file_pread(fd, chunk(), n, 0)) != n) {
		if (got != -1)
			errno = EIO;
		return 1;
	}
	rc = qfile_parse(q, chunk(), n, why);
	if (rc == 1 && n == CHUNK)
		rc = long_envelope(fd, q, why);
	else if (rc == 1) {
		*why = "no end of the envelope";
		rc = -1;
	}
	if (rc != 0)
		return rc;
	*size = (uint64_t)st.st_size - q->body;
	*crc = 0;
	if (q->body < (size_t)n)
		special_look(q, chunk() + q->body, n - q->body);
	else
		special_read(q, fd);
	if (st.st_size <= CHUNK)
		*crc = crc32c(0, chunk() + q->body, *size);
	if ((st.st_size > CHUNK && long_crc(fd, q->body, *size, crc) == -1) ||
	    special_utf8(q, fd, *size) == -1) {
		*why = "cannot be read";
		qfile_free(q);
		return 1;
	}
	return 0;
}

int
disk_put(struct disk_out *o, const void *p, size_t n)
{
	if (file_pwrite(o->fd, p, n, o->at) == -1)
		return -1;
	o->crc = crc32c(o->crc, p, n);
	o->at += n;
	o->len += n;
	return 0;
}

int
disk_publish(int fd, uint64_t id)
{
	char tmp[NAME_LEN], msg[NAME_LEN];
	int saved;

	disk_name(tmp, NULL, id, "tmp");
	disk_name(msg, NULL, id, "msg");
	if (disk_rename(tmp, msg) == -1) {
		saved = errno;
		disk_remove(tmp);
		errno = saved;
		return -1;
	}
	/* One try: after a failed sync a second one lies. */
	if (fsync(fd) == 0 && (!disk.dirsync || fsync(disk.queue) == 0))
		return 0;
	saved = errno;
	if (disk_remove(msg) == -1) {
		log_warn("Queue/%s", msg);
		if (ftruncate(fd, 0) == -1)	/* never to be taken in */
			log_warn("Queue/%s", msg);
	}
	errno = saved;
	return -1;
}

/* Ours alone, and nobody else has it open: a write lease says so. */
static bool
sole_owner(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    st.st_uid != geteuid() || st.st_nlink != 1 ||
	    (st.st_mode & 07777) != 0600 ||
	    fcntl(fd, F_SETLEASE, F_WRLCK) == -1)
		return false;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return true;
}

int
disk_recycle(const char *dir, uint64_t id, uint64_t newid)
{
	char name[NAME_LEN], tmp[NAME_LEN];
	int fd;

	disk_name(name, dir, id, "msg");
	disk_name(tmp, NULL, newid, "tmp");
	fd = openat(disk.queue, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -1;
	/*
	 * First the name: an empty .msg would look torn after a crash, and
	 * nobody who has not found it yet must find it now.
	 */
	if (disk_rename(name, tmp) == -1) {
		close(fd);
		return -1;
	}
	if (sole_owner(fd) && ftruncate(fd, 0) == 0)
		return fd;
	disk_remove(tmp);
	close(fd);
	return -1;
}

int
disk_letter(const char *dir, uint64_t id, size_t at, char letter)
{
	return disk_note(dir, id, at, &letter, 1);
}

int
disk_note(const char *dir, uint64_t id, size_t at, const void *p, size_t n)
{
	char name[NAME_LEN];
	int fd, rc, saved;

	disk_name(name, dir, id, "msg");
	fd = openat(disk.queue, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	rc = file_pwrite(fd, p, n, at);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

int
disk_unlink(const char *dir, uint64_t id, const char *ext)
{
	char name[NAME_LEN];

	disk_name(name, dir, id, ext);
	if (disk_remove(name) == -1 && errno != ENOENT)
		return -1;
	return 0;
}
