/*
 * The broker's grants and sessions: authd says who may come, the front that
 * was named brings the client, once and in time, and the account's worker
 * gets it.  The broker never reads from a client.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "stored.h"

enum { BUCKETS = 1024, MAXGRANTS = 20000 };

struct grant {
	LIST_ENTRY(grant)	 hash;
	TAILQ_ENTRY(grant)	 next;		/* oldest first */
	unsigned char		 ticket[TICKET_LEN];
	char			*account, *path, *mailbox, *service;
	enum proc_id		 front;
	int			 instance;
	int64_t			 until;
};

static LIST_HEAD(, grant)	grants[BUCKETS];
static TAILQ_HEAD(, grant)	byage = TAILQ_HEAD_INITIALIZER(byage);
static unsigned			ngrants;
static LIST_HEAD(, session)	table[BUCKETS];
static unsigned			count;
static uint32_t			serial;

unsigned
sessions_count(void)
{
	return count;
}

/* --- grants --- */

static unsigned
bucket(const unsigned char *ticket)
{
	uint32_t h;

	memcpy(&h, ticket, sizeof(h));	/* tickets are random */
	return h % BUCKETS;
}

static void
grant_free(struct grant *g)
{
	LIST_REMOVE(g, hash);
	TAILQ_REMOVE(&byage, g, next);
	ngrants--;
	explicit_bzero(g->ticket, sizeof(g->ticket));
	free(g->account);
	free(g->path);
	free(g->mailbox);
	free(g->service);
	free(g);
}

/* All have the same few seconds, so the oldest are first to go. */
static void
expire(void)
{
	struct grant *g;
	int64_t now = now_ms();

	while ((g = TAILQ_FIRST(&byage)) != NULL && g->until < now)
		grant_free(g);
}

void
session_grant(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_grant *m = pkt->m;
	struct ipc_ref ref = ipc_ref(ipc, pkt);
	struct account *a;
	struct grant *g;

	expire();
	if (m->ticket.len != TICKET_LEN || ngrants >= MAXGRANTS) {
		answer_done(ref, 2, "too many logins at once");
		return;
	}
	a = account_get(m->path);
	if (a->quiet) {
		answer_done(ref, 2, a->why);
		account_run(a);
		return;
	}
	g = xcalloc(1, sizeof(*g));
	memcpy(g->ticket, m->ticket.p, TICKET_LEN);
	if (a->name == NULL)
		a->name = xstrdup(m->account);
	limits_take(a, m->limits);
	g->account = xstrdup(m->account);
	g->path = xstrdup(m->path);
	g->mailbox = xstrdup(m->mailbox);
	g->service = xstrdup(m->service);
	g->front = m->front;
	g->instance = m->instance;
	g->until = now_ms() + (int64_t)m->seconds * 1000;
	LIST_INSERT_HEAD(&grants[bucket(g->ticket)], g, hash);
	TAILQ_INSERT_TAIL(&byage, g, next);
	ngrants++;
	answer_done(ref, 0, "");
	/* The client will be here in a moment: let the worker be, too. */
	if (a->warm < g->until)
		a->warm = g->until;
	account_run(a);
}

/* Once, by that front, in time. */
static struct grant *
redeem(const struct ipc_str *t, enum proc_id front, int instance)
{
	struct grant *g;

	expire();
	if (t->len != TICKET_LEN)
		return NULL;
	LIST_FOREACH(g, &grants[bucket(t->p)], hash)
		if (memcmp(g->ticket, t->p, TICKET_LEN) == 0 &&
		    g->front == front && g->instance == instance)
			return g;
	return NULL;
}

/* --- sessions --- */

struct session *
session_find(uint32_t id)
{
	struct session *s;

	LIST_FOREACH(s, &table[id % BUCKETS], hash)
		if (s->id == id)
			return s;
	return NULL;
}

void
session_free(struct session *s)
{
	LIST_REMOVE(s, hash);
	TAILQ_REMOVE(&s->account->sessions, s, next);
	count--;
	if (s->fd != -1)
		close(s->fd);
	free(s->text);
	free(s->bulk);
	free(s);
}

static const char *
keep(char **p, const char *s)
{
	size_t n = strlen(s) + 1;
	char *at = *p;

	memcpy(at, s, n);
	*p += n;
	return at;
}

static void
keep_bulk(char **p, struct ipc_str *to, const struct ipc_str *from)
{
	to->p = *p;
	to->len = from->len;
	if (from->len > 0)
		memcpy(*p, from->p, from->len);
	*p += from->len;
}

