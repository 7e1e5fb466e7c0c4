/*
 * Submitted/: files that programs of this host leave there (manual 33) become
 * queue files.  The loop watches the directory and numbers the messages; a
 * thread does the rest (submit_file.c).  The message's envelope names the
 * file it was made of, so that a crash in between does not take it in twice.
 */
#include <sys/inotify.h>
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "banned.h"
#include "file.h"
#include "log.h"
#include "submit.h"

enum {
	BATCH = 256,		/* files of one scan */
	UNDERWAY = 16,
	MAXUSERS = 100000
};

struct scan {
	struct sreq	 req;
	char		*name[BATCH];
	size_t		 n;
	bool		 more;
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
	struct banned	*banned;	/* lines, or NULL: manual 07 */
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
	DIR *d;

	d = file_list(openat(disk.submitted, ".",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (d == NULL) {
		log_warn("Submitted");
		return;
	}
	while ((e = readdir(d)) != NULL) {
		if (!path_ends(e->d_name, ".sub"))
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
	banned_scan_free(p->scan);
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
	p->scan = s.banned != NULL ? banned_scan(s.banned) : NULL;
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

void
submit_settings(const struct val *all)
{
	const char *err;

	banned_unref(s.banned);
	s.banned = banned_make(settings_value(all, "Banned", "HeaderLines"),
	    settings_value(all, "Banned", "BodyLines"), &err);
	if (err != NULL)
		log_warnx("Banned lines are not used: %s", err);
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
