/*
 * What the files of smtpd's sending role tell one another.  It owns nothing:
 * queued gives it a message's file for reading, one transaction at a time,
 * and hears what became of each recipient.
 */
#ifndef CG_SEND_H
#define CG_SEND_H

#include <sys/queue.h>
#include <sys/socket.h>

#include <stdbool.h>
#include <stdint.h>

#include "dict.h"
#include "dns.h"
#include "ipc.h"
#include "sts.h"

struct conn;
struct event;

enum { SMTP_PORT = 25, SMTPS_PORT = 465 };

/* How something ended, as in ipc.def: SENT and SEND_END. */
enum verdict { GOOD, NEVER, LATER };

struct outcome {
	enum verdict	 verdict;
	char		 esc[16];
	char		 text[512];
};
void	outcome_set(struct outcome *, enum verdict, const char *esc,
	    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* --- lookup.c: names that routerd asks for --- */
void	lookup_request(struct ipc *, struct ipc_pkt *, void *);

/* --- find.c: records that routerd and smtpd ask for --- */
void	find_request(struct ipc *, struct ipc_pkt *, void *);

/* --- reverse.c: a domain's host that smtpd wants to be tried --- */
void	reverse_request(struct ipc *, struct ipc_pkt *, void *);

/* --- dest.c: where a host's mail goes, one address after the other --- */
enum { DEST_HOSTS = 20, DEST_ADDRS = 20 };

struct dest;
struct dest_addr {
	struct sockaddr_storage	 ss;
	socklen_t		 len;
	char			 ip[64];
	uint16_t		 port;
	const char		*host;	/* its name; the dest's */
	const char		*owner;	/* its last alias, or "" */
	bool			 authentic; /* all the way here, by DNSSEC */
};
/* The next address, or NULL: there is no more, and why. */
typedef void dest_cb(const struct dest_addr *, const struct outcome *,
	    void *arg);
/*
 * host: a domain, name:port, [address], [address]:port; or, computers, names
 * and addresses with commas in between.  NULL: no memory.
 */
struct dest	*dest_new(const char *host, bool computers);
/* Calls back once, from the loop. */
void		 dest_next(struct dest *, dest_cb *, void *arg);
void		 dest_free(struct dest *);
/* A mail domain, whose hosts the DNS names; no computer's name. */
bool		 dest_is_domain(const struct dest *);

/* --- dial.c: a connection while it is made --- */
struct dial;
/* fd, the callback's, or -1 and errno; the dial is its to free. */
typedef void dial_cb(int fd, int err, void *arg);
/* source: an address of ours, or "".  Calls back once, from the loop. */
struct dial	*dial_new(const struct dest_addr *, const char *source,
		    dial_cb *, void *arg);
void		 dial_free(struct dial *);

/* --- chan.c: channels, one connection each --- */
enum cap {
	CAP_PIPELINING	= 1 << 0,
	CAP_SIZE	= 1 << 1,
	CAP_DSN		= 1 << 2,
	CAP_8BIT	= 1 << 3,
	CAP_CHUNKING	= 1 << 4,
	CAP_STARTTLS	= 1 << 5,
	CAP_UTF8	= 1 << 6,
	CAP_CRAM	= 1 << 7,	/* ways to log in */
	CAP_PLAIN	= 1 << 8,
	CAP_LOGIN	= 1 << 9,
	CAP_REQUIRETLS	= 1 << 10
};

/* Is the connection to be encrypted? */
enum secure { SECURE_NO, SECURE_MAY, SECURE_MUST };
/* And who wants that? */
enum policy { POLICY_NONE, POLICY_LIST, POLICY_STS, POLICY_DANE };

struct mail;
struct chan {
	LIST_ENTRY(chan)	 entry;
	uint32_t		 num;	/* queued's number for it */
	unsigned int		 serial;	/* the log's */
	char			*host;
	struct dest		*dest;
	const struct dest_addr	*addr;
	struct conn		*conn;
	struct dial		*dial;	/* while it connects */
	char			 source[64]; /* our address to use, or "" */
	struct event		*deadline; /* of what is awaited */
	int			 state;	/* client.c's */
	int			 lines;	/* of the reply that comes in */
	unsigned int		 caps;
	uint64_t		 maxsize;	/* 0: not said */
	struct mail		*mail;	/* on its way, or NULL */
	char			 local[72];	/* [address]:port of ours */
	enum secure		 secure;
	enum policy		 policy;	/* policy.c's, up to proven */
	bool			 lax;		/* "TLS-Required: No" */
	struct sts_wait		*sts_wait;
	struct sts_policy	 sts;		/* mx NULL: none */
	bool			 sts_known;
	struct dane		*dane;
	bool			 testing;	/* failing does not matter */
	bool			 vouched;	/* the host is the domain's */
	bool			 proven;	/* and has proved to be it */
	void			*ssl;		/* the conn's, while TLS begins */
	bool			 login;		/* AUTH comes before mail */
	int			 login_step;
	bool			 orphan;	/* queued has forgotten it */
	bool			 closing;	/* no more mail is to come */
	struct dest_addr	*turned;	/* ATRN: it stood already; or NULL */
	struct wake		*wake;		/* wake.c's, or NULL */
	bool			 worked;	/* a transaction had an end */
	bool			 trouble;	/* a host may be better later */
	struct outcome		 last;	/* why the last address was no good */
};

/* NULL: no memory.  Nothing happens until chan_start(). */
struct chan *chan_new(const char *host, bool computers);
void	chan_start(struct chan *);
void	chan_open(struct ipc *, struct ipc_pkt *, void *);
void	chan_mail(struct ipc *, struct ipc_pkt *, void *);
void	chan_close(struct ipc *, struct ipc_pkt *, void *);
void	chan_down(struct ipc *);
/* No more mail: done is called once what is on its way has an end. */
void	chan_drain(void (*done)(void));
/* To its address, which its policy has nothing against. */
void	chan_connect(struct chan *);
/* The same address again. */
void	chan_again(struct chan *);
/* This address is no good, for that reason: the next one, if any. */
void	chan_try_next(struct chan *);
/* It is ready for a message. */
void	chan_ready(struct chan *);
/* It is over; the chan is gone. */
void	chan_end(struct chan *, const struct outcome *);
void	chan_log(const struct chan *, int level, const char *, ...)
	    __attribute__((format(printf, 3, 4)));
size_t	chan_count(void);
void	chan_held(struct ipc *);	/* JOB_HELD for what is on its way */

/* --- client.c: what is said before and after messages --- */
void	client_start(struct chan *, int fd);
void	client_stop(struct chan *);	/* QUIT */
/* Now a message goes out, which takes its time; 0: it has gone. */
void	client_sends(struct chan *, uint64_t size);
void	client_gone(struct chan *);	/* nothing is awaited any more */
/* A command of a message's; replies to it are mail.c's. */
void	client_command(struct chan *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
/* The same for the one whose reply is wake.c's. */
void	client_wake(struct chan *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
/* A reply, several lines of it perhaps: its code, and its last line. */
struct reply {
	int	 code;
	char	 esc[16];	/* "5.1.1", or made of the code */
	char	 text[400];
};
/* What a bad reply means; "" before if nothing is to be said. */
void	reply_outcome(struct outcome *, const struct reply *,
	    const char *before);

/* --- mail.c: one transaction --- */
struct mail	*mail_new(struct chan *, const struct msg_send_mail *, int fd);
void		 mail_free(struct mail *);
void		 mail_start(struct chan *);
/* true: the transaction is over. */
bool		 mail_reply(struct chan *, const struct reply *);
void		 mail_drained(struct chan *);
/* No host could take it: so it ends. */
void		 mail_unfit(struct chan *);
/*
 * The connection is lost: whoever has no result yet gets this one.  false:
 * it had hardly begun, on a connection that worked; queued takes it back.
 */
bool		 mail_broken(struct chan *, const struct outcome *);
void		 mail_jobs(const struct mail *, struct ipc *);

/* --- results.c: kept until queued has them --- */
void	result_send(uint64_t id, uint32_t rcpt, bool dsn, const char *host,
	    const struct outcome *);
void	result_ack(struct ipc *, struct ipc_pkt *, void *);
void	results_again(struct ipc *);

/* --- body.c: the message as it goes over the wire --- */
struct body;
/* chunks: BDAT's; else dots are doubled.  Takes fd. */
struct body	*body_new(int fd, uint64_t offset, uint64_t size, bool chunks);
void		 body_free(struct body *);
/*
 * More of it to the connection, as long as that takes it.  1: all is written;
 * 0: call again when it has drained; -1: the file cannot be read.
 */
int		 body_write(struct body *, struct conn *);
/* How many BDATs were sent: so many replies come. */
unsigned int	 body_chunks(const struct body *);

/* --- utf8.c: mail beyond ASCII --- */
/* An ORCPT in ASCII: utf-8-addr-xtext of RFC 6533. */
void		 orcpt_ascii(struct buf *, const char *);

/* --- login.c: AUTH as a client --- */
void	login_start(struct chan *);
/* true: done; the outcome is GOOD if we are in. */
bool	login_reply(struct chan *, const struct reply *, struct outcome *);

const char	*login_name(const struct chan *);

/* --- wake.c: the backup server is asked for our mail --- */
void	wake_request(struct ipc *, struct ipc_pkt *, void *);
void	wake_ready(struct chan *);
void	wake_reply(struct chan *, const struct reply *);
/* The channel ends: queued hears why, if it has not heard anything yet. */
void	wake_end(struct chan *, const struct outcome *);

/* --- keep.c: for the next life, by routerd --- */
void	keep_changed(bool hurry);
void	keep_save(void);
void	keep_load(struct ipc *, struct ipc_pkt *, void *);

/* --- main.c --- */
struct send_conf {
	const char	*forward;	/* "", or what all goes through */
	const char	*name;		/* AUTH there, unless "" */
	const char	*password;
	const char	*wake_name;	/* AUTH at the backup server */
	const char	*wake_password;
	const char	*encrypted;	/* domains, wildcards, by blanks */
	bool		 possible;	/* TLS wherever it is offered */
	bool		 dane, sts;	/* policies that are minded */
};
extern struct send_conf send_conf;
const char	*send_helo(void);	/* our name */
/* What the settings want of connections to that host. */
enum secure	 send_secure(const char *host);
#endif
