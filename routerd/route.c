/*
 * The Router: parses an address, applies what fits, and begins anew until a
 * module takes it.  Runs in routerd; must never touch a file or wait.
 *
 * Each step either changes the address (AGAIN) or ends with an answer (DONE);
 * PASS leaves it to the next step.  The order of the steps is the table at
 * the end of this file, and it is the manual's.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "addr.h"
#include "iplist.h"
#include "log.h"
#include "route_int.h"

enum step
route_refuse(struct state *s, int smtp, const char *esc, const char *text)
{
	s->a->code = smtp >= 500 ? 1 : 2;
	s->a->smtp = smtp;
	snprintf(s->a->esc, sizeof(s->a->esc), "%s", esc);
	snprintf(s->a->text, sizeof(s->a->text), "%s", text);
	return DONE;
}

enum step
route_too_long(struct state *s)
{
	return route_refuse(s, 553, "5.1.3", "the address is too long");
}

/*
 * What is in the quotes, unless it would mean something else without them: a
 * percent sign in quotes is no route.
 */
static const char *
unquote(struct state *s, struct str l)
{
	char *out = s->unquoted;
	size_t i;

	for (i = 1; i + 1 < l.len; i++) {
		if (l.p[i] == '\\' && i + 2 < l.len)
			i++;
		if (strchr("%!@\"", l.p[i]) != NULL)
			return s->local;
		*out++ = l.p[i];
	}
	*out = '\0';
	return s->unquoted;
}

bool
route_set_local(struct state *s, struct str l)
{
	if (!str_copy(l, s->local, sizeof(s->local)))
		return false;
	s->plain = s->local;
	if (l.len >= 2 && s->local[0] == '"' && s->local[l.len - 1] == '"')
		s->plain = unquote(s, (struct str){ s->local, l.len });
	return name_lower(str_make(s->plain), s->lower, sizeof(s->lower));
}

enum step
route_set_address(struct state *s, const char *text)
{
	static struct buf local, domain;	/* kept: no malloc a route */

	s->forced = NULL;
	buf_reset(&local);
	buf_reset(&domain);
	if (addr_route_parse(str_make(text), &local, &domain) == -1)
		return route_refuse(s, 501, "5.1.3", "this is not an address");
	if (!route_set_local(s, (struct str){ local.p, local.len }) ||
	    !name_lower((struct str){ domain.p, domain.len }, s->domain,
	    sizeof(s->domain)))
		return route_too_long(s);
	return AGAIN;
}

enum step
route_set_domain(struct state *s, struct str name)
{
	return name_domain(name, s->domain, sizeof(s->domain)) ? AGAIN :
	    route_too_long(s);
}

bool
route_suffix(const char *s, const char *suffix, size_t *len)
{
	size_t n = strlen(s), m = strlen(suffix);

	if (n <= m || memcmp(s + n - m, suffix, m) != 0)
		return false;
	*len = n - m;
	return true;
}

bool
route_is_client(const struct state *s)
{
	return *s->q->account != '\0' || s->q->client ||
	    (*s->q->peer != '\0' && s->env->clients != NULL &&
	    iplist_has(s->env->clients, s->q->peer)) ||
	    (s->env->is_roaming != NULL && s->env->is_roaming(s->q->peer));
}

bool
route_is_simple(const struct state *s)
{
	return strpbrk(s->local, "%!@\"") == NULL;
}

/* 10.0.0.1 means [10.0.0.1]; a final dot means nothing. */
static void
tidy_domain(struct state *s)
{
	size_t len = strlen(s->domain);
	struct in_addr in;

	if (len > 0 && s->domain[len - 1] == '.')
		s->domain[--len] = '\0';
	if (len == 0 || !isdigit((unsigned char)s->domain[0]) || len > 15)
		return;
	if (strspn(s->domain, "0123456789.") != len)
		return;
	if (inet_pton(AF_INET, s->domain, &in) != 1)
		return;
	memmove(s->domain + 1, s->domain, len);
	s->domain[0] = '[';
	s->domain[len + 1] = ']';
	s->domain[len + 2] = '\0';
}

