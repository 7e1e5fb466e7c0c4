/*
 * One connection's life: lines and data told to its owner one at a time,
 * output corked until the owner's callbacks have returned, time-outs, TLS's
 * start, the orderly end.  Runs in the fronts and in the worker's sessions,
 * always from the loop; it must never call the owner from a function that the
 * owner called.
 *
 * Everything happens in a turn: conn_turn() moves what can be moved and then
 * asks the kernel for what is missing.  Functions called between turns only
 * change state and schedule one; it still runs before the loop sleeps.
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "conn_int.h"
#include "tls.h"

static void	conn_turn(struct conn *);

time_t
conn_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec;
}

/* --- what the kernel and the loop are asked for --- */

void
conn_want_read(struct conn *c, bool on)
{
	if (c->rd_on == on)
		return;
	c->rd_on = on;
	if (on)
		event_add(&c->rd, NULL);
	else
		event_del(&c->rd);
}

void
conn_want_write(struct conn *c, bool on)
{
	if (c->wr_on == on)
		return;
	c->wr_on = on;
	if (on)
		event_add(&c->wr, NULL);
	else
		event_del(&c->wr);
}

void
conn_schedule(struct conn *c)
{
	if (c->busy) {
		c->again = true;
		return;
	}
	if (c->queued || c->dead)
		return;
	c->queued = true;
	event_active(&c->work, EV_TIMEOUT, 0);
}

static void
set_timer(struct conn *c, int seconds)
{
	struct timeval tv = { .tv_sec = seconds };

	c->due = conn_now() + seconds;
	event_add(&c->timer, &tv);
}

void
conn_fail(struct conn *c, int err)
{
	if (c->failed)
		return;
	c->failed = true;
	c->err = err;
	conn_schedule(c);
}

static void
destroy(struct conn *c)
{
	if (c->ssl != NULL)
		SSL_free(c->ssl);
	evbuffer_free(c->in);
	evbuffer_free(c->out);
	free(c);
}

void
conn_free(struct conn *c)
{
	if (c == NULL || c->dead)
		return;
	c->dead = true;
	conn_pump_free(c);
	event_del(&c->rd);
	event_del(&c->wr);
	event_del(&c->work);
	event_del(&c->timer);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	if (c->gone != NULL)
		c->gone(c->gone_arg);
	if (!c->busy)
		destroy(c);
}

void
conn_gone(struct conn *c, void (*cb)(void *), void *arg)
{
	c->gone = cb;
	c->gone_arg = arg;
	if (c->dead)
		cb(arg);
}

static void
tell(struct conn *c, enum conn_event ev, char *line, size_t len)
{
	c->cb(c, ev, line, len, c->arg);
}

/* --- input --- */

/*
 * The line is copied out and wiped where it stood: it may be a password, and
 * the callback may do what it likes with the input.
 */
static void
tell_line(struct conn *c, char *p, size_t len, size_t whole)
{
	char small[2048], *line = small;

	if (len >= sizeof(small) && (line = malloc(len + 1)) == NULL) {
		conn_fail(c, ENOMEM);
		return;
	}
	memcpy(line, p, len);
	line[len] = '\0';
	explicit_bzero(p, len);
	evbuffer_drain(c->in, whole);
	tell(c, CONN_LINE, line, len);
	explicit_bzero(line, len);
	if (line != small)
		free(line);
}

/* Drops what there is of an over-long line; tells of it once. */
static void
skip_long(struct conn *c, size_t n, bool ended)
{
	bool first = !c->skipping;

	c->skipping = !ended;
	c->seen = 0;
	evbuffer_drain(c->in, n);
	if (first)
		tell(c, CONN_LONG, NULL, 0);
}