/* A copy of all that the worker shall know. */
static struct session *
session_make(const struct msg_work_session *m)
{
	struct session *s = xcalloc(1, sizeof(*s));
	char *p;

	p = s->text = xcalloc(1, strlen(m->service) + strlen(m->account) +
	    strlen(m->mailbox) + strlen(m->tag) + strlen(m->peer) +
	    strlen(m->hello) + 6);
	s->id = ++serial;
	s->m.id = s->id;
	s->m.service = keep(&p, m->service);
	s->m.account = keep(&p, m->account);
	s->m.mailbox = keep(&p, m->mailbox);
	s->m.tag = keep(&p, m->tag);
	s->m.peer = keep(&p, m->peer);
	s->m.hello = keep(&p, m->hello);
	s->m.tls = m->tls;
	p = s->bulk = xcalloc(1, m->input.len + m->state.len + 1);
	keep_bulk(&p, &s->m.input, &m->input);
	keep_bulk(&p, &s->m.state, &m->state);
	LIST_INSERT_HEAD(&table[s->id % BUCKETS], s, hash);
	count++;
	return s;
}

void
session_add(struct account *a, const struct msg_work_session *m,
    struct ipc_ref ref, enum proc_id front, int instance, uint32_t number,
    int fd)
{
	struct session *s = session_make(m);

	s->account = a;
	s->front = front;
	s->instance = instance;
	s->number = number;
	s->ref = ref;
	s->fd = fd;
	TAILQ_INSERT_TAIL(&a->sessions, s, next);
}

void
session_new(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_session *m = pkt->m;
	struct ipc_ref ref = ipc_ref(ipc, pkt);
	struct msg_work_session w = { .tag = m->tag, .peer = m->peer,
		.hello = m->hello, .tls = m->tls, .input = m->input };
	enum proc_id front;
	struct account *a;
	struct grant *g;
	int instance;

	front = proc_who(ipc, &instance);
	g = redeem(&m->ticket, front, instance);
	if (g == NULL || pkt->fd == -1) {
		log_msg(LOG_PROBLEM, "%s: no grant for %s", ipc_peer(ipc),
		    m->tag);
		answer_done(ref, 1, "the login has expired");
		return;
	}
	a = account_get(g->path);
	w.service = g->service;
	w.account = g->account;
	w.mailbox = g->mailbox;
	session_add(a, &w, ref, front, instance, pkt->session,
	    ipc_take_fd(pkt));
	grant_free(g);
	account_run(a);
}

bool
sessions_waiting(const struct account *a)
{
	const struct session *s = TAILQ_LAST(&a->sessions, sessions);

	return s != NULL && !s->given;
}

void
sessions_give(struct account *a)
{
	struct session *s;
	int fd;

	a->warm = a->warm > now_ms() ? a->warm : 0;
	TAILQ_FOREACH(s, &a->sessions, next) {
		if (s->given)
			continue;
		s->given = true;
		fd = s->fd;
		s->fd = -1;
		s->m.watched = idle_watched(a);
		ipc_send(a->ipc, IPC_WORK_SESSION, 0, &s->m, fd);
		answer_done(s->ref, 0, "");
		free(s->bulk);
		s->bulk = NULL;
	}
}

static void
tell_front(const struct session *s)
{
	struct msg_session_end m = { 0 };

	if (s->front != PROC_SERVER)
		ipc_send(proc_peer_n(s->front, s->instance), IPC_SESSION_END,
		    s->number, &m, -1);
}

void
session_ended(struct session *s)
{
	tell_front(s);
	session_free(s);
}

void
session_over(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_work_session_end *m = pkt->m;
	struct session *s = session_find(m->id);

	if (s != NULL && s->account == arg && s->given)
		session_ended(s);
}

void
sessions_refuse(struct account *a, const char *text)
{
	struct session *s, *next;

	a->warm = 0;
	TAILQ_FOREACH_SAFE(s, &a->sessions, next, next) {
		if (s->given)
			continue;
		answer_done(s->ref, 2, text);
		session_free(s);
	}
}

void
sessions_drop(struct account *a)
{
	struct session *s, *next;

	TAILQ_FOREACH_SAFE(s, &a->sessions, next, next) {
		if (s->given)
			session_ended(s);
	}
}

void
sessions_front_down(enum proc_id front, int instance)
{
	struct session *s;
	unsigned i;

	for (i = 0; i < BUCKETS; i++)
		LIST_FOREACH(s, &table[i], hash)
			if (s->front == front && s->instance == instance)
				s->front = PROC_SERVER;
}
