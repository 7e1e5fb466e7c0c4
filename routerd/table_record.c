/*
 * One line of the Routing Table into a record.  Runs in routerd; knows what a
 * record may look like, not what it leads to.
 *
 *	[prefix:]... domain = right ; comment
 *	[prefix:]... <local[@domain]> = right ; comment
 */
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "idn.h"
#include "names.h"
#include "table.h"

void
record_free(struct record *r)
{
	if (r == NULL)
		return;
	free(r->local);
	free(r->domain);
	free(r->right);
	free(r);
}

static struct str
trim(struct str s)
{
	while (s.len > 0 && strchr(" \t\r", *s.p) != NULL)
		s.p++, s.len--;
	while (s.len > 0 && strchr(" \t\r", s.p[s.len - 1]) != NULL)
		s.len--;
	return s;
}

static char *
lower_dup(struct str s)
{
	char *p = xcalloc(1, s.len + 1);

	name_lower(s, p, s.len + 1);
	return p;
}

/*
 * A domain, or two with @ between, in ASCII, label by label: one of them may be
 * an asterisk.  What is no name stays, and is refused later.
 */
static char *
domain_dup(struct str s)
{
	struct cur c = cur_make(s.p, s.len);
	struct str label;
	struct buf b;
	char *p;

	buf_init(&b, 0);
	while (cur_left(&c) > 0) {
		label = cur_until(&c, ".@");
		if (!idn_ascii(&b, label))
			buf_add(&b, label.p, label.len);
		if (cur_left(&c) > 0)
			buf_putc(&b, cur_get(&c));
	}
	p = xstrdup(b.p != NULL ? b.p : "");
	buf_free(&b);
	return p;
}

static char *
lower_domain_dup(struct str s)
{
	char *p = domain_dup(s);

	name_lower(str_make(p), p, strlen(p) + 1);
	return p;
}

/* Takes what stands before the byte (outside quotes), and the byte itself. */
static bool
take_until(struct cur *c, int byte, struct str *out)
{
	const char *start = c->p;
	bool quoted = false;
	int ch;

	for (; (ch = cur_peek(c)) != -1; cur_get(c)) {
		if (ch == '\\' && quoted && cur_left(c) > 1)
			cur_get(c);
		else if (ch == '"')
			quoted = !quoted;
		else if (ch == byte && !quoted)
			break;
	}
	*out = trim((struct str){ start, c->p - start });
	return cur_get(c) == byte;
}

/* One word and its colon; *why tells why it is none of ours. */
static bool
take_prefix(struct cur *c, struct record *r, const char **why)
{
	static const struct {
		const char	*word;
		int		 relay;		/* or -1 */
		unsigned int	 mode;
	} words[] = {
		{ "relay", REC_RELAY, 0 },
		{ "r", REC_RELAY, 0 },
		{ "norelay", REC_NORELAY, 0 },
		{ "n", REC_NORELAY, 0 },
		{ "relayall", REC_RELAYALL, 0 },
		{ "mail", -1, ROUTE_MAIL },
		{ "access", -1, ROUTE_ACCESS },
		{ "signal", -1, ROUTE_SIGNAL }
	};
	struct cur ahead = *c;
	struct str word;
	size_t i;

	word = cur_until(&ahead, ": \t<>[=;\"");
	if (word.len == 0 || cur_get(&ahead) != ':')
		return false;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!str_caseeq(word, words[i].word))
			continue;
		if (words[i].relay != -1)
			r->relay = words[i].relay;
		r->modes |= words[i].mode;
		*c = ahead;
		return true;
	}
	*why = "an unknown prefix";
	return false;
}

static size_t
count_stars(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += *s == '*';
	return n;
}

static struct str
unquote(struct str s)
{
	if (s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"' &&
	    memchr(s.p, '\\', s.len) == NULL)
		return (struct str){ s.p + 1, s.len - 2 };
	return s;
}

