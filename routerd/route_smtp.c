/*
 * The Router's part of the SMTP module: which addresses go to other hosts, by
 * which name, and what the host is told.  Runs in routerd; must never touch a
 * file or wait.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "addr.h"
#include "iplist.h"
#include "route_int.h"

/* A host that is a client's may be sent to by anybody (manual 07). */
static bool
to_client(const struct state *s, const char *host)
{
	const char *end = strchr(host, ']');
	char literal[64], ip[64];

	return s->env->relay_to != RELAY_TO_NO &&
	    (s->env->relay_to == RELAY_TO_ALL || route_is_simple(s)) &&
	    s->env->clients != NULL && end != NULL &&
	    str_copy((struct str){ host, end + 1 - host }, literal,
	    sizeof(literal)) && route_literal_ip(literal, ip, sizeof(ip)) &&
	    iplist_has(s->env->clients, ip);
}

static bool
may_relay(const struct state *s, const char *host)
{
	return s->marked || s->env->relay_from == RELAY_EVERYBODY ||
	    (s->env->relay_from == RELAY_CLIENTS && route_is_client(s)) ||
	    to_client(s, host);
}

/* Only the DNS knows whether that host is a client's. */
static void
ask_for(struct state *s, const char *host)
{
	struct route_answer *a = s->a;
	size_t n = strcspn(host, ":");

	if (*host == '[' || *s->q->peer == '\0' || !s->env->any_clients ||
	    s->env->relay_to == RELAY_TO_NO ||
	    (s->env->relay_to != RELAY_TO_ALL && !route_is_simple(s)))
		return;
	a->by_host = str_copy((struct str){ host, n }, a->domain,
	    sizeof(a->domain));
	a->by_mx = host[n] == '\0';
}

static enum step
take_smtp(struct state *s, const char *host, const char *address)
{
	struct route_answer *a = s->a;

	if (!str_copy(str_make(host), a->host, sizeof(a->host)) ||
	    !str_copy(str_make(address), a->address, sizeof(a->address)))
		return route_too_long(s);
	memcpy(a->module, "SMTP", sizeof("SMTP"));
	if (!(a->relay = may_relay(s, host)))
		ask_for(s, host);
	return DONE;
}

/*
 * All that goes to others by their names goes by way of these hosts.  Whether
 * it may be relayed was judged by where it is for.
 */
static enum step
by_forward(struct state *s)
{
	const char *forward = s->env->forward;

	if (s->a->code != 0 || forward == NULL || *forward == '\0' ||
	    str_copy(str_make(forward), s->a->host, sizeof(s->a->host)))
		return DONE;
	return route_too_long(s);
}

static const char *
last_percent(const char *local)
{
	const char *pct = NULL;
	bool quoted = false;

	for (; *local != '\0'; local++) {
		if (*local == '\\' && quoted && local[1] != '\0')
			local++;
		else if (*local == '"')
			quoted = !quoted;
		else if (*local == '%' && !quoted)
			pct = local;
	}
	return pct;
}

/* What is sent: a%b%c is a%b@c; a local part alone is one of the host's. */
static bool
to_standard(const char *local, const char *host, char *out, size_t size)
{
	const char *pct = last_percent(local);
	int n;

	if (pct != NULL && pct != local && pct[1] != '\0')
		n = snprintf(out, size, "%.*s@%s", (int)(pct - local), local,
		    pct + 1);
	else
		n = snprintf(out, size, "%s@%s", local, host);
	return n >= 0 && (size_t)n < size;
}

