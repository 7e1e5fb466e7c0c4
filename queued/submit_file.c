/*
 * One file of Submitted/ (manual 33): opened with suspicion, its header read,
 * written into the queue and made durable, then removed.  Runs in queued's
 * threads.  Must never follow a link, nor let a user bear another's name
 * without saying so.
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

#include "banned.h"
#include "file.h"
#include "log.h"
#include "rfc5322.h"
#include "subfile.h"
#include "submit.h"

enum { CHUNK = 64 * 1024 };

void
submit_remove(const char *source)
{
	const char *name = strchr(source, ' ');

	if (name != NULL && strchr(name, '/') == NULL)
		source_remove(disk.submitted, "Submitted", "", source);
}

static void
submitter(const struct submit *p, uid_t uid, struct subfile_by *by,
    char name[32])
{
	size_t i;

	snprintf(name, 32, "uid-%u", (unsigned)uid);
	by->domain = p->domain;
	by->login = name;
	by->fullname = NULL;
	by->trusted = uid == 0 || uid == geteuid();
	by->now = time(NULL);
	for (i = 0; i < p->nusers; i++)
		if (p->users[i].uid == uid) {
			by->login = p->users[i].name;
			by->trusted |= p->users[i].trusted;
			return;
		}
}

static bool
envelope(struct buf *b, const struct submit *p, const struct subfile *f,
    const struct stat *st, int64_t now)
{
	struct buf src;
	size_t i;

	buf_init(&src, 0);
	source_name(&src, "", p->name, st);
	qfile_from(b, now, f->sender, f->ret, f->envid);
	qfile_made_of(b, src.p == NULL ? "" : src.p);
	buf_free(&src);
	qfile_options(b, "T");
	qfile_source(b, NULL, "PIPE", "");
	for (i = 0; i < f->nrcpts; i++)
		qfile_rcpt(b, now, f->rcpts[i], f->notify, NULL);
	return qfile_end(b) && !b->failed;
}

/* NULL: the end of the message. */
static bool
is_banned(struct submit *p, const char *text, size_t n)
{
	const char *met = NULL;

	if (p->scan != NULL)
		met = text != NULL ? banned_feed(p->scan, text, n) :
				     banned_end(p->scan);
	if (met != NULL)
		p->why = "it has a banned line";
	return met != NULL;
}

/*
 * As long as it was when it was looked at, whatever its writer does to it
 * now: one that grows for ever must not hold a thread, nor fill the disk.
 */
static int
copy_body(struct submit *p, struct disk_out *o, int from, uint64_t at,
    uint64_t end)
{
	char *buf = malloc(CHUNK);
	bool cr = false;
	ssize_t n;
	size_t len;

	while (buf != NULL && at < end) {
		n = file_pread(from, buf, end - at < CHUNK ? end - at : CHUNK,
		    at);
		if (n == 0)
			errno = EAGAIN;		/* it is shorter now */
		if (n <= 0)
			break;
		len = subfile_lf(buf, n, &cr);
		if (is_banned(p, buf, len) || disk_put(o, buf, len) == -1)
			break;
		at += n;
	}
	free(buf);
	return at >= end ? 0 : -1;
}

static void
put_received(struct buf *b, const struct submit *p, int64_t now)
{
	char date[64];

	date_rfc5322(date, sizeof(date), now);
	buf_printf(b, "Received: by %s (cgate) with PIPE id %" PRIu64
	    "; %s\n", p->domain, p->id, date);
}

