/*
 * Counts for the reports of RFC 8460: each day (UTC), domain and policy has
 * its sessions that were encrypted as they should be, and those that were not,
 * by reason and host.  Runs in smtpd's sending role; keep.c has them survive.
 * Nothing is reported to anybody yet.
 */
#include <bsd/sys/tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dict.h"
#include "send.h"
#include "tlsrpt.h"

enum {
	COUNTS = 10000,		/* lines of all that is kept */
	DAYS = 8,		/* yesterday's is reported, or was late */
	DAY = 86400
};

/* what: "" for a success, else "RESULT HOST IP". */
struct count {
	RB_ENTRY(count)	 tree;
	char		 day[9];	/* 20261121 */
	char		*domain;
	const char	*policy;	/* sts, tlsa, no-policy-found */
	char		*what;
	uint64_t	 n;
};
RB_HEAD(counts, count);
static struct counts counts = RB_INITIALIZER(&counts);
static unsigned int ncounts;

static const char *const policies[] = {
	[POLICY_NONE] = "no-policy-found", [POLICY_STS] = "sts",
	[POLICY_DANE] = "tlsa"
};

static int
count_cmp(const struct count *a, const struct count *b)
{
	int d = strcmp(a->day, b->day);

	if (d == 0 && (d = strcmp(a->domain, b->domain)) == 0 &&
	    (d = strcmp(a->policy, b->policy)) == 0)
		d = strcmp(a->what, b->what);
	return d;
}
RB_PROTOTYPE(counts, count, tree, count_cmp);
RB_GENERATE(counts, count, tree, count_cmp)

static void
day_of(char day[9], time_t t)
{
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(day, 9, "%Y%m%d", &tm) == 0)
		*day = '\0';
}

static void
forget_old(void)
{
	struct count *c, *next;
	char day[9];

	day_of(day, time(NULL) - DAYS * DAY);
	for (c = RB_MIN(counts, &counts); c != NULL; c = next) {
		next = RB_NEXT(counts, &counts, c);
		if (strcmp(c->day, day) > 0)
			break;
		RB_REMOVE(counts, &counts, c);
		ncounts--;
		free(c->domain);
		free(c->what);
		free(c);
	}
}

static void
add(const char *day, const char *domain, enum policy policy, const char *what,
    uint64_t n)
{
	struct count key = { .domain = (char *)(uintptr_t)domain,
		.policy = policies[policy], .what = (char *)(uintptr_t)what };
	struct count *c;

	if (strlen(day) >= sizeof(key.day))
		return;
	memcpy(key.day, day, strlen(day) + 1);
	if ((c = RB_FIND(counts, &counts, &key)) == NULL) {
		if (ncounts >= COUNTS)
			forget_old();
		if (ncounts >= COUNTS)
			return;
		c = xcalloc(1, sizeof(*c));
		*c = key;
		c->domain = xstrdup(domain);
		c->what = xstrdup(what);
		RB_INSERT(counts, &counts, c);
		ncounts++;
	}
	c->n += n;
}

static void
today(const char *domain, enum policy policy, const char *what)
{
	char day[9];

	day_of(day, time(NULL));
	add(day, domain, policy, what, 1);
	keep_changed(false);
}

/*
 * What the administrator alone wants is no domain's business, nor is what
 * happens on the way to a computer that he has named.
 */
static void
note(const struct chan *c, const char *what)
{
	if (dest_is_domain(c->dest) && !c->lax)
		today(c->host, c->policy == POLICY_LIST ? POLICY_NONE :
		    c->policy, what);
}

void
tlsrpt_good(const struct chan *c)
{
	note(c, "");
}

void
tlsrpt_bad(const struct chan *c, const char *result)
{
	char what[DNS_MAXNAME + 128];

	snprintf(what, sizeof(what), "%s %s %s", result, c->addr->host,
	    c->addr->ip);
	note(c, what);
}

void
tlsrpt_domain(const char *domain, const char *result)
{
	today(domain, POLICY_STS, result);
}

/* --- from one life to the next --- */

static struct val *
sub(struct val *d, const char *key)
{
	struct val *v = dict_get(d, key);

	if (v != NULL)
		return v;
	dict_set(d, key, val_dict());
	return dict_get(d, key);
}

/* {20261121={x.example={sts={Good=3;"certificate-expired mx ip"=1;};};};} */
void
tlsrpt_save(struct val *dict)
{
	struct count *c;

	forget_old();
	RB_FOREACH(c, counts, &counts)
		dict_setf(sub(sub(sub(dict, c->day), c->domain), c->policy),
		    *c->what == '\0' ? "Good" : c->what, "%llu",
		    (unsigned long long)c->n);
}

static void
load_domain(const char *day, const char *domain, const struct val *d)
{
	const struct val *p;
	const char *what;
	size_t i, k;

	for (i = 0; i < sizeof(policies) / sizeof(*policies); i++) {
		if (policies[i] == NULL ||
		    (p = dict_get(d, policies[i])) == NULL ||
		    val_type(p) != VAL_DICT)
			continue;
		for (k = 0; k < val_count(p); k++) {
			what = val_key(p, k);
			add(day, domain, i, strcmp(what, "Good") == 0 ? "" :
			    what, (uint64_t)dict_int(p, what, 0));
		}
	}
}

void
tlsrpt_load(const struct val *dict)
{
	const struct val *d;
	size_t i, k;

	for (i = 0; dict != NULL && i < val_count(dict); i++) {
		d = val_at(dict, i);
		for (k = 0; val_type(d) == VAL_DICT && k < val_count(d); k++)
			load_domain(val_key(dict, i), val_key(d, k),
			    val_at(d, k));
	}
}
