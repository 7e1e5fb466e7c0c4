/*
 * Single-mailbox accounts: of john.mbox and what lies beside it only
 * john.settings is authd's.  The rest is stored's, who is asked to move or
 * remove it.  Runs in authd.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd.h"
#include "log.h"

enum { MOVE_TIMEOUT = 12 * IPC_TIMEOUT };	/* longer than stored's own */

/* john.mbox and its john.settings; free it. */
static char *
settings_path(const char *path)
{
	return xasprintf("%.*ssettings",
	    (int)(strrchr(path, '.') + 1 - path), path);
}

void
single_forget(const char *path)
{
	char *name = settings_path(path);
	const char *last;
	int fd;

	account_forget(path);
	if ((fd = path_parent(name, &last)) != -1) {
		if ((unlinkat(fd, last, 0) == -1 && errno != ENOENT) ||
		    fsync(fd) == -1)
			log_warn("%s", name);
		close(fd);
	}
	free(name);
}

/* --- stored's own files of a single-mailbox account --- */

struct move {
	char		*path;
	ipc_answer_cb	*cb;
	void		*arg;
	struct event	*again;
};

static void	settle(struct move *);

static void
ignored(const struct ipc_pkt *pkt, void *arg)
{
}

static void
move_end(struct move *mv, const struct ipc_pkt *pkt)
{
	mv->cb(pkt, mv->arg);
	if (mv->again != NULL)
		event_free(mv->again);
	free(mv->path);
	free(mv);
}

static void
settle_again(evutil_socket_t fd, short what, void *arg)
{
	settle(arg);
}

static void
settled(const struct ipc_pkt *pkt, void *arg)
{
	static const struct timeval pause = { 0, 200000 };
	struct msg_account_release m;
	struct move *mv = arg;

	if (pkt == NULL) {
		if (mv->again == NULL)
			mv->again = evtimer_new(proc_base(), settle_again, mv);
		if (mv->again == NULL)
			panic("out of memory");
		evtimer_add(mv->again, &pause);
		return;
	}
	m.path = m.newpath = mv->path;
	ipc_call(proc_peer(PROC_STORED), IPC_ACCOUNT_RELEASE, 0, &m, -1,
	    IPC_TIMEOUT, ignored, NULL);
	move_end(mv, NULL);
}

/*
 * The broker has died, but delivery may be at it a moment longer.  A new one
 * comes only when all of its family are gone; an old one answers when the
 * account is at rest.
 */
static void
settle(struct move *mv)
{
	struct msg_account_quiet m = { .path = mv->path,
		.text = "the account is being changed" };

	ipc_call(proc_peer(PROC_STORED), IPC_ACCOUNT_QUIET, 0, &m, -1,
	    IPC_TIMEOUT, settled, mv);
}

static void
move_over(const struct ipc_pkt *pkt, void *arg)
{
	if (pkt == NULL)
		settle(arg);
	else
		move_end(arg, pkt);
}

void
single_move(const char *path, const char *newpath, ipc_answer_cb *cb,
    void *arg)
{
	struct msg_account_move m = { .path = path, .newpath = newpath };
	struct move *mv = xcalloc(1, sizeof(*mv));

	mv->path = xstrdup(path);
	mv->cb = cb;
	mv->arg = arg;
	ipc_call(proc_peer(PROC_STORED), IPC_ACCOUNT_MOVE, 0, &m, -1,
	    MOVE_TIMEOUT, move_over, mv);
}