/* The queue file, durable under its name. */
static int
write_message(struct submit *p, struct buf *env, const struct subfile *f,
    int from, uint64_t end, int fd, int64_t now)
{
	struct disk_out o = { .fd = fd, .at = env->len };
	char z[QFILE_ZLEN + 1];
	const char *why;
	struct buf rcvd;
	int rc;

	if (qfile_parse(&p->q, env->p, env->len, &why) != 0)
		return -1;
	special_look(&p->q, f->header.p, f->header.len);
	buf_init(&rcvd, 0);
	put_received(&rcvd, p, now);
	rc = rcvd.failed ? -1 : disk_put(&o, rcvd.p, rcvd.len);
	buf_free(&rcvd);
	if (rc == -1 || is_banned(p, f->header.p, f->header.len) ||
	    disk_put(&o, f->header.p, f->header.len) == -1 ||
	    copy_body(p, &o, from, f->body, end) == -1 ||
	    is_banned(p, NULL, 0))
		return -1;
	qfile_z(z, o.len, o.crc);
	memcpy(env->p + p->q.zat, z, QFILE_ZLEN);
	p->size = o.len;
	if (file_pwrite(fd, env->p, env->len, 0) == -1)
		return -1;
	return disk_publish(fd, p->id);
}

static int
store(struct submit *p, const struct subfile *f, int from,
    const struct stat *st, int64_t now)
{
	char name[NAME_LEN];
	struct buf env;
	int fd, rc = -1;

	buf_init(&env, 0);
	disk_name(name, NULL, p->id, "tmp");
	if (!envelope(&env, p, f, st, now)) {
		p->why = "a name or an address is too long";
		buf_free(&env);
		return -1;
	}
	fd = openat(disk.queue, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd != -1 && (rc = write_message(p, &env, f, from, st->st_size,
	    fd, now)) == -1) {
		p->err = errno;
		disk_unlink(NULL, p->id, "tmp");
		errno = p->err;
	}
	if (fd != -1)
		close(fd);
	buf_free(&env);
	return rc;
}

static void
read_file(struct submit *p, int fd, const struct stat *st)
{
	struct subfile_by by;
	struct subfile f;
	char login[32], *text;
	size_t room = RFC5322_MAXHEADER;
	ssize_t n;

	if ((uint64_t)st->st_size < room)
		room = st->st_size;
	if ((text = malloc(room + 1)) == NULL)
		return;
	if ((n = file_pread(fd, text, room, 0)) == -1) {
		free(text);
		return;
	}
	submitter(p, st->st_uid, &by, login);
	if (subfile_parse(&f, (struct str) { text, n }, &by, &p->why) == 0) {
		p->durable = store(p, &f, fd, st, by.now) == 0;
		subfile_free(&f);
	}
	free(text);
}

static int
open_file(struct submit *p, struct stat *st)
{
	int fd;

	fd = openat(disk.submitted, p->name, O_RDONLY | O_NOFOLLOW |
	    O_NONBLOCK | O_CLOEXEC);
	if (fd == -1) {
		if (errno == EACCES || errno == ELOOP || errno == ENXIO)
			p->why = strerrordesc_np(errno);
		return -1;
	}
	if (fstat(fd, st) == 0) {
		if (S_ISREG(st->st_mode) && st->st_nlink == 1)
			return fd;
		p->why = "not a regular file with one link";
	}
	close(fd);
	return -1;
}

/* Out of the way; what our walls let us not even rename is removed. */
static void
to_bad(struct submit *p)
{
	char *bad = xasprintf("%.*s.bad", (int)strlen(p->name) - 4, p->name);

	if (renameat(disk.submitted, p->name, disk.submitted, bad) == 0)
		p->fate = "renamed to .bad";
	else if (unlinkat(disk.submitted, p->name, 0) == 0)
		p->fate = "removed";
	else
		p->fate = "cannot be removed";
	free(bad);
}

void
submit_work(struct sreq *r)
{
	struct submit *p = (struct submit *)r;
	struct stat st;
	int fd;

	errno = p->err = 0;
	if (!p->durable && (fd = open_file(p, &st)) != -1) {
		read_file(p, fd, &st);
		p->err = errno;
		close(fd);
		errno = p->err;
	}
	if (!p->durable) {
		p->err = errno;
		if (p->why != NULL)
			to_bad(p);
		return;
	}
	p->err = unlinkat(disk.submitted, p->name, 0) == -1 &&
	    errno != ENOENT ? errno : 0;
}
