/*
 * Mail addresses as bounded text: paths of SMTP, the Router's way of reading
 * one, header lists.  Knows no domain and asks nobody; runs in smtpd, routerd,
 * queued and cgmail.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>

#include "addr.h"
#include "idn.h"

/* Beyond ASCII all are (RFC 6531); whether it is UTF-8 is seen later. */
static bool
is_atext(int ch)
{
	return ch >= 0x80 || (ch > 0 &&
	    (isalnum(ch) || strchr("!#$%&'*+-/=?^_`{|}~", ch) != NULL));
}

/* Moves over a quoted string; false if its end is missing. */
static bool
skip_quoted(struct cur *c)
{
	int ch;

	if (!cur_lit(c, "\""))
		return false;
	while ((ch = cur_get(c)) != -1) {
		if (ch == '"')
			return true;
		if (ch == '\\' && (ch = cur_get(c)) == -1)
			return false;
		if (ch < ' ' || ch == 0x7f)
			return false;
	}
	return false;
}

/* Moves over [...]. */
static bool
skip_literal(struct cur *c)
{
	int ch;

	if (!cur_lit(c, "["))
		return false;
	while ((ch = cur_get(c)) != -1) {
		if (ch == ']')
			return true;
		if (ch <= ' ' || ch == '[' || ch == '\\' || ch >= 0x7f)
			return false;
	}
	return false;
}

/* --- what may stand where --- */

