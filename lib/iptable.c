/*
 * Addresses for a while, see iptable.h: a tree by address, and one by the time
 * at which they end.  Pure but for the clock; runs in routerd and smtpd.
 */
#include <netinet/in.h>
#include <arpa/inet.h>
#include <bsd/sys/tree.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "iptable.h"
#include "buf.h"

enum { ADDR = 16 };

struct entry {
	RB_ENTRY(entry)	 byaddr, byend;
	unsigned char	 addr[ADDR];	/* IPv4 mapped; IPv6 without host */
	int64_t		 end;		/* monotonic seconds */
	char		*why;
};
RB_HEAD(ip_addrs, entry);
RB_HEAD(ip_ends, entry);

struct iptable {
	struct ip_addrs	 addrs;
	struct ip_ends	 ends;
	size_t		 n, max;
};

static int
addr_cmp(const struct entry *a, const struct entry *b)
{
	return memcmp(a->addr, b->addr, ADDR);
}

static int
end_cmp(const struct entry *a, const struct entry *b)
{
	if (a->end != b->end)
		return a->end < b->end ? -1 : 1;
	return addr_cmp(a, b);
}

RB_PROTOTYPE(ip_addrs, entry, byaddr, addr_cmp)
RB_PROTOTYPE(ip_ends, entry, byend, end_cmp)
RB_GENERATE(ip_addrs, entry, byaddr, addr_cmp)
RB_GENERATE(ip_ends, entry, byend, end_cmp)

static int64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec;
}

static bool
parse(const char *ip, unsigned char addr[ADDR])
{
	memset(addr, 0, ADDR);
	if (inet_pton(AF_INET, ip, addr + 12) == 1) {
		addr[10] = addr[11] = 0xff;
		return true;
	}
	if (inet_pton(AF_INET6, ip, addr) != 1)
		return false;
	if (!IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)addr))
		memset(addr + 8, 0, 8);
	return true;
}

static void
drop(struct iptable *t, struct entry *e)
{
	RB_REMOVE(ip_addrs, &t->addrs, e);
	RB_REMOVE(ip_ends, &t->ends, e);
	t->n--;
	free(e->why);
	free(e);
}

/* Those whose time is over, and as many as there must be room for. */
static void
expire(struct iptable *t, size_t room)
{
	int64_t current = now();
	struct entry *e;

	while ((e = RB_MIN(ip_ends, &t->ends)) != NULL &&
	    (e->end <= current || t->n + room > t->max))
		drop(t, e);
}

struct iptable *
iptable_new(size_t max)
{
	struct iptable *t = xcalloc(1, sizeof(*t));

	RB_INIT(&t->addrs);
	RB_INIT(&t->ends);
	t->max = max;
	return t;
}

void
iptable_limit(struct iptable *t, size_t max)
{
	t->max = max;
	expire(t, 0);
}

void
iptable_free(struct iptable *t)
{
	if (t == NULL)
		return;
	iptable_limit(t, 0);
	free(t);
}

static struct entry *
find(struct iptable *t, const char *ip)
{
	struct entry key;

	return parse(ip, key.addr) ? RB_FIND(ip_addrs, &t->addrs, &key) : NULL;
}

static struct entry *
add(struct iptable *t, const char *ip)
{
	struct entry *e;

	expire(t, 1);
	if (t->max == 0 || (e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	if (!parse(ip, e->addr)) {
		free(e);
		return NULL;
	}
	RB_INSERT(ip_addrs, &t->addrs, e);
	RB_INSERT(ip_ends, &t->ends, e);
	t->n++;
	return e;
}

int
iptable_set(struct iptable *t, const char *ip, uint32_t seconds,
    const char *why)
{
	struct entry *e = find(t, ip);
	int64_t end = now() + seconds;
	unsigned char addr[ADDR];
	char *copy;

	if (seconds == 0) {
		if (e != NULL)
			drop(t, e);
		return parse(ip, addr) ? 0 : -1;
	}
	if (e == NULL && (e = add(t, ip)) == NULL)
		return -1;
	if (end <= e->end)
		return 0;
	if ((copy = strdup(why)) != NULL) {
		free(e->why);
		e->why = copy;
	}
	RB_REMOVE(ip_ends, &t->ends, e);
	e->end = end;
	RB_INSERT(ip_ends, &t->ends, e);
	return 0;
}

uint32_t
iptable_left(struct iptable *t, const char *ip)
{
	struct entry *e;
	int64_t left;

	if (t->n == 0 || (e = find(t, ip)) == NULL)
		return 0;
	left = e->end - now();
	return left > 0 ? left : 0;
}

size_t
iptable_count(struct iptable *t)
{
	expire(t, 0);
	return t->n;
}

void
iptable_each(struct iptable *t, void (*each)(const char *, uint32_t,
    const char *, void *), void *arg)
{
	char ip[INET6_ADDRSTRLEN];
	const void *addr;
	struct entry *e;
	bool v4;

	expire(t, 0);
	RB_FOREACH(e, ip_ends, &t->ends) {
		v4 = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)e->addr);
		addr = v4 ? e->addr + 12 : e->addr;
		inet_ntop(v4 ? AF_INET : AF_INET6, addr, ip, sizeof(ip));
		each(ip, e->end - now(), e->why != NULL ? e->why : "", arg);
	}
}
