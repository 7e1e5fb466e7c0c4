/*
 * Clients whose sessions stored has handed back (ARCHITECTURE 5.4): here is
 * kept the descriptor that a worker had, what is unread still in it, and a
 * sealed state.  Input, or a word from stored, brings the session back; as
 * little as possible is held until then.  Behind TLS the descriptor is the
 * far end of the pump's pair, and the pump goes on.  Runs in the fronts.
 */
#include <sys/socket.h>

#include <errno.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "front_int.h"
#include "log.h"
#include "settings.h"
#include "trim.h"

enum {
	MAXTEXT = 256,
	PATIENCE = 4 * IPC_TIMEOUT	/* all may come back at once */
};

struct front_idle {
	struct event	 ev;
	uint32_t	 id;		/* the client's */
	int		 fd;
	bool		 known;		/* stored has a record of it */
	uint16_t	 len;
	unsigned char	 sealed[];
};

static unsigned	count;
static int	autologout;		/* seconds */

unsigned
front_idle_count(void)
{
	return count;
}

void
front_idle_settings(const struct val *all)
{
	if (front_def->bye != NULL)
		autologout = settings_int(all, front_def->module,
		    "InputTimeout");
}

void
front_idle_free(struct client *c)
{
	struct msg_session_gone m = { 0 };
	struct front_idle *i = c->idle;

	if (i == NULL)
		return;
	c->idle = NULL;
	count--;
	event_del(&i->ev);
	if (i->fd != -1)
		close(i->fd);
	if (i->known)
		ipc_send(proc_peer(PROC_STORED), IPC_SESSION_GONE, i->id, &m,
		    -1);
	free(i);
}

/* A descriptor nobody else has: what is said last is all it still does. */
static void
last_words(struct client *c, const char *text)
{
	struct conn *conn = c->s.conn;
	struct front_idle *i = c->idle;

	if (conn != NULL) {		/* a pump: it ends by itself */
		(void)send(i->fd, text, strlen(text),
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		shutdown(i->fd, SHUT_RDWR);
		c->phase = PH_PUMPED;
		front_idle_free(c);
		return;
	}
	conn = c->s.conn = conn_new(proc_base(), i->fd, front_event, c);
	if (conn == NULL) {
		front_forget(c);
		return;
	}
	i->fd = -1;
	conn_write(conn, text, strlen(text));
	front_part(c);
	conn_finish(conn);
}

void
front_idle_bye(struct client *c, const char *why)
{
	char text[MAXTEXT + 64];

	front_log(&c->s, LOG_LOW, "idle session ended: %s", why);
	snprintf(text, sizeof(text), "%s%s\r\n", front_def->bye, why);
	last_words(c, text);
}

/* --- back to stored --- */

static void
given(struct client *c)
{
	c->phase = c->s.conn != NULL ? PH_PUMPED : PH_GIVEN;
	front_idle_free(c);
}

static void
revived(const struct ipc_pkt *pkt, void *arg)
{
	uint32_t id = (uint32_t)(uintptr_t)arg;
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;
	struct client *c = front_find(id);
	int fd;

	if (c == NULL || c->phase != PH_OFFERED || c->idle == NULL)
		return;
	c->phase = PH_IDLE;
	if (m != NULL && m->code == 0) {
		given(c);
		return;
	}
	/* Perhaps a worker has it after all: it must be of no use there. */
	fd = m == NULL && c->s.conn == NULL ?
	    fcntl(c->idle->fd, F_DUPFD_CLOEXEC, 0) : -1;
	front_idle_bye(c, m != NULL ? m->text :
	    "the account cannot be opened now");
	if (fd != -1) {
		shutdown(fd, SHUT_RDWR);
		close(fd);
	}
}

static void
revive(struct client *c)
{
	struct front_idle *i = c->idle;
	struct msg_session_revive m = { .tag = c->s.tag, .peer = c->s.peer,
		.sealed = { i->sealed, i->len } };
	int fd = fcntl(i->fd, F_DUPFD_CLOEXEC, 0);

	event_del(&i->ev);
	if (fd == -1) {
		log_warn("no descriptor for a worker");
		front_idle_bye(c, "the account cannot be opened now");
		return;
	}
	c->phase = PH_OFFERED;
	i->known = false;
	ipc_call(proc_peer(PROC_STORED), IPC_SESSION_REVIVE, c->s.id, &m, fd,
	    PATIENCE, revived, (void *)(uintptr_t)c->s.id);
}

static void
arm(struct front_idle *i)
{
	struct timeval tv = { .tv_sec = autologout };

	event_add(&i->ev, autologout > 0 ? &tv : NULL);
}

/* The client has gone; a pump sees to its own end. */
static void
left(struct client *c)
{
	front_log(&c->s, LOG_LOW, "closed");
	if (c->s.conn == NULL) {
		front_forget(c);
		return;
	}
	c->phase = PH_PUMPED;
	front_idle_free(c);
}

static void
on_idle(int fd, short what, void *arg)
{
	struct client *c = arg;
	ssize_t n;
	char ch;

	if (what & EV_TIMEOUT) {
		front_idle_bye(c, "you have been silent for too long");
		return;
	}
	n = recv(fd, &ch, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n > 0)
		revive(c);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		left(c);
	else
		arm(c->idle);
}

/* --- what stored says --- */

static void
unwanted(struct ipc *ipc, const struct ipc_pkt *pkt)
{
	struct msg_session_gone m = { 0 };

	ipc_send(ipc, IPC_SESSION_GONE, pkt->session, &m, -1);
}

void
front_got_idle(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_session_idle *m = pkt->m;
	struct client *c = front_find(pkt->session);
	struct front_idle *i;

	if (c == NULL || pkt->fd == -1 || front_def->bye == NULL ||
	    (c->phase != PH_GIVEN && c->phase != PH_PUMPED) ||
	    (i = calloc(1, sizeof(*i) + m->sealed.len)) == NULL) {
		unwanted(ipc, pkt);
		if (c != NULL && c->phase == PH_GIVEN)
			front_forget(c);
		return;
	}
	i->id = c->s.id;
	i->fd = ipc_take_fd(pkt);
	i->known = true;
	i->len = m->sealed.len;
	memcpy(i->sealed, m->sealed.p, i->len);
	event_assign(&i->ev, proc_base(), i->fd, EV_READ, on_idle, c);
	arm(i);
	if (c->s.conn != NULL)
		conn_slim(c->s.conn);
	c->idle = i;
	c->phase = PH_IDLE;
	count++;
	trim_later(count);
}

/*
 * A line that may come at any time; a client that reads nothing misses it.
 * Behind TLS the descriptor leads to the pump.
 */
void
front_got_tell(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_session_tell *m = pkt->m;
	struct client *c = front_find(pkt->session);

	if (c != NULL && c->phase == PH_IDLE)
		(void)send(c->idle->fd, m->text, strlen(m->text),
		    MSG_NOSIGNAL | MSG_DONTWAIT);
}

void
front_got_wake(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_session_wake *m = pkt->m;
	struct client *c = front_find(pkt->session);

	if (c == NULL || c->phase != PH_IDLE)
		return;
	if (m->text[0] == '\0') {
		revive(c);
		return;
	}
	c->idle->known = false;
	front_idle_bye(c, m->text);
}
