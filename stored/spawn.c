/*
 * Workers as the broker sees them: asked for at the template, known by their
 * pidfd.  Only the process's end, not its channel's, frees the account.
 */
#include <sys/socket.h>
#include <sys/syscall.h>

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "stored.h"

enum {			/* seconds */
	PATIENCE = 15,	/* for a worker to end itself */
	HUNG = 300	/* and to do at least one of the jobs it has */
};

void
worker_none(struct account *a)
{
	log_warnx("%s: no worker", a->path);
	sessions_refuse(a, "the account cannot be opened now");
	requests_refuse(a, "the account cannot be opened now");
}

static void
gone(int fd, short what, void *arg)
{
	struct account *a = arg;

	worker_free(a);
	sessions_drop(a);
	jobs_take_back(a);
	account_run(a);
}

static void
kill_it(int fd, short what, void *arg)
{
	struct account *a = arg;

	log_warnx("%s: worker does not end, killed", a->path);
	syscall(SYS_pidfd_send_signal, a->pidfd, SIGKILL, NULL, 0);
}

static void
stopping(struct account *a)
{
	static const struct timeval patience = { PATIENCE, 0 };

	a->worker = WORKER_STOPPING;
	if (a->pidfd != -1 && a->kill == NULL) {
		a->kill = evtimer_new(proc_base(), kill_it, a);
		if (a->kill != NULL)
			event_add(a->kill, &patience);
	}
}

/*
 * While a worker has jobs that it does not do they fill queued's window, and
 * its account gets no mail.
 */
static void
hung(int fd, short what, void *arg)
{
	struct account *a = arg;

	if (a->worker != WORKER_UP || a->held || TAILQ_EMPTY(&a->sent))
		return;
	log_warnx("%s: worker has done none of its jobs for %d seconds",
	    a->path, HUNG);
	worker_stop(a, "the account does not answer");
}

void
worker_watch(struct account *a)
{
	static const struct timeval tv = { HUNG, 0 };

	if (a->hung == NULL)
		a->hung = evtimer_new(proc_base(), hung, a);
	if (a->hung == NULL)
		return;
	if (TAILQ_EMPTY(&a->sent))
		event_del(a->hung);
	else
		event_add(a->hung, &tv);
}

/* Its socket closed; the process may still write. */
static void
channel_down(struct ipc *ipc, void *arg)
{
	struct account *a = arg;

	a->ipc = NULL;
	if (a->worker == WORKER_SPAWNING)
		worker_none(a);
	stopping(a);
}

static void
got_rest(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	struct account *a = arg;

	if (a->worker != WORKER_UP || !TAILQ_EMPTY(&a->sessions) ||
	    !TAILQ_EMPTY(&a->requests) || !TAILQ_EMPTY(&a->sent) ||
	    !TAILQ_EMPTY(&a->waiting)) {
		answer_done(ipc_ref(ipc, pkt), 1, "");
		return;
	}
	answer_done(ipc_ref(ipc, pkt), 0, "");
	a->warm = 0;
	stopping(a);
}

static const struct ipc_disp worker_disp[] = {
	{ IPC_RESULT, job_result },
	{ IPC_WORK_SESSION_END, session_over },
	{ IPC_WORK_IDLE, idle_from_worker },
	{ IPC_WORK_CHANGED, idle_changed },
	{ IPC_WORK_REST, got_rest },
	{ IPC_ACCOUNT_ROOM, limits_room },
	{ IPC_NONE, NULL }
};

void
worker_start(struct account *a, int dir)
{
	struct ipc *template = proc_peer(PROC_TEMPLATE);
	struct msg_spawn_dir d = { .account = a->id, .path = a->path,
		.file = account_file(a->path) };
	struct msg_spawn_io io = { .account = a->id };
	int sv[2];

	if (template == NULL) {
		close(dir);
		worker_none(a);
		return;
	}
	if (socketpair(AF_UNIX,
		SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv) == -1) {
		log_warn("socketpair");
		close(dir);
		worker_none(a);
		return;
	}
	a->worker = WORKER_SPAWNING;
	accounts_worker_count(1);
	a->ipc = ipc_new(proc_base(), sv[0], a->path, worker_disp,
	    channel_down, a);
	ipc_send(template, IPC_SPAWN_DIR, 0, &d, dir);
	ipc_send(template, IPC_SPAWN_IO, 0, &io, sv[1]);
}

void
worker_spawned(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_spawned *m = pkt->m;
	struct account *a = account_by_id(m->account);

	if (a == NULL || a->worker == WORKER_NONE || a->pidfd != -1)
		return;
	if (m->code != 0 || pkt->fd == -1) {
		worker_none(a);
		worker_free(a);
		account_run(a);
		return;
	}
	a->pidfd = ipc_take_fd(pkt);
	a->ev = event_new(proc_base(), a->pidfd, EV_READ, gone, a);
	if (a->ev == NULL || event_add(a->ev, NULL) == -1)
		fatalx("no event for a worker");
	if (a->worker == WORKER_SPAWNING)
		a->worker = WORKER_UP;
	else
		stopping(a);
	if (a->worker == WORKER_UP) {
		limits_tell(a, a->ipc);
		if (!inbox_tell(a, a->ipc))
			worker_stop(a, "INBOX has been replaced");
	}
	account_run(a);
}

void
worker_stop(struct account *a, const char *text)
{
	struct msg_work_stop m = { .text = text };

	ipc_send(a->ipc, IPC_WORK_STOP, 0, &m, -1);
	stopping(a);
}

void
worker_free(struct account *a)
{
	if (a->worker != WORKER_NONE)
		accounts_worker_count(-1);
	a->worker = WORKER_NONE;
	a->warm = 0;
	ipc_free(a->ipc);
	a->ipc = NULL;
	if (a->ev != NULL)
		event_free(a->ev);
	if (a->kill != NULL)
		event_free(a->kill);
	if (a->hung != NULL)
		event_free(a->hung);
	a->ev = a->kill = a->hung = NULL;
	if (a->pidfd != -1)
		close(a->pidfd);
	a->pidfd = -1;
}
