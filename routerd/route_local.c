/*
 * The Router's part of the LOCAL and LIST modules: what the names of our
 * domains lead to.  Runs in routerd; must never touch a file or wait.
 */
#include <stdio.h>
#include <string.h>

#include "addr.h"
#include "route_int.h"

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
		return route_too_long(s);
	memcpy(a->module, "LOCAL", sizeof("LOCAL"));
	str_copy(str_make(rest), a->address, sizeof(a->address));
	str_copy(str_make(d->name), a->domain, sizeof(a->domain));
	str_copy(str_make(*s->alias != '\0' ? s->alias : name), a->alias,
	    sizeof(a->alias));
	a->relay = true;
	return DONE;
}

/* A group, or all accounts: queued asks who that is (EXPAND). */
static enum step
take_list(struct state *s, const struct domain *d, const char *name)
{
	struct route_answer *a = s->a;

	memcpy(a->module, "LIST", sizeof("LIST"));
	if ((size_t)snprintf(a->host, sizeof(a->host), "%s%s%s", name,
	    d->main ? "" : "@", d->main ? "" : d->name) >= sizeof(a->host))
		return route_too_long(s);
	str_copy(str_make(d->name), a->domain, sizeof(a->domain));
	a->relay = true;
	return DONE;
}

/* Its own settings may let nobody in: without them all waits. */
static enum step
no_rules(struct state *s)
{
	return route_refuse(s, 451, "4.3.0", "it is not known now what the "
	    "domain's settings are");
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
	return route_refuse(s, 550, "5.1.1", "unknown user account");
}

/* All mail of a domain into one account; what it was for is kept. */
static enum step
take_unified(struct state *s, struct domain *d, const char *name,
    const char *rest)
{
	struct account *acc = names_account(d, name, strlen(name));

	if (d->unruled)
		return no_rules(s);
	if (acc == NULL)
		return no_account(s, d, name);
	return take_local(s, d, acc, acc->name, rest);
}

/* who%account@domain.domain */
static enum step
take_domain_suffix(struct state *s, const char *domain)
{
	char rest[ROUTE_MAXLOCAL + 1];
	struct domain *d = names_domain(s->env->names, domain);
	char *pct = strrchr(s->lower, '%');

	if (d == NULL || pct == NULL)
		return route_refuse(s, 550, "5.1.2", d == NULL ?
		    "unknown domain" : "no account is named");
	str_copy((struct str){ s->plain, pct - s->lower }, rest, sizeof(rest));
	return take_unified(s, d, pct + 1, rest);
}

/* domain.here: that domain, whatever the table says of it. */
static enum step
force_here(struct state *s, const char *domain)
{
	struct domain *d = names_domain(s->env->names, domain);

	if (d == NULL)
		return route_refuse(s, 550, "5.1.2", "unknown domain");
	s->forced = d;
	str_copy(str_make(d->main ? "" : d->name), s->domain,
	    sizeof(s->domain));
	return PASS;
}

enum step
route_local_first(struct state *s)
{
	char name[DOMAIN_MAXLEN + 1];
	size_t len;

	if (route_suffix(s->domain, ".local", &len)) {
		str_copy((struct str){ s->domain, len }, name, sizeof(name));
		return take_unified(s, s->env->names->main, name, s->local);
	}
	if (route_suffix(s->domain, ".domain", &len)) {
		str_copy((struct str){ s->domain, len }, name, sizeof(name));
		return take_domain_suffix(s, name);
	}
	if (route_suffix(s->domain, ".here", &len)) {
		str_copy((struct str){ s->domain, len }, name, sizeof(name));
		return force_here(s, name);
	}
	return PASS;
}

/* anything@name.list: the list or group of the Main Domain */
enum step
route_list_first(struct state *s)
{
	char name[DOMAIN_MAXLEN + 1];
	const struct account *acc;
	struct domain *d = s->env->names->main;
	size_t len;

	if (!route_suffix(s->domain, ".list", &len))
		return PASS;
	if (d->unruled)
		return no_rules(s);
	str_copy((struct str){ s->domain, len }, name, sizeof(name));
	acc = names_find(d, name, len);
	if (acc == NULL || acc->reserved || names_kind(acc) != NAME_GROUP)
		return route_refuse(s, 550, "5.1.1", "unknown mailing list");
	return take_list(s, d, name);
}

/* A record for this very name leads to another. */
static void
note_alias(struct state *s, size_t starlen)
{
	if (starlen == 0 && *s->alias == '\0')
		str_copy(str_make(s->lower), s->alias, sizeof(s->alias));
}

/* <postmaster> = postmaster is for domains that have none of their own. */
static bool
has_its_own(const struct state *s, const struct domain *d,
    const struct record *r)
{
	return strcasecmp(r->right, s->lower) == 0 &&
	    names_find(d, s->lower, strlen(s->lower)) != NULL;
}

/* A record of the All-Domain Aliases, unless it leads to where we are. */
static enum step
local_alias(struct state *s, struct domain *d)
{
	char lower[ROUTE_MAXLOCAL + 1];
	const struct record *r;
	size_t star, starlen;

	r = table_find(s->env->all_aliases, s->mode, str_make(s->lower),
	    str_make(""), &star, &starlen);
	if (r == NULL || has_its_own(s, d, r))
		return PASS;
	str_copy(str_make(s->lower), lower, sizeof(lower));
	note_alias(s, starlen);
	if (route_apply(s, r, star, starlen) == DONE)
		return DONE;
	if (strcmp(lower, s->lower) != 0 ||
	    names_domain(s->env->names, *s->domain != '\0' ? s->domain :
	    s->env->names->main->name) != d)
		return AGAIN;
	return PASS;
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
	    (d->toall != TOALL_CLIENTS || !route_is_client(s)))
		return route_refuse(s, 550, "5.7.1",
		    "mail to all is not taken from you");
	return take_list(s, d, s->lower);
}

