/*
 * Verify HELO and Return-Path (manual 07, 29): is there such a host, can the
 * return-path's domain get mail, and is the host that would take it a
 * blacklisted one?  What nobody knows now is a temporary refusal.  Runs in
 * smtpd, before MAIL is answered.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "addr.h"
#include "iplist.h"
#include "log.h"
#include "lookup.h"
#include "smtpd.h"

enum { MAXHOSTS = 8 };

struct verify;

/* A host that takes the domain's mail: two questions. */
struct mailhost {
	struct verify	*v;
	uint16_t	 pref;
	char		 name[DNS_MAXNAME + 1];
};

struct verify {
	struct smtp	*s;
	struct looks	 looks;
	unsigned int	 left;		/* answers to come, and 1 for the asker */
	verify_cb	*cb;

	bool		 helo, helo_mx;	/* is being asked for */
	bool		 helo_found, helo_trouble;

	char		*domain;	/* the return-path's, or NULL */
	struct mailhost	 hosts[MAXHOSTS];
	size_t		 nhosts;
	bool		 found;		/* an address of theirs */
	bool		 trouble;
	bool		 reached;	/* HOST_TRY is over */
	char		 refusal[320];
};

static void	step(struct verify *);

static void
verify_free(struct verify *v)
{
	look_cancel(&v->looks);
	free(v->domain);
	free(v);
}

static void
one_less(struct verify *v)
{
	if (--v->left == 0)
		step(v);
}

static void
refuse(struct verify *v, const char *what, const char *name,
    const char *why)
{
	if (*v->refusal == '\0')
		snprintf(v->refusal, sizeof(v->refusal), "%s %.200s %s", what,
		    name, why);
}

static void
ask(struct verify *v, const char *name, int type, look_cb *cb, void *arg)
{
	v->left++;
	look_up(&v->looks, name, type, false, cb, arg);
}

/* --- HELO --- */

static void
helo_has_mx(enum look_status status, const char *records, void *arg)
{
	struct verify *v = arg;

	v->helo_found = status == LOOK_FOUND;
	v->helo_trouble = status == LOOK_TROUBLE;
	one_less(v);
}

static void
helo_addr(enum look_status status, const char *records, void *arg)
{
	struct verify *v = arg;

	if (status == LOOK_TROUBLE)
		v->helo_trouble = true;
	if (status == LOOK_FOUND) {
		v->helo_found = true;
		if (origin_has_peer(v->s, records))
			v->s->helo_state = HELO_VERIFIED;
	}
	one_less(v);
}

/*
 * [192.0.2.1], [IPv6:2001:db8::1]: is it his?  Not so where addresses are
 * translated: no reason to refuse him.
 */
static enum helo_state
helo_literal(const struct smtp *s)
{
	struct str in = str_make(s->helo);
	struct iplist *list;
	char ip[64];
	bool his;

	if (!addr_valid_literal(in))
		return HELO_BAD;
	in.p++;
	in.len -= 2;
	if (in.len > 5 && str_caseeq((struct str){ in.p, 5 }, "IPv6:")) {
		in.p += 5;
		in.len -= 5;
	}
	list = str_copy(in, ip, sizeof(ip)) ? iplist_parse(ip, NULL) : NULL;
	his = iplist_has(list, s->front->peer);
	iplist_free(list);
	return his ? HELO_VERIFIED : HELO_SEEN;
}

/* A name without a dot is a neighbour's: the DNS does not know such. */
static void
helo_start(struct verify *v)
{
	struct smtp *s = v->s;

	if (s->helo == NULL || s->helo_state != HELO_NEW)
		return;
	if (s->helo[0] == '[')
		s->helo_state = helo_literal(s);
	else if (strchr(s->helo, '.') == NULL)
		s->helo_state = HELO_SEEN;
	else {
		v->helo = true;
		ask(v, s->helo, DNS_A, helo_addr, v);
		ask(v, s->helo, DNS_AAAA, helo_addr, v);
	}
}

/* Its addresses are known, or that it has none.  True: there is more to ask. */
static bool
helo_step(struct verify *v)
{
	struct smtp *s = v->s;

	if (!v->helo || s->helo_state == HELO_VERIFIED)
		return false;
	if (!v->helo_found && !v->helo_trouble && !v->helo_mx) {
		v->helo_mx = true;
		ask(v, s->helo, DNS_MX, helo_has_mx, v);
		return true;
	}
	v->helo = false;
	/* Another answer may be had next time. */
	s->helo_state = v->helo_found ? HELO_SEEN : v->helo_trouble ?
	    HELO_NEW : HELO_BAD;
	if (s->helo_state == HELO_NEW)
		refuse(v, "451 4.4.3 your host's name", s->helo,
		    "cannot be verified now");
	return false;
}

/* --- the return-path --- */

static bool
is_black(const char *records)
{
	struct cur c = cur_str(records);
	struct str line;
	char ip[64];

	while (cur_line(&c, &line))
		if (str_copy(line, ip, sizeof(ip)) &&
		    iplist_has(smtp_conf.black, ip) &&
		    !iplist_has(smtp_conf.white, ip))
			return true;
	return false;
}

static void
host_addr(enum look_status status, const char *records, void *arg)
{
	struct mailhost *h = arg;
	struct verify *v = h->v;

	if (status == LOOK_TROUBLE)
		v->trouble = true;
	if (status == LOOK_FOUND) {
		v->found = true;
		if (h->pref == v->hosts[0].pref && is_black(records))
			refuse(v, "550 5.7.1 the mail host of", v->domain,
			    "is blacklisted");
	}
	one_less(v);
}

