/*
 * Sessions that were handed back (ARCHITECTURE 5.4): their fronts hold the
 * clients' descriptors and a sealed state, the broker no more than who they
 * are and which mailbox each watches.  A record is what makes the state good,
 * once: taken out at the first SESSION_REVIVE, whatever comes of it.
 *
 * The broker must never let one go on that authd, asked anew, would not let
 * in, nor one of an account that has been quiet meanwhile.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "imap.h"
#include "log.h"
#include "seal.h"
#include "stored.h"
#include "trim.h"

enum { BUCKETS = 8192 };

struct idle {
	LIST_ENTRY(idle)	 hash;
	LIST_ENTRY(idle)	 next;		/* its account's */
	struct account		*account;
	uint64_t		 serial;
	uint32_t		 number;	/* the front's own */
	uint16_t		 instance;
	uint8_t			 front;
	bool			 woken;
	char			 watch[];	/* a mailbox, or "" */
};

/* One that wants to go on, while authd is asked. */
struct revival {
	struct ipc_ref		 ref;
	struct account		*account;
	enum proc_id		 front;
	int			 instance;
	uint32_t		 number;
	int			 fd;
	struct msg_work_session	 m;
	struct buf		 open;		/* what was sealed */
	char			*tag, *peer;
};

static LIST_HEAD(, idle)	table[BUCKETS];
static unsigned			count;
static uint64_t			serial;

unsigned
idle_count(void)
{
	return count;
}

static unsigned
bucket(int front, int instance, uint32_t number)
{
	return (number * 64 + instance * 8 + front) % BUCKETS;
}

static struct idle *
find(enum proc_id front, int instance, uint32_t number)
{
	struct idle *i;

	LIST_FOREACH(i, &table[bucket(front, instance, number)], hash)
		if (i->number == number && i->instance == instance &&
		    i->front == front)
			return i;
	return NULL;
}

static void
idle_free(struct idle *i)
{
	LIST_REMOVE(i, hash);
	LIST_REMOVE(i, next);
	count--;
	free(i);
}

/* --- to the front --- */

static struct seal_id
seal_id(const struct idle *i)
{
	return (struct seal_id) { .serial = i->serial,
		.path = i->account->path, .front = i->front,
		.instance = i->instance, .number = i->number };
}

static struct idle *
idle_new(const struct session *s, const char *watch)
{
	size_t n = strlen(watch) + 1;
	struct idle *i = calloc(1, sizeof(*i) + n);

	if (i == NULL)
		return NULL;
	i->account = s->account;
	i->serial = ++serial;
	i->front = s->front;
	i->instance = s->instance;
	i->number = s->number;
	memcpy(i->watch, watch, n);
	LIST_INSERT_HEAD(&table[bucket(i->front, i->instance, i->number)], i,
	    hash);
	LIST_INSERT_HEAD(&s->account->idles, i, next);
	trim_later(++count);
	return i;
}

/* Who it is, and then what the worker wants to know again. */
static int
seal(const struct idle *i, const struct session *s,
    const struct ipc_str *state, struct buf *out)
{
	struct seal_id id = seal_id(i);
	struct buf b;
	int ret;

	buf_init(&b, 0);
	buf_putc(&b, s->m.tls);
	buf_add(&b, s->m.service, strlen(s->m.service) + 1);
	buf_add(&b, s->m.account, strlen(s->m.account) + 1);
	buf_add(&b, s->m.mailbox, strlen(s->m.mailbox) + 1);
	buf_add(&b, state->p, state->len);
	ret = b.failed ? -1 : seal_close(&id, b.p, b.len, out);
	buf_free(&b);
	return ret;
}

void
idle_from_worker(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_work_idle *m = pkt->m;
	struct account *a = arg;
	struct session *s = session_find(m->id);
	struct msg_session_idle to;
	struct idle *i;
	struct buf b;

	if (s == NULL || s->account != a || !s->given)
		return;
	/* A worker that was taken over shall not fill us, or the front. */
	if (s->front == PROC_SERVER || pkt->fd == -1 ||
	    m->state.len > IMAP_STATE_MAX ||
	    strlen(m->watch) > m->state.len ||
	    (i = idle_new(s, m->watch)) == NULL) {
		session_ended(s);
		return;
	}
	buf_init(&b, 4096);
	if (seal(i, s, &m->state, &b) == -1) {
		log_warnx("%s: a session cannot be sealed", a->path);
		idle_free(i);
		session_ended(s);
	} else {
		to.sealed = (struct ipc_str) { b.p, b.len };
		ipc_send(proc_peer_n(s->front, s->instance), IPC_SESSION_IDLE,
		    s->number, &to, ipc_take_fd(pkt));
		session_free(s);
	}
	buf_free(&b);
	account_run(a);
}

static void
wake(struct idle *i, const char *text)
{
	struct msg_session_wake m = { .text = text };

	i->woken = true;
	ipc_send(proc_peer_n(i->front, i->instance), IPC_SESSION_WAKE,
	    i->number, &m, -1);
}

/* --- news --- */

static bool
is_inbox(const char *name)
{
	return *name == '\0' || strcasecmp(name, "INBOX") == 0;
}

/* "" watches nothing. */
static bool
watches(const struct idle *i, const char *mailbox)
{
	if (i->watch[0] == '\0')
		return false;
	return is_inbox(mailbox) ? is_inbox(i->watch) :
	    strcmp(i->watch, mailbox) == 0;
}

