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
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "addr.h"
#include "iplist.h"
#include "route.h"

enum step { PASS, AGAIN, DONE };

struct state {
	const struct route_env		*env;
	const struct route_query	*q;
	struct route_answer		*a;
	char	 local[ROUTE_MAXLOCAL + 1];	/* as written */
	char	 lower[ROUTE_MAXLOCAL + 1];	/* lower case, unquoted */
	char	 domain[DOMAIN_MAXLEN + 1];	/* lower case */
	char	 alias[ROUTE_MAXLOCAL + 1];	/* the first that a record had */
	struct domain	*forced;	/* .here: no table any more */
	bool	 marked;		/* a record allowed relaying */
};

static enum step
refuse(struct state *s, int smtp, const char *esc, const char *text)
{
	s->a->code = smtp >= 500 ? 1 : 2;
	s->a->smtp = smtp;
	snprintf(s->a->esc, sizeof(s->a->esc), "%s", esc);
	snprintf(s->a->text, sizeof(s->a->text), "%s", text);
	return DONE;
}

static enum step
too_long(struct state *s)
{
	return refuse(s, 553, "5.1.3", "the address is too long");
}

/* Takes quotes off if what is in them needs none. */
static void
set_lower(struct state *s)
{
	struct str l = str_make(s->local);

	if (l.len >= 2 && l.p[0] == '"' && l.p[l.len - 1] == '"' &&
	    strpbrk(l.p, "\\@%!") == NULL) {
		memmove(s->local, s->local + 1, l.len - 2);
		s->local[l.len - 2] = '\0';
		l.p = s->local;
		l.len -= 2;
	}
	name_lower(l, s->lower, sizeof(s->lower));
}

/* Sets a new address from text: the Router starts again with it. */
static enum step
set_address(struct state *s, const char *text)
{
	static struct buf local, domain;	/* kept: no malloc a route */
	enum step rv = AGAIN;

	s->forced = NULL;
	buf_reset(&local);
	buf_reset(&domain);
	if (addr_route_parse(str_make(text), &local, &domain) == -1)
		return refuse(s, 501, "5.1.3", "this is not an address");
	if (!str_copy((struct str){ local.p, local.len }, s->local,
	    sizeof(s->local)) ||
	    !name_lower((struct str){ domain.p, domain.len }, s->domain,
	    sizeof(s->domain)))
		rv = too_long(s);
	set_lower(s);
	return rv;
}

static enum step
set_domain(struct state *s, struct str name)
{
	return name_lower(name, s->domain, sizeof(s->domain)) ? AGAIN :
	    too_long(s);
}

static bool
has_suffix(const char *s, const char *suffix, size_t *len)
{
	size_t n = strlen(s), m = strlen(suffix);

	if (n <= m || strcmp(s + n - m, suffix) != 0)
		return false;
	*len = n - m;
	return true;
}

/* The last domain in a local part goes behind an @: a%b%c is a%b@c. */
static void
to_standard(const char *local, const char *host, char *out, size_t size)
{
	const char *pct = local[0] == '"' ? NULL : strrchr(local, '%');

	if (pct != NULL && pct != local && pct[1] != '\0')
		snprintf(out, size, "%.*s@%s", (int)(pct - local), local,
		    pct + 1);
	else
		snprintf(out, size, "%s@%s", local, host);
}

/* Is this sender one of ours?  Loopback is nobody's client by itself. */
static bool
is_client(const struct state *s)
{
	return *s->q->account != '\0' ||
	    (*s->q->peer != '\0' && s->env->clients != NULL &&
	    iplist_has(s->env->clients, s->q->peer));
}

static enum step
take_smtp(struct state *s, const char *host, const char *address)
{
	struct route_answer *a = s->a;

	if (strlen(host) >= sizeof(a->host) ||
	    strlen(address) >= sizeof(a->address))
		return too_long(s);
	snprintf(a->module, sizeof(a->module), "SMTP");
	snprintf(a->host, sizeof(a->host), "%s", host);
	snprintf(a->address, sizeof(a->address), "%s", address);
	a->relay = s->marked || is_client(s);
	return DONE;
}

