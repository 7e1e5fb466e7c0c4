/*
 * Programs of an administrator, started for authd: as the user that
 * cgserver.conf names, with the three descriptors that authd sent and nothing
 * else of ours.  Runs in authd-priv.  It must never start anything as root or
 * as one of the suite's own users, nor signal what it did not start.
 */
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <event2/event.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helper.h"
#include "log.h"
#include "priv.h"
#include "proc.h"

enum {
	PROGRAMS_MAX = 16,
	LEAVE_SECONDS = 5,	/* from the end of its input (manual 08) */
	TERM_SECONDS = 2	/* from SIGTERM to SIGKILL */
};

struct program {
	LIST_ENTRY(program)	 entry;
	pid_t			 pid;		/* and its process group */
	struct event		*timer;
	int			 next;		/* what the timer sends */
};

static LIST_HEAD(, program) programs = LIST_HEAD_INITIALIZER(programs);
static int held[3] = { -1, -1, -1 };
static unsigned count;
static bool stopping;

static void
arm(struct program *p, int seconds, int sig)
{
	struct timeval tv = { seconds, 0 };

	p->next = sig;
	event_add(p->timer, &tv);
}

static void
signal_it(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;

	kill(-p->pid, p->next);
	if (p->next == SIGTERM)
		arm(p, TERM_SECONDS, SIGKILL);
}

static void
forget(struct program *p, int status)
{
	if (WIFSIGNALED(status))
		log_msg(LOG_PROBLEM, "program %ld ended by signal %d",
		    (long)p->pid, WTERMSIG(status));
	else
		log_msg(LOG_PROBLEM, "program %ld exited with %d",
		    (long)p->pid, WEXITSTATUS(status));
	LIST_REMOVE(p, entry);
	event_free(p->timer);
	free(p);
	count--;
	if (stopping && LIST_EMPTY(&programs))
		proc_exit(0);
}

static void
got_child(evutil_socket_t sig, short what, void *arg)
{
	struct program *p, *next;
	siginfo_t info;
	int status;

	for (p = LIST_FIRST(&programs); p != NULL; p = next) {
		next = LIST_NEXT(p, entry);
		info.si_pid = 0;
		if (waitid(P_PID, p->pid, &info, WEXITED | WNOHANG |
		    WNOWAIT) == -1 || info.si_pid != p->pid)
			continue;
		/* Its own children too, while the number is still its. */
		kill(-p->pid, SIGKILL);
		if (waitpid(p->pid, &status, 0) == p->pid)
			forget(p, status);
	}
}

void
programs_init(void)
{
	struct event *ev = evsignal_new(proc_base(), SIGCHLD, got_child, NULL);

	if (ev == NULL || event_add(ev, NULL) == -1)
		fatalx("no event for children");
}

/* --- as whom --- */

/* Not root, not a user of the suite's, whose files it could then read. */
static bool
may_be(uid_t uid)
{
	const struct val *uids = dict_get(proc_conf()->conf, "Uids");
	size_t i;

	if (uid < 100)		/* Debian's own: daemon, mail, www-data */
		return false;
	for (i = 0; i < val_count(uids); i++)
		if ((uid_t)dict_int(val_at(uids, i), "Uid", 0) == uid)
			return false;
	return true;
}

static int
become(void)
{
	const struct val *conf = proc_conf()->conf;
	uid_t uid = dict_int(conf, "HelperUid", 0);
	gid_t gid = dict_int(conf, "HelperGid", 0);

	if (!proc_conf()->root)
		return 0;
	if (!may_be(uid) || gid == 0 || setgroups(0, NULL) == -1 ||
	    setresgid(gid, gid, gid) == -1 ||
	    setresuid(uid, uid, uid) == -1 || setresuid(0, 0, 0) != -1)
		return -1;
	return 0;
}

/* --- the start --- */

