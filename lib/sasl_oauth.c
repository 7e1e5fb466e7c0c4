/*
 * Tokens: OAUTHBEARER (RFC 7628), and XOAUTH2, which came before it.  The
 * server's side up to the proof: whose token it is said to be, and the token.
 * Runs in the fronts; the external authenticator judges (authd/extauth.c).
 */
#include <string.h>
#include <strings.h>

#include "rfc5322.h"
#include "sasl.h"

#define SEPARATOR	"\001"

const char *
sasl_oauth_refusal(const struct sasl_mech *m)
{
	return m->step == sasl_xoauth2 ?
	    "{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"mail\"}" :
	    "{\"status\":\"invalid_token\",\"scope\":\"mail\"}";
}

/* b64token of RFC 6750: nothing that ends a line or a word. */
static bool
token_ok(struct str s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.len > 0;
}

/* Bearer, any case, one blank, and the token. */
static bool
take_token(struct sasl *sa, struct str value)
{
	struct cur c = cur_make(value.p, value.len);
	struct str token;

	if (!cur_caselit(&c, "Bearer "))
		return false;
	token = (struct str){ c.p, cur_left(&c) };
	return token_ok(token) && sasl_put_secret(sa, token);
}

/* key=value pairs, each with its end, and one more end behind the last. */
static enum sasl_result
take_pairs(struct sasl *sa, struct cur *c)
{
	struct str key, value;

	while (!cur_lit(c, SEPARATOR)) {
		key = cur_until(c, "=" SEPARATOR);
		if (key.len == 0 || !cur_lit(c, "="))
			return SASL_BAD;
		value = cur_until(c, SEPARATOR);
		if (!cur_lit(c, SEPARATOR))
			return SASL_BAD;
		if (str_caseeq(key, "auth") && !take_token(sa, value))
			return SASL_BAD;
		if (sa->mech->step == sasl_xoauth2 &&
		    str_caseeq(key, "user") && !sasl_put_name(value, sa->name,
		    sizeof(sa->name)))
			return SASL_BAD;
	}
	return cur_left(c) == 0 && sa->secretlen > 0 && *sa->name != '\0' ?
	    SASL_DONE : SASL_BAD;
}

static bool
first(struct sasl *sa, struct str in)
{
	if (in.p != NULL)
		return false;
	sa->step = -1;		/* so that the message comes in step 0 */
	return true;
}

/* "n,a=user@host,", then pairs: host and port, which we know, and auth. */
enum sasl_result
sasl_oauthbearer(struct sasl *sa, struct str in, struct buf *out)
{
	struct cur c = cur_make(in.p, in.len);

	if (first(sa, in))
		return SASL_MORE;
	if (sa->step != 0 || memchr(in.p, '\0', in.len) != NULL ||
	    (!cur_lit(&c, "n,") && !cur_lit(&c, "y,")) || !cur_lit(&c, "a=") ||
	    !sasl_saslname(cur_until(&c, ","), sa->name, sizeof(sa->name)) ||
	    !cur_lit(&c, "," SEPARATOR))
		return SASL_BAD;
	return take_pairs(sa, &c);
}

/* "user=...^Aauth=Bearer ...^A^A" */
enum sasl_result
sasl_xoauth2(struct sasl *sa, struct str in, struct buf *out)
{
	struct cur c = cur_make(in.p, in.len);

	if (first(sa, in))
		return SASL_MORE;
	if (sa->step != 0 || memchr(in.p, '\0', in.len) != NULL ||
	    !cur_caselit(&c, "user="))
		return SASL_BAD;
	c = cur_make(in.p, in.len);
	return take_pairs(sa, &c);
}
