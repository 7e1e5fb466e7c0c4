/*
 * Does anybody take mail for the domain that a message says it comes from?
 * Its hosts are connected to, one after the other, until one greets.  Asked by
 * smtpd's role receive; runs in the sending role.  Nothing is sent but QUIT.
 */
#include <sys/socket.h>

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "proc.h"
#include "send.h"

enum { EACH = 8, ALL = 25, ADDRESSES = 5, MAXLINE = 1024, MAXTRIES = 100 };

struct try {
	struct ipc_ref	 ref;
	struct dest	*dest;
	struct conn	*conn;
	struct event	*ev;		/* fd connects, or takes too long */
	struct event	*late;
	int		 fd;
	int		 tried;
};

/* A stranger says whom we connect to: not more of them at a time. */
static unsigned int	 ntries;

static void	next(const struct dest_addr *, const struct outcome *, void *);

static void
finish(struct try *t, uint8_t code, const char *text)
{
	struct msg_done m = { .code = code, .text = text };

	ipc_answer(t->ref, IPC_DONE, &m, -1);
	if (t->ev != NULL)
		event_free(t->ev);
	if (t->late != NULL)
		event_free(t->late);
	if (t->conn != NULL)
		conn_finish(t->conn);
	if (t->fd != -1)
		close(t->fd);
	dest_free(t->dest);
	free(t);
	ntries--;
}

static void
try_next(struct try *t)
{
	if (t->ev != NULL)
		event_free(t->ev);
	t->ev = NULL;
	if (t->fd != -1)
		close(t->fd);
	t->fd = -1;
	if (t->conn != NULL)
		conn_free(t->conn);
	t->conn = NULL;
	if (++t->tried > ADDRESSES)
		finish(t, LATER, "none of its hosts answers");
	else
		dest_next(t->dest, next, t);
}

/* Any greeting but one that sends us away. */
static void
greeted(struct conn *c, enum conn_event ev, char *line, size_t len, void *arg)
{
	struct try *t = arg;

	if (ev == CONN_LINE && line[0] == '2') {
		conn_printf(c, "QUIT\r\n");
		finish(t, GOOD, "");
	} else if (ev != CONN_DRAINED)
		try_next(t);
}

static void
connected(int fd, short what, void *arg)
{
	struct try *t = arg;
	socklen_t len = sizeof(int);
	int error = 0;

	if (!(what & EV_WRITE) ||
	    getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1 ||
	    error != 0) {
		try_next(t);
		return;
	}
	event_free(t->ev);
	t->ev = NULL;
	fd = t->fd;
	t->fd = -1;
	if ((t->conn = conn_new(proc_base(), fd, greeted, t)) == NULL) {
		try_next(t);
		return;
	}
	conn_lines(t->conn, MAXLINE);
	conn_timeout(t->conn, EACH);
}

static void
next(const struct dest_addr *a, const struct outcome *why, void *arg)
{
	static const struct timeval each = { EACH, 0 };
	struct try *t = arg;

	if (a == NULL) {
		finish(t, why->verdict == NEVER ? NEVER : LATER, why->text);
		return;
	}
	t->fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	if (t->fd == -1 || (connect(t->fd, (const struct sockaddr *)&a->ss,
	    a->len) == -1 && errno != EINPROGRESS) ||
	    (t->ev = event_new(proc_base(), t->fd, EV_WRITE, connected,
	    t)) == NULL) {
		try_next(t);
		return;
	}
	event_add(t->ev, &each);
}

static void
too_late(int fd, short what, void *arg)
{
	finish(arg, LATER, "its hosts do not answer in time");
}

void
reverse_request(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	static const struct timeval all = { ALL, 0 };
	const struct msg_host_try *m = pkt->m;
	struct try *t = xcalloc(1, sizeof(*t));

	t->ref = ipc_ref(ipc, pkt);
	t->fd = -1;
	if (++ntries > MAXTRIES) {
		finish(t, LATER, "too many hosts are being tried");
		return;
	}
	t->dest = dest_new(m->domain, false);
	t->late = evtimer_new(proc_base(), too_late, t);
	if (t->dest == NULL || t->late == NULL) {
		finish(t, LATER, "out of memory");
		return;
	}
	evtimer_add(t->late, &all);
	dest_next(t->dest, next, t);
}
