/*
 * Questions to the Domain Name System, by way of smtpd's sending role: who
 * waits for which, and a small cache, so that a host that connects again and
 * again is looked up once.  Runs in smtpd and routerd; never blocks.
 */
#include <sys/queue.h>
#include <bsd/sys/tree.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "lookup.h"
#include "proc.h"

enum {
	QUICK = 4000,		/* milliseconds */
	USUAL = 20000,
	HOST = 28000,
	MARGIN = 2000,		/* for the answer's own way */
	MAXOPEN = 1000,
	/* Of zones that strangers choose: the lists need credits, too. */
	MAXSTRANGE = IPC_CREDITS / 2,
	MAXKEPT = 4096,		/* answers */
	MAXRECORDS = 2048,	/* bytes; a longer answer is not kept */
	KEEP_MAX = 300,		/* seconds */
	KEEP_NONE = 60,
	KEEP_TROUBLE = 5
};

struct look {
	LIST_ENTRY(look)	 mine;		/* of who waits */
	LIST_ENTRY(look)	 all;		/* of the question */
	look_cb			*cb;
	void			*arg;
};

struct question {
	RB_ENTRY(question)	 tree;
	TAILQ_ENTRY(question)	 age;		/* once answered */
	struct looks		 waiting;
	bool			 open, strange;
	enum look_status	 status;
	char			*records;
	time_t			 until;
	int			 type;
	char			 name[DNS_MAXNAME + 1];
};

static int
question_cmp(const struct question *a, const struct question *b)
{
	return a->type != b->type ? (a->type < b->type ? -1 : 1) :
	    strcasecmp(a->name, b->name);
}

RB_HEAD(questions, question);
static struct questions questions = RB_INITIALIZER(&questions);
RB_PROTOTYPE(questions, question, tree, question_cmp)
RB_GENERATE(questions, question, tree, question_cmp)

static TAILQ_HEAD(, question) kept = TAILQ_HEAD_INITIALIZER(kept);
static size_t nopen, nstrange, nkept;

size_t
look_open(void)
{
	return nopen;
}

static time_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec;
}

/* An answered one. */
static void
forget(struct question *q)
{
	TAILQ_REMOVE(&kept, q, age);
	nkept--;
	RB_REMOVE(questions, &questions, q);
	free(q->records);
	free(q);
}

static void
look_free(struct look *l)
{
	LIST_REMOVE(l, mine);
	LIST_REMOVE(l, all);
	free(l);
}

/* It may be asked again, and answered, while they are told. */
static void
tell(struct looks *waiting, enum look_status status, const char *records)
{
	struct look *l;
	look_cb *cb;
	void *arg;

	while ((l = LIST_FIRST(waiting)) != NULL) {
		cb = l->cb;
		arg = l->arg;
		look_free(l);
		cb(status, records, arg);
	}
}

static time_t
keep_for(enum look_status status, uint32_t ttl)
{
	if (status == LOOK_TROUBLE)
		return KEEP_TROUBLE;
	if (status != LOOK_FOUND)
		return KEEP_NONE;
	return ttl < KEEP_MAX ? (time_t)ttl : KEEP_MAX;
}

static void
answered(struct question *q, enum look_status status, const char *records,
    uint32_t ttl)
{
	struct looks waiting;
	struct look *l;

	nopen--;
	if (q->strange)
		nstrange--;
	q->open = false;
	q->status = status;
	q->until = now() + keep_for(status, ttl);
	if (status == LOOK_FOUND && strlen(records) <= MAXRECORDS)
		q->records = strdup(records);
	LIST_INIT(&waiting);
	while ((l = LIST_FIRST(&q->waiting)) != NULL) {
		LIST_REMOVE(l, all);
		LIST_INSERT_HEAD(&waiting, l, all);
	}
	TAILQ_INSERT_TAIL(&kept, q, age);
	nkept++;
	if (status == LOOK_FOUND && q->records == NULL)
		forget(q);
	else if (nkept > MAXKEPT)
		forget(TAILQ_FIRST(&kept));
	tell(&waiting, status, records);
}