static enum step
take_local(struct state *s, const struct domain *d, const struct account *acc,
    const char *name, const char *rest)
{
	struct route_answer *a = s->a;
	int n;

	n = d->main ? snprintf(a->host, sizeof(a->host), "%s", name) :
		      snprintf(a->host, sizeof(a->host), "%s@%s", name,
			  d->name);
	if (n >= (int)sizeof(a->host) || strlen(rest) >= sizeof(a->address) ||
	    (acc != NULL && !names_path(d, acc, a->path, sizeof(a->path))))
		return too_long(s);
	snprintf(a->module, sizeof(a->module), "LOCAL");
	snprintf(a->address, sizeof(a->address), "%s", rest);
	snprintf(a->domain, sizeof(a->domain), "%s", d->name);
	str_copy(str_make(*s->alias != '\0' ? s->alias : name), a->alias,
	    sizeof(a->alias));
	a->relay = true;
	return DONE;
}

static enum step
take_null(struct state *s)
{
	snprintf(s->a->module, sizeof(s->a->module), "SYSTEM");
	snprintf(s->a->host, sizeof(s->a->host), "NULL");
	s->a->relay = true;
	return DONE;
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
	char again[ROUTE_MAXLOCAL + 1];
	struct domain *d;

	tidy_domain(s);
	if (*s->domain == '\0') {
		if (s->local[0] == '"' || strpbrk(s->local, "%!@") == NULL)
			return PASS;
		memcpy(again, s->local, sizeof(again));
		if (set_address(s, again) == DONE)
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
		return set_domain(s, str_make(d->name));
	return PASS;
}

/* Right side of a record with the asterisk's text in it. */
static bool
expand(const char *right, const char *star, size_t starlen, char *out,
    size_t size)
{
	const char *at = star == NULL ? NULL : strchr(right, '*');
	int n;

	if (at == NULL)
		n = snprintf(out, size, "%s", right);
	else
		n = snprintf(out, size, "%.*s%.*s%s", (int)(at - right), right,
		    (int)starlen, star, at + 1);
	return n >= 0 && (size_t)n < size;
}

static void
mark(struct state *s, const struct record *r)
{
	if (r->relay == REC_RELAYALL ||
	    (r->relay == REC_RELAY && strpbrk(s->local, "%!@\"") == NULL))
		s->marked = true;
}

/* "d1@d2" for a domain: to d2, which shall deliver it to d1. */
static enum step
apply_domain(struct state *s, char *right)
{
	char *at = strrchr(right, '@');
	size_t len = strlen(s->local);
	int n;

	if (at == NULL)
		return set_domain(s, str_make(right));
	*at = '\0';
	n = snprintf(s->local + len, sizeof(s->local) - len, "%%%s", right);
	if ((size_t)n >= sizeof(s->local) - len)
		return too_long(s);
	set_lower(s);
	return set_domain(s, str_make(at + 1));
}

/*
 * The lower-case local part has no quotes and is as long as the other one
 * unless quotes had to stay; then the asterisk's text is taken from it.
 */
static enum step
apply(struct state *s, const struct record *r, size_t star, size_t starlen)
{
	char right[ROUTE_MAXLOCAL * 2 + 1];
	const char *from = r->alias ? s->local : s->domain;

	if (!expand(r->right, r->star == NULL ? NULL : from + star, starlen,
	    right, sizeof(right)))
		return too_long(s);
	mark(s, r);
	return r->alias ? set_address(s, right) : apply_domain(s, right);
}

static enum step
step_table(struct state *s)
{
	const struct record *r;
	size_t star, starlen;

	if (s->forced != NULL)
		return PASS;
	r = table_find(s->env->table, str_make(s->lower), str_make(s->domain),
	    &star, &starlen);
	return r == NULL ? PASS : apply(s, r, star, starlen);
}

static enum step
step_special(struct state *s)
{
	const char *word = *s->domain == '\0' ? s->lower : s->domain;

	if (strcmp(word, "null") == 0 ||
	    (*s->domain == '\0' && strcmp(word, "mailer-daemon") == 0))
		return take_null(s);
	if (strcmp(word, "error") == 0)
		return refuse(s, 550, "5.7.1", "blacklisted address");
	if (strcmp(word, "blacklisted") == 0)
		return refuse(s, 591, "5.7.1", "blacklisted address");
	if (*s->domain == '\0' && strcmp(word, "spamtrap") == 0)
		return refuse(s, 550, "5.7.1", "spamtrap");
	return PASS;
}

/* Does the address lead to a host by its number?  "1.2.3.4" from "[1.2.3.4]" */
bool
route_literal_ip(const char *domain, char *ip, size_t size)
{
	struct str d = str_make(domain);
	struct in6_addr in6;

	if (d.len < 3 || d.p[0] != '[' || d.p[d.len - 1] != ']')
		return false;
	d.p++;
	d.len -= 2;
	if (d.len > 5 && strncasecmp(d.p, "ipv6:", 5) == 0) {
		d.p += 5;
		d.len -= 5;
		return str_copy(d, ip, size) &&
		    inet_pton(AF_INET6, ip, &in6) == 1 &&
		    inet_ntop(AF_INET6, &in6, ip, size) != NULL;
	}
	return str_copy(d, ip, size) && inet_pton(AF_INET, ip, &in6) == 1;
}

/* [1.2.3.4:26]: the port stays with the host's name. */
static enum step
take_literal(struct state *s)
{
	char host[DOMAIN_MAXLEN + 1], address[sizeof(s->a->address) + 1];
	char ip[64], *colon = strrchr(s->domain, ':');
	unsigned port = 0;

	snprintf(host, sizeof(host), "%s", s->domain);
	if (colon != NULL && strncmp(s->domain, "[ipv6:", 6) != 0) {
		port = strtoul(colon + 1, NULL, 10);
		host[colon - s->domain] = ']';
		host[colon - s->domain + 1] = '\0';
	}
	if (!route_literal_ip(host, ip, sizeof(ip)) || port > 65535 ||
	    (colon != NULL && port == 0 &&
	    strncmp(s->domain, "[ipv6:", 6) != 0))
		return refuse(s, 553, "5.1.2", "bad address literal");
	to_standard(s->local, host, address, sizeof(address));
	if (port != 0)
		snprintf(host + strlen(host), sizeof(host) - strlen(host),
		    ":%u", port);
	return take_smtp(s, host, address);
}

static enum step
step_ip(struct state *s)
{
	struct domain *d;
	char ip[64];

	if (s->domain[0] != '[')
		return PASS;
	if (!route_literal_ip(s->domain, ip, sizeof(ip)))
		return take_literal(s);
	d = map_get(s->env->addresses, ip, strlen(ip));
	if (d == NULL)
		return take_literal(s);
	if (d->main) {
		s->domain[0] = '\0';
		return AGAIN;
	}
	return set_domain(s, str_make(d->name));
}

/*
 * No such account.  Whose it would be is told all the same: authd counts
 * failed logins by that, so that nobody sees by them who is there.
 */
static enum step
no_account(struct state *s, const struct domain *d, const char *name)
{
	snprintf(s->a->host, sizeof(s->a->host), "%s", name);
	snprintf(s->a->domain, sizeof(s->a->domain), "%s", d->name);
	return refuse(s, 550, "5.1.1", "unknown user account");
}

/* All mail of a domain into one account; what it was for is kept. */
static enum step
take_unified(struct state *s, struct domain *d, const char *name,
    const char *rest)
{
	struct account *acc = names_account(d, name, strlen(name));

	if (acc == NULL)
		return no_account(s, d, name);
	return take_local(s, d, acc, acc->name, rest);
}

static enum step
step_suffix(struct state *s)
{
	char name[DOMAIN_MAXLEN + 1], rest[ROUTE_MAXLOCAL + 1];
	struct domain *d;
	char *pct;
	size_t len;

	if (has_suffix(s->domain, ".local", &len)) {
		s->domain[len] = '\0';
		return take_unified(s, s->env->names->main, s->domain,
		    s->local);
	}
	if (has_suffix(s->domain, ".domain", &len)) {
		s->domain[len] = '\0';
		d = names_domain(s->env->names, s->domain);
		pct = strrchr(s->lower, '%');
		if (d == NULL || pct == NULL)
			return refuse(s, 550, "5.1.2", d == NULL ?
			    "unknown domain" : "no account is named");
		snprintf(rest, sizeof(rest), "%.*s", (int)(pct - s->lower),
		    s->local);
		return take_unified(s, d, pct + 1, rest);
	}
	if (!has_suffix(s->domain, ".here", &len))
		return PASS;
	snprintf(name, sizeof(name), "%.*s", (int)len, s->domain);
	if ((s->forced = names_domain(s->env->names, name)) == NULL)
		return refuse(s, 550, "5.1.2", "unknown domain");
	snprintf(s->domain, sizeof(s->domain), "%s",
	    s->forced->main ? "" : s->forced->name);
	return PASS;
}

/* host.smtp, host.26.smtp (and .via, their later name) */
static enum step
step_smtp_suffix(struct state *s)
{
	char host[DOMAIN_MAXLEN + 1], address[sizeof(s->a->address) + 1];
	struct in_addr in;
	char *dot;
	size_t len;

	if (!has_suffix(s->domain, ".smtp", &len) &&
	    !has_suffix(s->domain, ".via", &len))
		return PASS;
	snprintf(host, sizeof(host), "%.*s", (int)len, s->domain);
	dot = strrchr(host, '.');
	if (dot == NULL || inet_pton(AF_INET, host, &in) == 1 ||
	    dot[1] == '\0' || dot[1 + strspn(dot + 1, "0123456789")] != '\0') {
		to_standard(s->local, host, address, sizeof(address));
		return take_smtp(s, host, address);
	}
	*dot = '\0';
	to_standard(s->local, host, address, sizeof(address));
	*dot = ':';
	return take_smtp(s, host, address);
}

/* A record for this very name leads to another. */
static void
note_alias(struct state *s, size_t starlen)
{
	if (starlen == 0 && *s->alias == '\0')
		memcpy(s->alias, s->lower, sizeof(s->alias));
}

/* A record of the All-Domain Aliases, unless it leads to where we are. */
static enum step
local_alias(struct state *s, struct domain *d)
{
	char domain[DOMAIN_MAXLEN + 1], lower[ROUTE_MAXLOCAL + 1];
	const struct record *r;
	size_t star, starlen;

	r = table_find(s->env->all_aliases, str_make(s->lower), str_make(""),
	    &star, &starlen);
	if (r == NULL)
		return PASS;
	memcpy(lower, s->lower, sizeof(lower));
	note_alias(s, starlen);
	if (apply(s, r, star, starlen) == DONE)
		return DONE;
	snprintf(domain, sizeof(domain), "%s", s->domain);
	if (strcmp(lower, s->lower) != 0 ||
	    names_domain(s->env->names, *domain != '\0' ? domain :
	    s->env->names->main->name) != d)
		return AGAIN;
	return PASS;
}

/* box#name, name+detail: the mailbox, and the name behind it. */
static enum step
local_parts(struct state *s, struct domain *d)
{
	char *hash = strchr(s->lower, '#'), *plus, box[ROUTE_MAXLOCAL + 2];
	struct account *acc;

	if (hash != NULL && s->env->direct_mailbox && hash != s->lower) {
		acc = names_account(d, hash + 1, strlen(hash + 1));
		if (acc == NULL)
			return PASS;
		snprintf(box, sizeof(box), "%.*s#", (int)(hash - s->lower),
		    s->local);
		return take_local(s, d, acc, acc->name, box);
	}
	plus = strchr(s->lower, '+');
	if (plus == NULL || plus == s->lower || s->env->detail == DETAIL_OFF)
		return PASS;
	acc = names_account(d, s->lower, plus - s->lower);
	if (s->env->detail == DETAIL_ON || !s->env->direct_mailbox ||
	    plus[1] == '\0' || acc == NULL) {
		s->local[plus - s->lower] = '\0';
		*plus = '\0';
		return AGAIN;
	}
	snprintf(box, sizeof(box), "%s#", s->local + (plus + 1 - s->lower));
	return take_local(s, d, acc, acc->name, box);
}

/* A group, or all accounts: queued asks who that is (EXPAND). */
static enum step
take_list(struct state *s, const struct domain *d)
{
	struct route_answer *a = s->a;

	snprintf(a->module, sizeof(a->module), "LIST");
	if ((size_t)snprintf(a->host, sizeof(a->host), "%s%s%s", s->lower,
	    d->main ? "" : "@", d->main ? "" : d->name) >= sizeof(a->host))
		return too_long(s);
	snprintf(a->domain, sizeof(a->domain), "%s", d->name);
	a->relay = true;
	return DONE;
}

/* Mail to all: who is known not to be heard needs not be listened to. */
static enum step
local_all(struct state *s, const struct domain *d)
{
	bool every = d->main && strcmp(s->lower, "alldomains") == 0;

	if (s->q->access || d->toall == TOALL_NOBODY ||
	    (!every && strcmp(s->lower, "all") != 0))
		return PASS;
	if (*s->q->peer != '\0' && *s->q->account == '\0' &&
	    d->toall != TOALL_ANYBODY &&
	    (d->toall != TOALL_CLIENTS || !is_client(s)))
		return refuse(s, 550, "5.7.1",
		    "mail to all is not taken from you");
	return take_list(s, d);
}

/* A name that somebody made; reserved ones are not there yet. */
static enum step
local_object(struct state *s, struct domain *d)
{
	const struct account *acc;

	acc = names_find(d, s->lower, strlen(s->lower));
	if (acc == NULL || acc->reserved)
		return PASS;
	switch (names_kind(acc)) {
	case NAME_GROUP:
		return s->q->access ? PASS : take_list(s, d);
	case NAME_FORWARDER:
		note_alias(s, 0);
		s->marked = true;
		return set_address(s, names_more(acc));
	case NAME_ALIAS:
		note_alias(s, 0);
		acc = names_account(d, s->lower, strlen(s->lower));
		return acc == NULL ? PASS :
		    take_local(s, d, acc, acc->name, "");
	default:
		return take_local(s, d, acc, acc->name, "");
	}
}

static enum step
local_unknown(struct state *s, struct domain *d)
{
	char right[ROUTE_MAXLOCAL * 2 + 1];
	int mode = s->q->access ? 1 : 0;

	if (d->consult && !s->q->consulted) {
		s->a->consult = true;
		return no_account(s, d, s->lower);
	}
	switch (d->unknown[mode]) {
	case UNKNOWN_DISCARD:
		if (!s->q->access)
			return take_null(s);
		break;
	case UNKNOWN_ACCEPT:
		return take_local(s, d, NULL, s->lower, "");
	case UNKNOWN_REROUTE:
		if (!expand(d->reroute[mode], s->local, strlen(s->local),
		    right, sizeof(right)))
			return too_long(s);
		s->marked = true;
		return set_address(s, right);
	case UNKNOWN_REJECT:
		break;
	}
	return no_account(s, d, s->lower);
}

static enum step
step_local(struct state *s)
{
	struct domain *d;
	enum step rv;

	d = s->forced != NULL ? s->forced :
	    *s->domain == '\0' ? s->env->names->main :
				 names_domain(s->env->names, s->domain);
	if (d == NULL)
		return PASS;
	if (*s->lower == '\0')
		return refuse(s, 553, "5.1.3", "the address has no name");
	if ((rv = local_alias(s, d)) != PASS ||
	    (rv = local_all(s, d)) != PASS ||
	    (rv = local_object(s, d)) != PASS ||
	    (rv = local_parts(s, d)) != PASS)
		return rv;
	return local_unknown(s, d);
}

static enum step
step_final(struct state *s)
{
	char address[sizeof(s->local) + sizeof(s->domain) + 1];

	if (strchr(s->domain, '.') != NULL) {
		if (!addr_valid_domain(str_make(s->domain)))
			return refuse(s, 553, "5.1.2",
			    "this is not a domain name");
		if (*s->local == '\0')
			return refuse(s, 553, "5.1.3",
			    "the address has no name");
		snprintf(address, sizeof(address), "%s@%s", s->local,
		    s->domain);
		return take_smtp(s, s->domain, address);
	}
	if (*s->env->add_domain == '\0')
		return refuse(s, 550, "5.1.2", "unknown host name");
	if (snprintf(address, sizeof(address), "%s.%s", s->domain,
	    s->env->add_domain) > DOMAIN_MAXLEN)
		return too_long(s);
	return set_domain(s, str_make(address));
}

/* A login name without a domain is one of the address it came to. */
static void
access_domain(struct state *s)
{
	const struct domain *d;

	if (*s->domain != '\0' || *s->q->local == '\0')
		return;
	d = map_get(s->env->addresses, s->q->local, strlen(s->q->local));
	if (d != NULL && !d->main)
		set_domain(s, str_make(d->name));
}

static enum step (*const steps[])(struct state *) = {
	step_own_domain, step_table, step_special, step_ip, step_suffix,
	step_smtp_suffix, step_local, step_final
};

void
route_address(const struct route_env *env, const struct route_query *q,
    struct route_answer *a)
{
	static struct state s;		/* 2 KiB that need no clearing */
	enum step rv;
	size_t i;
	int n;

	s.env = env;
	s.q = q;
	s.alias[0] = '\0';
	s.a = a;
	s.forced = NULL;
	s.marked = false;
	a->code = a->smtp = 0;
	a->esc[0] = a->text[0] = a->module[0] = a->host[0] = '\0';
	a->address[0] = a->path[0] = a->domain[0] = '\0';
	a->relay = a->consult = false;
	if (set_address(&s, q->address) == DONE)
		return;
	if (q->access)
		access_domain(&s);
	for (n = 0; n < ROUTE_MAXSTEPS; n++) {
		for (i = 0, rv = PASS; rv == PASS &&
		    i < sizeof(steps) / sizeof(steps[0]); i++)
			rv = steps[i](&s);
		if (rv == DONE)
			return;
	}
	refuse(&s, 554, "5.4.6", "the address is routed in a loop");
}
