/*
 * Where a host's mail goes (RFC 5321, 5.1): its MX records by preference,
 * equal ones shuffled, else its own address; one address after the other,
 * each host's looked up when it is its turn.  A name with a port is a
 * computer's, not a mail domain's.  Runs in smtpd's sending role.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "proc.h"
#include "send.h"

struct host {
	char		*name;
	char		*owner;		/* its last alias, or NULL */
	uint16_t	 pref;
	uint32_t	 dice;		/* the order of equal ones */
};

enum step { NEED_MX, NEED_A, NEED_AAAA, NEED_NONE };

struct dest {
	char		*name;
	uint16_t	 port;
	bool		 domain;	/* hosts are found by MX records */
	bool		 authentic;	/* and these are the right ones */
	enum step	 step;
	struct host	 hosts[DEST_HOSTS];
	size_t		 nhosts, host;	/* host: the one whose turn it is */
	struct dest_addr addrs[DEST_ADDRS];
	size_t		 naddrs, addr;
	bool		 trouble;	/* some answer may come later */
	struct outcome	 why;
	dest_cb		*cb;
	void		*arg;
	struct event	*soon;
};

static void	go_on(struct dest *);

static void
add_addr(struct dest *d, int family, const void *ip, bool authentic)
{
	struct dest_addr *a = &d->addrs[d->naddrs];
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a->ss;
	struct sockaddr_in *in = (struct sockaddr_in *)&a->ss;

	if (d->naddrs == DEST_ADDRS)
		return;
	memset(&a->ss, 0, sizeof(a->ss));
	a->ss.ss_family = family;
	if (family == AF_INET) {
		memcpy(&in->sin_addr, ip, 4);
		in->sin_port = htons(d->port);
		a->len = sizeof(*in);
	} else {
		memcpy(&in6->sin6_addr, ip, 16);
		in6->sin6_port = htons(d->port);
		a->len = sizeof(*in6);
	}
	inet_ntop(family, ip, a->ip, sizeof(a->ip));
	a->port = d->port;
	a->host = d->hosts[d->host].name;
	a->owner = d->hosts[d->host].owner != NULL ? d->hosts[d->host].owner :
	    "";
	a->authentic = authentic;
	d->naddrs++;
}

static bool
add_host(struct dest *d, const char *name, uint16_t pref)
{
	struct host *h = &d->hosts[d->nhosts];

	if (d->nhosts == DEST_HOSTS || (h->name = strdup(name)) == NULL)
		return false;
	h->pref = pref;
	h->dice = arc4random();
	d->nhosts++;
	return true;
}

static int
by_pref(const void *x, const void *y)
{
	const struct host *a = x, *b = y;

	if (a->pref != b->pref)
		return a->pref < b->pref ? -1 : 1;
	return a->dice < b->dice ? -1 : a->dice > b->dice;
}

/* 192.0.2.1, [192.0.2.1], [IPv6:2001:db8::1]; 0: it is a name. */
static int
literal(const char *text, unsigned char ip[16])
{
	const char *end = strchr(text, ']');
	char in[64];

	if (inet_pton(AF_INET, text, ip) == 1)
		return AF_INET;
	if (*text != '[' || end == NULL || !str_copy((struct str){ text + 1,
	    end - text - 1 }, in, sizeof(in)))
		return 0;
	if (inet_pton(AF_INET, in, ip) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, strncasecmp(in, "IPv6:", 5) == 0 ?
	    in + 5 : in, ip) == 1 ? AF_INET6 : 0;
}

/* The port behind a name; the name without it stays in d->name. */
static void
split_port(struct dest *d)
{
	char *colon = strrchr(d->name, ':');
	struct cur c;
	uint64_t port;

	d->port = SMTP_PORT;
	if (colon == NULL)
		return;
	c = cur_str(colon + 1);
	if (!cur_u64(&c, &port, 65535) || cur_left(&c) != 0 || port == 0)
		return;
	*colon = '\0';
	d->port = (uint16_t)port;
	d->step = NEED_A;
}

/* Several computers, the better ones first. */
static void
split_hosts(struct dest *d)
{
	struct cur c = cur_str(d->name);
	struct str s;
	char *name;

	for (cur_span(&c, ", "); cur_left(&c) > 0; cur_span(&c, ", ")) {
		s = cur_until(&c, ", ");
		if ((name = str_dup(s)) != NULL)
			add_host(d, name, 0);
		free(name);
	}
	d->step = NEED_A;
}

struct dest *
dest_new(const char *host, bool computers)
{
	struct dest *d = calloc(1, sizeof(*d));
	unsigned char ip[16];

	if (d == NULL || (d->name = strdup(host)) == NULL) {
		free(d);
		return NULL;
	}
	outcome_set(&d->why, LATER, "4.4.1", "no host of %s answers", host);
	split_port(d);
	if (computers || d->step == NEED_A || literal(d->name, ip) != 0)
		split_hosts(d);
	d->domain = d->step == NEED_MX;
	d->authentic = true;
	return d;
}