static const char *
set_alias(struct record *r, struct str left)
{
	struct str local, domain;

	addr_split(left, &local, &domain);
	r->alias = true;
	r->local = lower_dup(unquote(local));
	r->domain = lower_domain_dup(domain);
	if (*r->local == '\0')
		return "no name left of the @";
	if (strchr(r->domain, '*') != NULL)
		return "an asterisk in the domain of an alias";
	if (count_stars(r->local) > 1)
		return "more than one asterisk on the left";
	r->star = strchr(r->local, '*');
	return NULL;
}

static const char *
set_domain(struct record *r, struct str left)
{
	r->local = xstrdup("");
	r->domain = lower_domain_dup(left);
	if (*r->domain == '\0')
		return "nothing left of the =";
	if (strchr(r->domain, '@') != NULL)
		return "an address on the left must stand in < and >";
	if (count_stars(r->domain) > 1)
		return "more than one asterisk on the left";
	r->star = strchr(r->domain, '*');
	return NULL;
}

static const char *
parse_left(struct cur *c, struct record *r)
{
	const char *why = NULL;
	struct str left, rest;

	cur_ws(c);
	while (take_prefix(c, r, &why))
		cur_ws(c);
	if (why != NULL)
		return why;
	if (r->modes == 0)
		r->modes = ROUTE_ANY;
	if (cur_lit(c, "<")) {
		if (!take_until(c, '>', &left))
			return "no > behind the <";
		if (!take_until(c, '=', &rest))
			return "no =";
		if (rest.len > 0)
			return "something between the > and the =";
		why = set_alias(r, left);
	} else {
		if (!take_until(c, '=', &left))
			return "no =";
		why = set_domain(r, left);
	}
	if (why == NULL && strpbrk(r->domain, " \t<>\"@") != NULL)
		why = "a bad character in the domain";
	if (why == NULL && (strlen(r->domain) > DOMAIN_MAXLEN ||
	    strlen(r->local) > RECORD_MAXSIDE))
		why = "too long on the left";
	return why;
}

/* A domain, or "domain@relay". */
static const char *
check_domain(struct str right)
{
	const char *at = memchr(right.p, '@', right.len);
	struct cur c = cur_make(right.p, right.len);

	if (cur_until(&c, " \t<>\"").len != right.len)
		return "a bad character on the right";
	if (at != NULL && (at == right.p ||
	    at + 1 == right.p + right.len ||
	    memchr(at + 1, '@', right.p + right.len - at - 1) != NULL))
		return "not a domain, nor domain@relay, on the right";
	return NULL;
}

/* An address with a letter for each asterisk. */
static const char *
check_address(struct str right)
{
	char text[RECORD_MAXSIDE + 1];
	struct buf local, domain;
	size_t i;
	int rc;

	if (right.len == 0)
		return "nothing right of the =";
	for (i = 0; i < right.len; i++)
		text[i] = right.p[i] == '*' ? 'x' : right.p[i];
	buf_init(&local, 0);
	buf_init(&domain, 0);
	rc = addr_route_parse((struct str){ text, right.len }, &local,
	    &domain);
	buf_free(&local);
	buf_free(&domain);
	return rc == -1 ? "not an address on the right" : NULL;
}

static const char *
parse_right(struct cur *c, struct record *r)
{
	struct str right;

	take_until(c, ';', &right);
	if (right.len > RECORD_MAXSIDE)
		return "too long on the right";
	if (r->alias) {
		r->right = xcalloc(1, right.len + 1);
		memcpy(r->right, right.p, right.len);
		return check_address(right);
	}
	r->right = domain_dup(right);
	return strlen(r->right) > RECORD_MAXSIDE ? "too long on the right" :
	    check_domain(str_make(r->right));
}

struct record *
record_parse(struct str line, const char **why)
{
	struct cur c;
	struct record *r;

	*why = NULL;
	line = trim(line);
	if (line.len == 0 || *line.p == ';')
		return NULL;
	c = cur_make(line.p, line.len);
	r = xcalloc(1, sizeof(*r));
	if ((*why = parse_left(&c, r)) != NULL ||
	    (*why = parse_right(&c, r)) != NULL) {
		record_free(r);
		return NULL;
	}
	if (r->star != NULL) {
		r->head = r->star - (r->alias ? r->local : r->domain);
		r->tail = strlen(r->star + 1);
	}
	return r;
}
