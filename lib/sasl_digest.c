/*
 * DIGEST-MD5 (RFC 2831), the server's side up to the proof.  Runs in the
 * fronts; authd, which has the password, makes the digest.  qop auth alone:
 * whoever wants more has TLS.
 */
#include <ctype.h>
#include <string.h>

#include "sasl.h"

/* What a response may say; the rest is passed over. */
enum { USERNAME, REALM, NONCE, CNONCE, NC, QOP, URI, RESPONSE, AUTHZID,
	CHARSET, WORDS };

static const char *const words[WORDS] = {
	"username", "realm", "nonce", "cnonce", "nc", "qop", "digest-uri",
	"response", "authzid", "charset"
};

struct reply {
	struct buf	 word[WORDS];
	bool		 has[WORDS];
};

bool
sasl_latin1(struct buf *out, struct str s)
{
	struct cur c = cur_make(s.p, s.len);
	size_t start = out->len;
	int ch, low;

	while ((ch = cur_get(&c)) != -1) {
		if (ch >= 0x80) {
			low = cur_get(&c);
			if ((ch != 0xc2 && ch != 0xc3) || (low & 0xc0) != 0x80)
				break;
			ch = (ch & 3) << 6 | (low & 0x3f);
		}
		if (!buf_putc(out, ch))
			return false;
	}
	if (ch == -1)
		return true;
	out->len = start;
	return buf_add(out, s.p, s.len);
}

static bool
to_utf8(struct buf *out, struct str s)
{
	struct cur c = cur_make(s.p, s.len);
	int ch;

	while ((ch = cur_get(&c)) != -1) {
		if (ch >= 0x80) {
			buf_putc(out, 0xc0 | ch >> 6);
			ch = 0x80 | (ch & 0x3f);
		}
		buf_putc(out, ch);
	}
	return !out->failed;
}

static bool
take_value(struct cur *c, struct buf *out)
{
	struct str s;
	int ch;

	if (!cur_lit(c, "\"")) {
		s = cur_until(c, ", \t");
		return s.len > 0 && buf_add(out, s.p, s.len);
	}
	while ((ch = cur_get(c)) != '"') {
		if (ch == '\\')
			ch = cur_get(c);
		if (ch == -1 || (ch < ' ' && ch != '\t') ||
		    !buf_putc(out, ch))
			return false;
	}
	return true;
}

static bool
take_pair(struct cur *c, struct reply *r)
{
	struct str word;
	struct buf other;
	bool ok;
	int i;

	word = cur_until(c, "= \t,");
	cur_ws(c);
	if (word.len == 0 || !cur_lit(c, "="))
		return false;
	cur_ws(c);
	for (i = 0; i < WORDS; i++)
		if (str_caseeq(word, words[i]))
			break;
	if (i < WORDS) {
		ok = !r->has[i] && take_value(c, &r->word[i]);
		r->has[i] = true;
		return ok;
	}
	buf_init(&other, 1024);
	ok = take_value(c, &other);
	buf_free(&other);
	return ok;
}

static bool
take_reply(struct str in, struct reply *r)
{
	struct cur c = cur_make(in.p, in.len);

	if (memchr(in.p, '\0', in.len) != NULL)
		return false;
	for (;;) {
		cur_ws(&c);
		if (cur_left(&c) == 0)
			return true;
		if (cur_lit(&c, ","))
			continue;
		if (!take_pair(&c, r))
			return false;
		cur_ws(&c);
		if (cur_left(&c) > 0 && cur_peek(&c) != ',')
			return false;
	}
}

static struct str
said(const struct reply *r, int word)
{
	return (struct str){ r->word[word].p != NULL ? r->word[word].p : "",
	    r->word[word].len };
}

static bool
is_hex(struct str s, size_t len)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (!isxdigit((unsigned char)s.p[i]))
			return false;
	return s.len == len;
}

