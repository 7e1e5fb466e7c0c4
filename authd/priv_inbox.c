/*
 * External INBOXes (manual 18): files beside the mailers of the system, opened
 * for authd, and made where they are missing.  Runs in authd-priv; each opening
 * is a child of its own, as a file system may be away, or slow to say who is
 * who.  It believes nobody: only plain files directly in the directories that
 * cgserver.conf lists, and only those that are their own user's, are opened.
 */
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "priv.h"
#include "proc.h"

enum { OPENERS_MAX = 16, OPENER_SECONDS = 20, NAME_LEN = 255 };

/* One opening: gone when it is answered and its child is reaped. */
struct opener {
	LIST_ENTRY(opener)	 entry;
	struct ipc_ref		 ref;
	pid_t			 pid;		/* 0: reaped */
	struct ipc		*ipc;		/* NULL: answered */
	struct event		*timer;
};

static LIST_HEAD(, opener) openers = LIST_HEAD_INITIALIZER(openers);
static unsigned nopeners;

/* --- in the child --- */

struct found {
	int		 dir, fd;
	struct stat	 dirst, st;
	struct passwd	*user;		/* NULL: the system has none */
	int		 code;		/* why not: as DONE has it */
	const char	*why;
};

static bool
fail(struct found *f, int code, const char *why)
{
	f->code = code;
	f->why = why;
	return false;
}

static bool
fail_errno(struct found *f)
{
	switch (errno) {
	case ELOOP:
		return fail(f, 1, "a symbolic link is in its place");
	case EISDIR:
		return fail(f, 1, "a directory is in its place");
	case ENXIO:
		return fail(f, 1, "it is no plain file");
	default:
		return fail(f, 2, strerror(errno));
	}
}

static bool
find_user(struct found *f, const char *user)
{
	errno = 0;
	if ((f->user = getpwnam(user)) != NULL)
		return true;
	/* These mean that there is none. */
	if (errno == 0 || errno == ENOENT || errno == ESRCH)
		return true;
	return fail_errno(f);
}

/* Nobody but root has a file of such a mode: it was made, and no more. */
static bool
is_begun(const struct found *f)
{
	return f->st.st_size == 0 && (f->st.st_mode & 07777) == 0;
}

/* Spools are a group's, which programs of the system's run as, or nobody's. */
static bool
finish_new(struct found *f)
{
	bool shared = f->dirst.st_mode & (S_IWGRP | S_ISGID);

	if (proc_conf()->root && fchown(f->fd, f->user->pw_uid,
	    shared ? f->dirst.st_gid : f->user->pw_gid) == -1)
		return fail_errno(f);
	if (fchmod(f->fd, shared ? 0660 : 0600) == -1 ||
	    fsync(f->fd) == -1 || fsync(f->dir) == -1 ||
	    fstat(f->fd, &f->st) == -1)
		return fail_errno(f);
	return true;
}

/*
 * Whose may it be?  In a directory where everybody makes files somebody may
 * have made this one so that another's mail comes to him.
 */
static bool
check_owner(struct found *f)
{
	if (!proc_conf()->root)
		return true;
	if (f->st.st_uid == 0)
		return fail(f, 1, "root owns it");
	if (f->user != NULL)
		return f->st.st_uid == f->user->pw_uid ? true :
		    fail(f, 1, "another user owns it");
	return !(f->dirst.st_mode & S_IWOTH) ? true :
	    fail(f, 1, "the system has no user of that name, and anybody "
	    "can make files there");
}

static bool
check(struct found *f)
{
	bool root = proc_conf()->root;

	if (fstat(f->fd, &f->st) == -1)
		return fail_errno(f);
	if (!S_ISREG(f->st.st_mode))
		return fail(f, 1, "it is no plain file");
	if (f->st.st_nlink != 1)
		return fail(f, 1, "it has several names, or none");
	if (root && is_begun(f) && f->user != NULL && f->user->pw_uid != 0 &&
	    (f->st.st_uid == 0 || f->st.st_uid == f->user->pw_uid))
		return finish_new(f);
	return check_owner(f);
}

/* Root's is of no use to anybody until it is given away. */
static bool
make(struct found *f, const char *name)
{
	bool root = proc_conf()->root;

	if (root && f->user == NULL)
		return fail(f, 1, "it is not there, and the system has no "
		    "user who could read it");
	if (root && f->user->pw_uid == 0)
		return fail(f, 1, "it is not there, and would be root's");
	f->fd = openat(f->dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC | O_NOCTTY, root ? 0 : 0600);
	if (f->fd == -1)
		return fail_errno(f);
	return finish_new(f);
}

/* Nothing may be waited for there, least of all the other end of a FIFO. */
static bool
open_inbox(struct found *f, const char *dir, const char *name,
    const char *user)
{
	f->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir == -1 || fstat(f->dir, &f->dirst) == -1)
		return fail_errno(f);
	if (!find_user(f, user))
		return false;
	f->fd = openat(f->dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC | O_NOCTTY);
	if (f->fd != -1)
		return check(f);
	return errno == ENOENT ? make(f, name) : fail_errno(f);
}

