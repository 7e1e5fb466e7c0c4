/*
 * The children: one slot each, their start, their end, and their next start
 * with back-off.  A child that dies is started anew at once, then ever later
 * if it keeps dying; nobody else is touched, but for the stored family:
 * broker, delivery and template with its workers end together, and start
 * again only when the last of their process groups is gone (HACKING 2).
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cgserver.h"
#include "log.h"

enum {
	FD_CONTROL = 3, FD_LOG = 4, FD_LOCK = 5,	/* a child's */
	DELAY_FIRST = 100, DELAY_MAX = 10000,		/* milliseconds */
	GIVE_UP = 6,		/* starts, if the suite never was complete */
	LIVED = 2,		/* seconds; who lived so long starts at once */
	GONE_POLL = 5		/* milliseconds between looks at a family */
};

/* In this order they start; routerd must speak before the rest. */
static const struct kind {
	enum proc_id	id;
	bool		early;
} kinds[] = {
	{ PROC_LOGD, true }, { PROC_ROUTERD, true }, { PROC_AUTHD, false },
	{ PROC_PRIV, false }, { PROC_QUEUED, false }, { PROC_STORED, false },
	{ PROC_DELIVERY, false }, { PROC_TEMPLATE, false },
	{ PROC_SENDER, false },
	{ PROC_SMTPD, false }, { PROC_POP3D, false }, { PROC_IMAPD, false },
	{ PROC_PWDD, false },
};

struct child	*children;
size_t		 nchildren;
static bool	 rest_started, stopping;

static void	 start(struct child *);

bool
is_front(enum proc_id id)
{
	return id == PROC_SMTPD || id == PROC_POP3D || id == PROC_IMAPD ||
	    id == PROC_PWDD;
}

static bool
is_family(enum proc_id id)
{
	return id == PROC_STORED || id == PROC_DELIVERY || id == PROC_TEMPLATE;
}

static bool
is_early(enum proc_id id)
{
	return id == PROC_LOGD || id == PROC_ROUTERD;
}

static void	timer_cb(int, short, void *);

static void
slot_make(struct child *c, enum proc_id id, int instance)
{
	c->id = id;
	c->instance = instance;
	snprintf(c->name, sizeof(c->name), "%s-%d", proc_name(id), instance);
	c->log[0] = c->log[1] = -1;
	if ((c->timer = evtimer_new(base, timer_cb, c)) == NULL)
		fatalx("no timer");
}

void
children_make(void)
{
	size_t i, n = 0;
	int k;

	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		n += conf.processes[kinds[i].id];
	children = xcalloc(n, sizeof(*children));
	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (kinds[i].id == PROC_PRIV && !conf.os_passwords &&
		    val_count(conf.helpers) == 0 &&
		    val_count(conf.external) == 0)
			continue;
		for (k = 0; k < conf.processes[kinds[i].id]; k++)
			slot_make(&children[nchildren++], kinds[i].id, k);
	}
}

/* --- one start --- */

/*
 * Where its records go, anew for each life: the last one may have shut the
 * socket down.  Not a datagram one: that kind could be sent from to any name.
 */
static int
log_pair(struct child *c)
{
	if (c->log[0] != -1) {
		close(c->log[0]);
		close(c->log[1]);
		c->log[0] = c->log[1] = -1;
	}
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0, c->log);
}

static void
exec_child(struct child *c, int control)
{
	char *path = xasprintf("%s/%s", conf.libexec, proc_name(c->id));
	sigset_t none;
	int high[3], i;

	/* Above the places they shall have, so that none is overwritten. */
	high[0] = fcntl(control, F_DUPFD, 10);
	high[1] = fcntl(c->log[1], F_DUPFD, 10);
	high[2] = fcntl(lock_fd(), F_DUPFD, 10);
	for (i = 0; i < 3; i++)
		if (high[i] == -1 || dup2(high[i], FD_CONTROL + i) == -1)
			_exit(126);
	closefrom(FD_LOCK + 1);
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	execl(path, proc_name(c->id), (char *)NULL);
	_exit(127);
}