static enum step
take_standard(struct state *s, const char *host, const char *port)
{
	char address[ROUTE_MAXLOCAL + DOMAIN_MAXLEN + 2];
	char queue[DOMAIN_MAXLEN + 8];

	if (*s->local == '\0')
		return route_refuse(s, 553, "5.1.3",
		    "the address has no name");
	if (!to_standard(s->local, host, address, sizeof(address)))
		return route_too_long(s);
	if (*port == '\0')
		return take_smtp(s, host, address);
	snprintf(queue, sizeof(queue), "%s:%s", host, port);
	return take_smtp(s, queue, address);
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

static bool
is_port(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len <= 5 && strspn(s, "0123456789") == len &&
	    strtoul(s, NULL, 10) - 1 < 65535;
}

/* [1.2.3.4], or [1.2.3.4:26]: the port stays with the host's name. */
static enum step
take_literal(struct state *s)
{
	char host[DOMAIN_MAXLEN + 1], port[8] = "", ip[64];
	char *colon, *end;

	snprintf(host, sizeof(host), "%s", s->domain);
	end = host + strlen(host) - 1;
	colon = strncmp(host, "[ipv6:", 6) == 0 ? NULL : strchr(host, ':');
	if (colon != NULL && end > colon && *end == ']') {
		if (!str_copy((struct str){ colon + 1, end - colon - 1 }, port,
		    sizeof(port)) || !is_port(port))
			*host = '\0';
		colon[0] = ']';
		colon[1] = '\0';
	}
	if (!route_literal_ip(host, ip, sizeof(ip)))
		return route_refuse(s, 553, "5.1.2", "bad address literal");
	return take_standard(s, host, port);
}

/* host.smtp, host.26.smtp, or .via, as it was called later */
static enum step
take_suffixed(struct state *s, size_t len)
{
	char host[DOMAIN_MAXLEN + 1];
	struct in_addr in;
	char *dot;

	snprintf(host, sizeof(host), "%.*s", (int)len, s->domain);
	dot = strrchr(host, '.');
	if (dot == NULL || inet_pton(AF_INET, host, &in) == 1 ||
	    !is_port(dot + 1))
		return take_standard(s, host, "");
	*dot = '\0';
	return take_standard(s, host, dot + 1);
}

/*
 * x.com-wakeup, a name of the Main Domain (manual 29): a letter to it releases
 * the queue that mail for x.com waits in, whose host wakeup@x.com leads to.
 * What was submitted on this host has no peer.
 */
static enum step
wakeup(struct state *s, size_t len)
{
	char address[ROUTE_MAXLOCAL + sizeof("wakeup@")];

	if (!s->env->wake_all && *s->q->peer != '\0' && !route_is_client(s))
		return route_refuse(s, 550, "5.7.1",
		    "wake-ups are taken from clients only");
	s->wakeup = true;
	snprintf(address, sizeof(address), "wakeup@%.*s", (int)len, s->lower);
	return route_set_address(s, address);
}

/* The address behind it was routed: a queue's name, or there is none. */
void
route_wakeup_end(struct state *s)
{
	struct route_answer *a = s->a;

	a->consult = a->backup = a->by_host = false;
	a->relay = true;
	if (a->code == 0 && strcmp(a->module, "SMTP") == 0)
		memcpy(a->module, "WAKEUP", sizeof("WAKEUP"));
	else if (a->code == 0 || a->code == 1) {
		a->module[0] = '\0';
		route_refuse(s, 550, "5.1.2",
		    "no mail for that domain is kept here");
	}
}

static bool
is_wakeup(const struct state *s, size_t *len)
{
	return *s->domain == '\0' && s->mode == ROUTE_MAIL && !s->wakeup &&
	    route_suffix(s->lower, "-wakeup", len) &&
	    memchr(s->lower, '.', *len) != NULL &&
	    addr_valid_domain((struct str){ s->lower, *len });
}

enum step
route_smtp_first(struct state *s)
{
	size_t len;

	if (is_wakeup(s, &len))
		return wakeup(s, len);
	if (s->domain[0] == '[')
		return take_literal(s);
	if (route_suffix(s->domain, ".smtp", &len) ||
	    route_suffix(s->domain, ".via", &len))
		return take_suffixed(s, len);
	return PASS;
}

enum step
route_smtp_final(struct state *s)
{
	char address[ROUTE_MAXLOCAL + DOMAIN_MAXLEN + 2];
	size_t len = strlen(s->local);

	if (strchr(s->domain, '.') == NULL)
		return PASS;
	if (!addr_valid_domain(str_make(s->domain)))
		return route_refuse(s, 553, "5.1.2",
		    "this is not a domain name");
	if (len == 0)
		return route_refuse(s, 553, "5.1.3",
		    "the address has no name");
	memcpy(address, s->local, len);
	address[len] = '@';
	memcpy(address + len + 1, s->domain, strlen(s->domain) + 1);
	(void)take_smtp(s, s->domain, address);
	/* The host may trust us: no route in it (manual 07). */
	if (s->a->code == 0 && !s->a->relay && s->env->relay_backup &&
	    *s->q->peer != '\0' && route_is_simple(s)) {
		s->a->backup = true;
		(void)str_copy(str_make(s->domain), s->a->domain,
		    sizeof(s->a->domain));
	}
	return by_forward(s);
}
