/*
 * What the two files of the external authenticator's program share: extauth.c
 * has the requests and the lines, extauth_run.c its start and its end.
 */
#ifndef AUTHD_EXTAUTH_INT_H
#define AUTHD_EXTAUTH_INT_H

#include <sys/queue.h>

#include <event2/event.h>
#include <time.h>

#include "extauth.h"
#include "log.h"

#define EA_TAG	"EXTAUTH"

enum { EA_VERSION = 1 };	/* of the interface, as manual 08 has it */

struct request {
	TAILQ_ENTRY(request) entry;
	char		*verb, *mode, *name;
	char		*rest;
	size_t		 restlen;
	uint32_t	 seq;		/* 0: not sent to this program */
	int		 tries;
	time_t		 asked, sent;
	int64_t		 sent_ms;
	extauth_cb	*cb;
	void		*arg;
};

enum ea_state { EA_OFF, EA_DOWN, EA_ASKED, EA_GREETING, EA_READY };

/* The one program. */
struct ea {
	enum ea_state	 state;
	bool		 up;		/* the loop runs */
	bool		 said;		/* that nothing can be started */
	int		 loglevel;
	char		*command;
	int		 timeout;	/* seconds */
	int		 restart;	/* seconds; 0: never */
	unsigned	 life;		/* counts starts */
	uint32_t	 pid;
	int		 in, out, err;	/* our ends */
	struct event	*on_in, *on_out, *on_err, *tick, *again;
	struct buf	 tosend, got, errors;
	size_t		 sent;		/* of tosend */
	uint32_t	 seq;
	time_t		 begun;
	int		 delay;
	int		 version;
	bool		 tokens;
	TAILQ_HEAD(, request) waiting;
	size_t		 nwaiting;
	int		 took;		/* milliseconds: extauth_took() */
};
extern struct ea ea;

/* Its own level, not that of logins. */
#define ea_log(level, ...) do {					\
	if ((level) <= ea.loglevel)				\
		log_always((level), EA_TAG, __VA_ARGS__);	\
} while (0)

/* --- extauth.c --- */

time_t	ea_now(void);
void	ea_close(int *fd, struct event **);
/* What was in it may have been a password. */
void	ea_wipe(struct buf *);
void	ea_fail_all(const char *why);
uint32_t ea_next_seq(void);
/* For the pipes' and the clock's events. */
void	ea_on_writable(evutil_socket_t, short, void *);
void	ea_on_answer(evutil_socket_t, short, void *);
void	ea_on_errors(evutil_socket_t, short, void *);
void	ea_tick(evutil_socket_t, short, void *);

/* --- extauth_run.c --- */

/* It is no use any more: another is started, some time. */
void	ea_broken(const char *why);
#endif
