/*
 * What smtpd's own files tell one another.  body.h is apart: it is pure, and
 * tests and fuzz targets use it without a session.
 */
#ifndef CG_SMTPD_H
#define CG_SMTPD_H

#include <sys/queue.h>
#include <stdbool.h>
#include <stdint.h>

#include "binary.h"
#include "body.h"
#include "front.h"
#include "param.h"
#include "rbl.h"
#include "sasl.h"

enum {
	SMTP_MAXLINE = 4096,		/* of a command, in bytes */
	SMTP_RCPT_ROOM = 192,		/* bytes of envelope, on the average */
	SMTP_MAXHELO = 255,
	SMTP_TICKET = 16
};

/* Whom a setting is for. */
enum smtp_whom { WHOM_NOBODY, WHOM_NONCLIENTS, WHOM_EVERYBODY };

/* Settings of the module, read once for each change. */
struct smtp_conf {
	uint64_t	 max_size;	/* 0: no limit */
	unsigned int	 max_rcpts;
	unsigned int	 max_errors;
	unsigned int	 max_hops;
	int		 timeout;	/* seconds of silence */
	enum smtp_whom	 advertise_8bit;
	enum smtp_whom	 advertise_auth;
	enum smtp_whom	 force_auth;
	bool		 roaming;	/* users read, then send */
	bool		 wake_all;	/* ETRN is anybody's */
	struct iplist	*clients;	/* Client IP Addresses */
	struct iplist	*black;		/* Blacklisted IP Addresses */
	struct iplist	*white;		/* UnBlacklistable ones */
	struct rbls	 rbls;		/* none: they are not asked */
	const struct val *client_names;	/* tables; NULL: not in use */
	const struct val *black_names;
	const struct val *white_names;
	enum smtp_whom	 verify;	/* HELO and Return-Path */
	enum smtp_whom	 reverse;	/* and connect to its host */
};
extern struct smtp_conf	smtp_conf;

enum smtp_state {
	ST_NEW		= 1 << 0,	/* not yet greeted */
	ST_READY	= 1 << 1,
	ST_MAIL		= 1 << 2,	/* a sender */
	ST_RCPT		= 1 << 3,	/* and a recipient */
	ST_AUTH		= 1 << 4,	/* in the middle of AUTH */
	ST_DATA		= 1 << 5,	/* the text, up to queued's answer */
	ST_BDAT		= 1 << 6,	/* between two chunks */
	ST_ANY		= ST_NEW | ST_READY | ST_MAIL | ST_RCPT | ST_BDAT
};

/* What is known of the name in HELO, once a sender was to be verified. */
enum helo_state { HELO_NEW, HELO_BAD, HELO_SEEN, HELO_VERIFIED };

/* A COMMIT under way; it outlives its session. */
struct smtp_commit {
	struct smtp		*session;	/* NULL: it has ended */
	bool			 more;		/* a file was asked for */
};

struct smtp {
	LIST_ENTRY(smtp)	 all;
	TAILQ_ENTRY(smtp)	 waiting;	/* for a file: files.c */
	struct front_session	*front;
	enum smtp_state		 state;
	bool			 esmtp;
	bool			 client;	/* from Client IP Addresses */
	bool			 named_client;	/* one by its host's name */
	bool			 black;		/* from Blacklisted ones */
	char			*black_by;	/* which list has it, or NULL */
	struct origin		*origin;	/* the DNS is asked who he is */
	struct verify		*verify;	/* and of his return-path */
	enum helo_state		 helo_state;
	bool			 await;		/* for a peer; conn is paused */
	bool			 wants_file;	/* stands in files.c's list */
	unsigned int		 errors;
	char			*helo;
	char			*account;	/* authenticated, or NULL */
	uint8_t			 ticket[SMTP_TICKET];
	size_t			 ticketlen;

	/* the transaction */
	char			*sender;
	struct mail_params	 mail;
	struct rcpt_params	 rcpt;		/* being routed */
	char			*rcpt_addr;
	char			*first_rcpt;
	struct buf		 rcpts;		/* R lines of the envelope */
	unsigned int		 nrcpts;
	struct queue_file	*file;
	struct body		 body;
	struct binary		*binary;	/* BODY=BINARYMIME's */
	uint64_t		 raw;		/* its bytes so far */
	struct buf		 out;		/* not yet in the file */
	uint64_t		 commit_id;
	struct smtp_commit	*commit;	/* under way */
	uint64_t		 written;
	size_t			 envelope;	/* its bytes */
	size_t			 options;	/* where its O line is, or was */
	size_t			 no_tls_at;	/* and its letter N, or room for it */
	struct banned_scan	*ban;		/* NULL: nothing is banned */
	size_t			 scanned;	/* of out, by it */
	bool			 own_sender;	/* sender is a name of account */
	const char		*refuse;	/* the answer, at the end */
	struct {		/* of BDAT */
		bool		 any;		/* a chunk is coming in */
		bool		 last;
		bool		 early;		/* before EHLO */
		uint64_t	 left;		/* its bytes */
		char		 skip[80];	/* nobody wants it: the answer */
	} chunk;
	struct smtp_wake *wake;		/* etrn.c's, while peers are asked */
};

/* Is this client one of them? */
bool	smtp_is_for(const struct smtp *, enum smtp_whom);