static void __attribute__((noreturn))
child(int sock, const char *dir, const char *name, const char *user)
{
	struct found f = { .dir = -1, .fd = -1, .why = "" };
	struct msg_done m = { 0 };

	/* Nothing of ours is left open for what getpwnam() may load. */
	if (dup2(sock, STDIN_FILENO) == -1 || close_range(3, ~0U, 0) == -1)
		_exit(1);
	signal(SIGTERM, SIG_DFL);
	if (!open_inbox(&f, dir, name, user) && f.fd != -1) {
		close(f.fd);
		f.fd = -1;
	}
	m.code = f.code;
	m.text = f.why;
	_exit(ipc_send_sync(STDIN_FILENO, IPC_DONE, &m, f.fd) == 0 ? 0 : 1);
}

/* --- in the parent --- */

static void
answer(struct ipc_ref ref, int code, const char *text, int fd)
{
	struct msg_done m = { .code = code, .text = text };

	ipc_answer(ref, IPC_DONE, &m, fd);
}

static void
forget(struct opener *o)
{
	if (o->pid != 0 || o->ipc != NULL)
		return;
	LIST_REMOVE(o, entry);
	event_free(o->timer);
	free(o);
	nopeners--;
}

/* A child that hangs in a file system dies when that comes back. */
static void
over(struct opener *o, int code, const char *text, int fd)
{
	answer(o->ref, code, text, fd);
	event_del(o->timer);
	o->ipc = NULL;
	if (o->pid != 0)
		kill(o->pid, SIGKILL);
	forget(o);
}

static void
opened(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_done *m = pkt->m;
	int fd = ipc_take_fd(pkt);

	if (m->code == 0 && fd == -1)
		over(arg, 2, "no descriptors", -1);
	else
		over(arg, m->code, m->text, fd);
	ipc_free(ipc);
}

static void
lost(struct ipc *ipc, void *arg)
{
	over(arg, 2, "its helper has ended", -1);
}

static void
too_late(evutil_socket_t fd, short what, void *arg)
{
	struct opener *o = arg;

	ipc_free(o->ipc);
	over(o, 2, "its file system does not answer", -1);
}

static void
got_child(evutil_socket_t sig, short what, void *arg)
{
	struct opener *o, *next;

	for (o = LIST_FIRST(&openers); o != NULL; o = next) {
		next = LIST_NEXT(o, entry);
		if (o->pid == 0 || waitpid(o->pid, NULL, WNOHANG) != o->pid)
			continue;
		o->pid = 0;
		forget(o);
	}
}

void
inboxes_init(void)
{
	struct event *ev = evsignal_new(proc_base(), SIGCHLD, got_child, NULL);

	if (ev == NULL || event_add(ev, NULL) == -1)
		fatalx("no event for children");
}

/* The list's own text, or NULL; *name is what follows it. */
static const char *
listed(const char *file, const char **name)
{
	const struct val *dirs = dict_get(proc_conf()->conf, "ExternalDirs");
	const char *slash = strrchr(file, '/'), *dir;
	size_t i;

	if (slash == NULL || slash[1] == '\0' || slash[1] == '.' ||
	    strlen(slash + 1) > NAME_LEN)
		return NULL;
	*name = slash + 1;
	for (i = 0; i < val_count(dirs); i++) {
		dir = val_text(val_at(dirs, i));
		if (dir != NULL && strlen(dir) == (size_t)(slash - file) &&
		    strncmp(dir, file, slash - file) == 0)
			return dir;
	}
	return NULL;
}

static bool
begin(struct opener *o, const char *dir, const char *name, const char *user)
{
	static const struct ipc_disp disp[] = {
		{ IPC_DONE, opened }, { IPC_NONE, NULL } };
	static const struct timeval limit = { OPENER_SECONDS, 0 };
	int sv[2];

	if ((o->timer = evtimer_new(proc_base(), too_late, o)) == NULL)
		return false;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == -1)
		return false;
	if ((o->pid = fork()) == 0)
		child(sv[1], dir, name, user);
	close(sv[1]);
	if (o->pid == -1) {
		close(sv[0]);
		return false;
	}
	o->ipc = ipc_new(proc_base(), sv[0], "opener", disp, lost, o);
	evtimer_add(o->timer, &limit);
	return true;
}

void
inboxes_open(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_inbox_open *m = pkt->m;
	struct ipc_ref ref = ipc_ref(ipc, pkt);
	const char *dir, *name;
	struct opener *o;

	if ((dir = listed(m->file, &name)) == NULL) {
		answer(ref, 1, "cgserver.conf does not list its directory in "
		    "external-inboxes", -1);
		return;
	}
	if (nopeners >= OPENERS_MAX || (o = calloc(1, sizeof(*o))) == NULL) {
		answer(ref, 2, "too many files are being opened", -1);
		return;
	}
	o->ref = ref;
	if (!begin(o, dir, name, m->user)) {
		log_warn("no process for %s", m->file);
		if (o->timer != NULL)
			event_free(o->timer);
		free(o);
		answer(ref, 2, "no process", -1);
		return;
	}
	LIST_INSERT_HEAD(&openers, o, entry);
	nopeners++;
}
