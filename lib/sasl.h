/*
 * SASL's server side up to the proof: a table of mechanisms, each a few steps
 * over base64 lines, that ends in what AUTH (ipc.def) wants.  Stored secrets
 * are never here: authd checks.
 */
#ifndef CG_SASL_H
#define CG_SASL_H

#include "buf.h"

enum sasl_result { SASL_MORE, SASL_DONE, SASL_BAD, SASL_CANCEL };

struct sasl {
	const struct sasl_mech	*mech;
	int	 step;
	char	 name[513];
	char	 authz[513];
	char	 challenge[513];	/* CRAM-MD5's */
	char	 secret[1025];
	size_t	 secretlen;
};

struct sasl_mech {
	const char	*name;
	bool		 clear;		/* sends the password itself */
	enum sasl_result (*step)(struct sasl *, struct str in, struct buf *out);
};

extern const struct sasl_mech	sasl_mechs[];	/* NULL name ends it */

/* Names for a capability line, " PLAIN LOGIN CRAM-MD5"; clear ones if ok. */
void	sasl_list(struct buf *, bool clear_ok);
const struct sasl_mech *sasl_find(struct str);
/* <id.time@host>, for APOP and CRAM-MD5. */
void	sasl_challenge(char *, size_t, const char *host);
void	sasl_start(struct sasl *, const struct sasl_mech *, const char *host);
/*
 * One client line in base64 ("=" is an empty one, "*" cancels; NULL: no
 * initial response).  out gets what to send, in base64, after SASL_MORE.
 */
enum sasl_result sasl_step(struct sasl *, const char *line, struct buf *out);
void	sasl_wipe(struct sasl *);
#endif
