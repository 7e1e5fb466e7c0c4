/* The external authenticator (manual 08): authd's extauth*.c, and who asks. */
#ifndef AUTHD_EXTAUTH_H
#define AUTHD_EXTAUTH_H

#include "authd.h"
#include "helper.h"

/* --- extauth.c: the program, and requests to it --- */

/* NO: the text is the program's; LATER: it could not say. */
enum extauth_verdict { EXTAUTH_YES, EXTAUTH_NO, EXTAUTH_LATER };
typedef void extauth_cb(enum extauth_verdict, struct str text, void *arg);

void	extauth_start(void);
void	extauth_settings(const struct val *all);
void	extauth_peer_up(void);
void	extauth_peer_down(void);
void	extauth_status(struct val *);
/* Is there one to ask, be it down for the moment? */
bool	extauth_enabled(void);
/* Has it said that it knows tokens?  Told to fronts when it changes. */
bool	extauth_has_tokens(void);
/*
 * "seq verb (mode) rest"; mode may be "".  The text is copied, and wiped.  cb
 * may be called at once; it is always called once.
 */
void	extauth_ask(const char *verb, const char *mode, const char *name,
	    struct str rest, extauth_cb *, void *arg);

/* How long a refusal has taken lately, in milliseconds. */
int	extauth_took(void);

/* --- extauth_ask.c --- */

/* The claim's strings are needed no longer than the call. */
void	extauth_verify(const struct claim *, enum proof otherwise, proof_cb *,
	    void *arg);
/* What it refuses takes a while: nobody's password shall take as long. */
void	extauth_pause(enum proof, proof_cb *, void *arg);
void	extauth_new(struct ipc *, struct ipc_pkt *, void *);
void	extauth_tell_fronts(void);
void	extauth_tell_front(struct ipc *);
#endif
