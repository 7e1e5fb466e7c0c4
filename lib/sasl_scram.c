/*
 * SCRAM (RFC 5802, 7677), the server's side up to the proof: nonces, salt,
 * channel binding.  Runs in the fronts; authd salts the password and checks.
 */
#include <stdio.h>
#include <string.h>

#include "rfc5322.h"
#include "sasl.h"

enum { NONCE_MAX = 256, SHA1_LEN = 20, SHA256_LEN = 32 };

static bool
is_plus(const struct sasl *sa)
{
	return (sa->mech->needs & SASL_BOUND) != 0;
}

static bool
is_sha256(const struct sasl *sa)
{
	return strncmp(sa->mech->name, "SCRAM-SHA-256", 13) == 0;
}

bool
sasl_saslname(struct str in, char *to, size_t size)
{
	struct cur c = cur_make(in.p, in.len);
	struct buf b;
	bool ok = true;
	int ch;

	buf_init(&b, size);
	while (ok && (ch = cur_get(&c)) != -1) {
		if (ch == '=')
			ch = cur_lit(&c, "2C") ? ',' :
			    cur_lit(&c, "3D") ? '=' : '\0';
		ok = ch != '\0' && buf_putc(&b, ch);
	}
	ok = ok && b.len > 0 && str_copy((struct str){ b.p, b.len }, to, size);
	buf_free(&b);
	return ok;
}

static bool
nonce_ok(struct str s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.len > 0 && s.len <= NONCE_MAX;
}

/*
 * n: the client binds nothing; y: it would, but thinks that we cannot; p: it
 * does.  A y where we announce -PLUS means that somebody cut the list.
 */
static enum sasl_result
take_flag(struct sasl *sa, struct cur *c, struct buf *data)
{
	if (cur_lit(c, "p=")) {
		struct str type = cur_until(c, ",");

		if (!is_plus(sa))
			return SASL_BAD;
		return sa->env->binding(sa->env->arg, type, data) ?
		    SASL_MORE : SASL_NO;
	}
	if (cur_lit(c, "y"))
		return (sa->env->offers & SASL_BOUND) ? SASL_NO : SASL_MORE;
	return cur_lit(c, "n") && !is_plus(sa) ? SASL_MORE : SASL_BAD;
}

/* The GS2 header; what c= shall be later is known then. */
static enum sasl_result
take_header(struct sasl *sa, struct cur *c)
{
	const char *start = c->p;
	enum sasl_result r;
	struct buf data, text, all;
	bool ok;

	buf_init(&data, 512);
	buf_init(&text, sizeof(sa->bound));
	buf_init(&all, sizeof(sa->bound));
	r = take_flag(sa, c, &data);
	ok = r == SASL_MORE && cur_lit(c, ",");
	if (ok && cur_lit(c, "a="))
		ok = sasl_saslname(cur_until(c, ","), sa->authz, sizeof(sa->authz));
	ok = ok && cur_lit(c, ",") && buf_add(&all, start, c->p - start) &&
	    (data.len == 0 || buf_add(&all, data.p, data.len)) &&
	    base64_encode(&text, all.p, all.len) &&
	    str_copy((struct str){ text.p, text.len }, sa->bound,
	    sizeof(sa->bound));
	buf_free(&data);
	buf_free(&text);
	buf_free(&all);
	return r != SASL_MORE ? r : ok ? SASL_MORE : SASL_BAD;
}

static bool
server_first(struct sasl *sa, struct str bare, struct str nonce,
    struct buf *out)
{
	unsigned char salt[SASL_SALT];
	char own[65];
	int n;

	sasl_nonce(own, sizeof(own));
	n = snprintf(sa->nonce, sizeof(sa->nonce), "%.*s%s", (int)nonce.len,
	    nonce.p, own);
	if (n < 0 || (size_t)n >= sizeof(sa->nonce) ||
	    !sasl_salt(salt, sa->env->saltkey, is_sha256(sa), sa->name))
		return false;
	buf_printf(out, "r=%s,s=", sa->nonce);
	base64_encode(out, salt, sizeof(salt));
	buf_printf(out, ",i=%d", SASL_ITERATIONS);
	if (out->failed)
		return false;
	n = snprintf(sa->challenge, sizeof(sa->challenge), "%.*s,%s",
	    (int)bare.len, bare.p, out->p);
	return n >= 0 && (size_t)n < sizeof(sa->challenge);
}

static enum sasl_result
client_first(struct sasl *sa, struct str in, struct buf *out)
{
	struct cur c = cur_make(in.p, in.len);
	struct str bare, nonce;
	enum sasl_result r;

	if (memchr(in.p, '\0', in.len) != NULL)
		return SASL_BAD;
	if ((r = take_header(sa, &c)) != SASL_MORE)
		return r;
	bare = (struct str){ c.p, cur_left(&c) };
	if (!cur_lit(&c, "n=") || !sasl_saslname(cur_until(&c, ","), sa->name,
	    sizeof(sa->name)) || !cur_lit(&c, ",r="))
		return SASL_BAD;
	nonce = cur_until(&c, ",");
	if (!nonce_ok(nonce) || !server_first(sa, bare, nonce, out))
		return SASL_BAD;
	return SASL_MORE;
}

/* c=, r=, perhaps what we do not know, and last p=. */
static enum sasl_result
client_final(struct sasl *sa, struct str in)
{
	struct cur c = cur_make(in.p, in.len);
	size_t have = strlen(sa->challenge), n;
	struct str bound, nonce;
	struct buf proof;
	bool ok;

	if (memchr(in.p, '\0', in.len) != NULL || !cur_lit(&c, "c="))
		return SASL_BAD;
	bound = cur_until(&c, ",");
	if (!cur_lit(&c, ",r="))
		return SASL_BAD;
	nonce = cur_until(&c, ",");
	while (!cur_lit(&c, ",p=")) {
		if (!cur_skip(&c, 1))
			return SASL_BAD;
		cur_until(&c, ",");
	}
	n = (size_t)(c.p - in.p) - strlen(",p=");
	if (!str_eq(bound, sa->bound) || !str_eq(nonce, sa->nonce))
		return SASL_NO;
	if (have + 1 + n >= sizeof(sa->challenge))
		return SASL_BAD;
	sa->challenge[have] = ',';
	memcpy(sa->challenge + have + 1, in.p, n);
	sa->challenge[have + 1 + n] = '\0';
	buf_init(&proof, 64);
	ok = base64_decode(&proof, (struct str){ c.p, cur_left(&c) }) == 0 &&
	    proof.len == (is_sha256(sa) ? SHA256_LEN : SHA1_LEN) &&
	    sasl_put_secret(sa, (struct str){ proof.p, proof.len });
	buf_free(&proof);
	return ok ? SASL_DONE : SASL_BAD;
}

enum sasl_result
sasl_scram(struct sasl *sa, struct str in, struct buf *out)
{
	if (in.p == NULL) {
		sa->step = -1;	/* so that the first message comes in step 0 */
		return SASL_MORE;
	}
	return sa->step == 0 ? client_first(sa, in, out) :
			       client_final(sa, in);
}
