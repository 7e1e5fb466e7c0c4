/*
 * What a domain says of MTA-STS (RFC 8461): its TXT record and its policy.
 * Pure: any bytes have a meaning or none.  Part of smtpd's sending role.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sts.h"

#define LETTERS	"abcdefghijklmnopqrstuvwxyz"
#define DIGITS	"0123456789"

static const char blanks[] = " \t";

static struct str
trim(struct str s)
{
	while (s.len > 0 && strchr(blanks, s.p[0]) != NULL) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && strchr(blanks, s.p[s.len - 1]) != NULL)
		s.len--;
	return s;
}

static bool
all_of(struct str s, const char *set)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (s.p[i] == '\0' || strchr(set, s.p[i]) == NULL)
			return false;
	return s.len > 0;
}

/* --- the record: v=STSv1; id=20261121; --- */

bool
sts_record(const char *text, char id[STS_ID])
{
	static const char set[] = LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS;
	struct cur c = cur_str(text), field;
	struct str name, value;
	bool first = true;

	for (*id = '\0'; cur_left(&c) > 0; first = false) {
		struct str s = cur_until(&c, ";");

		cur_get(&c);
		field = cur_make(s.p, s.len);
		name = trim(cur_until(&field, "="));
		cur_get(&field);
		value = trim((struct str){ field.p, cur_left(&field) });
		if (first && !(str_eq(name, "v") && str_eq(value, "STSv1")))
			return false;
		if (str_eq(name, "id") && *id == '\0' &&
		    (!all_of(value, set) || !str_copy(value, id, STS_ID)))
			return false;
	}
	return *id != '\0';
}

/* --- the policy --- */

enum { HAS_VERSION = 1, HAS_MODE = 2, HAS_AGE = 4 };

/* *.example.com or mail.example.com, as a lower-case name behind the others. */
static bool
put_mx(struct buf *mx, struct str v)
{
	size_t i, from = mx->len + (mx->len > 0);

	if (mx->len > 0)
		buf_putc(mx, ' ');
	if (!buf_add(mx, v.p, v.len))
		return false;
	for (i = from; i < mx->len; i++)
		if (mx->p[i] >= 'A' && mx->p[i] <= 'Z')
			mx->p[i] += 'a' - 'A';
	v = (struct str){ mx->p + from, v.len };
	if (v.len > 2 && v.p[0] == '*' && v.p[1] == '.')
		v = (struct str){ v.p + 2, v.len - 2 };
	return v.len <= STS_NAME && all_of(v, LETTERS DIGITS "-_.");
}

static bool
put_mode(struct sts_policy *p, struct str v)
{
	if (str_eq(v, "enforce"))
		p->mode = STS_ENFORCE;
	else if (str_eq(v, "testing"))
		p->mode = STS_TESTING;
	else if (str_eq(v, "none"))
		p->mode = STS_NONE;
	else
		return false;
	return true;
}

static bool
put_age(struct sts_policy *p, struct str v)
{
	struct cur c = cur_make(v.p, v.len);
	uint64_t n;

	/* Ten digits at most; more than a year is a year. */
	if (!cur_u64(&c, &n, 9999999999) || cur_left(&c) > 0)
		return false;
	p->max_age = n < STS_MAXAGE ? (uint32_t)n : STS_MAXAGE;
	return true;
}

/* Of what is said twice the first counts; what is unknown does not. */
static bool
field(struct sts_policy *p, struct buf *mx, unsigned int *has, struct str name,
    struct str v)
{
	unsigned int bit = str_eq(name, "version") ? HAS_VERSION :
	    str_eq(name, "mode") ? HAS_MODE :
	    str_eq(name, "max_age") ? HAS_AGE : 0;
	bool known = *has & bit;

	*has |= bit;
	if (known)
		return true;
	if (bit == HAS_VERSION)
		return str_eq(v, "STSv1");
	if (bit == HAS_MODE)
		return put_mode(p, v);
	if (bit == HAS_AGE)
		return put_age(p, v);
	return !str_eq(name, "mx") || put_mx(mx, v);
}

bool
sts_policy(struct sts_policy *p, const char *text, size_t len)
{
	struct cur c = cur_make(text, len), in;
	struct str line, name;
	unsigned int has = 0;
	struct buf mx;
	bool ok = true;

	memset(p, 0, sizeof(*p));
	buf_init(&mx, STS_MAXMX);
	while (ok && cur_line(&c, &line)) {
		in = cur_make(line.p, line.len);
		name = trim(cur_until(&in, ":"));
		if (trim(line).len == 0)
			continue;
		ok = cur_get(&in) == ':' && field(p, &mx, &has, name,
		    trim((struct str){ in.p, cur_left(&in) }));
	}
	ok = ok && has == (HAS_VERSION | HAS_MODE | HAS_AGE) &&
	    (mx.len > 0 || p->mode == STS_NONE);
	if (ok)
		p->mx = mx.len > 0 ? buf_steal(&mx) : strdup("");
	buf_free(&mx);
	return p->mx != NULL;
}

bool
sts_allows(const struct sts_policy *p, const char *host)
{
	struct cur c = cur_str(p->mx);
	const char *dot = strchr(host, '.');
	struct str s;

	for (cur_span(&c, " "); cur_left(&c) > 0; cur_span(&c, " ")) {
		s = cur_until(&c, " ");
		if (str_caseeq(s, host))
			return true;
		/* The star is one label, whole. */
		if (s.len > 2 && s.p[0] == '*' && dot != NULL && dot > host &&
		    str_caseeq((struct str){ s.p + 1, s.len - 1 }, dot))
			return true;
	}
	return false;
}