static void __attribute__((noreturn))
child(char **argv, pid_t parent)
{
	static char *env[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/",
		"LANG=C.UTF-8", NULL };
	sigset_t none;
	int i;

	for (i = 0; i < 3; i++)
		if (dup2(held[i], i) == -1)
			_exit(126);
	if (close_range(3, ~0U, 0) == -1 || setpgid(0, 0) == -1 ||
	    chdir("/") == -1 || become() == -1) {
		fprintf(stderr, "rights cannot be dropped\n");
		_exit(126);
	}
	umask(077);
	/* Forgotten when the user changes: so, last. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	for (i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(argv[0], argv, env);
	fprintf(stderr, "%s cannot be executed: %s\n", argv[0],
	    strerror(errno));
	_exit(127);
}

static void
drop_held(void)
{
	int i;

	for (i = 0; i < 3; i++) {
		if (held[i] != -1)
			close(held[i]);
		held[i] = -1;
	}
}

void
programs_fd(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_helper_fd *m = pkt->m;

	if (m->as >= 3)
		return;
	if (held[m->as] != -1)
		close(held[m->as]);
	held[m->as] = ipc_take_fd(pkt);
}

/* Relative paths are the base directory's (manual 11). */
static bool
make_absolute(char **argv)
{
	char *whole;

	if (argv[0][0] == '/')
		return true;
	whole = xasprintf("%s/%s", proc_conf()->base, argv[0]);
	free(argv[0]);
	argv[0] = whole;
	return true;
}

static const char *
start(char **argv, pid_t *pid)
{
	pid_t parent = getpid();
	struct program *p;
	const char *why;

	if ((why = priv_trusts(argv[0])) != NULL)
		return why;
	if (proc_conf()->root &&
	    !may_be(dict_int(proc_conf()->conf, "HelperUid", 0)))
		return "cgserver.conf names no user that programs may run as "
		    "(helper-user)";
	if (held[0] == -1 || held[1] == -1 || held[2] == -1 ||
	    count >= PROGRAMS_MAX || (p = calloc(1, sizeof(*p))) == NULL)
		return "too many programs, or no descriptors";
	p->timer = evtimer_new(proc_base(), signal_it, p);
	p->pid = p->timer == NULL ? -1 : fork();
	if (p->pid == 0)
		child(argv, parent);
	if (p->pid == -1) {
		if (p->timer != NULL)
			event_free(p->timer);
		free(p);
		return "no process";
	}
	setpgid(p->pid, p->pid);
	LIST_INSERT_HEAD(&programs, p, entry);
	count++;
	*pid = p->pid;
	return NULL;
}

void
programs_start(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_helper_start *m = pkt->m;
	struct msg_helper_started r = { .text = "" };
	char **argv = helper_words(m->command);
	const char *why = "that is not a command";
	pid_t pid = 0;

	if (!stopping && argv != NULL && make_absolute(argv))
		why = start(argv, &pid);
	if (why != NULL) {
		r.code = 1;
		r.text = why;
	} else
		log_msg(LOG_PROBLEM, "program %ld started: %s", (long)pid,
		    argv[0]);
	r.pid = pid;
	drop_held();
	helper_words_free(argv);
	ipc_answer(ipc_ref(ipc, pkt), IPC_HELPER_STARTED, &r, -1);
}

void
programs_kill(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_helper_kill *m = pkt->m;
	struct program *p;

	LIST_FOREACH(p, &programs, entry)
		if ((uint32_t)p->pid == m->pid && p->next == 0)
			arm(p, m->seconds, SIGTERM);
}

/* Their input has ended: they have some seconds to go by themselves. */
void
programs_end(void)
{
	struct program *p;

	drop_held();
	LIST_FOREACH(p, &programs, entry)
		if (p->next == 0)
			arm(p, LEAVE_SECONDS, SIGTERM);
}

void
programs_stop(void)
{
	stopping = true;
	programs_end();
	if (LIST_EMPTY(&programs))
		proc_exit(0);
}
