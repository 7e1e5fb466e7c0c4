/*
 * SCRAM's proofs.  Salting a password is slow by intent: threads do it, and
 * what came out is kept for a while, so that it is done once for a name.  A
 * name that is nobody's, or whose password is no text, takes the same way
 * with a password that nobody has.  Runs in authd.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "authd.h"
#include "sasl.h"

enum { KEPT = 4096, ID_LEN = 32 };

struct salting {
	struct str	 clear;		/* its own */
	unsigned char	 salt[SASL_SALT];
	unsigned char	 id[ID_LEN];
	bool		 sha256, nobody, ok;
	struct scram_keys keys;
	struct claim	 claim;
	proof_cb	*cb;
	void		*arg;
};

static unsigned char salt_key[SASL_SALTKEY];
static unsigned char kept_key[SASL_SALTKEY];	/* dies with the process */

static struct kept {
	unsigned char	 id[ID_LEN];
	bool		 used;
	struct scram_keys keys;
} kept[KEPT];

void
scram_init(const unsigned char key[SASL_SALTKEY])
{
	memcpy(salt_key, key, sizeof(salt_key));
	arc4random_buf(kept_key, sizeof(kept_key));
}

/* Of name, mechanism and password together: none of them can be told. */
static bool
make_id(struct salting *s, const char *name)
{
	struct buf b;
	bool ok;

	buf_init(&b, 0);
	buf_putc(&b, s->sha256 ? '2' : '1');
	buf_puts(&b, name);
	buf_putc(&b, '\0');
	buf_add(&b, s->clear.p, s->clear.len);
	ok = !b.failed && HMAC(EVP_sha256(), kept_key, sizeof(kept_key),
	    (const unsigned char *)b.p, b.len, s->id, NULL) != NULL;
	if (b.p != NULL)
		explicit_bzero(b.p, b.cap);
	buf_free(&b);
	return ok;
}

/* Whoever fills the table makes others wait a little, no more. */
static struct kept *
place(const struct salting *s)
{
	return &kept[(s->id[0] << 8 | s->id[1]) % KEPT];
}

static void
salting_free(struct salting *s)
{
	if (s->clear.p != NULL) {
		explicit_bzero((char *)(uintptr_t)s->clear.p, s->clear.len);
		free((char *)(uintptr_t)s->clear.p);
	}
	explicit_bzero(s, sizeof(*s));
	free(s);
}

static void
finish(struct salting *s)
{
	proof_cb *cb = s->cb;
	void *arg = s->arg;
	bool ok;

	ok = password_scram(&s->keys, s->sha256,
	    str_make(s->claim.challenge), s->claim.secret, s->claim.proof) &&
	    !s->nobody;
	salting_free(s);
	cb(ok ? PROOF_YES : PROOF_NO, arg);
}

/* In a thread. */
static void
salt(void *arg)
{
	struct salting *s = arg;

	s->ok = password_scram_keys(&s->keys, s->sha256, s->clear,
	    (struct str){ (char *)s->salt, sizeof(s->salt) },
	    SASL_ITERATIONS);
}

static void
salted(void *arg)
{
	struct salting *s = arg;
	struct kept *k = place(s);
	proof_cb *cb = s->cb;

	if (s->ok) {
		memcpy(k->id, s->id, sizeof(k->id));
		k->keys = s->keys;
		k->used = true;
		finish(s);
		return;
	}
	arg = s->arg;
	salting_free(s);
	cb(PROOF_LATER, arg);
}

static struct salting *
salting_new(const struct claim *c, struct str clear, bool sha256)
{
	static const char other[] = "a password that nobody has";
	struct salting *s = xcalloc(1, sizeof(*s));

	s->nobody = clear.len == 0;
	if (s->nobody)
		clear = str_make(other);
	s->clear = (struct str){ str_dup(clear), clear.len };
	s->sha256 = sha256;
	s->claim = *c;
	if (s->clear.p != NULL && make_id(s, c->said) &&
	    sasl_salt(s->salt, salt_key, sha256, c->said))
		return s;
	salting_free(s);
	return NULL;
}

void
scram_check(const struct claim *c, struct str clear, bool sha256,
    proof_cb *cb, void *arg)
{
	struct salting *s = salting_new(c, clear, sha256);
	struct kept *k;

	if (s == NULL) {
		cb(PROOF_LATER, arg);
		return;
	}
	s->cb = cb;
	s->arg = arg;
	k = place(s);
	if (k->used && CRYPTO_memcmp(k->id, s->id, sizeof(k->id)) == 0) {
		s->keys = k->keys;
		finish(s);
		return;
	}
	if (slow_run(salt, salted, s))
		return;
	salting_free(s);
	cb(PROOF_LATER, arg);
}