void
idle_news(struct account *a, const char *mailbox)
{
	struct idle *i;

	LIST_FOREACH(i, &a->idles, next)
		if (!i->woken && watches(i, mailbox))
			wake(i, "");
}

void
idle_changed(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_work_changed *m = pkt->m;

	idle_news(arg, m->mailbox);
}

bool
idle_watched(const struct account *a)
{
	const struct idle *i;

	LIST_FOREACH(i, &a->idles, next)
		if (i->watch[0] != '\0')
			return true;
	return false;
}

/* --- back to work --- */

static void
revival_free(struct revival *r)
{
	r->account->revivals--;
	if (r->fd != -1)
		close(r->fd);
	buf_free(&r->open);
	free(r->tag);
	free(r->peer);
	free(r);
}

static void
allowed(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;
	struct revival *r = arg;
	struct account *a = r->account;

	if (m == NULL)
		answer_done(r->ref, 2, "cannot be checked now");
	else if (m->code != 0)
		answer_done(r->ref, m->code, m->text);
	else if (a->quiet)
		answer_done(r->ref, 2, a->why);
	else {
		session_add(a, &r->m, r->ref, r->front, r->instance,
		    r->number, r->fd);
		r->fd = -1;
	}
	revival_free(r);
	account_run(a);
}

/* The seal held, so this is what seal() wrote. */
static int
unpack(struct revival *r)
{
	const char *p = r->open.p, *end = p + r->open.len;
	const char **texts[] = { &r->m.service, &r->m.account,
		&r->m.mailbox };
	const char *nul;
	size_t i;

	if (p == end)
		return -1;
	r->m.tls = *p++;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if ((nul = memchr(p, '\0', end - p)) == NULL)
			return -1;
		*texts[i] = p;
		p = nul + 1;
	}
	r->m.state = (struct ipc_str) { p, end - p };
	return 0;
}

static void
ask(struct revival *r)
{
	struct account *a = r->account;
	struct msg_access m = { .account = r->m.account, .path = a->path,
		.service = r->m.service, .peer = r->m.peer,
		.tls = r->m.tls };

	ipc_call(proc_peer(PROC_AUTHD), IPC_ACCESS, 0, &m, -1, IPC_TIMEOUT,
	    allowed, r);
}

static struct revival *
revival_new(struct ipc *ipc, struct ipc_pkt *pkt, struct account *a)
{
	const struct msg_session_revive *m = pkt->m;
	struct revival *r = xcalloc(1, sizeof(*r));

	r->ref = ipc_ref(ipc, pkt);
	r->account = a;
	a->revivals++;
	r->front = proc_who(ipc, &r->instance);
	r->number = pkt->session;
	r->fd = ipc_take_fd(pkt);
	r->m.tag = r->tag = xstrdup(m->tag);
	r->m.peer = r->peer = xstrdup(m->peer);
	r->m.hello = "";
	buf_init(&r->open, 4096);
	return r;
}

void
idle_revive(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	static const int64_t grace = 10000;
	const struct msg_session_revive *m = pkt->m;
	struct account *a;
	struct revival *r;
	struct seal_id id;
	struct idle *i;
	int instance;
	enum proc_id front = proc_who(ipc, &instance);

	i = find(front, instance, pkt->session);
	if (i == NULL || pkt->fd == -1) {
		answer_done(ipc_ref(ipc, pkt), 1, "the session is over");
		return;
	}
	a = i->account;
	r = revival_new(ipc, pkt, a);
	id = seal_id(i);
	if (seal_open(&id, m->sealed.p, m->sealed.len, &r->open) == -1 ||
	    unpack(r) == -1) {
		log_msg(LOG_PROBLEM, "%s: not the state of %s", ipc_peer(ipc),
		    m->tag);
		answer_done(r->ref, 1, "the session is over");
		revival_free(r);
	} else {
		/* Most likely it may: the worker can be made meanwhile. */
		if (a->warm < now_ms() + grace)
			a->warm = now_ms() + grace;
		ask(r);
	}
	idle_free(i);
	account_run(a);
}

/* --- the end --- */

void
idle_gone(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	struct account *a;
	struct idle *i;
	int instance;
	enum proc_id front = proc_who(ipc, &instance);

	if ((i = find(front, instance, pkt->session)) == NULL)
		return;
	a = i->account;
	idle_free(i);
	account_run(a);
}

/* Each is revived, or refused by authd. */
void
idle_account(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_account_changed *m = pkt->m;
	struct account *a = account_find(m->path);
	struct idle *i;

	if (a == NULL)
		return;
	LIST_FOREACH(i, &a->idles, next)
		wake(i, "");
}

unsigned
idle_tell(struct account *a, const char *line)
{
	struct msg_session_tell m = { .text = line };
	unsigned n = 0;
	struct idle *i;

	LIST_FOREACH(i, &a->idles, next) {
		ipc_send(proc_peer_n(i->front, i->instance), IPC_SESSION_TELL,
		    i->number, &m, -1);
		n++;
	}
	return n;
}

void
idle_end(struct account *a, const char *why)
{
	struct idle *i;

	while ((i = LIST_FIRST(&a->idles)) != NULL) {
		wake(i, why);
		idle_free(i);
	}
}

void
idle_front_down(enum proc_id front, int instance)
{
	struct account *a;
	struct idle *i, *next;
	unsigned b;

	for (b = 0; b < BUCKETS; b++)
		LIST_FOREACH_SAFE(i, &table[b], hash, next) {
			if (i->front != front || i->instance != instance)
				continue;
			a = i->account;
			idle_free(i);
			account_run(a);
		}
}