bool
dest_is_domain(const struct dest *d)
{
	return d->domain;
}

void
dest_free(struct dest *d)
{
	size_t i;

	if (d == NULL)
		return;
	dns_cancel(d);
	if (d->soon != NULL)
		event_free(d->soon);
	for (i = 0; i < d->nhosts; i++) {
		free(d->hosts[i].name);
		free(d->hosts[i].owner);
	}
	free(d->name);
	free(d);
}

/*
 * We ourselves are among them: only better ones may have it, or it would
 * come back to us for ever (RFC 5321, 5.1).
 */
static void
leave_out_ourselves(struct dest *d)
{
	size_t i, k;

	for (i = 0; i < d->nhosts; i++)
		if (strcasecmp(d->hosts[i].name, send_helo()) == 0)
			break;
	if (i == d->nhosts)
		return;
	while (i > 0 && d->hosts[i - 1].pref == d->hosts[i].pref)
		i--;
	for (k = i; k < d->nhosts; k++)
		free(d->hosts[k].name);
	d->nhosts = i;
	if (i == 0)
		outcome_set(&d->why, NEVER, "5.4.6",
		    "mail for %s loops back to this host", d->name);
}

static void
got_mx(const struct dns_answer *a, void *arg)
{
	struct dest *d = arg;
	size_t i;

	d->step = NEED_A;
	d->authentic = a->authentic;
	if (a->status == DNS_TROUBLE) {
		d->step = NEED_NONE;
		outcome_set(&d->why, LATER, "4.4.3",
		    "the DNS does not answer about %s", d->name);
	} else if (a->status == DNS_NONE) {
		d->step = NEED_NONE;
		outcome_set(&d->why, NEVER, "5.1.2",
		    "there is no domain %s", d->name);
	} else if (a->status == DNS_EMPTY)
		add_host(d, d->name, 0);
	for (i = 0; i < a->n; i++)
		if (*a->rr[i].name != '\0')
			add_host(d, a->rr[i].name, a->rr[i].pref);
	if (a->n > 0 && d->nhosts == 0) {	/* RFC 7505 */
		d->step = NEED_NONE;
		outcome_set(&d->why, NEVER, "5.1.10",
		    "%s takes no mail", d->name);
	}
	qsort(d->hosts, d->nhosts, sizeof(d->hosts[0]), by_pref);
	leave_out_ourselves(d);
	go_on(d);
}

static void
got_addrs(const struct dns_answer *a, void *arg)
{
	struct dest *d = arg;
	size_t i;

	if (a->status == DNS_TROUBLE)
		d->trouble = true;
	if (a->n > 0 && d->hosts[d->host].owner == NULL &&
	    strcasecmp(a->owner, d->hosts[d->host].name) != 0)
		d->hosts[d->host].owner = strdup(a->owner);
	for (i = 0; i < a->n; i++)
		add_addr(d, a->rr[i].len == 4 ? AF_INET : AF_INET6,
		    a->rr[i].data, d->authentic && a->authentic);
	d->step = d->step == NEED_A ? NEED_AAAA : NEED_NONE;
	go_on(d);
}

static void
tell(struct dest *d, const struct dest_addr *a)
{
	dest_cb *cb = d->cb;

	d->cb = NULL;
	cb(a, &d->why, d->arg);
}

/* A domain without any address is as good as none, once that is sure. */
static void
no_more(struct dest *d)
{
	if (d->why.verdict == LATER && d->nhosts > 0 && d->naddrs == 0 &&
	    !d->trouble)
		outcome_set(&d->why, NEVER, "5.4.4",
		    "no host of %s has an address", d->name);
	tell(d, NULL);
}

static void
go_on(struct dest *d)
{
	unsigned char ip[16];
	int family;

	if (d->step == NEED_MX) {
		dns_ask(d->name, DNS_MX, got_mx, d);
		return;
	}
	if (d->addr < d->naddrs) {
		tell(d, &d->addrs[d->addr++]);
		return;
	}
	if (d->step == NEED_NONE && d->host + 1 < d->nhosts) {
		d->host++;
		d->step = NEED_A;
	} else if (d->step == NEED_NONE || d->nhosts == 0) {
		no_more(d);
		return;
	}
	if ((family = literal(d->hosts[d->host].name, ip)) != 0) {
		add_addr(d, family, ip, false);
		d->step = NEED_NONE;
		go_on(d);
		return;
	}
	dns_ask(d->hosts[d->host].name, d->step == NEED_A ? DNS_A : DNS_AAAA,
	    got_addrs, d);
}

static void
soon(int fd, short what, void *arg)
{
	go_on(arg);
}

void
dest_next(struct dest *d, dest_cb *cb, void *arg)
{
	const struct timeval tv = { 0 };

	d->cb = cb;
	d->arg = arg;
	if (d->soon == NULL)
		d->soon = evtimer_new(proc_base(), soon, d);
	if (d->soon != NULL)
		evtimer_add(d->soon, &tv);
}