/* Tells one line; false when there is none. */
static bool
next_line(struct conn *c)
{
	size_t have, len, whole;
	char *p, *lf;

	have = evbuffer_get_length(c->in);
	if (have == c->seen && !c->skipping)
		return false;
	if (have == 0)
		return false;
	p = (char *)evbuffer_pullup(c->in, -1);
	if (p == NULL) {
		conn_fail(c, ENOMEM);
		return false;
	}
	lf = memchr(p + c->seen, '\n', have - c->seen);
	if (lf == NULL) {
		c->seen = have;
		/* One more for a CR whose LF is on its way. */
		if (!c->skipping && have <= c->maxline + 1)
			return false;
		skip_long(c, have, false);
		return true;
	}
	whole = lf - p + 1;
	len = whole - 1;
	if (len > 0 && p[len - 1] == '\r')
		len--;
	if (c->skipping || len > c->maxline) {
		skip_long(c, whole, true);
		return true;
	}
	c->seen = 0;
	c->bare_lf = len == whole - 1;
	tell_line(c, p, len, whole);
	return true;
}

static bool
may_tell(const struct conn *c)
{
	return !c->dead && !c->paused && !c->failed &&
	    c->mode <= MODE_DATA && c->tls != TLS_WAIT &&
	    c->tls != TLS_SHAKE &&
	    evbuffer_get_length(c->out) < CONN_HIGHWATER;
}

static void
deliver(struct conn *c)
{
	while (may_tell(c)) {
		if (c->secured) {
			c->secured = false;
			tell(c, CONN_SECURE, NULL, 0);
		} else if (c->mode == MODE_LINES) {
			if (!next_line(c))
				break;
		} else {
			if (!c->fresh || evbuffer_get_length(c->in) == 0)
				break;
			c->fresh = false;
			tell(c, CONN_DATA, NULL, 0);
		}
	}
	if (c->eof && !c->eof_told && !c->more && may_tell(c)) {
		c->eof_told = true;
		tell(c, CONN_EOF, NULL, 0);
	}
}

/* --- turns --- */

/* What was read is plain text; from here on only TLS counts. */
static void
begin_shake(struct conn *c)
{
	evbuffer_drain(c->in, evbuffer_get_length(c->in));
	c->seen = 0;
	c->skipping = false;
	c->fresh = false;
	c->drained = false;
	c->tls = TLS_SHAKE;
}

static void
shake_turn(struct conn *c)
{
	if (c->tls == TLS_WAIT && conn_flush(c) == 1)
		begin_shake(c);
	if (c->tls == TLS_SHAKE && conn_shake(c) == 1)
		c->secured = true;
}

/* After the last output: leave nothing unread, or the peer may lose it. */
static void
linger_turn(struct conn *c)
{
	char junk[4096];
	ssize_t n;
	int i;

	for (i = 0; i < CONN_ROUNDS; i++) {
		n = recv(c->fd, junk, sizeof(junk), MSG_DONTWAIT);
		if (n <= 0)
			break;
		if (c->mode != MODE_LINGER) {
			c->mode = MODE_LINGER;
			shutdown(c->fd, SHUT_WR);
			if (c->due > conn_now() + CONN_LINGER)
				set_timer(c, CONN_LINGER);
		}
	}
	explicit_bzero(junk, sizeof(junk));
	if (c->mode == MODE_LINGER &&
	    (i == CONN_ROUNDS || (n < 0 && errno == EAGAIN)))
		conn_want_read(c, true);
	else
		conn_free(c);
}

static void
finish_turn(struct conn *c)
{
	if (c->mode == MODE_LINGER) {
		linger_turn(c);
		return;
	}
	if (conn_flush(c) == 0) {
		conn_want_read(c, c->tls == TLS_UP && !c->tls_wants_write);
		conn_want_write(c, c->tls != TLS_UP || c->tls_wants_write);
		return;
	}
	if (c->failed) {
		conn_free(c);
		return;
	}
	conn_close_notify(c);
	conn_want_write(c, false);
	if (c->eof)
		conn_free(c);
	else
		linger_turn(c);
}

