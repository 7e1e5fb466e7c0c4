/*
 * MTA-STS policies (RFC 8461): asked for when a domain's mail is to be sent,
 * and remembered for as long as they say, so that nobody takes one away by
 * keeping us from its host or from the DNS.  Runs in smtpd's sending role; who
 * waits for a policy waits half a minute at most.
 */
#include <bsd/sys/tree.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dict.h"
#include "https.h"
#include "log.h"
#include "send.h"
#include "sts.h"
#include "tlsrpt.h"

enum {
	ENTRIES = 4000,		/* domains; all fit into a dictionary's file */
	FETCHES = 16,		/* at a time */
	AGAIN = 300		/* seconds after a fetch that failed */
};

struct sts_wait {
	LIST_ENTRY(sts_wait)	 entry;
	sts_cb			*cb;
	void			*arg;
};
LIST_HEAD(waits, sts_wait);

struct known {
	RB_ENTRY(known)		 tree;
	TAILQ_ENTRY(known)	 used;		/* the longest ago first */
	TAILQ_ENTRY(known)	 line;
	char			*domain;
	struct sts_policy	 p;		/* mx NULL: none is known */
	char			 id[STS_ID];	/* p's */
	int64_t			 expires;
	char			 bad[STS_ID];	/* it could not be fetched */
	int64_t			 since;
	bool			 busy;		/* its record is asked for */
	bool			 fetching;	/* or it is in line for that */
	struct https		*get;
	struct waits		 waits;
};
RB_HEAD(knowns, known);
static struct knowns knowns = RB_INITIALIZER(&knowns);
static TAILQ_HEAD(knownlist, known) used = TAILQ_HEAD_INITIALIZER(used);
static struct knownlist line = TAILQ_HEAD_INITIALIZER(line);
static unsigned int nknown, fetches;
static bool loaded;		/* what was known in the last life is */

static int
known_cmp(const struct known *a, const struct known *b)
{
	return strcmp(a->domain, b->domain);
}
RB_PROTOTYPE(knowns, known, tree, known_cmp);
RB_GENERATE(knowns, known, tree, known_cmp)

static void
forget(struct known *k)
{
	dns_cancel(k);
	RB_REMOVE(knowns, &knowns, k);
	TAILQ_REMOVE(&used, k, used);
	nknown--;
	free(k->p.mx);
	free(k->domain);
	free(k);
}

/* Those whose turn it was longest ago make room. */
static void
make_room(void)
{
	struct known *k, *next;

	for (k = TAILQ_FIRST(&used); k != NULL && nknown >= ENTRIES; k = next) {
		next = TAILQ_NEXT(k, used);
		if (!k->busy && !k->fetching)
			forget(k);
	}
}