/* --- command.c --- */
void	smtp_command(struct smtp *, char *line);
void	smtp_help(struct buf *);		/* the verbs */

/* --- session.c --- */
extern const struct front_def smtp_front;
void	smtp_reply(struct smtp *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
/*
 * The same for an answer that counts as the client's error.  False if that
 * was one too many: the session has ended, nothing may touch it any more.
 */
bool	smtp_error(struct smtp *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
/* No line is told until smtp_go_on(), which must come last in a callback. */
void	smtp_wait(struct smtp *);
void	smtp_go_on(struct smtp *);
/* Forgets the transaction. */
void	smtp_reset(struct smtp *);
/* 421, from wherever. */
void	smtp_bye(struct smtp *, const char *why);
void	smtp_queued_down(void);

/* --- cmd_session.c --- */
void	cmd_helo(struct smtp *, struct cur *);
void	cmd_ehlo(struct smtp *, struct cur *);
void	cmd_starttls(struct smtp *, struct cur *);
void	cmd_rset(struct smtp *, struct cur *);
void	cmd_noop(struct smtp *, struct cur *);
void	cmd_help(struct smtp *, struct cur *);
void	cmd_vrfy(struct smtp *, struct cur *);
void	cmd_expn(struct smtp *, struct cur *);
void	cmd_quit(struct smtp *, struct cur *);

/* --- cmd_mail.c --- */
void	cmd_mail(struct smtp *, struct cur *);
void	cmd_rcpt(struct smtp *, struct cur *);

/* --- origin.c --- */
void	origin_start(struct smtp *);	/* sets client and black */
/* While s->origin is set: then is called once all is known. */
void	origin_wait(struct smtp *, void (*then)(struct smtp *));
void	origin_forget(struct smtp *);
/* Is his address one of these lines? */
bool	origin_has_peer(const struct smtp *, const char *records);

/* --- verify.c --- */
/* NULL, or the answer that refuses.  May come from within verify_start(). */
typedef void verify_cb(struct smtp *, const char *refusal);
/* Of the return-path's domain ("": not to be looked up), and HELO's. */
void	verify_start(struct smtp *, struct str domain, verify_cb *);
void	verify_forget(struct smtp *);
/*
 * What the Router says of a return-path: NULL and the domain that the DNS is
 * to be asked about ("": it is known here), or the answer that refuses.
 */
const char *verify_routed(const struct smtp *, const struct msg_routed *,
	    struct str *domain);

/* --- auth.c --- */
void	cmd_auth(struct smtp *, struct cur *);
void	auth_line(struct smtp *, const char *line);
void	auth_forget(struct smtp *);

/* --- data.c --- */
void	cmd_data(struct smtp *, struct cur *);
void	data_input(struct smtp *);
/* The queue that gave the file is gone. */
void	data_interrupted(struct smtp *);
/* The session ends: nobody waits for the queue's answer. */
void	data_forget(struct smtp *);
/* What BDAT shares: the envelope is composed (false: it cannot be) ... */
bool	data_begin(struct smtp *);
/* ... something new was fed to the body: is it good, and enough to write? */
void	data_check(struct smtp *);
void	data_flush(struct smtp *);
/* ... and it is whole: COMMIT, or the refusal. */
void	data_ended(struct smtp *);
/* files.c: there is a file (or why not). */
void	data_file(struct smtp *, const char *why);

/* --- abuse.c: what an address may want, while it is not a client's --- */
void	abuse_settings(const struct val *);
/* Must be asked once a connection; false: it has been closed. */
bool	abuse_connect(struct smtp *);
/* Once a message, a recipient: NULL, or the answer that puts him off. */
const char *abuse_mail(struct smtp *);
const char *abuse_rcpt(struct smtp *);
/* An error: was it one too many? */
bool	abuse_error(struct smtp *);
extern ipc_handler abuse_told;
/* Perhaps one that knows nothing. */
void	abuse_routerd_up(struct ipc *);

/* --- ban.c: banned lines --- */
void	ban_settings(const struct val *);
void	ban_begin(struct smtp *);
/* Looks at what is new in out. */
bool	ban_met(struct smtp *);
void	ban_forget(struct smtp *);

/* --- bdat.c --- */
void	cmd_bdat(struct smtp *, struct cur *);
void	bdat_input(struct smtp *);
void	bdat_file(struct smtp *, const char *why);

/* --- etrn.c --- */
void	cmd_etrn(struct smtp *, struct cur *);
void	cmd_atrn(struct smtp *, struct cur *);
void	cmd_turn(struct smtp *, struct cur *);
void	etrn_forget(struct smtp *);
/* --- turned.c --- */
ipc_handler turned_serve;

/* --- files.c --- */
struct queue_file {
	uint64_t		 id;
	int			 fd;
	SLIST_ENTRY(queue_file)	 next;
};
/* A transaction begins, ends: how many files to have at hand. */
void	files_expect(void);
void	files_unexpect(void);
/* Should COMMIT ask for another file?  Then its answer goes to files_more(). */
bool	files_wants_more(void);
void	files_more(const struct ipc_pkt *);
/* Sets s->file and returns true, or data_file() is called later. */
bool	files_get(struct smtp *);
void	files_leave(struct smtp *);
/* Gives it up: queued removes it. */
void	files_abort(struct queue_file *);
/* Closes it: it is written. */
void	files_close(struct queue_file *);
void	files_queued_down(void);
#endif