/* The Main Domain becomes "", and what is left is parsed again; aliases. */
static enum step
step_own_domain(struct state *s)
{
	struct domain *d;

	tidy_domain(s);
	if (*s->domain == '\0') {
		if (s->local[0] == '"' || strpbrk(s->local, "%!@") == NULL)
			return PASS;
		if (route_set_address(s, s->local) == DONE)
			return DONE;
		return *s->domain == '\0' ? PASS : AGAIN;
	}
	if ((d = names_domain(s->env->names, s->domain)) == NULL)
		return PASS;
	if (d->main) {
		s->domain[0] = '\0';
		return AGAIN;
	}
	if (strcmp(d->name, s->domain) != 0)
		return route_set_domain(s, str_make(d->name));
	return PASS;
}

/* --- records --- */

/* Each asterisk of a right side becomes the text. */
static bool
expand(const char *right, struct str star, char *out, size_t size)
{
	struct cur from = cur_str(right);
	struct str part;
	size_t n = 0;

	for (;;) {
		part = cur_until(&from, "*");
		if (part.len >= size - n)
			return false;
		memcpy(out + n, part.p, part.len);
		n += part.len;
		if (!cur_lit(&from, "*"))
			break;
		if (star.len >= size - n)
			return false;
		memcpy(out + n, star.p, star.len);
		n += star.len;
	}
	out[n] = '\0';
	return true;
}

/* May this stand in an address as it is?  A piece of a name may be "." */
static bool
needs_no_quotes(struct str s)
{
	size_t i;

	if (s.len >= 2 && s.p[0] == '"')
		return addr_valid_local(s);
	for (i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f ||
		    strchr("()<>[]:;,\\\"@", s.p[i]) != NULL)
			return false;
	return true;
}

/*
 * What came in quotes goes on in quotes; where there are some already, or
 * other text beside it, that is no address and is refused: nobody adds words
 * to a command of ours.
 */
static enum step
substitute(struct state *s, const char *right, struct str star)
{
	char text[RECORD_MAXSIDE + ROUTE_MAXLOCAL + 1];
	struct buf quoted;
	bool ok = true;

	buf_init(&quoted, 0);
	if (!needs_no_quotes(star)) {
		ok = addr_quote_local(&quoted, star);
		star = (struct str){ quoted.p, quoted.len };
	}
	ok = ok && expand(right, star, text, sizeof(text));
	buf_free(&quoted);
	return ok ? route_set_address(s, text) : route_too_long(s);
}

/*
 * The address is about to lead elsewhere: is everybody's mail taken there,
 * too?  Not with a route in it, for who relays to us may be trusted there.
 */
static void
mark(struct state *s, enum record_relay relay)
{
	if (relay == REC_RELAYALL ||
	    (relay == REC_RELAY && route_is_simple(s)))
		s->marked = true;
}

enum step
route_forward(struct state *s, const char *right)
{
	mark(s, REC_RELAY);
	return substitute(s, right, str_make(s->plain));
}

/* "d1@d2" for a domain: to d2, which shall deliver it to d1. */
static enum step
apply_domain(struct state *s, const char *right)
{
	const char *at = strrchr(right, '@');
	char local[ROUTE_MAXLOCAL + 1];
	int n;

	if (at == NULL)
		return route_set_domain(s, str_make(right));
	n = snprintf(local, sizeof(local), "%s%%%.*s", s->local,
	    (int)(at - right), right);
	if (n < 0 || (size_t)n >= sizeof(local) ||
	    !route_set_local(s, (struct str){ local, n }))
		return route_too_long(s);
	return route_set_domain(s, str_make(at + 1));
}

