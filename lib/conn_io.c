/*
 * A connection's bytes: one recv or sendmsg when plain, OpenSSL's own calls
 * on the socket when not.  Runs wherever conn.c does; it moves bytes between
 * the kernel and the two buffers and tells nobody anything.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>

#include <event2/buffer.h>
#include <openssl/err.h>

#include "conn_int.h"

/* How much may be read now without holding more than is good. */
size_t
conn_room(const struct conn *c)
{
	size_t have, limit;

	have = evbuffer_get_length(c->in);
	limit = CONN_HIGHWATER;
	if (c->mode == MODE_LINES) {
		limit = CONN_LINEAHEAD;
		if (limit < c->maxline + 2)
			limit = c->maxline + 2;
	}
	return have < limit ? limit - have : 0;
}

static int
tls_failed(struct conn *c, int n)
{
	unsigned long e;
	int saved = errno;

	switch (SSL_get_error(c->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		return 0;
	case SSL_ERROR_WANT_WRITE:
		c->tls_wants_write = true;
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		c->eof = true;
		return 1;
	case SSL_ERROR_SYSCALL:
		conn_fail(c, saved != 0 ? saved : ECONNRESET);
		break;
	default:
		e = ERR_peek_last_error();
		/* Many clients close without a close_notify; so be it. */
		if (ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING &&
		    c->tls == TLS_UP) {
			c->eof = true;
			ERR_clear_error();
			return 1;
		}
		c->error = ERR_reason_error_string(e);
		if (c->error == NULL)
			c->error = "TLS failure";
		conn_fail(c, EPROTO);
		break;
	}
	/* After a fatal error OpenSSL wants no further call, not even this. */
	SSL_set_quiet_shutdown(c->ssl, 1);
	ERR_clear_error();
	return -1;
}

static ssize_t
recv_plain(struct conn *c, void *p, size_t n)
{
	ssize_t got;

	do
		got = recv(c->fd, p, n, 0);
	while (got < 0 && errno == EINTR);
	if (got == 0)
		c->eof = true;
	else if (got < 0 && errno != EAGAIN)
		conn_fail(c, errno);
	return got;
}

static ssize_t
recv_tls(struct conn *c, char *p, size_t n)
{
	size_t have = 0;
	int got;

	c->more = false;
	while (have < n) {
		ERR_clear_error();
		errno = 0;
		got = SSL_read(c->ssl, p + have, (int)(n - have));
		if (got <= 0) {
			tls_failed(c, got);
			break;
		}
		have += got;
		/* Another call would ask the kernel in vain. */
		if (!SSL_has_pending(c->ssl))
			break;
		c->more = have == n;
	}
	return have;
}

int
conn_fill(struct conn *c)
{
	struct evbuffer_iovec v;
	size_t room;
	ssize_t got;

	room = conn_room(c);
	if (room > c->chunk)
		room = c->chunk;
	if (room == 0 || c->eof || c->failed)
		return 0;
	if (evbuffer_reserve_space(c->in, room, &v, 1) != 1) {
		conn_fail(c, ENOMEM);
		return -1;
	}
	if (v.iov_len > room)
		v.iov_len = room;
	got = c->tls == TLS_UP ? recv_tls(c, v.iov_base, v.iov_len) :
	    recv_plain(c, v.iov_base, v.iov_len);
	if (got == (ssize_t)v.iov_len)
		c->chunk = CONN_BIGCHUNK;
	v.iov_len = got > 0 ? (size_t)got : 0;
	evbuffer_commit_space(c->in, &v, 1);
	if (got > 0) {
		c->last = conn_now();
		c->fresh = true;
		return 1;
	}
	return c->failed ? -1 : c->eof;
}

static ssize_t
send_plain(struct conn *c)
{
	struct evbuffer_iovec v[CONN_MAXIOV];
	struct msghdr msg = { 0 };
	ssize_t n;
	int count;

	count = evbuffer_peek(c->out, -1, NULL, v, CONN_MAXIOV);
	if (count > CONN_MAXIOV)
		count = CONN_MAXIOV;
	/* On Linux evbuffer_iovec is struct iovec. */
	msg.msg_iov = v;
	msg.msg_iovlen = count;
	do
		n = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN)
		conn_fail(c, errno);
	return n;
}

static ssize_t
send_tls(struct conn *c)
{
	size_t len;
	int n;

	len = evbuffer_get_length(c->out);
	if (len > CONN_TLSRECORD)
		len = CONN_TLSRECORD;
	c->tls_wants_write = false;
	ERR_clear_error();
	errno = 0;
	n = SSL_write(c->ssl, evbuffer_pullup(c->out, len), (int)len);
	if (n <= 0) {
		tls_failed(c, n);
		return -1;
	}
	return n;
}

/*
 * Puts the output into the kernel as far as it will go.  1: all of it (or
 * there was none), 0: not all, -1: failed.
 */
int
conn_flush(struct conn *c)
{
	ssize_t n;

	if (c->failed)
		return -1;
	if (c->tls == TLS_SHAKE)
		return 0;
	while (evbuffer_get_length(c->out) > 0) {
		n = c->tls == TLS_UP ? send_tls(c) : send_plain(c);
		if (n <= 0)
			return c->failed ? -1 : 0;
		evbuffer_drain(c->out, n);
		c->last = conn_now();
		c->drained = true;
	}
	return 1;
}

/* One step of the handshake; 1: done. */
int
conn_shake(struct conn *c)
{
	int n;

	c->tls_wants_write = false;
	ERR_clear_error();
	errno = 0;
	n = SSL_do_handshake(c->ssl);
	if (n == 1) {
		c->tls = TLS_UP;
		c->last = conn_now();
		/* The client's first command may have come along. */
		c->more = SSL_has_pending(c->ssl);
		return 1;
	}
	n = tls_failed(c, n);
	if (n == 1) {		/* the end, before the beginning */
		conn_fail(c, ECONNRESET);
		n = -1;
	}
	return n;
}

void
conn_close_notify(struct conn *c)
{
	if (c->tls != TLS_UP || c->failed)
		return;
	ERR_clear_error();
	(void)SSL_shutdown(c->ssl);
	ERR_clear_error();
}
