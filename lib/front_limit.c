/*
 * Who is connected, counted over all processes of a module: in memory that
 * cgserver made and all of them map.  Each process counts in places of its
 * own and clears them when it starts, so one that was killed leaves nothing
 * behind.  Nothing here waits for another process.
 *
 * Counts an address go into a hash table by a keyed hash.  An entry whose
 * counts are all zero may be taken for another address; a client keeps its
 * entry's place, so what was added is always taken away from where it went,
 * and the worst a race can do is to count one client wrongly for a while.
 * An entry also has what came from its address within some time: one whose
 * time is not over is taken for another address only where no other is free.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <openssl/rand.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "front_int.h"
#include "log.h"
#include "tls.h"

enum { MAXPROCS = 28, PROBES = 16 };
enum { NONE, MAKING, READY };
enum { KEY_LIFE = 24 * 3600 };	/* seconds */

struct slot {			/* a cache line, and one for the rates */
	_Atomic uint64_t	key;	/* 0: never used */
	_Atomic uint16_t	n[MAXPROCS];
	/* The second at which it begins anew, and below how many. */
	_Atomic uint64_t	rate[FRONT_RATES];
	uint64_t		spare[8 - FRONT_RATES];
};

struct shared {
	_Atomic uint32_t	state;
	_Atomic uint32_t	next_id;
	_Atomic uint32_t	columns;	/* bits: those ever used */
	_Atomic int64_t		key_time;	/* when ticket_key was made */
	uint64_t		seed[2];
	unsigned char		ticket_key[TLS_TICKETKEY];
	_Atomic int32_t		total[MAXPROCS];
	_Alignas(64) struct slot slots[];
};
_Static_assert(sizeof(struct slot) == 128, "two cache lines");

static struct shared	*mem;
static size_t		 nslots;
static int		 self;		/* our column */
static int		 own;		/* clients of this process */
static uint32_t		 own_id;

static void
fill(void)
{
	if (RAND_bytes((void *)mem->seed, sizeof(mem->seed)) != 1 ||
	    RAND_bytes(mem->ticket_key, sizeof(mem->ticket_key)) != 1)
		fatalx("no random bytes");
	atomic_store(&mem->key_time, time(NULL));
	atomic_store(&mem->state, READY);
}

/* The first process makes the secrets; others see them or wait a moment. */
static void
make_secrets(void)
{
	uint32_t none = 0;
	int i;

	if (atomic_compare_exchange_strong(&mem->state, &none, MAKING)) {
		fill();
		return;
	}
	for (i = 0; i < 200 && atomic_load(&mem->state) != READY; i++)
		usleep(1000);
	if (atomic_load(&mem->state) != READY)
		fill();		/* whoever was at it has died */
}

/* What one killed at work has left.  A first one need not touch the pages. */
static void
clear_column(void)
{
	uint32_t bit = UINT32_C(1) << self;
	size_t i;

	atomic_store(&mem->total[self], 0);
	if ((atomic_fetch_or(&mem->columns, bit) & bit) == 0)
		return;
	for (i = 0; i < nslots; i++)
		atomic_store_explicit(&mem->slots[i].n[self], 0,
		    memory_order_relaxed);
}

void
limit_open(int fd)
{
	struct stat st;
	void *p;

	self = proc_conf()->instance;
	if (mem != NULL || fstat(fd, &st) == -1 || self < 0 ||
	    self >= MAXPROCS ||
	    (size_t)st.st_size < sizeof(struct shared) + sizeof(struct slot))
		return;
	p = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		log_warn("shared memory");
		return;
	}
	mem = p;
	nslots = ((size_t)st.st_size - sizeof(struct shared)) /
	    sizeof(struct slot);
	make_secrets();
	clear_column();
}

static uint64_t
mix(uint64_t h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdULL;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ULL;
	return h ^ h >> 33;
}

/* Whoever has an IPv6 address has a network of them. */
static uint64_t
hash(const void *ip16)
{
	uint64_t w[2], h;

	memcpy(w, ip16, sizeof(w));
	if (!IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)ip16))
		w[1] = 0;
	h = mix(mix(w[0] ^ mem->seed[0]) + (w[1] ^ mem->seed[1]));
	return h != 0 ? h : 1;
}

static int
count(struct slot *e)
{
	int i, n = 0;

	for (i = 0; i < MAXPROCS; i++)
		n += atomic_load_explicit(&e->n[i], memory_order_relaxed);
	return n;
}

static uint32_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec;
}