static enum step
local_forward(struct state *s, struct domain *d, const struct account *acc)
{
	const char *to = names_more(acc);
	char address[ROUTE_MAXLOCAL + DOMAIN_MAXLEN + 2];

	note_alias(s, 0);
	if (d->main || !names_near(d, acc))
		return route_forward(s, to);
	snprintf(address, sizeof(address), "%s@%s", to, d->name);
	return route_forward(s, address);
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
		return s->q->access ? PASS : take_list(s, d, s->lower);
	case NAME_FORWARDER:
		return local_forward(s, d, acc);
	case NAME_ALIAS:
		note_alias(s, 0);
		acc = names_account(d, s->lower, strlen(s->lower));
		return acc == NULL ? PASS :
		    take_local(s, d, acc, acc->name, "");
	default:
		return take_local(s, d, acc, acc->name, "");
	}
}

/* A web client names a domain alone by this (manual 05). */
static enum step
local_login_page(struct state *s, const struct domain *d)
{
	if (!s->q->access || strcmp(s->lower, "loginpage") != 0)
		return PASS;
	return take_local(s, d, NULL, "LoginPage", "");
}

/* box#name: that mailbox of the account */
static enum step
local_box(struct state *s, struct domain *d)
{
	char *hash = strchr(s->lower, '#'), box[ROUTE_MAXLOCAL + 2];
	struct account *acc;

	if (hash == NULL || hash == s->lower || !s->env->direct_mailbox)
		return PASS;
	acc = names_account(d, hash + 1, strlen(hash + 1));
	if (acc == NULL)
		return PASS;
	snprintf(box, sizeof(box), "%.*s#", (int)(hash - s->lower), s->plain);
	return take_local(s, d, acc, acc->name, box);
}

static enum step
cut_detail(struct state *s, size_t len)
{
	struct buf b;
	bool ok;

	buf_init(&b, 0);
	ok = addr_quote_local(&b, (struct str){ s->plain, len }) &&
	    route_set_local(s, (struct str){ b.p, b.len });
	buf_free(&b);
	return ok ? AGAIN : route_too_long(s);
}

/* name+detail: the name, or that mailbox of the account */
static enum step
local_detail(struct state *s, struct domain *d)
{
	char *plus = strchr(s->lower, '+'), box[ROUTE_MAXLOCAL + 2];
	struct account *acc;
	size_t len;

	if (plus == NULL || plus == s->lower || s->env->detail == DETAIL_OFF)
		return PASS;
	len = plus - s->lower;
	acc = names_account(d, s->lower, len);
	if (s->env->detail == DETAIL_ON || !s->env->direct_mailbox ||
	    plus[1] == '\0' || acc == NULL)
		return cut_detail(s, len);
	snprintf(box, sizeof(box), "%s#", s->plain + len + 1);
	return take_local(s, d, acc, acc->name, box);
}

static enum step
local_unknown(struct state *s, struct domain *d)
{
	int mode = s->q->access ? 1 : 0;

	/*
	 * It may be an alias, a forwarder or a group all the same: mail waits.
	 * At a login that would tell that this is no account of the domain's;
	 * nor may it be made now.
	 */
	if (d->incomplete && s->q->access)
		return no_account(s, d, s->lower);
	if (d->incomplete)
		return route_refuse(s, 451, "4.3.0", "it is not known now "
		    "whether there is such an account");
	if (d->consult && !s->q->consulted) {
		s->a->consult = true;
		return no_account(s, d, s->lower);
	}
	switch (d->unknown[mode]) {
	case UNKNOWN_DISCARD:
		if (!s->q->access)
			return route_set_address(s, "NULL");
		break;
	case UNKNOWN_ACCEPT:
		return take_local(s, d, NULL, s->lower, "");
	case UNKNOWN_REROUTE:
		return route_forward(s, d->reroute[mode]);
	case UNKNOWN_REJECT:
		break;
	}
	return no_account(s, d, s->lower);
}

enum step
route_local_final(struct state *s)
{
	static enum step (*const parts[])(struct state *, struct domain *) = {
		local_box, local_detail, local_unknown
	};
	enum step rv = PASS;
	struct domain *d;
	size_t i;

	d = s->forced != NULL ? s->forced :
	    *s->domain == '\0' ? s->env->names->main :
				 names_domain(s->env->names, s->domain);
	if (d == NULL)
		return PASS;
	if (d->unruled)
		return no_rules(s);
	if (*s->lower == '\0')
		return route_refuse(s, 553, "5.1.3", "the address has no name");
	if ((rv = local_alias(s, d)) != PASS ||
	    (rv = local_all(s, d)) != PASS ||
	    (rv = local_object(s, d)) != PASS ||
	    (rv = local_login_page(s, d)) != PASS)
		return rv;
	for (i = 0; rv == PASS && i < sizeof(parts) / sizeof(parts[0]); i++)
		rv = parts[i](s, d);
	return rv;
}