static void
ask_hosts(struct verify *v)
{
	size_t i;

	for (i = 0; i < v->nhosts; i++) {
		v->hosts[i].v = v;
		ask(v, v->hosts[i].name, DNS_A, host_addr, &v->hosts[i]);
		ask(v, v->hosts[i].name, DNS_AAAA, host_addr, &v->hosts[i]);
	}
}

/* The best ones, in order. */
static void
add_host(struct verify *v, uint16_t pref, struct str name)
{
	struct mailhost *h = v->hosts;
	size_t at = 0;

	while (at < v->nhosts && h[at].pref <= pref)
		at++;
	if (at == MAXHOSTS)
		return;
	if (v->nhosts == MAXHOSTS)
		v->nhosts--;
	memmove(h + at + 1, h + at, (v->nhosts - at) * sizeof(*h));
	h[at].pref = pref;
	if (str_copy(name, h[at].name, sizeof(h[at].name)))
		v->nhosts++;
	else
		memmove(h + at, h + at + 1, (v->nhosts - at) * sizeof(*h));
}

static void
add_hosts(struct verify *v, const char *records)
{
	struct cur c = cur_str(records), l;
	struct str line;
	uint64_t pref;

	while (cur_line(&c, &line)) {
		l = cur_make(line.p, line.len);
		if (!cur_u64(&l, &pref, UINT16_MAX) || !cur_lit(&l, " "))
			continue;
		if (cur_left(&l) > 0)
			add_host(v, pref, (struct str){ l.p, cur_left(&l) });
	}
	if (v->nhosts == 0)	/* RFC 7505 */
		refuse(v, "550 5.7.27 the return-path's domain", v->domain,
		    "takes no mail");
}

static void
domain_mx(enum look_status status, const char *records, void *arg)
{
	struct verify *v = arg;

	if (status == LOOK_TROUBLE)
		v->trouble = true;
	else if (status == LOOK_NONE)
		refuse(v, "550 5.1.8 the return-path's domain", v->domain,
		    "does not exist");
	else if (status == LOOK_FOUND)
		add_hosts(v, records);
	else
		add_host(v, 0, str_make(v->domain));
	ask_hosts(v);
	one_less(v);
}

static void
reached(enum look_status status, const char *records, void *arg)
{
	struct verify *v = arg;

	v->reached = true;
	if (status != LOOK_FOUND)
		refuse(v, "450 4.4.1 no mail host of", v->domain,
		    "answers, so the return-path cannot be verified now");
	one_less(v);
}

static void
domain_judge(struct verify *v)
{
	if (v->found || *v->refusal != '\0')
		return;
	if (v->trouble)
		refuse(v, "451 4.4.3 the return-path's domain", v->domain,
		    "cannot be verified now");
	else
		refuse(v, "550 5.1.8 no mail host of", v->domain,
		    "has an address");
}

/* --- both --- */

/* All that was asked is answered. */
static void
step(struct verify *v)
{
	struct smtp *s = v->s;
	verify_cb *cb = v->cb;
	char refusal[sizeof(v->refusal)];

	v->left = 1;
	if (helo_step(v)) {
		one_less(v);
		return;
	}
	if (s->helo_state == HELO_BAD)
		refuse(v, "550 5.7.1 your host says it is", s->helo,
		    "but there is no such host");
	if (v->domain != NULL)
		domain_judge(v);
	if (v->domain != NULL && *v->refusal == '\0' && !v->reached &&
	    smtp_is_for(s, smtp_conf.reverse)) {
		ask(v, v->domain, LOOK_HOST, reached, v);
		one_less(v);
		return;
	}
	memcpy(refusal, v->refusal, sizeof(refusal));
	s->verify = NULL;
	verify_free(v);
	cb(s, *refusal != '\0' ? refusal : NULL);
}

void
verify_start(struct smtp *s, struct str domain, verify_cb *cb)
{
	struct verify *v = calloc(1, sizeof(*v));

	if (v == NULL || (domain.len > 0 &&
	    (v->domain = str_dup(domain)) == NULL)) {
		free(v);
		cb(s, "451 4.3.0 out of memory");
		return;
	}
	s->verify = v;
	v->s = s;
	v->cb = cb;
	v->left = 1;
	helo_start(v);
	if (v->domain != NULL)
		ask(v, v->domain, DNS_MX, domain_mx, v);
	one_less(v);
}

void
verify_forget(struct smtp *s)
{
	if (s->verify != NULL)
		verify_free(s->verify);
	s->verify = NULL;
}

/*
 * What the Router says of a return-path: NULL and the domain that the DNS has
 * to be asked about ("": none, it is known here), or the answer that refuses.
 */
const char *
verify_routed(const struct smtp *s, const struct msg_routed *r,
    struct str *domain)
{
	struct str sender = str_make(s->sender), local;
	char ip[64];

	addr_split(sender, &local, domain);
	if (domain->len == 0)
		return "553 5.1.7 the return-path has no domain";
	if (r->code != 0)
		return "550 5.1.8 the return-path is refused here";
	addr_split(str_make(r->address), &local, domain);
	/* A record led it elsewhere; not that all may be relayed. */
	if (strcmp(r->module, "SMTP") != 0 || (r->relay &&
	    (strcasecmp(s->sender, r->address) != 0 ||
	    !str_caseeq(*domain, r->host)))) {
		domain->len = 0;
		return NULL;
	}
	if (domain->len == 0 || domain->p[0] != '[')
		return NULL;
	if (!str_copy(*domain, ip, sizeof(ip)) ||
	    !iplist_has(smtp_conf.clients, ip))
		return "550 5.1.8 the return-path's domain is an address";
	domain->len = 0;
	return NULL;
}
