/*
 * ForeignQueue/ (manual 33): another server's queue, put there to be sent by
 * this one.  Each of its .msg files is copied into a queue file of ours, with
 * the recipients that still wait, under a number of its own, made durable,
 * and removed; what is no good is renamed to .bad, .tmp files are removed,
 * others left alone.  The new envelope names the file it was made of, so that
 * a crash in between does not take it in twice.  Lines that name messages of
 * the other queue by number are left out: here these are others.
 */
#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "queued.h"

enum {
	BATCH = 256,		/* files of one scan */
	UNDERWAY = 8,
	DEPTH = 3,		/* of directories within it */
	CHUNK = 64 * 1024,
	MAXPATH = 512
};

/* What is being taken in is called so: then we may remove it afterwards. */
#define TAKEN	".take"
/* In sources: it is not a file of Submitted/. */
#define MARK	"F"

struct scan {
	struct sreq	 req;
	char		*name[BATCH];
	size_t		 n;
	bool		 more;
};

struct foreign {
	struct sreq	 req;
	char		*name;		/* below ForeignQueue/ */
	uint64_t	 id;
	/* how it went */
	struct qfile	 q;
	uint64_t	 size;
	const char	*why;		/* the file is no good */
	bool		 durable;
	bool		 nothing;	/* in it waits */
	int		 err;
};

static struct {
	struct event	*timer;
	bool		 busy;
	struct scan	*found;
	size_t		 next;
	unsigned int	 underway;
	bool		 some;		/* of this scan came in */
} f;

static void	take_more(void);
static void	look(void);

/* --- in a thread: what lies there --- */

static int
open_dir(void)
{
	return openat(proc_basefd(), "ForeignQueue", O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC);
}

static void	scan_dir(struct scan *, int, const char *, int);

