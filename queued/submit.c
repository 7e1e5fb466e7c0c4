/*
 * Submitted/: files that programs of this host leave there (manual 33) become
 * queue files.  The loop watches the directory and numbers the messages; a
 * thread reads a file, makes the message durable and removes the file.  The
 * message's envelope names the file it was made of, so that a crash in
 * between does not take it in twice.  Whose name a message may bear depends
 * on its file's owner.
 */
#include <sys/inotify.h>
#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "queued.h"
#include "rfc5322.h"
#include "subfile.h"

enum {
	BATCH = 256,		/* files of one scan */
	UNDERWAY = 16,
	CHUNK = 64 * 1024,
	MAXUSERS = 100000
};

struct user {
	uid_t	 uid;
	char	*name;
	bool	 trusted;
};

struct scan {
	struct sreq	 req;
	char		*name[BATCH];
	size_t		 n;
	bool		 more;
};

struct submit {
	struct sreq	 req;
	char		*name;
	uint64_t	 id;
	const char	*domain;
	const struct user *users;
	size_t		 nusers;
	/* how it went */
	struct qfile	 q;
	uint64_t	 size;
	const char	*why;		/* the file is no good */
	bool		 durable;
	int		 err;
	const char	*fate;		/* what became of it then */
};

static struct {
	struct user	*users;
	size_t		 nusers;
	struct event	*watch, *timer;
	int		 fd;
	bool		 busy, again;
	struct scan	*found;
	size_t		 next;
	unsigned int	 underway;
	char		*domain;	/* as the threads know it */
} s = { .fd = -1 };

static void	look(void);
static void	take_more(void);

/* --- before the walls: who is who --- */

static bool
in_trusted(const struct val *list, const char *name, uid_t uid)
{
	char number[16];
	size_t i;

	snprintf(number, sizeof(number), "%u", (unsigned)uid);
	for (i = 0; list != NULL && i < val_count(list); i++) {
		const char *t = val_text(val_at(list, i));

		if (t != NULL && (strcmp(t, name) == 0 ||
		    strcmp(t, number) == 0))
			return true;
	}
	return false;
}

static void
add_user(uid_t uid, const char *name, bool trusted)
{
	struct user *u;

	u = reallocarray(s.users, s.nusers + 1, sizeof(*u));
	if (u == NULL)
		fatal("users");
	s.users = u;
	u[s.nusers].uid = uid;
	u[s.nusers].name = xstrdup(name);
	u[s.nusers++].trusted = trusted;
}

void
submit_before(void)
{
	const struct val *list = dict_get(proc_conf()->conf, "TrustedUsers");
	struct passwd *pw;

	setpwent();
	while ((pw = getpwent()) != NULL && s.nusers < MAXUSERS)
		add_user(pw->pw_uid, pw->pw_name, pw->pw_uid == 0 ||
		    in_trusted(list, pw->pw_name, pw->pw_uid));
	endpwent();
}

/* --- in a thread: what lies there --- */

static void
scan_work(struct sreq *r)
{
	struct scan *f = (struct scan *)r;
	struct dirent *e;
	size_t n;
	DIR *d;
	int fd;

	fd = openat(disk.submitted, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || (d = fdopendir(fd)) == NULL) {
		log_warn("Submitted");
		if (fd != -1)
			close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		n = strlen(e->d_name);
		if (n <= 4 || strcmp(e->d_name + n - 4, ".sub") != 0)
			continue;
		if (f->n == BATCH) {
			f->more = true;
			break;
		}
		if ((f->name[f->n] = strdup(e->d_name)) != NULL)
			f->n++;
	}
	closedir(d);
}

/* --- in a thread: one file --- */

