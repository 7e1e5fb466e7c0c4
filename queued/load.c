/*
 * The queue as it was found at start.  The names are read before we serve;
 * the files are read by threads while we do.  What was being written is
 * removed, what was torn goes to BadFiles: neither was ever answered.  When
 * all is read, what stands in one file about another is settled, and only
 * then are these messages routed.  A file that cannot be read now holds
 * nobody up: it is tried again now and then.
 */
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "queued.h"

enum {
	UNDERWAY = 16,
	LATER = 10,		/* seconds until what cannot be read is tried again */
	PATIENCE = 600		/* that reports wait for such a file */
};

struct load {
	struct sreq	 req;
	TAILQ_ENTRY(load) entry;
	bool		 late;		/* the others did not wait for it */
	struct msg	*msg;
	size_t		 slot;
	struct qfile	 q;
	uint64_t	 size;
	int		 rc;
	int		 err;
	const char	*why;
};

static struct {
	struct msg	**all;
	size_t		  n, cap, next;
	unsigned int	  underway;
	bool		  busy;
} l = { .busy = true };
static TAILQ_HEAD(, load) late = TAILQ_HEAD_INITIALIZER(late);
static size_t nlate;			/* those, and what is tried again */
static time_t begun;
static struct event *late_ev;

/* --- names --- */

static void
found(uint64_t id, const char *dir)
{
	struct msg **p;

	if (l.n == l.cap) {
		l.cap = l.cap == 0 ? 1024 : l.cap * 2;
		if ((p = reallocarray(l.all, l.cap, sizeof(*p))) == NULL)
			fatal("no memory for the queue");
		l.all = p;
	}
	tmp_seen(id);
	if ((l.all[l.n] = msg_new(id, dir)) == NULL)
		log_warnx("Queue: the number %" PRIu64 " is there twice", id);
	else
		l.all[l.n++]->arrival = 0;
}

static void
scan(int fd, const char *dir)
{
	struct dirent *e;
	struct cur c;
	char sub[24];
	uint64_t id;
	DIR *d;
	int sfd;

	if (fd == -1 || (d = fdopendir(fd)) == NULL) {
		log_warn("Queue/%s", dir == NULL ? "" : dir);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		c = cur_str(e->d_name);
		if (!cur_u64(&c, &id, INT64_MAX) || id == 0)
			continue;
		if (cur_lit(&c, ".msg") && cur_left(&c) == 0)
			found(id, dir);
		else if (cur_lit(&c, ".tmp") && cur_left(&c) == 0) {
			tmp_seen(id);
			unlinkat(dirfd(d), e->d_name, 0);
		} else if (cur_left(&c) == 0 && dir == NULL &&
		    (sfd = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY |
		    O_NOFOLLOW | O_CLOEXEC)) != -1) {
			snprintf(sub, sizeof(sub), "%.20s/", e->d_name);
			scan(sfd, sub);
		}
	}
	closedir(d);
}

static int
by_id(const void *a, const void *b)
{
	const struct msg *x = *(struct msg *const *)a;
	const struct msg *y = *(struct msg *const *)b;

	return msg_cmp(x, y);
}

