/*
 * authd-priv, the root helper: is this the OS user's password, shall it become
 * that one (manual 43), start that program of the administrator's
 * (priv_start.c), and open an INBOX that lies elsewhere (priv_inbox.c).  Only
 * who knows a password changes it.  It runs as root, hears authd alone, a few
 * kinds of small packets, and owns nothing.  Each check is a
 * child of its own: PAM modules may sleep, leak or crash.  It refuses uid 0
 * and system users whatever PAM would say.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "buf.h"
#include "log.h"
#include "priv.h"
#include "proc.h"

enum { CHECKS_MAX = 16, SECONDS_MAX = 20 };

struct check {
	struct ipc_ref	 ref;
	pid_t		 pid;
	int		 fd;		/* the child's word comes here */
	struct event	*ev;
};

static int checks;

static void
answer(struct ipc_ref ref, int code, const char *text)
{
	struct msg_done m = { .code = code, .text = text };

	ipc_answer(ref, IPC_DONE, &m, -1);
}

static void
finish(struct check *c, int code, const char *text)
{
	answer(c->ref, code, text);
	event_free(c->ev);
	close(c->fd);
	checks--;
	free(c);
}

/* One byte, or the end of a child that died. */
static void
told(evutil_socket_t fd, short what, void *arg)
{
	struct check *c = arg;
	char verdict = PRIV_LATER;

	if (what & EV_TIMEOUT || read(fd, &verdict, 1) != 1)
		verdict = PRIV_LATER;
	kill(c->pid, SIGKILL);
	while (waitpid(c->pid, NULL, 0) == -1 && errno == EINTR)
		;
	switch (verdict) {
	case PRIV_YES:
		finish(c, 0, "");
		break;
	case PRIV_NO:
		finish(c, 1, "refused");
		break;
	default:
		finish(c, 2, "the check could not be made");
		break;
	}
}

static void
child(int fd, const struct msg_os_check *m)
{
	char user[65], verdict;

	/* Nothing of ours is left open for what PAM may load. */
	if (dup2(fd, STDIN_FILENO) == -1 ||
	    close_range(3, ~0U, 0) == -1)
		_exit(1);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	if (str_copy(str_make(m->user), user, sizeof(user)))
		verdict = priv_pam(dict_str(proc_conf()->conf, "PamDir", ""),
		    user, (struct str) { m->password.p, m->password.len },
		    (struct str) { m->change.p, m->change.len });
	else
		verdict = PRIV_NO;
	_exit(write(STDIN_FILENO, &verdict, 1) == 1 ? 0 : 1);
}

static void
os_check(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	static const struct timeval limit = { SECONDS_MAX, 0 };
	const struct msg_os_check *m = pkt->m;
	struct ipc_ref ref = ipc_ref(ipc, pkt);
	struct check *c;
	int fds[2];

	if (!dict_bool(proc_conf()->conf, "OSPasswords", false)) {
		answer(ref, 1, "OS passwords are switched off");
		return;
	}
	if (checks >= CHECKS_MAX || (c = calloc(1, sizeof(*c))) == NULL) {
		answer(ref, 2, "too many checks at once");
		return;
	}
	if (pipe2(fds, O_CLOEXEC) == -1) {
		log_warn("pipe");
		free(c);
		answer(ref, 2, "no descriptors");
		return;
	}
	c->ref = ref;
	c->fd = fds[0];
	c->pid = fork();
	if (c->pid == 0)
		child(fds[1], m);
	close(fds[1]);
	c->ev = c->pid == -1 ? NULL : event_new(proc_base(), c->fd,
	    EV_READ | EV_TIMEOUT, told, c);
	if (c->ev == NULL || event_add(c->ev, &limit) == -1) {
		log_warn("fork");
		if (c->pid > 0) {
			kill(c->pid, SIGKILL);
			waitpid(c->pid, NULL, 0);
		}
		if (c->ev != NULL)
			event_free(c->ev);
		close(c->fd);
		free(c);
		answer(ref, 2, "no process");
		return;
	}
	checks++;
}

static const struct ipc_disp from_authd[] = {
	{ IPC_OS_CHECK,	os_check },
	{ IPC_HELPER_FD, programs_fd },
	{ IPC_HELPER_START, programs_start },
	{ IPC_HELPER_KILL, programs_kill },
	{ IPC_INBOX_OPEN, inboxes_open },
	{ IPC_NONE,	NULL }
};

static void
peer_down(enum proc_id id, int instance, struct ipc *ipc)
{
	programs_end();
}

static void
start(void)
{
	programs_init();
	inboxes_init();
}

int
main(int argc, char **argv)
{
	static const struct proc_def def = {
		.name = "authd-priv",
		.tag = "PRIV",
		.id = PROC_PRIV,
		.sandbox = {
			.allow = SB_FORK | SB_EXEC | SB_FILES_READ,
			.keep_root = true,
		},
		.peers = { [PROC_AUTHD] = from_authd },
		.start = start,
		.peer_down = peer_down,
		.stop = programs_stop,
	};

	return proc_run(argc, argv, &def);
}