/* What names this very file: inode and time of its last change, and name. */
static void
source_name(struct buf *b, const char *name, const struct stat *st)
{
	buf_printf(b, "%ju.%jd.%09ld %s", (uintmax_t)st->st_ino,
	    (intmax_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, name);
}

void
submit_remove(const char *source)
{
	const char *name = strchr(source, ' ');
	struct stat st;
	struct buf b;

	if (name == NULL || strchr(++name, '/') != NULL ||
	    fstatat(disk.submitted, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return;
	buf_init(&b, 0);
	source_name(&b, name, &st);
	if (!b.failed && strcmp(b.p, source) == 0 &&
	    unlinkat(disk.submitted, name, 0) == -1)
		log_warn("Submitted/%s", name);
	buf_free(&b);
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
	source_name(&src, p->name, st);
	qfile_from(b, now, f->sender, f->ret, f->envid);
	qfile_made_of(b, src.p == NULL ? "" : src.p);
	buf_free(&src);
	qfile_options(b, "T");
	qfile_source(b, NULL, "PIPE", "");
	for (i = 0; i < f->nrcpts; i++)
		qfile_rcpt(b, now, f->rcpts[i], f->notify, NULL);
	return qfile_end(b) && !b->failed;
}

struct out {
	int		 fd;
	uint64_t	 at, len;
	uint32_t	 crc;
};

static int
put(struct out *o, const void *p, size_t n)
{
	if (file_pwrite(o->fd, p, n, o->at) == -1)
		return -1;
	o->crc = crc32c(o->crc, p, n);
	o->at += n;
	o->len += n;
	return 0;
}

static int
copy_body(struct out *o, int from, uint64_t at)
{
	char *buf = malloc(CHUNK);
	bool cr = false;
	ssize_t n = -1;
	size_t len;

	while (buf != NULL && (n = file_pread(from, buf, CHUNK, at)) > 0) {
		len = subfile_lf(buf, n, &cr);
		if (put(o, buf, len) == -1) {
			n = -1;
			break;
		}
		at += n;
	}
	free(buf);
	return n == 0 ? 0 : -1;
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
    int from, int fd, int64_t now)
{
	struct out o = { .fd = fd, .at = env->len };
	char z[QFILE_ZLEN + 1];
	const char *why;
	struct buf rcvd;
	int rc;

	if (qfile_parse(&p->q, env->p, env->len, &why) != 0)
		return -1;
	buf_init(&rcvd, 0);
	put_received(&rcvd, p, now);
	rc = rcvd.failed ? -1 : put(&o, rcvd.p, rcvd.len);
	buf_free(&rcvd);
	if (rc == -1 || put(&o, f->header.p, f->header.len) == -1 ||
	    copy_body(&o, from, f->body) == -1)
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
	if (fd != -1 && (rc = write_message(p, &env, f, from, fd,
	    now)) == -1) {
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

static void
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

/* --- in the loop --- */

static void
submit_done(struct sreq *r)
{
	struct submit *p = (struct submit *)r;
	struct msg *m;

	if (p->why != NULL) {
		log_tag(LOG_CRASH, "PIPE", "Submitted/%s is no good: %s; %s",
		    p->name, p->why, p->fate);
	} else if (!p->durable) {
		if (p->err != ENOENT)
			log_tag(LOG_CRASH, "PIPE", "Submitted/%s waits: %s",
			    p->name, strerror(p->err));
	} else if (p->err != 0) {
		log_tag(LOG_CRASH, "PIPE", "Submitted/%s is taken in, but "
		    "cannot be removed: %s", p->name, strerror(p->err));
		sync_retry(r);		/* it must not be taken in again */
		return;
	} else {
		log_tag(LOG_MAJOR, "PIPE", "[%" PRIu64 "] submitted from %s",
		    p->id, p->name);
		if ((m = msg_new(p->id, NULL)) != NULL &&
		    msg_fill(m, &p->q, p->size) == 0) {
			msg_log_in(m);
			msg_enqueue(m);
		}
	}
	qfile_free(&p->q);
	free(p->name);
	free(p);
	s.underway--;
	take_more();
}

static bool
take(char *name)
{
	struct submit *p;
	uint64_t id;

	if (!tmp_space() || queue_stopping() || (id = tmp_id()) == 0 ||
	    (p = calloc(1, sizeof(*p))) == NULL)
		return false;
	p->req.work = submit_work;
	p->req.done = submit_done;
	p->name = name;
	p->id = id;
	p->domain = s.domain;
	p->users = s.users;
	p->nusers = s.nusers;
	s.underway++;
	sync_submit(&p->req);
	return true;
}

static void
scan_over(void)
{
	bool more = s.again || s.found->more;

	free(s.found);
	s.found = NULL;
	s.busy = s.again = false;
	if (more)
		look();
}

static void
take_more(void)
{
	struct scan *f = s.found;

	while (s.next < f->n && s.underway < UNDERWAY) {
		if (take(f->name[s.next]))
			f->name[s.next] = NULL;
		else
			f->more = false;	/* later, by the timer */
		free(f->name[s.next++]);
	}
	if (s.underway == 0 && s.next == f->n)
		scan_over();
}

static void
scan_done(struct sreq *r)
{
	s.found = (struct scan *)r;
	s.next = 0;
	free(s.domain);		/* nothing is under way: nobody reads it */
	if ((s.domain = strdup(queue_domain())) == NULL)
		s.found->n = 0;
	take_more();
}

static void
look(void)
{
	struct scan *f;

	s.again = s.busy;
	if (s.busy || queue_stopping() || (f = calloc(1, sizeof(*f))) == NULL)
		return;
	s.busy = true;
	f->req.work = scan_work;
	f->req.done = scan_done;
	sync_submit(&f->req);
}

static void
on_event(int fd, short what, void *arg)
{
	char buf[4096] __attribute__((aligned(8)));

	while (read(fd, buf, sizeof(buf)) > 0)
		;
	look();
}

static void
on_timer(int fd, short what, void *arg)
{
	struct timeval tv = { .tv_sec = queue_int("SubmittedScan") };

	look();
	evtimer_add(s.timer, &tv);
}

/* The base directory is the working directory here. */
void
submit_init(void)
{
	if ((s.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) == -1 ||
	    fchdir(proc_basefd()) == -1 ||
	    inotify_add_watch(s.fd, "Submitted", IN_MOVED_TO | IN_CLOSE_WRITE |
	    IN_ONLYDIR) == -1)
		log_warn("Submitted cannot be watched");
}

void
submit_start(void)
{
	if ((s.timer = evtimer_new(proc_base(), on_timer, NULL)) == NULL)
		return;
	if (s.fd != -1 && (s.watch = event_new(proc_base(), s.fd,
	    EV_READ | EV_PERSIST, on_event, NULL)) != NULL)
		event_add(s.watch, NULL);
	on_timer(-1, 0, NULL);
}
