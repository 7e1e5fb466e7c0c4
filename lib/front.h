/*
 * What all fronts share: accepting on the supervisor's sockets, limits in all
 * and an address (manual 10), restrictions of a listener, TLS contexts, the
 * session's number and log tag, login at authd, and handing the client to
 * stored.  A front owns nothing.
 */
#ifndef CG_FRONT_H
#define CG_FRONT_H

#include <sys/socket.h>

#include <stdarg.h>

#include "conn.h"
#include "ipc.h"
#include "proc.h"
#include "sasl.h"

struct front_session {
	struct conn	*conn;
	const struct listener *listener;
	uint32_t	 id;
	char		 tag[64];	/* "POP-000012([127.0.0.1])" */
	char		 peer[64];	/* 127.0.0.1 or 2001:db8::1 */
	char		 local[64];
	uint16_t	 peer_port, local_port;
	bool		 tls;
	bool		 submission;
	const char	*hello;		/* for the worker (ipc.def), or NULL */
	void		*data;		/* the protocol's own, while it lives */
	struct front_sasl *sasl;	/* front_sasl.c's, in a conversation */
};

struct front_def {
	const char	*module;	/* "POP": settings and listeners */
	const char	*tag;		/* "POP" */
	enum proc_id	 id;
	size_t		 size;		/* of data: zeroed, wiped, freed here */
	size_t		 maxline;	/* bytes */
	/* A client is there (after TLS, on a TLS-at-once port). */
	void	(*start)(struct front_session *);
	/* A line of his, which is wiped then; one that was too long, dropped. */
	void	(*line)(struct front_session *, char *, size_t);
	void	(*too_long)(struct front_session *);
	void	(*input)(struct front_session *);	/* bytes, or NULL */
	/* Last words: he is silent; the server stops.  The latter may wait. */
	void	(*silent)(struct front_session *);
	void	(*stop)(struct front_session *);
	/* What he said in the clear is to be forgotten; NULL: nothing is. */
	void	(*secured)(struct front_session *);
	/* The session goes away for whatever reason: free what data has. */
	void	(*end)(struct front_session *);
	/* Said to a client that is one too many, then closed; with CRLF. */
	const char	*busy;
	/*
	 * What stands before the words to an idle client that is ended, "* BYE
	 * "; NULL: sessions are never handed back.
	 */
	const char	*bye;
};

/* For every front's proc_def. */
#define FRONT_CALLS \
	.tls = front_tls, .listen = front_listen, \
	.unlisten = front_unlisten, .shared = front_shared, \
	.status = front_status, .stop = front_stop

/* The main() of a front that does nothing but log in and hand over. */
int	front_main(int argc, char **argv, const char *name,
	    const struct front_def *, void (*settings)(const struct val *));

/* Plug these into the proc_def, too. */
void	front_init(const struct front_def *);
void	front_settings(const struct val *);
void	front_tls(const char *pem, size_t);
void	front_listen(struct listener *);
void	front_unlisten(const char *module);
void	front_shared(const char *module, int fd);
void	front_status(struct val *);
void	front_stop(void);	/* no new clients; exit when the last is gone */
bool	front_stopping(void);
/* For fronts that hand over: when stored is gone, so are its sessions. */
void	front_peer_down(enum proc_id, int instance, struct ipc *);

/*
 * A session's calls of the front (front_client.c), from what its connection
 * tells; front.c's, and the fuzz targets'.
 */
void	front_client_start(const struct front_def *, struct front_session *);
void	front_client_event(const struct front_def *, struct front_session *,
	    enum conn_event, char *line, size_t);
void	front_client_end(const struct front_def *, struct front_session *);

/* The server's name to others: its Main Domain's. */
const char *front_hostname(void);
/*
 * One line to the client, CRLF added; logged.  Whatever would end it or drive
 * a terminal becomes a question mark.
 */
void	front_say(struct front_session *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
void	front_vsay(struct front_session *, const char *, va_list)
	    __attribute__((format(printf, 2, 0)));
/* Log under the session's tag. */
void	front_log(const struct front_session *, int level, const char *, ...)
	    __attribute__((format(printf, 3, 4)));
struct tls_ctx *front_tls_ctx(void);	/* NULL: none */
/*
 * What is counted of an address, over all processes of the module (of IPv6,
 * of a network of 64 bits).
 */
enum front_rate {
	FRONT_CONNECTS, FRONT_MESSAGES, FRONT_RECIPIENTS, FRONT_ERRORS,
	FRONT_RATES
};
/*
 * One more of this client's: how many there were within that time, or since
 * it began anew.  0: there is no room to count.
 */
uint32_t front_rate(struct front_session *, enum front_rate,
	    uint32_t seconds);
/* CONN_SECURE follows. */
int	front_starttls(struct front_session *);
/*
 * May this client send a password in the clear?  TLS, loopback, Client IP
 * Addresses, or the setting ClearTextLogin.  DECISIONS, Who may do what.
 */
bool	front_clear_ok(const struct front_session *);
/* Asks authd; the connection is paused until the answer was told. */
void	front_auth(struct front_session *, const char *method,
	    const char *name, const char *authz, const void *secret,
	    size_t secretlen, const char *challenge,
	    void (*cb)(struct front_session *, const struct msg_authed *));
/*
 * A SASL conversation.  While s->sasl is set, the client's lines go to
 * front_sasl_line(); one callback ends it.
 */
struct front_sasl_def {
	const char	*prompt;	/* before a challenge: "334 " */
	void		(*authed)(struct front_session *,
			    const struct msg_authed *);
	/* Told with SASL_BAD, SASL_CANCEL or SASL_NO. */
	void		(*failed)(struct front_session *, enum sasl_result);
};
/* For sasl_list(). */
unsigned int front_sasl_offers(const struct front_session *);
/* NULL: none such on this connection. */
const struct sasl_mech *front_sasl_find(const struct front_session *,
	    struct str name);
/* first: the initial response, or NULL. */
void	front_sasl(struct front_session *, const struct front_sasl_def *,
	    const struct sasl_mech *, const char *first);
void	front_sasl_line(struct front_session *, const char *line);
void	front_sasl_forget(struct front_session *);
/* What authd may say: the proc_def's peers[PROC_AUTHD]. */
extern const struct ipc_disp front_authd_disp[];
/* The setting AdvertiseSecureSASL. */
bool	front_sasl_secure(void);
/* SASL_SALTKEY bytes. */
const unsigned char *front_salt_key(void);
/*
 * Gives the client to stored with the grant's ticket: its own socket if
 * plain, a pump's end if TLS.  cb only on failure (text to tell; the session
 * may end after it); otherwise the session is the worker's and lives on here
 * only as a number (and pump).
 */
void	front_handover(struct front_session *, const void *ticket,
	    void (*failed)(struct front_session *, const char *text));
/*
 * The session is over here, but its connection is pumped to fd (which it
 * takes) and back, until one side closes.
 */
void	front_turn(struct front_session *, int fd);
/*
 * Serves a client on a connection that we did not accept; takes fd.  tls: it
 * is encrypted somewhere on its way.
 */
void	front_adopt(int fd, const char *peer, const char *local, bool tls);
/* Ends it: output is flushed first. */
void	front_close(struct front_session *);
/* CTL messages a front must accept from stored: {SESSION_END}. */
extern const struct ipc_disp front_stored_disp[];
#endif