/* The account: a user of another realm is one of that domain. */
static bool
keep_name(struct sasl *sa, const struct reply *r)
{
	struct str user = said(r, USERNAME), realm = said(r, REALM);
	struct buf b;
	bool ok;

	buf_init(&b, sizeof(sa->name));
	ok = r->has[CHARSET] ? buf_add(&b, user.p, user.len) :
			       to_utf8(&b, user);
	if (ok && realm.len > 0 && !str_caseeq(realm, sa->env->host) &&
	    memchr(user.p, '@', user.len) == NULL)
		ok = buf_putc(&b, '@') && buf_add(&b, realm.p, realm.len);
	ok = ok && sasl_put_name((struct str){ b.p, b.len }, sa->name,
	    sizeof(sa->name));
	buf_free(&b);
	return ok;
}

/*
 * What the digest is made of, by lines: user and realm, the nonces (and whom
 * to act for), nonces and count again, the URI.  Values have no line ends.
 */
static bool
keep_pieces(struct sasl *sa, const struct reply *r)
{
	struct buf b;
	bool ok;

	buf_init(&b, sizeof(sa->challenge));
	if (r->has[CHARSET]) {
		sasl_latin1(&b, said(r, USERNAME));
		buf_putc(&b, ':');
		sasl_latin1(&b, said(r, REALM));
	} else
		buf_printf(&b, "%s:%s", said(r, USERNAME).p, said(r, REALM).p);
	buf_printf(&b, "\n%s:%s", sa->nonce, said(r, CNONCE).p);
	if (r->has[AUTHZID])
		buf_printf(&b, ":%s", said(r, AUTHZID).p);
	buf_printf(&b, "\n%s:%s:%s:auth\n%s", sa->nonce, said(r, NC).p,
	    said(r, CNONCE).p, said(r, URI).p);
	ok = !b.failed && str_copy((struct str){ b.p, b.len }, sa->challenge,
	    sizeof(sa->challenge));
	buf_free(&b);
	return ok;
}

static enum sasl_result
check_reply(struct sasl *sa, const struct reply *r)
{
	struct str digest = said(r, RESPONSE);

	if (said(r, USERNAME).len == 0 || said(r, CNONCE).len == 0 ||
	    said(r, URI).len == 0 || !is_hex(digest, 32) ||
	    (r->has[QOP] && !str_eq(said(r, QOP), "auth")) ||
	    (r->has[CHARSET] && !str_caseeq(said(r, CHARSET), "utf-8")))
		return SASL_BAD;
	if (!str_eq(said(r, NONCE), sa->nonce) ||
	    !str_eq(said(r, NC), "00000001"))
		return SASL_NO;
	if (!sasl_put_name(said(r, AUTHZID), sa->authz, sizeof(sa->authz)) ||
	    !keep_name(sa, r) || !keep_pieces(sa, r) ||
	    !sasl_put_secret(sa, digest))
		return SASL_BAD;
	return SASL_DONE;
}

enum sasl_result
sasl_digest(struct sasl *sa, struct str in, struct buf *out)
{
	enum sasl_result result = SASL_BAD;
	struct reply r = { 0 };
	int i;

	if (sa->step == 0) {
		/* Nobody has a nonce of an earlier time to begin with. */
		if (in.p != NULL && in.len > 0)
			return SASL_BAD;
		sasl_nonce(sa->nonce, sizeof(sa->nonce));
		buf_printf(out, "realm=\"%s\",nonce=\"%s\",qop=\"auth\","
		    "charset=utf-8,algorithm=md5-sess", sa->env->host,
		    sa->nonce);
		return SASL_MORE;
	}
	for (i = 0; i < WORDS; i++)
		buf_init(&r.word[i], 1024);
	if (take_reply(in, &r))
		result = check_reply(sa, &r);
	for (i = 0; i < WORDS; i++)
		buf_free(&r.word[i]);
	return result;
}
