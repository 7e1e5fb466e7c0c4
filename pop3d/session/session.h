/*
 * A POP session after login (RFC 1939's TRANSACTION and UPDATE states), run
 * by an account's worker.  It sees the messages that were there when it
 * began; what others remove meanwhile it shows as messages of no size
 * (manual 36).  It locks nothing.
 */
#ifndef CG_POP_SESSION_H
#define CG_POP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

struct acct;
struct event_base;
struct pop_session;

struct pop_start {
	struct event_base *base;
	struct acct	*acct;
	int		 fd;		/* taken */
	const char	*rest;		/* "box#"; a unified account's user; "" */
	const char	*field;		/* that names such users in messages */
	const char	*tag;		/* for the log */
	const char	*account;
	const void	*input;		/* read before, not yet parsed */
	size_t		 inputlen;
	int		 timeout;	/* seconds without a word */
	int		 maxerrors;
	void		(*end)(void *);	/* told once; the session is gone */
	void		*arg;
};

/* Greets: it answers the login.  NULL if it could not even begin. */
struct pop_session *pop_session_new(const struct pop_start *);
/* Ends it with "-ERR text"; nothing is deleted. */
void	pop_session_stop(struct pop_session *, const char *text);

/* What a command line says. */
enum pop_verb {
	POP_UNKNOWN, POP_STAT, POP_LIST, POP_UIDL, POP_RETR, POP_TOP,
	POP_DELE, POP_RSET, POP_NOOP, POP_QUIT, POP_CAPA
};

struct pop_cmd {
	enum pop_verb	 verb;
	bool		 bad;		/* its arguments make no sense */
	unsigned	 nargs;
	uint64_t	 arg[2];
};

void	pop_parse(const char *, size_t, struct pop_cmd *);
#endif