static void
scan_entry(struct scan *s, int dir, const char *path, const char *name,
    int depth)
{
	char whole[MAXPATH], sub[MAXPATH + 1];
	int fd;

	if (*name == '.' || (size_t)snprintf(whole, sizeof(whole), "%s%s",
	    path, name) >= sizeof(whole) - 8)
		return;
	if (path_ends(name, ".tmp")) {
		unlinkat(dir, name, 0);
	} else if (path_ends(name, ".msg") || path_ends(name, TAKEN)) {
		if (s->n == BATCH)
			s->more = true;
		else if ((s->name[s->n] = strdup(whole)) != NULL)
			s->n++;
	} else if (depth < DEPTH && (fd = openat(dir, name, O_RDONLY |
	    O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) != -1) {
		snprintf(sub, sizeof(sub), "%s/", whole);
		scan_dir(s, fd, sub, depth + 1);
	}
}

static void
scan_dir(struct scan *s, int fd, const char *path, int depth)
{
	struct dirent *e;
	DIR *d = file_list(fd);

	if (d == NULL)
		return;
	while (!s->more && (e = readdir(d)) != NULL)
		scan_entry(s, dirfd(d), path, e->d_name, depth);
	closedir(d);
}

static void
scan_work(struct sreq *r)
{
	int fd = open_dir();

	if (fd != -1)
		scan_dir((struct scan *)r, fd, "", 0);
	else if (errno != ENOENT)
		log_warn("ForeignQueue");
}

/* --- in a thread: one file --- */

void
foreign_remove(const char *source)
{
	const char *name = strchr(source, ' ');
	int dir;

	if (name == NULL || strstr(++name, "..") != NULL || *name == '/' ||
	    (dir = open_dir()) == -1)
		return;
	source_remove(dir, "ForeignQueue", MARK, source);
	close(dir);
}

static bool
envelope(struct buf *b, const struct foreign *p, const struct qfile *q,
    const struct stat *st)
{
	int64_t when = q->time > 0 ? q->time : st->st_mtim.tv_sec;
	struct buf src;
	size_t i;

	buf_init(&src, 0);
	source_name(&src, MARK, p->name, st);
	qfile_from(b, when, q->sender, q->ret, q->envid);
	qfile_made_of(b, src.p == NULL ? "" : src.p);
	buf_free(&src);
	if (*q->passed != '\0')
		qfile_passed(b, q->passed);
	qfile_options(b, q->options);
	qfile_source(b, q->account, *q->tag == '\0' ? "QUEUE" : q->tag,
	    q->peer);
	qfile_local(b, q->local);
	for (i = 0; i < q->nrcpts; i++)
		if (q->rcpts[i].status == 'W')
			qfile_rcpt(b, when, q->rcpts[i].addr,
			    q->rcpts[i].notify, q->rcpts[i].orcpt);
	return qfile_end(b) && !b->failed;
}

static int
copy_body(struct disk_out *o, int from, uint64_t at, uint64_t left)
{
	char *buf = malloc(CHUNK);
	ssize_t n = -1;

	while (buf != NULL && left > 0) {
		n = file_pread(from, buf, left < CHUNK ? left : CHUNK, at);
		if (n == 0)
			errno = EIO;	/* it is shorter now */
		if (n <= 0 || disk_put(o, buf, n) == -1)
			break;
		at += n;
		left -= n;
	}
	free(buf);
	return left == 0 ? 0 : -1;
}

static int
write_message(struct foreign *p, struct buf *env, int from, uint64_t at,
    int fd)
{
	struct disk_out o = { .fd = fd, .at = env->len };
	char z[QFILE_ZLEN + 1];
	const char *why;

	if (qfile_parse(&p->q, env->p, env->len, &why) != 0 ||
	    copy_body(&o, from, at, p->size) == -1)
		return -1;
	qfile_z(z, o.len, o.crc);
	memcpy(env->p + p->q.zat, z, QFILE_ZLEN);
	if (file_pwrite(fd, env->p, env->len, 0) == -1 ||
	    special_utf8(&p->q, fd, p->size) == -1)
		return -1;
	return disk_publish(fd, p->id);
}

static int
store(struct foreign *p, const struct qfile *q, int from,
    const struct stat *st)
{
	char name[NAME_LEN];
	struct buf env;
	int fd, rc = -1;

	buf_init(&env, 0);
	if (!envelope(&env, p, q, st)) {
		p->why = "a value of the envelope is too long";
		buf_free(&env);
		return -1;
	}
	disk_name(name, NULL, p->id, "tmp");
	fd = openat(disk.queue, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd != -1 && (rc = write_message(p, &env, from, q->body, fd)) ==
	    -1) {
		p->err = errno;
		qfile_free(&p->q);
		disk_unlink(NULL, p->id, "tmp");
		errno = p->err;
	}
	if (fd != -1)
		close(fd);
	buf_free(&env);
	return rc;
}

static bool
none_waits(const struct qfile *q)
{
	size_t i;

	for (i = 0; i < q->nrcpts; i++)
		if (q->rcpts[i].status == 'W')
			return false;
	return true;
}

static void
read_file(struct foreign *p, int fd)
{
	struct qfile q;
	struct stat st;
	uint32_t crc;
	int rc;

	if (fstat(fd, &st) == -1)
		return;
	if ((rc = disk_message(fd, &q, &p->size, &crc, &p->why)) != 0) {
		if (rc == 1)
			p->why = NULL;		/* for now */
		return;
	}
	if (q.z && (!q.filled || q.zlen != p->size || q.zcrc != crc))
		p->why = "it is not what was committed";
	else if (none_waits(&q))
		p->durable = p->nothing = true;
	else
		p->durable = store(p, &q, fd, &st) == 0;
	qfile_free(&q);
}

/* "x.msg" becomes "x.take" or "x.bad". */
static int
change_name(struct foreign *p, int dir, const char *ext)
{
	char *dot = strrchr(p->name, '.');
	char *name = xasprintf("%.*s%s", (int)(dot - p->name), p->name, ext);

	if (renameat(dir, p->name, dir, name) == -1) {
		free(name);
		return -1;
	}
	free(p->name);
	p->name = name;
	return 0;
}

static void
take_work(struct sreq *r)
{
	struct foreign *p = (struct foreign *)r;
	int dir = open_dir(), fd;

	p->err = 0;
	if (dir == -1) {
		p->err = errno;
		return;
	}
	if (!p->durable && (path_ends(p->name, TAKEN) ||
	    change_name(p, dir, TAKEN) == 0) &&
	    (fd = openat(dir, p->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC)) != -1) {
		errno = 0;
		read_file(p, fd);
		p->err = errno;
		close(fd);
	} else if (!p->durable)
		p->err = errno;
	if (p->why != NULL && change_name(p, dir, ".bad") == -1)
		p->err = errno;
	if (p->durable)
		p->err = unlinkat(dir, p->name, 0) == -1 && errno != ENOENT ?
		    errno : 0;
	close(dir);
}

/* --- in the loop --- */

static void
came_in(struct foreign *p)
{
	struct msg *m;

	f.some = true;
	if (p->nothing) {
		log_tag(LOG_MAJOR, "QUEUE", "ForeignQueue/%s: nothing waits "
		    "in it", p->name);
		return;
	}
	msg_log(LOG_MAJOR, p->id, "was ForeignQueue/%s", p->name);
	if ((m = msg_new(p->id, NULL)) == NULL ||
	    msg_fill(m, &p->q, p->size) == -1) {
		msg_log(LOG_CRASH, p->id, "waits for the next start: out of "
		    "memory");
		if (m != NULL)
			msg_drop(m);
		return;
	}
	msg_log_in(m);
	msg_enqueue(m);
}

static void
take_done(struct sreq *r)
{
	struct foreign *p = (struct foreign *)r;

	if (p->durable && p->err != 0) {
		log_tag(LOG_CRASH, "QUEUE", "ForeignQueue/%s is taken in, but "
		    "cannot be removed: %s", p->name, strerror(p->err));
		sync_retry(r);		/* it must not be taken in again */
		return;
	}
	if (p->durable)
		came_in(p);
	else if (p->why != NULL)
		log_tag(LOG_CRASH, "QUEUE", "ForeignQueue/%s is no good: %s",
		    p->name, p->why);
	else
		log_tag(LOG_CRASH, "QUEUE", "ForeignQueue/%s waits: %s",
		    p->name, strerror(p->err));
	qfile_free(&p->q);
	free(p->name);
	free(p);
	f.underway--;
	take_more();
}

static bool
take(char *name)
{
	struct foreign *p;
	uint64_t id;

	if (!tmp_space() || queue_stopping() || (id = tmp_id()) == 0 ||
	    (p = calloc(1, sizeof(*p))) == NULL)
		return false;
	p->req.work = take_work;
	p->req.done = take_done;
	p->name = name;
	p->id = id;
	f.underway++;
	sync_submit(&p->req);
	return true;
}

static void
take_more(void)
{
	struct scan *s = f.found;
	bool again;

	while (f.next < s->n && f.underway < UNDERWAY) {
		if (take(s->name[f.next]))
			s->name[f.next] = NULL;
		free(s->name[f.next++]);
	}
	if (f.underway > 0 || f.next < s->n)
		return;
	again = s->more && f.some;
	free(s);
	f.found = NULL;
	f.busy = false;
	if (again)
		look();
}

static void
scan_done(struct sreq *r)
{
	f.found = (struct scan *)r;
	f.next = 0;
	f.some = false;
	take_more();
}

static void
look(void)
{
	struct scan *s;

	if (f.busy || queue_stopping() || (s = calloc(1, sizeof(*s))) == NULL)
		return;
	f.busy = true;
	s->req.work = scan_work;
	s->req.done = scan_done;
	sync_submit(&s->req);
}

static void
ticked(int fd, short what, void *arg)
{
	struct timeval tv = { .tv_sec = queue_int("ForeignScan") };

	look();
	evtimer_add(f.timer, &tv);
}

void
foreign_start(void)
{
	if ((f.timer = evtimer_new(proc_base(), ticked, NULL)) != NULL)
		ticked(-1, 0, NULL);
}