static void
connect_pair(struct child *a, struct child *b)
{
	struct msg_ctl_peer to_a = { .proc = b->id, .instance = b->instance };
	struct msg_ctl_peer to_b = { .proc = a->id, .instance = a->instance };
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == -1) {
		log_warn("no channel between %s and %s", a->name, b->name);
		return;
	}
	ipc_send(a->ctl, IPC_CTL_PEER, 0, &to_a, sv[0]);
	ipc_send(b->ctl, IPC_CTL_PEER, 0, &to_b, sv[1]);
}

static void
connect_peers(struct child *c)
{
	struct child *o;

	for (o = children; o < children + nchildren; o++)
		if (o != c && o->ctl != NULL && peers_allowed(o->id, c->id))
			connect_pair(c, o);
}

/* Whoever is starting has just been given a channel to everybody. */
void
child_reconnect(struct child *c, enum proc_id id, int instance)
{
	struct child *o;

	if (stopping || c->state != CHILD_READY || !peers_asks(c->id, id))
		return;
	for (o = children; o < children + nchildren; o++)
		if (o->id == id && o->instance == instance &&
		    o->state == CHILD_READY && o->ctl != NULL) {
			log_warnx("%s has lost its channel to %s: a new one",
			    c->name, o->name);
			connect_pair(c, o);
		}
}

static void
start(struct child *c)
{
	static const struct timeval later = { DELAY_MAX / 1000, 0 };
	int sv[2] = { -1, -1 };
	pid_t pid = -1;

	if (stopping || c->state != CHILD_DOWN)
		return;
	if (log_pair(c) == -1 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == -1 ||
	    (pid = fork()) == -1) {
		log_warn("cannot start %s", c->name);
		close(sv[0]);
		close(sv[1]);
		c->delay = DELAY_MAX;
		evtimer_add(c->timer, &later);
		return;
	}
	if (pid == 0)
		exec_child(c, sv[1]);
	c->pid = pid;
	setpgid(c->pid, c->pid);
	close(sv[1]);
	c->started = time(NULL);
	c->state = CHILD_STARTING;
	c->ctl = ipc_new(base, sv[0], c->name, control_disp, control_down, c);
	control_configure(c);
	connect_peers(c);
	ipc_send(c->ctl, IPC_CTL_GO, 0, &(struct msg_ctl_go){ 0 }, -1);
}

void
children_start(void)
{
	struct child *c;

	for (c = children; c < children + nchildren; c++)
		if (is_early(c->id))
			start(c);
}

void
children_go_on(void)
{
	struct child *c;

	rest_started = true;
	for (c = children; c < children + nchildren; c++)
		if (!is_early(c->id) && c->state == CHILD_DOWN &&
		    !evtimer_pending(c->timer, NULL))
			start(c);
}

/* --- the end of one, and its next start --- */

static bool
group_gone(const struct child *c)
{
	return c->pid == 0 || (kill(-c->pid, 0) == -1 && errno == ESRCH);
}

/*
 * May one of the family start?  Not while another is being ended, or has left
 * workers behind: a group's number is kept until the last of it is gone.
 */
static bool
family_settled(void)
{
	struct child *c;
	bool settled = true;

	for (c = children; c < children + nchildren; c++) {
		if (!is_family(c->id))
			continue;
		if (c->state == CHILD_STOPPING)
			settled = false;
		if (c->state != CHILD_DOWN)
			continue;
		if (group_gone(c))
			c->pid = 0;
		else
			settled = false;
	}
	return settled;
}

static void
will_not_start(const struct child *c)
{
	char *text = xasprintf("%s does not start; %s/SystemLogs may tell why",
	    c->name, conf.base);

	start_failed(text);
	free(text);
}