bool
addr_valid_domain(struct str s)
{
	size_t i, label = 0;
	char ch;

	if (s.len == 0 || s.len > ADDR_MAXDOMAIN)
		return false;
	for (i = 0; i < s.len; i++) {
		ch = s.p[i];
		if (ch == '.') {
			if (label == 0 || s.p[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!isalnum((unsigned char)ch) && ch != '_' &&
		    (ch != '-' || label == 0))
			return false;
		if (++label > 63)
			return false;
	}
	return label > 0 && s.p[s.len - 1] != '-';
}

bool
addr_valid_literal(struct str s)
{
	unsigned char b[16];
	char text[64];

	if (s.len < 3 || s.p[0] != '[' || s.p[s.len - 1] != ']')
		return false;
	s.p++;
	s.len -= 2;
	if (memchr(s.p, '\0', s.len) != NULL || !str_copy(s, text,
	    sizeof(text)))
		return false;
	if (strncasecmp(text, "IPv6:", 5) == 0)
		return inet_pton(AF_INET6, text + 5, b) == 1;
	return inet_pton(AF_INET, text, b) == 1;
}

static bool
valid_domain_part(struct str s)
{
	struct buf b;
	bool ok;

	if (utf8_is_ascii(s))
		return addr_valid_domain(s) || addr_valid_literal(s);
	buf_init(&b, ADDR_MAXDOMAIN + 1);
	ok = idn_ascii(&b, s);
	buf_free(&b);
	return ok;
}

static bool
is_dot_atom(struct str s)
{
	size_t i;

	if (s.len == 0 || s.p[0] == '.' || s.p[s.len - 1] == '.')
		return false;
	for (i = 0; i < s.len; i++)
		if (!is_atext((unsigned char)s.p[i]) &&
		    (s.p[i] != '.' || s.p[i - 1] == '.'))
			return false;
	return true;
}

bool
addr_valid_local(struct str s)
{
	struct cur c = cur_make(s.p, s.len);

	if (s.len == 0 || s.len > ADDR_MAXLOCAL || !utf8_valid(s))
		return false;
	if (s.p[0] == '"')
		return skip_quoted(&c) && cur_left(&c) == 0;
	return is_dot_atom(s);
}

/* --- taking one apart --- */

/*
 * Where a byte of the set stands outside quotes: the first, or the last one.
 * -1 if nowhere.  Bad quoting hides the rest.
 */
static ssize_t
find(struct str s, const char *set, bool last)
{
	struct cur c = cur_make(s.p, s.len);
	ssize_t at = -1;
	int ch;

	while ((ch = cur_peek(&c)) != -1) {
		if (ch == '"') {
			if (!skip_quoted(&c))
				break;
			continue;
		}
		if (ch != 0 && strchr(set, ch) != NULL) {
			at = c.p - s.p;
			if (!last)
				break;
		}
		cur_get(&c);
	}
	return at;
}

static struct str
head(struct str s, size_t n)
{
	return (struct str){ s.p, n };
}

static struct str
tail(struct str s, size_t from)
{
	return (struct str){ s.p + from, s.len - from };
}

bool
addr_split(struct str s, struct str *local, struct str *domain)
{
	ssize_t at = find(s, "@", true);

	if (at < 0) {
		*local = s;
		*domain = tail(s, s.len);
		return false;
	}
	*local = head(s, at);
	*domain = tail(s, at + 1);
	return true;
}

/* --- SMTP paths --- */

static bool
is_domain_byte(int ch)
{
	return ch >= 0x80 || (ch > 0 &&
	    (isalnum(ch) || strchr("-._", ch) != NULL));
}

/* One mailbox at the cursor, with or without a domain; what it covers. */
static bool
mailbox(struct cur *c, struct str *out)
{
	struct str local, domain;
	const char *start = c->p;

	if (cur_peek(c) == '"') {
		if (!skip_quoted(c))
			return false;
	} else {
		while (is_atext(cur_peek(c)) || cur_peek(c) == '.')
			cur_get(c);
	}
	local = (struct str){ start, c->p - start };
	if (!addr_valid_local(local))
		return false;
	if (cur_lit(c, "@")) {
		domain.p = c->p;
		if (cur_peek(c) == '[') {
			if (!skip_literal(c))
				return false;
		} else
			while (is_domain_byte(cur_peek(c)))
				cur_get(c);
		domain.len = c->p - domain.p;
		if (!valid_domain_part(domain))
			return false;
	}
	*out = (struct str){ start, c->p - start };
	return out->len <= ADDR_MAX;
}

/* "@a,@b:" before a mailbox; what it covers, empty if none is there. */
static bool
source_route(struct cur *c, struct str *out)
{
	const char *start = c->p;
	struct str domain;

	while (cur_lit(c, "@")) {
		domain = cur_until(c, ",:>");
		if (!valid_domain_part(domain))
			return false;
		if (cur_lit(c, ":")) {
			*out = (struct str){ start, c->p - start };
			return out->len <= ADDR_MAX;
		}
		if (!cur_lit(c, ","))
			return false;
		cur_ws(c);
	}
	*out = (struct str){ start, 0 };
	return c->p == start;
}

static bool
put_mailbox(struct buf *out, struct str box)
{
	struct str local, domain;

	if (utf8_is_ascii(box) || !addr_split(box, &local, &domain))
		return buf_add(out, box.p, box.len);
	return buf_add(out, local.p, local.len) && buf_putc(out, '@') &&
	    idn_ascii(out, domain);
}

int
addr_path(struct cur *c, struct buf *out, bool lax)
{
	struct str route, box;
	bool angle;

	if (lax)
		cur_ws(c);
	angle = cur_lit(c, "<");
	if (!angle && !lax)
		return -1;
	if (lax)
		cur_ws(c);
	if (angle && cur_lit(c, ">"))
		return buf_puts(out, "") ? 0 : -1;
	if (!source_route(c, &route) || !mailbox(c, &box))
		return -1;
	if (lax && angle)
		cur_ws(c);
	if (angle && !cur_lit(c, ">"))
		return -1;
	if (route.len + box.len > ADDR_MAX || !put_mailbox(out, box))
		return -1;
	return 0;
}

char *
addr_dup(struct str s)
{
	struct cur c = cur_make(s.p, s.len);
	struct buf b;
	char *p;

	if (utf8_is_ascii(s))
		return str_dup(s);
	buf_init(&b, ADDR_MAX + 1);
	p = addr_path(&c, &b, true) == 0 && cur_left(&c) == 0 ?
	    buf_steal(&b) : str_dup(s);
	buf_free(&b);
	return p;
}

/* --- the Router's view --- */

/* There [1.2.3.4:26] is a host at a port. */
static bool
valid_host(struct str s)
{
	const char *colon = memchr(s.p, ':', s.len);
	char literal[32];
	struct cur c;
	uint64_t port;
	size_t n;

	if (valid_domain_part(s))
		return true;
	if (colon == NULL || (n = colon - s.p) + 2 > sizeof(literal))
		return false;
	memcpy(literal, s.p, n);
	literal[n] = ']';
	c = cur_make(colon + 1, s.len - n - 1);
	return addr_valid_literal((struct str){ literal, n + 1 }) &&
	    cur_u64(&c, &port, 65535) && port > 0 && cur_lit(&c, "]") &&
	    cur_left(&c) == 0;
}

/*
 * A local part without needless quotes: "john" is john, but "a%b" stays as it
 * is, for its percent sign is no route.
 */
static bool
put_plain_local(struct buf *out, struct str s)
{
	struct buf raw;
	struct str plain;
	size_t i;
	bool ok;

	if (s.len == 0 || s.p[0] != '"')
		return addr_valid_local(s) && buf_add(out, s.p, s.len);
	if (!addr_valid_local(s))
		return false;
	buf_init(&raw, ADDR_MAX);
	for (i = 1; i + 1 < s.len; i++) {
		if (s.p[i] == '\\')
			i++;
		buf_putc(&raw, s.p[i]);
	}
	plain = (struct str){ raw.p != NULL ? raw.p : "", raw.len };
	if (is_dot_atom(plain) && find(plain, "%!", false) < 0)
		ok = buf_add(out, plain.p, plain.len);
	else
		ok = buf_add(out, s.p, s.len);
	ok = ok && !raw.failed;
	buf_free(&raw);
	return ok;
}

/*
 * The % notation of something that has no @ outside quotes.  A percent sign
 * binds weaker than a bang: a!b%c goes to c first, then to a.
 */
static bool
put_percent(struct buf *out, struct str s)
{
	ssize_t at;

	at = find(s, "%", true);
	if (at >= 0) {
		return valid_host(tail(s, at + 1)) &&
		    put_percent(out, head(s, at)) && buf_putc(out, '%') &&
		    idn_ascii(out, tail(s, at + 1));
	}
	at = find(s, "!", false);
	if (at >= 0) {
		return valid_host(head(s, at)) &&
		    put_percent(out, tail(s, at + 1)) &&
		    buf_putc(out, '%') && idn_ascii(out, head(s, at));
	}
	return put_plain_local(out, s);
}

static bool
put_mailbox_percent(struct buf *out, struct str s)
{
	struct str local, domain;

	if (!addr_split(s, &local, &domain))
		return put_percent(out, s);
	return valid_host(domain) && put_percent(out, local) &&
	    buf_putc(out, '%') && idn_ascii(out, domain);
}

/* "@a,@b:c@d": a is first; what is left is c%d%b. */
static int
parse_source_route(struct str s, struct buf *local, struct buf *domain)
{
	struct cur c = cur_make(s.p, s.len);
	struct str route, first, rest;
	ssize_t at;

	if (!source_route(&c, &route) || route.len < 3)
		return -1;
	rest = (struct str){ route.p + 1, route.len - 2 };
	at = find(rest, ",", false);
	first = at < 0 ? rest : head(rest, at);
	if (!idn_ascii(domain, first) ||
	    !put_mailbox_percent(local,
	    (struct str){ c.p, cur_left(&c) }))
		return -1;
	/* The last relay named is the one right before the mailbox. */
	while (at >= 0 && (at = find(rest, "@", true)) >= 0) {
		struct str d = tail(rest, at + 1);

		if (!buf_putc(local, '%') || !idn_ascii(local, d))
			return -1;
		rest = head(rest, at);
		while (rest.len > 0 && strchr(", \t", rest.p[rest.len - 1]))
			rest.len--;
	}
	return 0;
}

int
addr_route_parse(struct str s, struct buf *local, struct buf *domain)
{
	struct str l, d;
	ssize_t at;

	if (s.len >= 2 && s.p[0] == '<' && s.p[s.len - 1] == '>')
		s = (struct str){ s.p + 1, s.len - 2 };
	if (s.len > ADDR_MAX)
		return -1;
	if (s.len == 0)
		return 0;
	if (s.p[0] == '@')
		return parse_source_route(s, local, domain);
	if (addr_split(s, &l, &d))
		;
	else if ((at = find(s, "%", true)) >= 0) {
		l = head(s, at);
		d = tail(s, at + 1);
	} else if ((at = find(s, "!", false)) >= 0) {
		l = tail(s, at + 1);
		d = head(s, at);
	} else
		return put_plain_local(local, s) ? 0 : -1;
	if (!valid_host(d) || !idn_ascii(domain, d) ||
	    !put_percent(local, l))
		return -1;
	return 0;
}

bool
addr_quote_local(struct buf *out, struct str s)
{
	size_t i;

	if (is_dot_atom(s))
		return buf_add(out, s.p, s.len);
	buf_putc(out, '"');
	for (i = 0; i < s.len; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_putc(out, '\\');
		buf_putc(out, s.p[i]);
	}
	return buf_putc(out, '"');
}