enum step
route_apply(struct state *s, const struct record *r, size_t star,
    size_t starlen)
{
	char right[RECORD_MAXSIDE + DOMAIN_MAXLEN + 1];

	s->line = r->line;
	mark(s, r->relay);
	if (r->alias && r->star == NULL)
		return route_set_address(s, r->right);
	if (r->alias)
		return substitute(s, r->right,
		    (struct str){ s->plain + star, starlen });
	if (r->star == NULL)
		return apply_domain(s, r->right);
	if (!expand(r->right, (struct str){ s->domain + star, starlen },
	    right, sizeof(right)))
		return route_too_long(s);
	return apply_domain(s, right);
}

static enum step
step_table(struct state *s)
{
	const struct record *r;
	size_t star, starlen;

	if (s->forced != NULL)
		return PASS;
	r = table_find(s->env->table, s->mode, str_make(s->lower),
	    str_make(s->domain), &star, &starlen);
	return r == NULL ? PASS : route_apply(s, r, star, starlen);
}

static void
take_system(struct state *s, const char *what)
{
	memcpy(s->a->module, "SYSTEM", sizeof("SYSTEM"));
	snprintf(s->a->host, sizeof(s->a->host), "%s", what);
	s->a->relay = true;
}

static enum step
take_null(struct state *s)
{
	take_system(s, "NULL");
	return DONE;
}

static enum step
take_error(struct state *s)
{
	return route_refuse(s, 550, "5.7.1", "blacklisted address");
}

/* Told by its host's name, for the whole message goes with it. */
static enum step
take_spamtrap(struct state *s)
{
	take_system(s, "SPAMTRAP");
	return route_refuse(s, 550, "5.7.1", "blacklisted address");
}

/* A blacklisted host is told of the white hole, if that is its usual one. */
static enum step
take_blacklisted(struct state *s)
{
	char text[sizeof(s->a->text)];
	size_t star, len;

	if (*s->domain == '\0')
		return route_refuse(s, 591, "5.7.1", "blacklisted address");
	if (table_find(s->env->table, s->mode, str_make("blacklist-admin"),
	    str_make("blacklisted"), &star, &len) == NULL)
		return route_refuse(s, 591, "5.7.1", "your host is "
		    "blacklisted, no mail is accepted from it");
	snprintf(text, sizeof(text), "your host is blacklisted, send your "
	    "questions to blacklist-admin@%.160s", s->env->names->main->name);
	return route_refuse(s, 591, "5.7.1", text);
}

static enum step
step_special(struct state *s)
{
	static const struct {
		const char	*word;
		bool		 local;		/* a name only, no domain */
		enum step	(*take)(struct state *);
	} words[] = {
		{ "null",		false,	take_null },
		{ "mailer-daemon",	true,	take_null },
		{ "error",		false,	take_error },
		{ "blacklisted",	false,	take_blacklisted },
		{ "spamtrap",		true,	take_spamtrap }
	};
	bool local = *s->domain == '\0';
	const char *word = local ? s->lower : s->domain;
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i].word) == 0 &&
		    (local || !words[i].local))
			return words[i].take(s);
	return PASS;
}

/* One of our own addresses stands for a domain. */
static enum step
step_ip(struct state *s)
{
	struct domain *d;
	char ip[64];

	if (s->domain[0] != '[' ||
	    !route_literal_ip(s->domain, ip, sizeof(ip)))
		return PASS;
	d = map_get(s->env->addresses, ip, strlen(ip));
	if (d == NULL)
		return PASS;
	if (d->main) {
		s->domain[0] = '\0';
		return AGAIN;
	}
	return route_set_domain(s, str_make(d->name));
}

/* Nobody knew it: a name without a dot may be one of our neighbours. */
static enum step
step_unqualified(struct state *s)
{
	char domain[DOMAIN_MAXLEN + 1];

	if (*s->env->add_domain == '\0')
		return route_refuse(s, 550, "5.1.2", "unknown host name");
	if (snprintf(domain, sizeof(domain), "%s.%s", s->domain,
	    s->env->add_domain) > DOMAIN_MAXLEN)
		return route_too_long(s);
	return route_set_domain(s, str_make(domain));
}

