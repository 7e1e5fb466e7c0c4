/*
 * An IMAP session after login (RFC 3501's authenticated and selected states),
 * run by an account's worker beside all other sessions of that account: what
 * one does, the others see at once.  It locks nothing.
 */
#ifndef CG_IMAP_SESSION_H
#define CG_IMAP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imap.h"

struct acct;
struct event_base;
struct imap_session;

struct imap_start {
	struct event_base *base;
	struct acct	*acct;
	int		 fd;		/* taken */
	const char	*mailbox;	/* of a box#name login, or "" */
	const char	*tag;		/* for the log */
	const char	*account;
	const char	*hello;		/* tag of the login's command */
	const void	*input;		/* read before, not yet parsed */
	size_t		 inputlen;
	const void	*state;		/* of imap_session_save(), or NULL */
	size_t		 statelen;
	int		 timeout;	/* seconds without a word */
	int		 maxerrors;
	uint64_t	 maxmessage;	/* octets of an APPEND; 0: any */
	void		(*end)(void *);	/* told once; the session is gone */
	void		*arg;
};

/*
 * Answers the login (by hello), or goes on where a saved one stopped.  NULL if
 * it could not even begin; the client was told then.
 */
struct imap_session *imap_session_new(const struct imap_start *);
/* Ends it with "* BYE text". */
void	imap_session_stop(struct imap_session *, const char *text);
/* Mail came, or something else was done in this account: who idles is told. */
void	imap_sessions_notify(struct acct *);
/* A text for whoever reads; told as soon as there is a place for it. */
void	imap_sessions_alert(struct acct *, const char *text);

/*
 * Putting a session aside (ARCHITECTURE 5.4): when it idles or is silent, with
 * nothing half-read, and all output in the kernel.  Seconds since its client
 * last said something; -1: it cannot be put aside now.
 */
int	imap_session_rests(const struct imap_session *);
/* Up to IMAP_STATE_MAX bytes; false if not now, or if it does not fit. */
bool	imap_session_save(struct imap_session *, void *state, size_t *len);
/*
 * Right after a save: the fd that it was given, unread input left in it.  The
 * session is freed, and end() not called.  -1: it could not be let go.
 */
int	imap_session_release(struct imap_session *);
/* The mailbox that a saved state watches ("" for none): NUL-terminated. */
const char *imap_state_mailbox(const void *state, size_t len);
#endif
