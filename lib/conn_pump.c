/*
 * The pump: the front keeps the TLS, the worker gets one end of a pair, and
 * what arrives at one side leaves at the other.  Neither side is read while
 * 64 KiB wait for the other.  The end of one direction is passed on; when the
 * worker is gone altogether, what it said is still sent.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "conn_int.h"

static void
on_pair(int fd, short what, void *arg)
{
	conn_schedule(arg);
}

/* What the worker says becomes our output.  False: nothing came. */
static bool
from_worker(struct conn *c)
{
	struct pump *p = c->pump;
	struct evbuffer_iovec v;
	size_t room;
	ssize_t n;

	room = evbuffer_get_length(c->out);
	if (p->from_eof || room >= CONN_HIGHWATER)
		return false;
	room = CONN_HIGHWATER - room;
	if (room > p->chunk)
		room = p->chunk;
	if (evbuffer_reserve_space(c->out, room, &v, 1) != 1) {
		conn_fail(c, ENOMEM);
		return false;
	}
	if (v.iov_len > room)
		v.iov_len = room;
	do
		n = recv(p->fd, v.iov_base, v.iov_len, 0);
	while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		p->from_eof = true;
	p->chunk = n == (ssize_t)v.iov_len ? CONN_BIGCHUNK : CONN_CHUNK;
	v.iov_len = n > 0 ? (size_t)n : 0;
	evbuffer_commit_space(c->out, &v, 1);
	return n > 0;
}

static void
to_worker(struct conn *c)
{
	struct pump *p = c->pump;
	struct evbuffer_iovec v[CONN_MAXIOV];
	struct msghdr msg = { 0 };
	ssize_t n;
	int count;

	while (!p->to_eof && evbuffer_get_length(c->in) > 0) {
		count = evbuffer_peek(c->in, -1, NULL, v, CONN_MAXIOV);
		msg.msg_iov = v;
		msg.msg_iovlen = count < CONN_MAXIOV ? count : CONN_MAXIOV;
		n = sendmsg(p->fd, &msg, MSG_NOSIGNAL);
		if (n > 0)
			evbuffer_drain(c->in, n);
		else if (n < 0 && errno == EAGAIN)
			break;
		else if (n < 0 && errno != EINTR)
			p->to_eof = true;
	}
	if (p->to_eof)
		evbuffer_drain(c->in, evbuffer_get_length(c->in));
	else if (c->eof && !c->more && evbuffer_get_length(c->in) == 0) {
		shutdown(p->fd, SHUT_WR);
		p->to_eof = true;
	}
}

/* Nobody reads there any more, as opposed to: no more is said. */
static bool
worker_gone(struct pump *p)
{
	return p->to_eof ||
	    (send(p->fd, "", 0, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
	    errno != EAGAIN);
}

static void
pump_done(struct conn *c)
{
	void (*done)(void *) = c->pump->done;
	void *arg = c->pump->arg;

	conn_finish(c);
	done(arg);
}

static void
half_close(struct conn *c)
{
	struct pump *p = c->pump;

	if (!p->from_eof || p->out_eof || evbuffer_get_length(c->out) > 0)
		return;
	conn_close_notify(c);
	shutdown(c->fd, SHUT_WR);
	p->out_eof = true;
}

void
conn_pump_turn(struct conn *c)
{
	struct pump *p = c->pump;
	bool unsent;
	int i;

	for (i = 0; i < CONN_ROUNDS; i++) {
		if (c->more && conn_room(c) > 0)
			conn_fill(c);
		to_worker(c);
		if (!from_worker(c) && !(c->more && conn_room(c) > 0))
			break;
		conn_flush(c);
	}
	conn_flush(c);
	if (c->failed || (p->from_eof && worker_gone(p))) {
		pump_done(c);
		return;
	}
	half_close(c);
	unsent = evbuffer_get_length(c->out) > 0;
	if (c->tls == TLS_UP && unsent)
		unsent = c->tls_wants_write;
	/* Input that OpenSSL holds wakes nobody: come back by ourselves. */
	conn_want_write(c, unsent || (c->more && conn_room(c) > 0));
	conn_want_read(c, !c->eof && conn_room(c) > 0);
	if (!p->from_eof && evbuffer_get_length(c->out) < CONN_HIGHWATER)
		event_add(&p->rd, NULL);
	else
		event_del(&p->rd);
	if (!p->to_eof && evbuffer_get_length(c->in) > 0)
		event_add(&p->wr, NULL);
	else
		event_del(&p->wr);
}

void
conn_pump_free(struct conn *c)
{
	struct pump *p = c->pump;

	if (p == NULL)
		return;
	c->pump = NULL;
	event_del(&p->rd);
	event_del(&p->wr);
	close(p->fd);
	free(p);
}

/* An evbuffer keeps a chain that was reserved in vain; this frees it. */
static void
slim(struct evbuffer *b)
{
	if (evbuffer_get_length(b) == 0 && evbuffer_add(b, "", 1) == 0)
		evbuffer_drain(b, 1);
}

void
conn_slim(struct conn *c)
{
	slim(c->in);
	slim(c->out);
}

int
conn_pump_fd(struct conn *c, int fd, void (*done)(void *), void *arg)
{
	struct pump *p;

	if (c->dead || c->mode > MODE_DATA)
		return -1;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return -1;
	p->fd = fd;
	p->chunk = CONN_CHUNK;
	p->done = done;
	p->arg = arg;
	event_assign(&p->rd, c->base, fd, EV_READ | EV_PERSIST, on_pair, c);
	event_assign(&p->wr, c->base, fd, EV_WRITE | EV_PERSIST, on_pair, c);
	c->pump = p;
	c->mode = MODE_PUMP;
	c->paused = c->held = false;
	c->timeout = 0;		/* the worker looks after the client */
	conn_schedule(c);
	return 0;
}

int
conn_pump(struct conn *c, void (*done)(void *), void *arg)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    sv) == -1)
		return -1;
	if (conn_pump_fd(c, sv[0], done, arg) == -1) {
		close(sv[0]);
		close(sv[1]);
		return -1;
	}
	return sv[1];
}
