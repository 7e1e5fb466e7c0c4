/*
 * Passwords as account.settings keeps them (manual 03, 08; DECISIONS), and
 * the proofs that can be made of them.  Used by authd alone: nobody else ever
 * sees a stored password.
 *
 *	text			clear
 *	\002 ...		one way: any crypt that libcrypt knows,
 *				{crypt}, {WM-CRY}, {MD5}, {SHA}, {NS-MTA-MD5}
 *	\003 base64		ours, reversible: nonce, AES-256-GCM text, tag
 *	\001 ...		the vendor's own A-crpt: cannot be read
 */
#ifndef CG_PASSWORD_H
#define CG_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

enum { PASSWORD_KEYLEN = 32, PASSWORD_MAX = 1024 };

enum password_form {
	PASSWORD_NONE,			/* absent or empty: opens nothing */
	PASSWORD_CLEAR,
	PASSWORD_ONEWAY,
	PASSWORD_SEALED,
	PASSWORD_VENDOR			/* \001, and what else is unknown */
};

struct password_key {
	bool		set;
	unsigned char	k[PASSWORD_KEYLEN];
};

/*
 * Once, before the walls: OpenSSL reads its configuration at first use.
 * false when a digest or cipher is missing.
 */
bool	password_init(void);

enum password_form password_form(struct str stored);
/* Is it this password?  In time that does not depend on how much is right. */
bool	password_verify(struct str stored, struct str clear,
	    const struct password_key *);
/* Is it slow to check (a crypt that is meant to be)? */
bool	password_slow(struct str stored);
/*
 * Would checking it take seconds or hundreds of MiB?  Whoever stores such a
 * form makes others wait.
 */
bool	password_costly(struct str stored);
/* The clear text of a clear or sealed one, added to out; else false. */
bool	password_reveal(struct buf *out, struct str stored,
	    const struct password_key *);

/* New stored forms, added to out. */
bool	password_seal(struct buf *out, struct str clear,
	    const struct password_key *);
bool	password_crypt(struct buf *out, struct str clear);
/* Letters and digits; wanted many of them. */
bool	password_random(struct buf *out, size_t wanted);

/* hex is the client's digest; the challenge is with its brackets. */
bool	password_cram_md5(struct str clear, struct str challenge,
	    struct str hex);
bool	password_apop(struct str clear, struct str challenge, struct str hex);

/*
 * SCRAM (RFC 5802): what is kept of a salted password.  Salting is slow by
 * intent, and the text is prepared by SASLprep where that is possible.
 */
struct scram_keys {
	unsigned char	stored[32], server[32];
};
bool	password_scram_keys(struct scram_keys *, bool sha256,
	    struct str clear, struct str salt, unsigned int iterations);
/* Then final gets the server's own proof, "v=...". */
bool	password_scram(const struct scram_keys *, bool sha256,
	    struct str message, struct str proof, struct buf *final);
/* The pieces as lib/sasl_digest.c has them; final gets "rspauth=...". */
bool	password_digest_md5(struct str clear, struct str pieces,
	    struct str hex, struct buf *final);

/* A digest under a key that dies with the process: "this one was right". */
enum { PASSWORD_MARKLEN = 32 };
bool	password_mark(unsigned char mark[PASSWORD_MARKLEN],
	    const unsigned char key[PASSWORD_KEYLEN], struct str clear);
#endif
