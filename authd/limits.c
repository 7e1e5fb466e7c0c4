/*
 * Failed logins, counted for an account and an address together: a stranger
 * locks himself out, not the owner.  Runs in authd; memory is bounded, the
 * oldest pair is forgotten first.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "authd.h"

enum { PAIRS_MAX = 65536, BUCKETS = 16384 };

struct pair {
	struct pair	*hnext, *newer, *older;
	time_t		 since;		/* of the first failure counted */
	time_t		 until;		/* refused up to here */
	unsigned	 count;
	size_t		 bucket;
	char		 key[];		/* account, blank, address */
};

static struct pair *buckets[BUCKETS], *newest, *oldest;
static size_t npairs;
static uint32_t seed;

/* Seconds that do not jump. */
static time_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static uint32_t
mix(uint32_t h, const char *s)
{
	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return (h ^ ' ') * 16777619u;
}

static size_t
hash(const char *account, const char *peer)
{
	if (seed == 0)
		seed = arc4random() | 1;
	return mix(mix(seed, account), peer) % BUCKETS;
}

static struct pair *
find(const char *account, const char *peer)
{
	size_t n = strlen(account);
	struct pair *p;

	for (p = buckets[hash(account, peer)]; p != NULL; p = p->hnext)
		if (strncmp(p->key, account, n) == 0 && p->key[n] == ' ' &&
		    strcmp(p->key + n + 1, peer) == 0)
			return p;
	return NULL;
}

static void
drop(struct pair *p)
{
	struct pair **at;

	for (at = &buckets[p->bucket]; *at != p; at = &(*at)->hnext)
		;
	*at = p->hnext;
	*(p->newer != NULL ? &p->newer->older : &newest) = p->older;
	*(p->older != NULL ? &p->older->newer : &oldest) = p->newer;
	npairs--;
	free(p);
}

static struct pair *
add(const char *account, const char *peer)
{
	size_t n = strlen(account), m = strlen(peer);
	struct pair *p;

	if ((p = calloc(1, sizeof(*p) + n + m + 2)) == NULL)
		return NULL;
	memcpy(p->key, account, n);
	p->key[n] = ' ';
	memcpy(p->key + n + 1, peer, m);
	p->bucket = hash(account, peer);
	p->hnext = buckets[p->bucket];
	buckets[p->bucket] = p;
	p->older = newest;
	*(newest != NULL ? &newest->newer : &oldest) = p;
	newest = p;
	if (++npairs > PAIRS_MAX)
		drop(oldest);
	return p;
}

bool
limit_blocked(const char *account, const char *peer)
{
	struct pair *p;

	return (p = find(account, peer)) != NULL && now() < p->until;
}

bool
limit_failed(const char *account, const char *peer, unsigned count,
    unsigned period)
{
	struct pair *p;
	time_t t = now();

	if (count == 0)
		return false;
	if ((p = find(account, peer)) == NULL) {
		if ((p = add(account, peer)) == NULL)
			return false;
		p->since = t;
	}
	if (t - p->since >= (time_t)period) {
		p->since = t;
		p->count = 0;
	}
	if (++p->count < count)
		return false;
	p->until = t + period;
	p->count = 0;
	p->since = t;
	return true;
}

void
limit_clear(const char *account, const char *peer)
{
	struct pair *p;

	if ((p = find(account, peer)) != NULL)
		drop(p);
}

size_t
limit_count(void)
{
	return npairs;
}