/* Until when it is of use, though nobody is there: 0 if it never was. */
static uint32_t
needed_until(struct slot *e)
{
	uint32_t until = 0, t;
	int i;

	for (i = 0; i < FRONT_RATES; i++) {
		t = atomic_load_explicit(&e->rate[i], memory_order_relaxed) >>
		    32;
		until = t > until ? t : until;
	}
	return until;
}

static struct slot *
take_over(struct slot *e, uint64_t old, uint64_t key)
{
	int i;

	if (!atomic_compare_exchange_strong(&e->key, &old, key))
		return NULL;
	for (i = 0; i < FRONT_RATES; i++)
		atomic_store_explicit(&e->rate[i], 0, memory_order_relaxed);
	return e;
}

/*
 * This address's entry, or one that becomes its own: the one of those without
 * clients that is needed least.  NULL: no room.
 */
static struct slot *
lookup(uint64_t key)
{
	uint64_t old, old_empty = 0;
	uint32_t until, least = 0;
	struct slot *e, *empty = NULL;
	int i;

	for (i = 0; i < PROBES; i++) {
		e = &mem->slots[(key + i) % nslots];
		old = atomic_load(&e->key);
		if (old == key)
			return e;
		until = needed_until(e);
		if ((old == 0 || count(e) == 0) &&
		    (empty == NULL || until < least)) {
			empty = e;
			old_empty = old;
			least = until;
		}
		if (old == 0)
			break;
	}
	return empty != NULL ? take_over(empty, old_empty, key) : NULL;
}

uint32_t
limit_rate(struct slot *e, enum front_rate what, uint32_t seconds)
{
	uint64_t old, new;
	uint32_t t = now();

	if (e == NULL)
		return 0;
	old = atomic_load_explicit(&e->rate[what], memory_order_relaxed);
	do {
		if (old >> 32 <= t || old >> 32 > t + seconds)
			new = (uint64_t)(t + seconds) << 32 | 1;
		else
			new = (uint32_t)old == UINT32_MAX ? old : old + 1;
	} while (!atomic_compare_exchange_weak(&e->rate[what], &old, new));
	return (uint32_t)new;
}

static struct slot *
add(const void *ip16)
{
	struct slot *e;
	uint64_t key = hash(ip16);

	e = lookup(key);
	if (e == NULL || atomic_load(&e->n[self]) == UINT16_MAX)
		return NULL;
	atomic_fetch_add(&e->n[self], 1);
	if (atomic_load(&e->key) == key)
		return e;
	atomic_fetch_sub(&e->n[self], 1);	/* just taken by another */
	return NULL;
}

int
limit_total(void)
{
	int i, n = 0;

	if (mem == NULL)
		return own;
	for (i = 0; i < MAXPROCS; i++)
		n += atomic_load_explicit(&mem->total[i],
		    memory_order_relaxed);
	return n;
}

bool
limit_enter(const void *ip16, int max, int max_same, struct slot **slot)
{
	*slot = NULL;
	own++;
	if (mem != NULL) {
		atomic_fetch_add(&mem->total[self], 1);
		if (ip16 != NULL)
			*slot = add(ip16);
	}
	if ((max > 0 && limit_total() > max) || (max_same > 0 &&
	    *slot != NULL && count(*slot) > max_same)) {
		limit_leave(*slot);
		*slot = NULL;
		return false;
	}
	return true;
}

void
limit_leave(struct slot *slot)
{
	own--;
	if (mem != NULL)
		atomic_fetch_sub(&mem->total[self], 1);
	if (slot != NULL)
		atomic_fetch_sub(&slot->n[self], 1);
}

/* Shared, the numbers ascend over all processes and their restarts. */
uint32_t
limit_next_id(void)
{
	if (mem != NULL)
		return atomic_fetch_add(&mem->next_id, 1) + 1;
	return ++own_id * MAXPROCS + self;
}

/*
 * A key that lies about for long would open old sessions to whoever finds it:
 * the first that asks after a day makes a new one.  Whoever reads it half
 * made seals tickets that nobody else can open, until it asks again.
 */
const void *
limit_ticket_key(void)
{
	int64_t now = time(NULL), made;

	if (mem == NULL)
		return NULL;
	made = atomic_load(&mem->key_time);
	if (now - made > KEY_LIFE &&
	    atomic_compare_exchange_strong(&mem->key_time, &made, now))
		(void)RAND_bytes(mem->ticket_key, sizeof(mem->ticket_key));
	return mem->ticket_key;
}
