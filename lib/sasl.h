/*
 * SASL's server side up to the proof: a table of mechanisms, each a few steps
 * over base64 lines, that ends in what AUTH (ipc.def) wants.  Stored secrets
 * are never here: authd checks.
 */
#ifndef CG_SASL_H
#define CG_SASL_H

#include "buf.h"

enum sasl_result {
	SASL_MORE, SASL_DONE, SASL_BAD, SASL_CANCEL,
	SASL_NO			/* understood, and not true: no need to ask */
};

enum {
	SASL_SALTKEY = 32,	/* bytes */
	SASL_SALT = 16,
	SASL_ITERATIONS = 10000,
	SASL_PROOF = 1024,	/* the longest secret, a password */
	SASL_TOKEN = 3072,	/* of OAUTHBEARER and XOAUTH2 */
	SASL_CHALLENGE = 2048
};

/* What a connection offers beyond what any does: a mask for sasl_list(). */
enum {
	SASL_CLEAR_OK = 1 << 0,	/* passwords may be sent as they are */
	SASL_BOUND = 1 << 1,	/* TLS, whose channel binding is known */
	SASL_CERT = 1 << 2,	/* the client has shown a certificate */
	SASL_SECURE = 1 << 3,	/* digests of passwords are announced */
	SASL_TOKENS = 1 << 4	/* TLS, and somebody can judge tokens */
};

/* Of the connection; must live as long as the conversation. */
struct sasl_env {
	const char	*host;
	const unsigned char *saltkey;	/* SASL_SALTKEY bytes */
	unsigned int	 offers;
	/* The channel binding of that type; false if it has none such. */
	bool		(*binding)(void *, struct str type, struct buf *);
	void		*arg;
};

struct sasl {
	const struct sasl_mech	*mech;
	const struct sasl_env	*env;
	int	 step;
	char	 name[513];
	char	 authz[513];
	/* CRAM-MD5's; SCRAM's AuthMessage; DIGEST-MD5's pieces, by lines. */
	char	 challenge[SASL_CHALLENGE + 1];
	char	 nonce[385];
	char	 bound[1601];		/* SCRAM: what c= must be */
	char	 secret[SASL_TOKEN + 1];
	size_t	 secretlen;
};

struct sasl_mech {
	const char	*name;
	unsigned int	 needs;		/* of the offers */
	enum sasl_result (*step)(struct sasl *, struct str in, struct buf *out);
};

extern const struct sasl_mech	sasl_mechs[];	/* NULL name ends it */

/* Names for a capability line, " PLAIN LOGIN CRAM-MD5", by the offers. */
void	sasl_list(struct buf *, unsigned int offers);
const struct sasl_mech *sasl_find(struct str);
/* <id.time@host>, for APOP and CRAM-MD5. */
void	sasl_challenge(char *, size_t, const char *host);
void	sasl_start(struct sasl *, const struct sasl_mech *,
	    const struct sasl_env *);
/*
 * One client line in base64 ("=" is an empty one, "*" cancels; NULL: no
 * initial response).  out gets what to send, in base64, after SASL_MORE.
 */
enum sasl_result sasl_step(struct sasl *, const char *line, struct buf *out);
void	sasl_wipe(struct sasl *);

/*
 * SCRAM's salt for a name as it was said, whether there is such an account or
 * not, so that it tells nothing.  The key is the suite's.
 */
bool	sasl_salt(unsigned char salt[SASL_SALT],
	    const unsigned char key[SASL_SALTKEY], bool sha256,
	    const char *name);
/* UTF-8 as ISO 8859-1, where that has all of it; else as it is. */
bool	sasl_latin1(struct buf *, struct str);

/* For the mechanisms' files. */
bool	sasl_put_name(struct str, char *to, size_t size);
bool	sasl_put_secret(struct sasl *, struct str);
/* Printable, without a comma. */
void	sasl_nonce(char *, size_t);
/* =2C is a comma, =3D the sign itself (RFC 5801); not empty. */
bool	sasl_saslname(struct str, char *to, size_t size);
/*
 * What a client hears whose token was refused; it answers, with nothing that
 * matters, before it is told that the login has failed (RFC 7628).
 */
const char *sasl_oauth_refusal(const struct sasl_mech *);
enum sasl_result sasl_oauthbearer(struct sasl *, struct str in,
	    struct buf *out);
enum sasl_result sasl_xoauth2(struct sasl *, struct str in, struct buf *out);
enum sasl_result sasl_scram(struct sasl *, struct str in, struct buf *out);
enum sasl_result sasl_digest(struct sasl *, struct str in, struct buf *out);
#endif