static void
owner_turn(struct conn *c)
{
	int i;

	for (i = 0; i < CONN_ROUNDS && !c->dead; i++) {
		c->again = false;
		if (c->tls == TLS_WAIT || c->tls == TLS_SHAKE)
			shake_turn(c);
		if (c->more && conn_room(c) > 0 && !c->held)
			conn_fill(c);
		deliver(c);
		if (c->dead || c->mode > MODE_DATA)
			return;
		conn_flush(c);
		if (c->failed && !c->fail_told) {
			c->fail_told = true;
			tell(c, CONN_ERROR, NULL, 0);
			return;
		}
		if (c->drained && evbuffer_get_length(c->out) == 0 &&
		    c->tls != TLS_SHAKE) {
			c->drained = false;
			tell(c, CONN_DRAINED, NULL, 0);
			if (c->dead || c->mode > MODE_DATA)
				return;
			c->again = c->again || may_tell(c);
		}
		if (c->more && conn_room(c) > 0 && !c->held)
			c->again = true;
		if (!c->again)
			break;
	}
}

static void
watch(struct conn *c)
{
	bool unsent;

	if (c->failed) {
		conn_want_read(c, false);
		conn_want_write(c, false);
		return;
	}
	unsent = evbuffer_get_length(c->out) > 0;
	if (c->tls == TLS_SHAKE || (c->tls == TLS_UP && unsent))
		unsent = c->tls_wants_write;
	conn_want_write(c, unsent || c->again);
	conn_want_read(c, !c->eof && !c->held && c->tls != TLS_WAIT &&
	    conn_room(c) > 0);
}

static void
conn_turn(struct conn *c)
{
	c->busy = true;
	if (!c->dead && c->mode <= MODE_DATA)
		owner_turn(c);
	if (!c->dead && c->mode == MODE_PUMP)
		conn_pump_turn(c);
	if (!c->dead && c->mode >= MODE_FINISH)
		finish_turn(c);
	c->busy = false;
	if (c->dead)
		destroy(c);
	else if (c->mode <= MODE_DATA)
		watch(c);
}

static void
on_read(int fd, short what, void *arg)
{
	struct conn *c = arg;

	c->busy = true;
	if (c->mode <= MODE_PUMP && c->tls != TLS_SHAKE && c->tls != TLS_WAIT)
		conn_fill(c);
	conn_turn(c);
}

static void
on_write(int fd, short what, void *arg)
{
	conn_turn(arg);
}

static void
on_work(int fd, short what, void *arg)
{
	struct conn *c = arg;

	c->queued = false;
	conn_turn(c);
}

/*
 * The timer is not set anew for each byte: it fires when the time-out could
 * have come at the earliest, and looks.
 */
static void
on_timer(int fd, short what, void *arg)
{
	struct conn *c = arg;
	time_t idle;

	if (c->mode >= MODE_FINISH) {
		conn_free(c);
		return;
	}
	if (c->timeout == 0)
		return;
	idle = conn_now() - c->last;
	/* Paused, we keep the client waiting, unless it does not read. */
	if (c->paused && c->mode <= MODE_DATA &&
	    evbuffer_get_length(c->out) == 0)
		idle = 0;
	if (idle < c->timeout) {
		set_timer(c, c->timeout - (int)idle);
		return;
	}
	c->last = conn_now();
	set_timer(c, c->timeout);
	if (c->mode == MODE_PUMP)
		return;
	c->busy = true;
	tell(c, CONN_TIMEOUT, NULL, 0);
	conn_turn(c);
}

/* --- the owner's calls --- */

struct conn *
conn_new(struct event_base *base, int fd, conn_cb *cb, void *arg)
{
	struct conn *c;

	evutil_make_socket_nonblocking(fd);
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	c->in = evbuffer_new();
	c->out = evbuffer_new();
	if (c->in == NULL || c->out == NULL) {
		if (c->in != NULL)
			evbuffer_free(c->in);
		free(c);
		return NULL;
	}
	c->fd = fd;
	c->base = base;
	c->cb = cb;
	c->arg = arg;
	c->maxline = 2000;
	c->chunk = CONN_CHUNK;
	c->last = conn_now();
	event_assign(&c->rd, base, fd, EV_READ | EV_PERSIST, on_read, c);
	event_assign(&c->wr, base, fd, EV_WRITE | EV_PERSIST, on_write, c);
	event_assign(&c->work, base, -1, 0, on_work, c);
	event_assign(&c->timer, base, -1, 0, on_timer, c);
	conn_want_read(c, true);
	return c;
}