/* A login name without a domain is one of the address it came to. */
static enum step
access_domain(struct state *s)
{
	const char *ip = s->q->local;
	const struct domain *d;

	if (*s->domain != '\0' || *ip == '\0')
		return PASS;
	if (s->env->unassigned != NULL &&
	    map_get(s->env->unassigned, ip, strlen(ip)) != NULL)
		return route_refuse(s, 550, "5.1.1",
		    "the account's domain must be given here");
	d = map_get(s->env->addresses, ip, strlen(ip));
	if (d != NULL && !d->main)
		route_set_domain(s, str_make(d->name));
	return PASS;
}

/* The Router's own, the modules' first call, their final one. */
static const struct {
	enum step	(*fn)(struct state *);
	const char	*name;
} steps[] = {
	{ step_own_domain,	"own domain" },
	{ step_table,		"table" },
	{ step_special,		"special address" },
	{ step_ip,		"own address" },
	{ route_local_first,	"LOCAL" },
	{ route_smtp_first,	"SMTP" },
	{ route_pipe_first,	"PIPE" },
	{ route_list_first,	"LIST" },
	{ route_local_final,	"LOCAL, final" },
	{ route_smtp_final,	"SMTP, final" },
	{ step_unqualified,	"non-qualified domain" }
};

/* One turn; tells which step it was that changed or answered. */
static enum step
turn(struct state *s, size_t *i)
{
	enum step rv = PASS;

	for (*i = 0;; ++*i)
		if ((rv = steps[*i].fn(s)) != PASS)
			return rv;
}

static void
tell(const struct state *s, size_t i)
{
	char line[32] = "";

	if (s->line != 0)
		snprintf(line, sizeof(line), ", line %u", s->line);
	log_msg(LOG_ALL, "'<%s>': %s%s: now '<%s%s%s>'", s->q->address,
	    steps[i].name, line, s->local, *s->domain != '\0' ? "@" : "",
	    s->domain);
}

static void
turn_on(struct state *s)
{
	/* A login's name may be a password in the wrong place. */
	bool told = log_get_level() >= LOG_ALL && !s->q->access;
	size_t i;
	int n;

	for (n = 0; n < ROUTE_MAXSTEPS; n++) {
		s->line = 0;
		if (turn(s, &i) == DONE)
			return;
		if (told)
			tell(s, i);
	}
	log_msg(LOG_PROBLEM, "'<%s>' is routed in a loop, at last as '<%s%s%s>'"
	    " by the step: %s", s->q->access ? "*" : s->q->address,
	    s->q->access ? "*" : s->local, *s->domain != '\0' ? "@" : "",
	    s->domain, steps[i].name);
	route_refuse(s, 554, "5.4.6", "the address is routed in a loop");
}

void
route_address(const struct route_env *env, const struct route_query *q,
    struct route_answer *a)
{
	static struct state s;		/* 4 KiB that need no clearing */

	s.env = env;
	s.q = q;
	s.mode = q->access ? ROUTE_ACCESS : q->signal ? ROUTE_SIGNAL :
	    ROUTE_MAIL;
	s.alias[0] = '\0';
	s.a = a;
	s.marked = s.wakeup = false;
	a->code = a->smtp = 0;
	a->esc[0] = a->text[0] = a->module[0] = a->host[0] = '\0';
	a->address[0] = a->path[0] = a->domain[0] = a->alias[0] = '\0';
	a->relay = a->backup = a->consult = a->by_host = false;
	if (route_set_address(&s, q->address) == DONE)
		return;
	if (q->access && access_domain(&s) == DONE)
		return;
	turn_on(&s);
	if (s.wakeup)
		route_wakeup_end(&s);
}