static void
schedule(struct child *c)
{
	struct timeval tv;

	if (stopping)
		return;
	if (time(NULL) - c->started >= LIVED)
		c->delay = 0;
	tv.tv_sec = c->delay / 1000;
	tv.tv_usec = c->delay % 1000 * 1000;
	c->delay = c->delay == 0 ? DELAY_FIRST :
	    c->delay * 2 > DELAY_MAX ? DELAY_MAX : c->delay * 2;
	evtimer_add(c->timer, &tv);
	if (++c->restarts == GIVE_UP && !has_started)
		will_not_start(c);
}

static void
timer_cb(int fd, short what, void *arg)
{
	static const struct timeval soon = { 0, GONE_POLL * 1000 };
	struct child *c = arg;

	children_reap();
	if (is_family(c->id) && !family_settled()) {
		evtimer_add(c->timer, &soon);
		return;
	}
	if (is_early(c->id) || rest_started)
		start(c);
}

void
child_kill(struct child *c)
{
	if (c->pid != 0)
		kill(-c->pid, SIGKILL);
}

static void
family_end(void)
{
	struct child *c;

	for (c = children; c < children + nchildren; c++)
		if (is_family(c->id)) {
			child_kill(c);
			if (c->state != CHILD_DOWN)
				c->state = CHILD_STOPPING;
		}
}

static void
ended(struct child *c, int status)
{
	if (WIFSIGNALED(status))
		log_msg(stopping ? LOG_ALL : LOG_CRASH, "%s (process %ld) "
		    "ended by signal %d", c->name, (long)c->pid,
		    WTERMSIG(status));
	else if (WEXITSTATUS(status) == 127)
		log_msg(LOG_CRASH, "%s/%s cannot be executed", conf.libexec,
		    proc_name(c->id));
	else if (!stopping || WEXITSTATUS(status) != 0)
		log_msg(LOG_CRASH, "%s (process %ld) exited with %d", c->name,
		    (long)c->pid, WEXITSTATUS(status));
	ipc_free(c->ctl);
	c->ctl = NULL;
	c->state = CHILD_DOWN;
	/* A number that may be another's by now must not be killed. */
	if (!is_family(c->id) || group_gone(c))
		c->pid = 0;
	if (is_family(c->id) && c->id != PROC_DELIVERY && !stopping)
		family_end();
	schedule(c);
}

void
children_reap(void)
{
	struct child *c;
	pid_t pid;
	int status;

	/* Orphaned workers of a dead template come here, too: subreaper. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (c = children; c < children + nchildren; c++)
			if (c->pid == pid && c->state != CHILD_DOWN)
				ended(c, status);
}

bool
children_ready(void)
{
	struct child *c;

	for (c = children; c < children + nchildren; c++)
		if (c->state != CHILD_READY)
			return false;
	return true;
}

/* --- all of a kind --- */

static bool
one_of(const struct child *c, const enum proc_id *ids, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (ids[i] == c->id)
			return true;
	return false;
}

void
children_stop(const enum proc_id *ids, size_t n)
{
	struct child *c;

	stopping = true;
	for (c = children; c < children + nchildren; c++)
		if (one_of(c, ids, n) && c->ctl != NULL) {
			c->state = CHILD_STOPPING;
			ipc_send(c->ctl, IPC_CTL_STOP, 0,
			    &(struct msg_ctl_stop){ 0 }, -1);
		}
}

int
children_left(const enum proc_id *ids, size_t n)
{
	struct child *c;
	int left = 0;

	for (c = children; c < children + nchildren; c++)
		if (one_of(c, ids, n) && (c->state != CHILD_DOWN ||
		    (is_family(c->id) && !group_gone(c))))
			left++;
	return left;
}

void
children_kill(const enum proc_id *ids, size_t n)
{
	struct child *c;

	for (c = children; c < children + nchildren; c++)
		if (one_of(c, ids, n))
			child_kill(c);
}

void
children_send(enum proc_id id, enum ipc_type type, const void *msg, int fd)
{
	struct child *c;

	for (c = children; c < children + nchildren; c++)
		if (c->id == id && c->ctl != NULL)
			ipc_send(c->ctl, type, 0, msg,
			    fd == -1 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0));
}
