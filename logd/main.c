/*
 * logd: everybody's log records, one way, into SystemLogs/ (manual 06).  Owns
 * the log files; reads packets, one socket a process, and answers nobody.
 * Never waited for: a sender whose socket is full drops and counts.
 */
#include <sys/socket.h>

#include <bsd/sys/queue.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "logd.h"
#include "proc.h"
#include "settings.h"

enum {
	BATCH = 32,		/* records a system call */
	RECORD = 2304,		/* bytes of one; log.c sends fewer */
	TURN = 8,		/* batches from one sender, then the next one */
	NAP = 4,		/* ms between writes; the senders' sockets hold it */
	EXPIRE_EVERY = 600	/* seconds */
};

struct source {
	TAILQ_ENTRY(source)	 next;
	struct event		*ev;
	char			*name;		/* smtpd-0 */
	char			*kind;		/* smtpd: tags.c */
};

static char		 data[BATCH][RECORD];
static struct mmsghdr	 mm[BATCH];
static struct iovec	 iov[BATCH];
static struct event	*ev_flush, *ev_expire;
static uint64_t		 records;
static bool		 serving;
static TAILQ_HEAD(, source) sources = TAILQ_HEAD_INITIALIZER(sources);

static void
source_free(struct source *s)
{
	int fd = event_get_fd(s->ev);

	TAILQ_REMOVE(&sources, s, next);
	event_free(s->ev);
	close(fd);
	free(s->name);
	free(s->kind);
	free(s);
}

/* Of what it may not write only that is told. */
static void
record_in(const struct source *s, const char *text, size_t len)
{
	struct str rec = { text, len }, tag;
	char note[128];
	int n;

	records++;
	if (!tag_of_record(rec, &tag))
		n = snprintf(note, sizeof(note), "1 LOG %s sent what is no "
		    "record", s->name);
	else if (!tag_is_its(s->kind, tag))
		n = snprintf(note, sizeof(note), "1 LOG refused a record of "
		    "%s under the tag of another: %.*s", s->name,
		    (int)(tag.len < 32 ? tag.len : 32), tag.p);
	else {
		logfile_record(text, len);
		return;
	}
	logfile_record(note, n);
}

/* At most so many batches. */
static void
read_source(struct source *s, int turns)
{
	int fd = event_get_fd(s->ev), i, n;

	while (turns-- > 0) {
		n = recvmmsg(fd, mm, BATCH, MSG_DONTWAIT, NULL);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		/* Nothing in a packet is the end: its last writer is gone. */
		if (n == -1 || mm[0].msg_len == 0) {
			source_free(s);
			return;
		}
		for (i = 0; i < n && mm[i].msg_len > 0; i++)
			record_in(s, data[i], mm[i].msg_len);
		if (n < BATCH)
			return;
	}
}

static void
readable(int fd, short what, void *arg)
{
	read_source(arg, TURN);
	/* One write for all that this turn of the loop brings. */
	event_active(ev_flush, EV_TIMEOUT, 0);
}

/*
 * A lone record is written at once; where many come, a nap makes one wake-up
 * and one write of them, and lets the senders send without a switch to us.
 */
static void
flush(int fd, short what, void *arg)
{
	static const struct timespec nap = { 0, NAP * 1000000L };

	logfile_flush();
	nanosleep(&nap, NULL);
}

static void
expire(int fd, short what, void *arg)
{
	logfile_expire();
}

/* The name without its number, where there is one. */
static char *
kind_of(const char *name)
{
	char *kind = xstrdup(name), *dash = strrchr(kind, '-');

	if (dash != NULL && dash[1] != '\0' &&
	    dash[1 + strspn(dash + 1, "0123456789")] == '\0')
		*dash = '\0';
	return kind;
}

static void
logsource(const char *name, int fd)
{
	struct source *s = xcalloc(1, sizeof(*s));

	s->name = xstrdup(name);
	s->kind = kind_of(name);
	s->ev = event_new(proc_base(), fd, EV_READ | EV_PERSIST, readable, s);
	if (s->ev == NULL || (serving && event_add(s->ev, NULL) == -1))
		fatalx("no event for %s", name);
	TAILQ_INSERT_TAIL(&sources, s, next);
}

static void
init(const struct proc_conf *conf)
{
	int i;

	for (i = 0; i < BATCH; i++) {
		iov[i].iov_base = data[i];
		iov[i].iov_len = RECORD;
		mm[i].msg_hdr.msg_iov = &iov[i];
		mm[i].msg_hdr.msg_iovlen = 1;
	}
	logfile_open(proc_basefd());
	ev_flush = event_new(proc_base(), -1, 0, flush, NULL);
	ev_expire = event_new(proc_base(), -1, EV_PERSIST, expire, NULL);
	if (ev_flush == NULL || ev_expire == NULL)
		fatalx("no events");
}

static void
start(void)
{
	const struct timeval tv = { EXPIRE_EVERY, 0 };
	struct source *s;

	logfile_expire();
	event_add(ev_expire, &tv);
	/* Not before there is a file to write to. */
	serving = true;
	TAILQ_FOREACH(s, &sources, next)
		event_add(s->ev, NULL);
}

static void
settings(const struct val *all)
{
	logfile_limits(settings_int(all, "Log", "RotateSize"),
	    settings_int(all, "Log", "RotateTime"),
	    settings_int(all, "Log", "KeepFor"));
}

static void
status(struct val *dict)
{
	dict_setf(dict, "Records", "%llu", (unsigned long long)records);
}

/* The last words of the others may still lie in their sockets. */
static void
stop(void)
{
	struct source *s, *tmp;

	TAILQ_FOREACH_SAFE(s, &sources, next, tmp)
		read_source(s, TURN * 64);
	logfile_flush();
	proc_exit(0);
}

int
main(int argc, char **argv)
{
	static const char *const dirs[] = { "SystemLogs", NULL };
	static const struct proc_def def = {
		.name = "logd",
		.tag = "LOG",
		.id = PROC_LOGD,
		.sandbox = {
			.allow = SB_FILES_READ | SB_FILES_WRITE,
			.write = dirs,
			.noproc = true,
		},
		.init = init,
		.start = start,
		.settings = settings,
		.status = status,
		.stop = stop,
		.logsource = logsource,
	};

	return proc_run(argc, argv, &def);
}
