/*
 * One connection: bytes, lines, TLS or not, time-outs, high and low water.
 * Lines are told one at a time; after conn_pause() none is until
 * conn_resume(), however much is buffered: that is what keeps pipelined
 * commands in order while an answer is awaited.
 */
#ifndef CG_CONN_H
#define CG_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

struct conn;
struct event_base;
struct evbuffer;
struct tls_ctx;

enum conn_event {
	CONN_LINE,	/* line, len: without its end; NUL-terminated */
	CONN_LONG,	/* a line over the limit; it is being skipped */
	CONN_DATA,	/* data mode: there is input in conn_input() */
	CONN_DRAINED,	/* all output is in the kernel */
	CONN_SECURE,	/* TLS is up */
	CONN_EOF,	/* the peer sends no more; buffered input was told */
	CONN_ERROR,	/* reset, TLS failure: errno or conn_error() */
	CONN_TIMEOUT
};

/* The callback may call conn_free(); it must then not touch c again. */
typedef void conn_cb(struct conn *, enum conn_event, char *line, size_t len,
    void *arg);

enum { CONN_HIGHWATER = 65536 };

/* Takes fd (made non-blocking).  Starts in line mode, reading. */
struct conn	*conn_new(struct event_base *, int fd, conn_cb *, void *arg);
/* Closes at once; output that the kernel has not got is lost. */
void		 conn_free(struct conn *);
/* Sends what is buffered, then closes; within seconds in any case. */
void		 conn_finish(struct conn *);
/* Called once, when the socket is closed (or handed over). */
void		 conn_gone(struct conn *, void (*)(void *), void *arg);
/* Seconds without any progress until CONN_TIMEOUT; 0 for none. */
void		 conn_timeout(struct conn *, int seconds);
void		 conn_lines(struct conn *, size_t maxline);
void		 conn_data(struct conn *);
/* Did the last line end in a bare LF? */
bool		 conn_bare_lf(const struct conn *);
void		 conn_pause(struct conn *);
void		 conn_resume(struct conn *);
/*
 * Paused, and the socket is not read either, so that it can be handed over;
 * conn_resume() ends it.  0 when all output is in the kernel, else -1: wait
 * for CONN_DRAINED.
 */
int		 conn_hold(struct conn *);
struct evbuffer	*conn_input(struct conn *);
void		 conn_write(struct conn *, const void *, size_t);
void		 conn_printf(struct conn *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));
/* Bytes not yet in the kernel. */
size_t		 conn_unsent(const struct conn *);
/*
 * Server-side TLS on this connection.  Plain text that was read before it is
 * thrown away: nobody injects commands into a secure session.
 */
int		 conn_starttls(struct conn *, struct tls_ctx *);
/* The same with an SSL of one's own (tls_client_ssl()); takes it. */
int		 conn_tls(struct conn *, void *ssl);
bool		 conn_is_tls(const struct conn *);
/* The channel binding of that type; false if it has none such. */
bool		 conn_binding(struct conn *, struct str type, struct buf *);
/*
 * The client's certificate and what came with it, DER; false if it has shown
 * none.  NULL: only ask.  Nothing but the client's having its key is checked.
 */
bool		 conn_certs(struct conn *, struct buf *);
const char	*conn_error(const struct conn *);
int		 conn_fd(const struct conn *);
/*
 * Gives the socket away: the connection is freed, its unread input appended
 * to rest, output must be drained.  Plain connections only.
 */
int		 conn_release(struct conn *, struct evbuffer *rest);
/*
 * Pumps between this (TLS) connection and a fresh socket pair; returns the
 * other end for a worker.  Reading one side stops above 64 KiB unsent on the
 * other.  done is called once both ways are closed; the conn is freed then.
 */
int		 conn_pump(struct conn *, void (*done)(void *), void *);
/* The same with our end of a pair that was made before; 0 or -1. */
int		 conn_pump_fd(struct conn *, int fd, void (*done)(void *),
		    void *);
/* It will be silent for long: memory for what might come is given back. */
void		 conn_slim(struct conn *);
#endif