static void
found(const struct ipc_pkt *pkt, void *arg)
{
	static const enum look_status status[] = {
		LOOK_FOUND, LOOK_NONE, LOOK_TROUBLE, LOOK_EMPTY
	};
	const struct msg_dns_found *m = pkt != NULL ? pkt->m : NULL;

	if (m == NULL || m->code >= sizeof(status) / sizeof(status[0]))
		answered(arg, LOOK_TROUBLE, "", 0);
	else
		answered(arg, status[m->code], m->records, m->ttl);
}

static void
tried(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;

	answered(arg, m == NULL || m->code > 1 ? LOOK_TROUBLE :
	    m->code == 1 ? LOOK_NONE : LOOK_FOUND, "", KEEP_MAX);
}

static void
ask(struct question *q, bool quick)
{
	struct msg_dns_find m = { .name = q->name, .type = (uint16_t)q->type,
		.wait = quick ? QUICK : USUAL };
	struct msg_host_try host = { .domain = q->name };
	struct ipc *sender = proc_peer(PROC_SENDER);

	nopen++;
	if (q->strange)
		nstrange++;
	q->open = true;
	if (q->type == LOOK_HOST)
		ipc_call(sender, IPC_HOST_TRY, 0, &host, -1, HOST + MARGIN,
		    tried, q);
	else
		ipc_call(sender, IPC_DNS_FIND, 0, &m, -1, m.wait + MARGIN,
		    found, q);
}

/* The one that is open or known, or a new one; NULL: there is no room. */
static struct question *
question(const char *name, int type, bool quick)
{
	bool strange = !quick || type == DNS_PTR;
	struct question key, *q;

	key.type = type;
	if (!str_copy(str_make(name), key.name, sizeof(key.name)))
		return NULL;
	q = RB_FIND(questions, &questions, &key);
	if (q != NULL && !q->open && q->until < now()) {
		forget(q);
		q = NULL;
	}
	if (q != NULL || nopen >= MAXOPEN ||
	    (strange && nstrange >= MAXSTRANGE) ||
	    (q = calloc(1, sizeof(*q))) == NULL)
		return q;
	q->strange = strange;
	q->type = type;
	memcpy(q->name, key.name, sizeof(q->name));
	RB_INSERT(questions, &questions, q);
	ask(q, quick);
	return q;
}

void
look_up(struct looks *looks, const char *name, int type, bool quick,
    look_cb *cb, void *arg)
{
	struct question *q = question(name, type, quick);
	struct look *l = NULL;
	char *records;

	if (q == NULL || (q->open && (l = calloc(1, sizeof(*l))) == NULL)) {
		cb(LOOK_TROUBLE, "", arg);
		return;
	}
	if (!q->open) {
		/* The question may be forgotten while this one is told. */
		records = q->records != NULL ? strdup(q->records) : NULL;
		cb(q->status == LOOK_FOUND && records == NULL ? LOOK_TROUBLE :
		    q->status, records != NULL ? records : "", arg);
		free(records);
		return;
	}
	l->cb = cb;
	l->arg = arg;
	LIST_INSERT_HEAD(looks, l, mine);
	LIST_INSERT_HEAD(&q->waiting, l, all);
}

void
look_cancel(struct looks *looks)
{
	struct look *l;

	while ((l = LIST_FIRST(looks)) != NULL)
		look_free(l);
}

static bool
reversed6(const unsigned char *ip, const char *zone, char *out, size_t size)
{
	char text[65];
	int i;

	for (i = 0; i < 16; i++)
		snprintf(text + 4 * i, sizeof(text) - 4 * i, "%x.%x.",
		    ip[15 - i] & 15U, ip[15 - i] >> 4);
	return snprintf(out, size, "%s%s", text, zone) < (int)size;
}

bool
look_reversed(const char *ip, const char *zone, char *out, size_t size)
{
	unsigned char b[16];

	if (inet_pton(AF_INET, ip, b) == 1)
		return snprintf(out, size, "%u.%u.%u.%u.%s", b[3], b[2], b[1],
		    b[0], zone) < (int)size;
	return inet_pton(AF_INET6, ip, b) == 1 &&
	    reversed6(b, zone, out, size);
}