void
conn_finish(struct conn *c)
{
	if (c->dead || c->mode >= MODE_FINISH)
		return;
	conn_pump_free(c);
	c->mode = MODE_FINISH;
	c->paused = c->held = false;
	if (c->tls == TLS_SHAKE || c->tls == TLS_WAIT)
		conn_fail(c, ECONNABORTED);
	conn_want_read(c, false);
	set_timer(c, c->timeout > 0 && c->timeout < CONN_FINISH ? c->timeout :
	    CONN_FINISH);
	conn_schedule(c);
}

void
conn_timeout(struct conn *c, int seconds)
{
	if (c->dead || c->mode >= MODE_FINISH)
		return;
	c->timeout = seconds;
	c->last = conn_now();
	if (seconds > 0 && (!event_pending(&c->timer, EV_TIMEOUT, NULL) ||
	    c->due > c->last + seconds))
		set_timer(c, seconds);
}

void
conn_lines(struct conn *c, size_t maxline)
{
	c->maxline = maxline;
	c->seen = 0;
	if (c->mode == MODE_DATA) {
		c->mode = MODE_LINES;
		c->skipping = false;
	}
	conn_schedule(c);
}

void
conn_data(struct conn *c)
{
	if (c->mode != MODE_LINES)
		return;
	c->mode = MODE_DATA;
	c->chunk = CONN_CHUNK;
	c->fresh = true;
	conn_schedule(c);
}

bool
conn_bare_lf(const struct conn *c)
{
	return c->bare_lf;
}

void
conn_pause(struct conn *c)
{
	c->paused = true;
}

void
conn_resume(struct conn *c)
{
	if (!c->paused)
		return;
	c->paused = c->held = false;
	c->fresh = true;
	c->last = conn_now();
	conn_schedule(c);
}

int
conn_hold(struct conn *c)
{
	c->paused = c->held = true;
	conn_want_read(c, false);
	return conn_flush(c) == 1 ? 0 : -1;
}

struct evbuffer *
conn_input(struct conn *c)
{
	return c->in;
}

static bool
writable(const struct conn *c)
{
	return !c->dead && !c->failed && c->mode <= MODE_DATA;
}

void
conn_write(struct conn *c, const void *p, size_t len)
{
	if (!writable(c))
		return;
	if (evbuffer_add(c->out, p, len) == -1)
		conn_fail(c, ENOMEM);
	conn_schedule(c);
}

void
conn_printf(struct conn *c, const char *fmt, ...)
{
	char small[1024];
	va_list ap;
	int n;

	if (!writable(c))
		return;
	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(small)) {
		conn_write(c, small, n);
		return;
	}
	va_start(ap, fmt);
	n = evbuffer_add_vprintf(c->out, fmt, ap);
	va_end(ap);
	if (n < 0)
		conn_fail(c, ENOMEM);
	conn_schedule(c);
}

size_t
conn_unsent(const struct conn *c)
{
	return evbuffer_get_length(c->out);
}

int
conn_starttls(struct conn *c, struct tls_ctx *ctx)
{
	if (ctx == NULL || c->tls != TLS_NONE || !writable(c))
		return -1;
	return conn_tls(c, tls_ssl(ctx));
}

int
conn_tls(struct conn *c, void *ssl)
{
	c->ssl = ssl;
	if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1)
		return -1;
	evbuffer_drain(c->in, evbuffer_get_length(c->in));
	c->tls = TLS_WAIT;
	conn_schedule(c);
	return 0;
}

bool
conn_is_tls(const struct conn *c)
{
	return c->tls == TLS_UP;
}

const char *
conn_error(const struct conn *c)
{
	if (c->error != NULL)
		return c->error;
	return strerror(c->err);
}

int
conn_fd(const struct conn *c)
{
	return c->fd;
}

int
conn_release(struct conn *c, struct evbuffer *rest)
{
	int fd;

	if (c->tls != TLS_NONE || !writable(c) || conn_flush(c) != 1)
		return -1;
	if (rest != NULL)
		evbuffer_add_buffer(rest, c->in);
	conn_want_read(c, false);
	conn_want_write(c, false);
	fd = c->fd;
	c->fd = -1;
	conn_free(c);
	return fd;
}
