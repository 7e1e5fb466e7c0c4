/*
 * SASL mechanisms, the server's side up to the proof.  Runs in the fronts; it
 * must never see a stored password: what comes out here goes to authd.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "rfc5322.h"
#include "sasl.h"

enum { MAXLINE = 4096 };	/* of decoded client text */

bool
sasl_put_name(struct str s, char *to, size_t size)
{
	return memchr(s.p, '\0', s.len) == NULL && str_copy(s, to, size);
}

bool
sasl_put_secret(struct sasl *sa, struct str s)
{
	if (s.len > (sa->mech->needs & SASL_TOKENS ? SASL_TOKEN : SASL_PROOF))
		return false;
	memcpy(sa->secret, s.p, s.len);
	sa->secret[s.len] = '\0';
	sa->secretlen = s.len;
	return true;
}

static struct str
upto(struct cur *c, int stop)
{
	struct str s = { c->p, 0 };

	while (cur_left(c) > 0 && *c->p != stop) {
		c->p++;
		s.len++;
	}
	return s;
}

/* authz NUL authc NUL password, in one line (RFC 4616). */
static enum sasl_result
plain(struct sasl *sa, struct str in, struct buf *out)
{
	struct cur c = cur_make(in.p, in.len);
	struct str authz, name, secret;

	if (sa->step == 0 && in.p == NULL)
		return SASL_MORE;
	authz = upto(&c, '\0');
	if (!cur_skip(&c, 1))
		return SASL_BAD;
	name = upto(&c, '\0');
	if (!cur_skip(&c, 1))
		return SASL_BAD;
	secret = upto(&c, '\0');
	if (cur_left(&c) > 0 || name.len == 0 ||
	    !sasl_put_name(authz, sa->authz, sizeof(sa->authz)) ||
	    !sasl_put_name(name, sa->name, sizeof(sa->name)) ||
	    !sasl_put_secret(sa, secret))
		return SASL_BAD;
	return SASL_DONE;
}

/* Never a standard: the name, then the password, each asked for. */
static enum sasl_result
login(struct sasl *sa, struct str in, struct buf *out)
{
	if (in.p == NULL) {
		sa->step = -1;	/* so that the name comes in step 0 */
		buf_puts(out, "Username:");
		return SASL_MORE;
	}
	if (sa->step == 0) {
		if (in.len == 0 || !sasl_put_name(in, sa->name, sizeof(sa->name)))
			return SASL_BAD;
		buf_puts(out, "Password:");
		return SASL_MORE;
	}
	return sasl_put_secret(sa, in) ? SASL_DONE : SASL_BAD;
}

/* Our challenge; then "name digest", the digest in hex (RFC 2195). */
static enum sasl_result
cram_md5(struct sasl *sa, struct str in, struct buf *out)
{
	struct str name, digest;
	size_t i;

	if (sa->step == 0) {
		/* Some clients say "nothing" rather than nothing. */
		if (in.p != NULL && in.len > 0)
			return SASL_BAD;
		sasl_challenge(sa->challenge, 513, sa->env->host);
		buf_puts(out, sa->challenge);
		return SASL_MORE;
	}
	/* A name may have blanks; the digest follows the last one. */
	for (i = in.len; i > 0 && in.p[i - 1] != ' '; i--)
		;
	if (i < 2 || in.len - i != 32)
		return SASL_BAD;
	digest = (struct str){ in.p + i, 32 };
	name = (struct str){ in.p, i - 1 };
	for (i = 0; i < 32; i++)
		if (!isxdigit((unsigned char)digest.p[i]))
			return SASL_BAD;
	if (!sasl_put_name(name, sa->name, sizeof(sa->name)) ||
	    !sasl_put_secret(sa, digest))
		return SASL_BAD;
	return SASL_DONE;
}

/* The certificate says who; the client, at most whom of them (RFC 4422). */
static enum sasl_result
external(struct sasl *sa, struct str in, struct buf *out)
{
	if (in.p == NULL) {
		sa->step = -1;
		return SASL_MORE;
	}
	return sa->step == 0 && sasl_put_name(in, sa->authz,
	    sizeof(sa->authz)) ? SASL_DONE : SASL_BAD;
}

