/*
 * Who a client is, as far as its address and the DNS tell (manual 07): one of
 * ours by its host's name, blacklisted by a list in the DNS or by its name, or
 * never to be blacklisted.  Asked when it connects, all at once; MAIL waits
 * for the answers, and EHLO if it tells clients and others different things.
 * Runs in smtpd.  Must never ask anything unless a setting wants it.
 */
#include <stdlib.h>
#include <string.h>

#include "iplist.h"
#include "log.h"
#include "lookup.h"
#include "smtpd.h"

enum { MAXNAMES = 8 };

struct origin;

/* One blacklist's question; the lists may change while it is open. */
struct rbl_ask {
	struct origin	*o;
	char		*zone;
};

struct origin {
	struct smtp	*s;
	struct looks	 looks;
	unsigned int	 left;		/* answers to come, and 1 for the asker */
	bool		 client;
	bool		 white;
	char		*black;		/* which list has it */
	void		(*then)(struct smtp *);
	size_t		 nrbls;
	struct rbl_ask	 rbls[RBL_MAX];
};

static void
origin_free(struct origin *o)
{
	size_t i;

	look_cancel(&o->looks);
	for (i = 0; i < o->nrbls; i++)
		free(o->rbls[i].zone);
	free(o->black);
	free(o);
}

static void
finish(struct origin *o)
{
	struct smtp *s = o->s;
	void (*then)(struct smtp *) = o->then;

	s->origin = NULL;
	if (o->client) {
		s->client = s->named_client = true;
		s->black = false;
		front_log(s->front, LOG_MAJOR, "a client by its name");
	} else if (o->black != NULL && !o->white) {
		s->black = true;
		s->black_by = o->black;
		o->black = NULL;
		front_log(s->front, LOG_MAJOR, "blacklisted by %s",
		    s->black_by);
	}
	origin_free(o);
	if (then != NULL)
		then(s);
}

static void
one_less(struct origin *o)
{
	if (--o->left == 0)
		finish(o);
}

static void
set_black(struct origin *o, const char *by)
{
	if (o->black == NULL)
		o->black = strdup(by);
}

/* --- lists in the DNS --- */

static void
rbl_told(enum look_status status, const char *records, void *arg)
{
	struct rbl_ask *a = arg;
	struct origin *o = a->o;
	size_t i;

	if (status == LOOK_TROUBLE)
		front_log(o->s->front, LOG_PROBLEM, "%s does not answer",
		    a->zone);
	for (i = 0; status == LOOK_FOUND && i < smtp_conf.rbls.n; i++)
		if (strcmp(smtp_conf.rbls.v[i].zone, a->zone) == 0 &&
		    rbl_hit(&smtp_conf.rbls.v[i], records))
			set_black(o, a->zone);
	one_less(o);
}

static void
ask_rbls(struct origin *o)
{
	char name[DNS_MAXNAME + 1];
	struct rbl_ask *a;
	const char *zone;
	size_t i;

	for (i = 0; i < smtp_conf.rbls.n; i++) {
		zone = smtp_conf.rbls.v[i].zone;
		a = &o->rbls[o->nrbls];
		if (!look_reversed(o->s->front->peer, zone, name,
		    sizeof(name)) || (a->zone = strdup(zone)) == NULL)
			continue;
		a->o = o;
		o->nrbls++;
		o->left++;
		look_up(&o->looks, name, DNS_A, true, rbl_told, a);
	}
}

/* --- its name --- */

bool
origin_has_peer(const struct smtp *s, const char *records)
{
	struct cur c = cur_str(records);
	struct str line;

	while (cur_line(&c, &line))
		if (str_eq(line, s->front->peer))
			return true;
	return false;
}

/* Anybody can give his address any name: the name has to say the same. */
static void
forward_told(enum look_status status, const char *records, void *arg)
{
	struct origin *o = arg;

	if (status == LOOK_FOUND && origin_has_peer(o->s, records))
		o->client = true;
	one_less(o);
}

static void
judge_name(struct origin *o, const char *name)
{
	const struct smtp_conf *c = &smtp_conf;

	if (rows_match(c->white_names, name))
		o->white = true;
	if (rows_match(c->black_names, name))
		set_black(o, name);
	if (!rows_match(c->client_names, name))
		return;
	o->left++;
	look_up(&o->looks, name, strchr(o->s->front->peer, ':') != NULL ?
	    DNS_AAAA : DNS_A, true, forward_told, o);
}

static void
name_told(enum look_status status, const char *records, void *arg)
{
	char name[DNS_MAXNAME + 1];
	struct cur c = cur_str(records);
	struct origin *o = arg;
	struct str line;
	int n;

	if ((status == LOOK_NONE || status == LOOK_EMPTY) &&
	    rows_match(smtp_conf.black_names, RBL_NO_NAME))
		set_black(o, RBL_NO_NAME);
	for (n = 0; status == LOOK_FOUND && n < MAXNAMES &&
	    cur_line(&c, &line); n++)
		if (str_copy(line, name, sizeof(name)))
			judge_name(o, name);
	one_less(o);
}

static void
ask_name(struct origin *o)
{
	const char *peer = o->s->front->peer;
	char name[DNS_MAXNAME + 1];

	if (!look_reversed(peer, strchr(peer, ':') != NULL ? "ip6.arpa" :
	    "in-addr.arpa", name, sizeof(name)))
		return;
	o->left++;
	look_up(&o->looks, name, DNS_PTR, true, name_told, o);
}

/* --- the session --- */

void
origin_start(struct smtp *s)
{
	const struct smtp_conf *c = &smtp_conf;
	const char *peer = s->front->peer;
	bool fixed, lists, names;
	struct origin *o;

	s->client = iplist_has(c->clients, peer);
	if (s->client)
		return;
	fixed = iplist_has(c->white, peer);
	s->black = !fixed && iplist_has(c->black, peer);
	/* Nothing is taken there from who has not authenticated. */
	if (s->front->submission)
		return;
	fixed = fixed || s->black;
	lists = !fixed && c->rbls.n > 0;
	names = c->client_names != NULL || (!fixed &&
	    c->black_names != NULL) || (lists && c->white_names != NULL);
	if ((!lists && !names) || (o = calloc(1, sizeof(*o))) == NULL)
		return;
	o->s = s;
	o->left = 1;
	/* What his address says already is not changed by a name. */
	o->white = fixed;
	s->origin = o;
	if (names)
		ask_name(o);
	if (lists)
		ask_rbls(o);
	one_less(o);
}

void
origin_wait(struct smtp *s, void (*then)(struct smtp *))
{
	s->origin->then = then;
}

void
origin_forget(struct smtp *s)
{
	if (s->origin != NULL)
		origin_free(s->origin);
	s->origin = NULL;
	free(s->black_by);
	s->black_by = NULL;
}