void
load_scan(void)
{
	scan(openat(disk.queue, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	    NULL);
	if (l.n > 0)
		qsort(l.all, l.n, sizeof(*l.all), by_id);
}

/* --- files --- */

static const char *
check(const struct qfile *q, uint64_t size, uint32_t crc)
{
	if (!q->z)		/* another program's: as it is */
		return NULL;
	if (!q->filled)
		return "it was never committed";
	return size == q->zlen && crc == q->zcrc ? NULL :
	    "it is not what was committed";
}

static void
to_bad(const struct msg *m)
{
	char name[NAME_LEN], bad[NAME_LEN];

	disk_name(name, m->dir, m->id, "msg");
	disk_name(bad, NULL, m->id, "msg");
	if (renameat(disk.queue, name, disk.bad, bad) == -1)
		log_warn("Queue/%s to BadFiles", name);
}

static void
load_work(struct sreq *r)
{
	struct load *o = (struct load *)r;
	uint32_t crc;
	int fd;

	o->rc = 1;
	if ((fd = disk_open(o->msg->dir, o->msg->id, "msg")) != -1) {
		o->rc = disk_message(fd, &o->q, &o->size, &crc, &o->why);
		if (o->rc == 0 &&
		    (o->why = check(&o->q, o->size, crc)) != NULL)
			o->rc = -1;
		o->err = errno;
		close(fd);
	} else {
		o->why = "cannot be opened";
		o->err = errno;
	}
	if (o->rc == -1)
		to_bad(o->msg);
	else if (o->rc == 0 && o->q.source != NULL) {
		submit_remove(o->q.source);
		foreign_remove(o->q.source);
	}
	if (o->rc != 0)
		qfile_free(&o->q);
}

static void	load_done(struct sreq *);

static void
load_end(void)
{
	struct msg *m;
	size_t i, n = 0;

	l.busy = false;
	if (nlate == 0)
		byhand_loaded();
	for (i = 0; i < l.n; i++)
		if (l.all[i] != NULL && l.all[i]->q.about != 0)
			dsn_found(l.all[i]);
	for (i = 0; i < l.n; i++)
		if (l.all[i] != NULL && l.all[i]->q.about != 0)
			group_found(l.all[i]);
	for (i = 0; i < l.n; i++)
		if (l.all[i] != NULL && l.all[i]->q.about != 0)
			group_orphan(l.all[i]);
	for (i = 0; i < l.n; i++)
		if (l.all[i] != NULL && !msg_unpin(l.all[i])) {
			msg_enqueue(l.all[i]);
			n++;
		}
	/* What ended meanwhile waited for this; new messages, too. */
	RB_FOREACH(m, msgtree, &msgs)
		msg_check(m);
	if (n > 0)
		log_tag(LOG_MAJOR, "QUEUE", "%zu messages found", n);
	free(l.all);
	l.all = NULL;
	l.n = 0;
	submit_start();
	foreign_start();
}

static void
load_more(void)
{
	struct load *o;

	while (l.underway < UNDERWAY && l.next < l.n) {
		if ((o = calloc(1, sizeof(*o))) == NULL)
			fatal("no memory for the queue");
		o->req.work = load_work;
		o->req.done = load_done;
		o->slot = l.next++;
		o->msg = l.all[o->slot];
		l.all[o->slot] = NULL;
		l.underway++;
		sync_submit(&o->req);
	}
	if (l.underway == 0)
		load_end();
}

static void
again(int fd, short what, void *arg)
{
	struct load *o;

	while ((o = TAILQ_FIRST(&late)) != NULL) {
		TAILQ_REMOVE(&late, o, entry);
		sync_submit(&o->req);
	}
}

static void
later(struct load *o)
{
	static const struct timeval tv = { LATER, 0 };

	if (late_ev == NULL &&
	    (late_ev = evtimer_new(proc_base(), again, NULL)) == NULL)
		fatal("no memory for the queue");
	TAILQ_INSERT_TAIL(&late, o, entry);
	if (!evtimer_pending(late_ev, NULL))
		evtimer_add(late_ev, &tv);
}

/* It is in memory now: with the others, or after them. */
static void
taken(struct load *o)
{
	struct msg *m = o->msg;

	m->found = true;
	if (l.busy) {
		msg_pin(m);
		l.all[o->slot] = m;
		local_early(m);
		return;
	}
	local_early(m);
	if (m->q.about != 0)
		dsn_found(m);
	msg_enqueue(m);
	msg_check(m);
}

static void
load_done(struct sreq *r)
{
	struct load *o = (struct load *)r;
	bool first = !o->late, wait = o->rc == 1 && o->err != ENOENT;

	if (wait && first && (o->err == EMFILE || o->err == ENFILE ||
	    o->err == ENOMEM)) {
		sync_retry(r);		/* not for this file's sake */
		return;
	}
	if (wait) {
		if (first) {
			msg_log(LOG_CRASH, o->msg->id, "left out for now: "
			    "%s: %s", o->why, strerror(o->err));
			nlate++;
		}
		o->late = true;
		later(o);
	} else {
		if (!first)
			nlate--;
		if (o->rc == 0 && msg_fill(o->msg, &o->q, o->size) == 0) {
			byhand_found(o->msg);
			taken(o);
		} else {
			if (o->rc == -1)
				msg_log(LOG_CRASH, o->msg->id,
				    "moved to BadFiles: %s", o->why);
			msg_drop(o->msg);
		}
		free(o);
	}
	if (first) {
		l.underway--;
		load_more();
	}
}

bool
load_busy(void)
{
	return l.busy;
}

/*
 * What cannot be read may be a report: whoever it is about is not reported
 * again before it is known, or until it has taken too long.
 */
bool
load_waits(void)
{
	return nlate > 0 && time(NULL) - begun < PATIENCE;
}

void
load_start(void)
{
	begun = time(NULL);
	load_more();
}