static struct known *
known_get(const char *domain)
{
	struct known key, *k;
	char *p;

	key.domain = xstrdup(domain);
	for (p = key.domain; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	if ((k = RB_FIND(knowns, &knowns, &key)) != NULL) {
		free(key.domain);
		TAILQ_REMOVE(&used, k, used);
	} else {
		make_room();
		k = xcalloc(1, sizeof(*k));
		k->domain = key.domain;
		LIST_INIT(&k->waits);
		RB_INSERT(knowns, &knowns, k);
		nknown++;
	}
	TAILQ_INSERT_TAIL(&used, k, used);
	return k;
}

static bool
in_force(const struct known *k)
{
	return k->p.mx != NULL && k->expires > time(NULL);
}

static void
answer(struct known *k)
{
	struct waits waits = k->waits;
	struct sts_wait *w;

	/* The first one's pointer back to the head is the head's copy now. */
	LIST_INIT(&k->waits);
	if ((w = LIST_FIRST(&waits)) != NULL)
		w->entry.le_prev = &LIST_FIRST(&waits);
	while ((w = LIST_FIRST(&waits)) != NULL) {
		LIST_REMOVE(w, entry);
		w->cb(in_force(k) ? &k->p : NULL, w->arg);
		free(w);
	}
	k->busy = false;
	if (!in_force(k) && *k->bad == '\0' && !k->fetching)
		forget(k);
}

/* --- the policy --- */

static void	next_in_line(void);

static void
failed(struct known *k, const char *result, const char *why)
{
	k->since = time(NULL);
	log_msg(LOG_PROBLEM, "MTA-STS of %s: %s", k->domain, why);
	tlsrpt_domain(k->domain, result);
}

static void
fetched(enum https_end end, const char *text, size_t len, void *arg)
{
	struct known *k = arg;
	struct sts_policy p;

	if (end != HTTPS_GOOD)
		failed(k, end == HTTPS_PKI ? "sts-webpki-invalid" :
		    "sts-policy-fetch-error", text);
	else if (!sts_policy(&p, text, len))
		failed(k, "sts-policy-invalid", "its policy is none");
	else {
		free(k->p.mx);
		k->p = p;
		memcpy(k->id, k->bad, sizeof(k->id));
		*k->bad = '\0';
		k->expires = time(NULL) + p.max_age;
		log_msg(LOG_MAJOR, "MTA-STS of %s: %s, %.300s", k->domain,
		    p.mode == STS_ENFORCE ? "enforce" :
		    p.mode == STS_TESTING ? "testing" : "none", p.mx);
		keep_changed(true);
	}
	https_free(k->get);
	k->get = NULL;
	k->fetching = false;
	fetches--;
	answer(k);
	next_in_line();
}

static void
fetch(struct known *k)
{
	char *host = xasprintf("mta-sts.%s", k->domain);

	fetches++;
	k->get = https_get(host, "/.well-known/mta-sts.txt", fetched, k);
	free(host);
}

static void
next_in_line(void)
{
	struct known *k;

	while (fetches < FETCHES && (k = TAILQ_FIRST(&line)) != NULL) {
		TAILQ_REMOVE(&line, k, line);
		fetch(k);
	}
}

/* --- the record --- */

/* Exactly one of its TXT records says which policy is the newest. */
static bool
find_id(const struct dns_answer *a, char id[STS_ID])
{
	char one[STS_ID];
	struct buf b;
	size_t i, n = 0;

	for (i = 0; i < a->n && a->status == DNS_FOUND; i++) {
		buf_init(&b, 4096);
		if (dns_text(&a->rr[i], &b) && b.p != NULL &&
		    strlen(b.p) == b.len && sts_record(b.p, one)) {
			memcpy(id, one, sizeof(one));
			n++;
		}
		buf_free(&b);
	}
	return n == 1;
}

static void
need(struct known *k, const char id[STS_ID])
{
	memcpy(k->bad, id, STS_ID);		/* until it is there */
	k->fetching = true;
	if (fetches < FETCHES)
		fetch(k);
	else
		TAILQ_INSERT_TAIL(&line, k, line);
}

/* Half of its time is over: a new one before somebody hinders that. */
static bool
is_old(const struct known *k)
{
	return k->expires - time(NULL) < k->p.max_age / 2;
}

static void
got_record(const struct dns_answer *a, void *arg)
{
	struct known *k = arg;
	char id[STS_ID];
	bool same;

	if (!find_id(a, id) ||
	    (strcmp(id, k->bad) == 0 && time(NULL) - k->since < AGAIN)) {
		answer(k);
		return;
	}
	same = in_force(k) && strcmp(id, k->id) == 0;
	if ((!same || is_old(k)) && !k->fetching)
		need(k, id);
	if (same)		/* whoever asks need not wait for that */
		answer(k);
}

static void
ask(struct known *k)
{
	char *name = xasprintf("_mta-sts.%s", k->domain);

	dns_ask(name, DNS_TXT, got_record, k);
	free(name);
}

struct sts_wait *
sts_ask(const char *domain, sts_cb *cb, void *arg)
{
	struct known *k = known_get(domain);
	struct sts_wait *w = xcalloc(1, sizeof(*w));

	w->cb = cb;
	w->arg = arg;
	LIST_INSERT_HEAD(&k->waits, w, entry);
	if (!k->busy && loaded)
		ask(k);
	k->busy = true;
	return w;
}

void
sts_cancel(struct sts_wait *w)
{
	if (w == NULL)
		return;
	LIST_REMOVE(w, entry);
	free(w);
}

/* --- from one life to the next --- */

static const char *const modes[] = {
	[STS_NONE] = "none", [STS_TESTING] = "testing",
	[STS_ENFORCE] = "enforce"
};

void
sts_save(struct val *dict)
{
	struct known *k;
	struct val *d;

	RB_FOREACH(k, knowns, &knowns) {
		if (!in_force(k))
			continue;
		d = val_dict();
		dict_setf(d, "ID", "%s", k->id);
		dict_setf(d, "Mode", "%s", modes[k->p.mode]);
		dict_setf(d, "MX", "%s", k->p.mx);
		dict_setf(d, "Expires", "%lld", (long long)k->expires);
		dict_setf(d, "MaxAge", "%u", (unsigned int)k->p.max_age);
		dict_set(dict, k->domain, d);
	}
}

static void
load(const char *domain, const struct val *d)
{
	const char *mode = dict_str(d, "Mode", ""), *mx = dict_str(d, "MX", "");
	const char *id = dict_str(d, "ID", "");
	int64_t expires = dict_int(d, "Expires", 0), now = time(NULL);
	int64_t age = dict_int(d, "MaxAge", 0);
	struct known *k;
	int m;

	for (m = STS_ENFORCE; m > STS_NONE; m--)
		if (strcmp(mode, modes[m]) == 0)
			break;
	if (expires <= now || expires > now + STS_MAXAGE ||
	    strlen(id) >= STS_ID || nknown >= ENTRIES)
		return;
	k = known_get(domain);
	if (k->p.mx != NULL)
		return;
	k->p.mode = m;
	k->p.max_age = age > 0 && age <= STS_MAXAGE ? (uint32_t)age : 0;
	k->p.mx = xstrdup(mx);
	memcpy(k->id, id, strlen(id) + 1);
	k->expires = expires;
}

void
sts_load(const struct val *dict)
{
	struct known *k;
	size_t i;

	for (i = 0; dict != NULL && i < val_count(dict); i++)
		load(val_key(dict, i), val_at(dict, i));
	loaded = true;
	RB_FOREACH(k, knowns, &knowns)
		if (k->busy)
			ask(k);
}