const struct sasl_mech sasl_mechs[] = {
	{ "PLAIN", SASL_CLEAR_OK, plain },
	{ "LOGIN", SASL_CLEAR_OK, login },
	{ "CRAM-MD5", SASL_SECURE, cram_md5 },
	{ "DIGEST-MD5", SASL_SECURE, sasl_digest },
	{ "SCRAM-SHA-1", SASL_SECURE, sasl_scram },
	{ "SCRAM-SHA-256", SASL_SECURE, sasl_scram },
	{ "SCRAM-SHA-1-PLUS", SASL_SECURE | SASL_BOUND, sasl_scram },
	{ "SCRAM-SHA-256-PLUS", SASL_SECURE | SASL_BOUND, sasl_scram },
	{ "EXTERNAL", SASL_CERT, external },
	{ "OAUTHBEARER", SASL_TOKENS, sasl_oauthbearer },
	{ "XOAUTH2", SASL_TOKENS, sasl_xoauth2 },
	{ NULL, 0, NULL }
};

void
sasl_list(struct buf *b, unsigned int offers)
{
	const struct sasl_mech *m;

	for (m = sasl_mechs; m->name != NULL; m++)
		if ((m->needs & ~offers) == 0)
			buf_printf(b, " %s", m->name);
}

const struct sasl_mech *
sasl_find(struct str name)
{
	const struct sasl_mech *m;

	for (m = sasl_mechs; m->name != NULL; m++)
		if (str_caseeq(name, m->name))
			return m;
	return NULL;
}

void
sasl_challenge(char *p, size_t size, const char *host)
{
	uint64_t r[2];
	int n;

	if (RAND_bytes((void *)r, sizeof(r)) != 1)
		panic("no random bytes");
	n = snprintf(p, size, "<%016llx%016llx.%lld@%s>",
	    (unsigned long long)r[0], (unsigned long long)r[1],
	    (long long)time(NULL), host);
	/* A host name that long is no use to the client anyway. */
	if (n < 0 || (size_t)n >= size)
		snprintf(p, size, "<%016llx%016llx@localhost>",
		    (unsigned long long)r[0], (unsigned long long)r[1]);
}

void
sasl_nonce(char *p, size_t size)
{
	unsigned char raw[24];
	struct buf text;

	if (RAND_bytes(raw, sizeof(raw)) != 1)
		panic("no random bytes");
	buf_init(&text, 0);
	if (!base64_encode(&text, raw, sizeof(raw)) ||
	    !str_copy((struct str){ text.p, text.len }, p, size))
		panic("no nonce");
	buf_free(&text);
}

bool
sasl_salt(unsigned char salt[SASL_SALT], const unsigned char key[SASL_SALTKEY],
    bool sha256, const char *name)
{
	unsigned char mac[EVP_MAX_MD_SIZE], text[514];
	unsigned int len;
	size_t n;

	text[0] = sha256;
	for (n = 1; *name != '\0' && n < sizeof(text); n++, name++)
		text[n] = *name >= 'A' && *name <= 'Z' ? *name | 0x20 : *name;
	if (HMAC(EVP_sha256(), key, SASL_SALTKEY, text, n, mac, &len) == NULL)
		return false;
	memcpy(salt, mac, SASL_SALT);
	return true;
}

void
sasl_start(struct sasl *sa, const struct sasl_mech *m,
    const struct sasl_env *env)
{
	memset(sa, 0, sizeof(*sa));
	sa->mech = m;
	sa->env = env;
}

static enum sasl_result
step_decoded(struct sasl *sa, struct str in, struct buf *out)
{
	struct buf text;
	enum sasl_result r;

	buf_init(&text, MAXLINE);
	r = sa->mech->step(sa, in, &text);
	if (r == SASL_MORE) {
		sa->step++;
		if (text.failed ||
		    (text.len > 0 && !base64_encode(out, text.p, text.len)))
			r = SASL_BAD;
	}
	buf_free(&text);
	return r;
}

/*
 * A mechanism's step 0 sees either the initial response or, with p NULL, that
 * there was none; it answers the latter with its first challenge.
 */
enum sasl_result
sasl_step(struct sasl *sa, const char *line, struct buf *out)
{
	struct str in = { NULL, 0 };
	struct buf text;
	enum sasl_result r;

	if (line == NULL)
		return step_decoded(sa, in, out);
	if (strcmp(line, "*") == 0)
		return SASL_CANCEL;
	buf_init(&text, MAXLINE);
	in = str_make(line);
	if (strcmp(line, "=") == 0)
		in.len = 0;
	if (base64_decode(&text, in) == -1 || !buf_putc(&text, '\0'))
		r = SASL_BAD;
	else {
		in.p = text.p;
		in.len = text.len - 1;
		r = step_decoded(sa, in, out);
	}
	if (text.p != NULL)
		explicit_bzero(text.p, text.cap);
	buf_free(&text);
	return r;
}

void
sasl_wipe(struct sasl *sa)
{
	explicit_bzero(sa, sizeof(*sa));
}
