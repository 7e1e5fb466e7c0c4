/* What conn.c, conn_io.c and conn_pump.c share; nobody else includes it. */
#ifndef CG_CONN_INT_H
#define CG_CONN_INT_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <time.h>

#include "conn.h"
#include "tls.h"

/*
 * Weak: a worker has connections but no TLS, and without these no libssl in
 * its memory.  Whoever calls conn_starttls() has a context of tls.c's, and
 * so the libraries.
 */
#pragma weak SSL_do_handshake
#pragma weak SSL_free
#pragma weak SSL_get_error
#pragma weak SSL_has_pending
#pragma weak SSL_read
#pragma weak SSL_set_fd
#pragma weak SSL_set_quiet_shutdown
#pragma weak SSL_shutdown
#pragma weak SSL_write
#pragma weak ERR_clear_error
#pragma weak ERR_peek_last_error
#pragma weak ERR_reason_error_string
#pragma weak tls_ssl

enum {
	/*
	 * In line mode no more than this is read ahead of the commands, so
	 * that what is left at a hand-over always fits a SESSION packet.
	 */
	CONN_LINEAHEAD = 8192,
	CONN_MAXIOV = 16,
	/*
	 * What one read may bring: little first, much once that was filled.
	 * A chain of an evbuffer has a header and a size that is a power of
	 * two; a larger one would be mapped and unmapped each time.
	 */
	CONN_CHUNK = 16384 - 64,
	CONN_BIGCHUNK = 65536 - 64,
	CONN_TLSRECORD = 16384,
	CONN_ROUNDS = 8,	/* output rounds in one turn of the loop */
	CONN_LINGER = 2,	/* seconds, for input that nobody wants */
	CONN_FINISH = 10	/* seconds in all, however slow the client */
};

enum conn_mode { MODE_LINES, MODE_DATA, MODE_PUMP, MODE_FINISH, MODE_LINGER };

enum conn_tls {
	TLS_NONE,
	TLS_WAIT,		/* the plain "go ahead" is not sent yet */
	TLS_SHAKE,
	TLS_UP
};

struct pump {
	int		 fd;		/* our end of the pair */
	struct event	 rd, wr;
	size_t		 chunk;		/* as a conn's */
	bool		 from_eof;	/* the worker sends no more */
	bool		 to_eof;	/* nothing more goes to the worker */
	bool		 out_eof;	/* the client was told the end */
	void		(*done)(void *);
	void		*arg;
};

struct conn {
	int			 fd;
	enum conn_mode		 mode;
	enum conn_tls		 tls;
	struct event_base	*base;
	conn_cb			*cb;
	void			*arg;
	struct event		 rd, wr;
	struct event		 work;	/* run by hand: lines, then output */
	struct event		 timer;
	struct evbuffer		*in, *out;
	SSL			*ssl;
	struct pump		*pump;
	void			(*gone)(void *);
	void			*gone_arg;
	const char		*error;
	size_t			 maxline;
	size_t			 chunk;	/* what the next read may bring */
	size_t			 seen;	/* bytes of in that hold no LF */
	time_t			 last;	/* of the last progress */
	time_t			 due;	/* when the timer is set to fire */
	int			 timeout;
	int			 err;	/* errno of the failure */
	bool			 busy;	/* in a turn: free it only afterwards */
	bool			 dead;
	bool			 paused;
	bool			 held;		/* and not even read */
	bool			 skipping;	/* an over-long line */
	bool			 bare_lf;
	bool			 eof, eof_told;
	bool			 rd_on, wr_on;	/* what the kernel watches */
	bool			 queued;	/* work is going to run */
	bool			 again;		/* asked for while in a turn */
	bool			 fresh;		/* data mode: input not told */
	bool			 drained;	/* CONN_DRAINED is due */
	bool			 secured;	/* CONN_SECURE is due */
	bool			 failed, fail_told;
	bool			 more;		/* OpenSSL holds input */
	bool			 tls_wants_write;
};

time_t	conn_now(void);
/* conn_io.c: 1 progress, 0 nothing now, -1 the connection has failed. */
int	conn_fill(struct conn *);
int	conn_flush(struct conn *);
int	conn_shake(struct conn *);
void	conn_close_notify(struct conn *);
size_t	conn_room(const struct conn *);
/* conn.c */
void	conn_schedule(struct conn *);
void	conn_want_read(struct conn *, bool);
void	conn_want_write(struct conn *, bool);
void	conn_fail(struct conn *, int err);
/* conn_pump.c; both run inside a turn. */
void	conn_pump_turn(struct conn *);
void	conn_pump_free(struct conn *);
#endif
