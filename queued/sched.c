/*
 * Logical queues: one an account, one a remote domain.  Those with something
 * to send and leave to send it take turns; a queue whose destination is in
 * trouble rests, longer each time.  The loop's alone.
 */
#include <ctype.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "queued.h"

enum {
	FLIGHT_QUEUE = 64,	/* of one queue */
	FLIGHT_ALL = 512,
	SHARE = 4,		/* a part so small of what is left of it */
	LATER = 1,		/* second, when descriptors ran out */
	TURN = 8,		/* in a row, before the next queue's turn */
	WATCH = 60,		/* seconds */
	HANGS = 600,		/* that a delivery does, then it is logged */
	DELAY_FIRST = 2,	/* seconds */
	DELAY_MAX = 600
};

struct lqtree lqueues = RB_INITIALIZER(&lqueues);
static TAILQ_HEAD(, lqueue) ready = TAILQ_HEAD_INITIALIZER(ready);
static size_t nready;
static struct event *soon;

int
lqueue_cmp(const struct lqueue *a, const struct lqueue *b)
{
	return a->kind != b->kind ? a->kind - b->kind :
	    strcmp(a->name, b->name);
}
RB_GENERATE(lqtree, lqueue, tree, lqueue_cmp)

static const char by_hand[] = "delayed by the administrator";

static void	delay_over(int, short, void *);
static void	sched_later(void);

struct lqueue *
lqueue_get(char kind, const char *name, const char *show)
{
	struct lqueue *lq = lqueue_find(kind, name);

	if (lq != NULL)
		return lq;
	if ((lq = calloc(1, sizeof(*lq))) == NULL ||
	    (lq->show = strdup(show)) == NULL ||
	    (lq->name = strdup(name)) == NULL) {
		if (lq != NULL)
			free(lq->show);
		free(lq);
		return NULL;
	}
	lq->kind = kind;
	TAILQ_INIT(&lq->wait);
	TAILQ_INIT(&lq->later);
	lq->most = 1;
	RB_INSERT(lqtree, &lqueues, lq);
	return lq;
}

/*
 * "@12.34.56.78:host" (manual 29); an IPv6 address stands in brackets.  Mail
 * that may go without TLS where other mail may not has channels of its own,
 * and its queue's name a "!" before.
 */
struct lqueue *
lqueue_remote(const char *host, const char *source, bool lax)
{
	char name[640], show[640], *p;
	bool six = strchr(source, ':') != NULL;
	struct lqueue *lq;

	if (*source == '\0')
		snprintf(show, sizeof(show), "%s%s", lax ? "!" : "", host);
	else
		snprintf(show, sizeof(show), "%s@%s%s%s:%s", lax ? "!" : "",
		    six ? "[" : "", source, six ? "]" : "", host);
	snprintf(name, sizeof(name), "%s", show);
	for (p = name; *p != '\0'; p++)
		*p = tolower((unsigned char)*p);
	if ((lq = lqueue_get(QUEUE_SMTP, name, show)) == NULL ||
	    lq->host != NULL)
		return lq;
	if ((lq->source = strdup(source)) == NULL) {
		lqueue_touch(lq);	/* empty still: it goes */
		return NULL;
	}
	lq->host = lq->show + strlen(show) - strlen(host);
	lq->lax = lax;
	lq->hold = remote_is_held(lq->host);
	return lq;
}

struct lqueue *
lqueue_find(char kind, const char *name)
{
	struct lqueue key = { .kind = kind };

	/* Not written to. */
	key.name = (char *)(uintptr_t)name;
	return RB_FIND(lqtree, &lqueues, &key);
}

/* Into or out of the list of those that have a turn. */
static void
lqueue_list(struct lqueue *lq)
{
	bool can = lq->waiting > 0 && !lq->delayed &&
	    lq->flight < FLIGHT_QUEUE;

	if (lq->kind == QUEUE_SMTP) {
		remote_list(lq);
		return;
	}
	if (can && !lq->listed) {
		TAILQ_INSERT_TAIL(&ready, lq, ready);
		nready++;
		sched_soon();
	} else if (!can && lq->listed) {
		TAILQ_REMOVE(&ready, lq, ready);
		nready--;
	}
	lq->listed = can;
}

static void
lqueue_free_empty(struct lqueue *lq)
{
	if (lq->waiting > 0 || lq->nlater > 0 || lq->flight > 0 ||
	    lq->away > 0 || lq->chans > 0 || lq->delayed)
		return;
	lqueue_list(lq);	/* nothing in it: no turn any more */
	RB_REMOVE(lqtree, &lqueues, lq);
	if (lq->timer != NULL)
		event_free(lq->timer);
	if (lq->again != NULL)
		event_free(lq->again);
	free(lq->why);
	free(lq->name);
	free(lq->show);
	free(lq->source);
	free(lq);
}

/* Numbers are given before the messages come, so they tell little. */
static bool
before(const struct rcpt *a, const struct rcpt *b)
{
	if (a->msg == b->msg)
		return a < b;
	if (a->msg->arrival != b->msg->arrival)
		return a->msg->arrival < b->msg->arrival;
	return a->msg->id < b->msg->id;
}

/* As they came: nearly always at the end. */
static void
wait_insert(struct lqueue *lq, struct rcpt *r)
{
	struct rcpt *o = TAILQ_LAST(&lq->wait, waitlist);

	while (o != NULL && before(r, o))
		o = TAILQ_PREV(o, waitlist, entry);
	if (o == NULL)
		TAILQ_INSERT_HEAD(&lq->wait, r, entry);
	else
		TAILQ_INSERT_AFTER(&lq->wait, o, r, entry);
	lq->waiting++;
	rcpt_state(r, R_WAIT);
}

void
lqueue_add(struct lqueue *lq, struct rcpt *r)
{
	r->lq = lq;
	wait_insert(lq, r);
	if (r->byhand > time(NULL))
		lqueue_put_off(r, r->byhand);
	else
		lqueue_list(lq);
}

static void
take(struct lqueue *lq, struct rcpt *r)
{
	if (r->state == R_WAIT) {
		TAILQ_REMOVE(&lq->wait, r, entry);
		lq->waiting--;
	} else if (r->state == R_LATER) {
		TAILQ_REMOVE(&lq->later, r, entry);
		lq->nlater--;
		if (r->byhand != 0)
			byhand_changed();
		r->byhand = 0;
	} else {
		lq->flight--;
		lq->since = time(NULL);
	}
}

void
lqueue_remove(struct rcpt *r)
{
	struct lqueue *lq = r->lq;

	take(lq, r);
	r->lq = NULL;
	lqueue_list(lq);
	lqueue_free_empty(lq);
}

void
lqueue_flight(struct rcpt *r)
{
	struct lqueue *lq = r->lq;

	take(lq, r);
	if (lq->flight++ == 0)
		lq->since = time(NULL);
	rcpt_state(r, R_FLIGHT);
	lqueue_list(lq);
}

void
lqueue_back(struct rcpt *r)
{
	take(r->lq, r);
	wait_insert(r->lq, r);
	lqueue_list(r->lq);
}

static void
delay(struct lqueue *lq, int64_t seconds, const char *why)
{
	struct timeval tv = { .tv_sec = seconds };

	if (lq->timer == NULL &&
	    (lq->timer = evtimer_new(proc_base(), delay_over, lq)) == NULL)
		return;
	free(lq->why);
	lq->why = strdup(why);
	lq->delayed = true;
	lq->until = time(NULL) + seconds;
	evtimer_add(lq->timer, &tv);
	lqueue_list(lq);
	log_tag(LOG_PROBLEM, "QUEUE", "%s(%s) delayed for %lld seconds: %s",
	    lq->kind == QUEUE_LOCAL ? "LOCAL" : "SMTP", lq->show,
	    (long long)seconds, why);
}

void
lqueue_delay(struct lqueue *lq, const char *why)
{
	int64_t seconds = DELAY_MAX;

	if (lq->delayed || lq->waiting == 0)
		return;
	if (lq->kind == QUEUE_SMTP)
		seconds = remote_interval(TAILQ_FIRST(&lq->wait)->msg);
	else if (lq->tries < 8)
		seconds = DELAY_FIRST << lq->tries++;
	delay(lq, seconds, why);
}

void
lqueue_pause(struct lqueue *lq, int64_t seconds)
{
	lq->byhand = true;
	delay(lq, seconds, by_hand);
}

void
lqueue_worked(struct lqueue *lq)
{
	lq->tries = 0;
	if (lq->delayed && !lq->byhand)
		lqueue_release(lq);
}

void
lqueue_touch(struct lqueue *lq)
{
	lqueue_list(lq);
	lqueue_free_empty(lq);
}

void
lqueue_release(struct lqueue *lq)
{
	lqueue_hurry(lq);
	if (!lq->delayed)
		return;
	if (lq->byhand)
		byhand_changed();
	lq->delayed = lq->byhand = false;
	evtimer_del(lq->timer);
	lqueue_touch(lq);
}

void
lqueue_hurry(struct lqueue *lq)
{
	struct rcpt *r, *next;

	for (r = TAILQ_FIRST(&lq->later); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		if (r->byhand != 0)
			continue;
		take(lq, r);
		wait_insert(lq, r);
	}
	lqueue_list(lq);
}

/* Where does it go now?  Its queue stays meanwhile. */
static void
send_back(struct lqueue *lq, struct rcpt *r)
{
	take(lq, r);
	r->lq = NULL;
	r->from = lq;
	lq->away++;
	rcpt_state(r, R_NEW);
	route_rcpt(r);
}

/*
 * The account may have another name by now, or be gone: all that waits is
 * routed anew, and the count of its queue's tries goes on.
 */
static void
delay_over(int fd, short what, void *arg)
{
	struct lqueue *lq = arg;
	struct rcpt *r;

	if (lq->byhand)
		byhand_changed();
	lq->delayed = lq->byhand = false;
	lq->away++;
	while ((r = TAILQ_FIRST(&lq->wait)) != NULL)
		if (lq->kind == QUEUE_LOCAL || !remote_expired(r, lq->why))
			send_back(lq, r);
	lq->away--;
	lqueue_touch(lq);
}

/* Who asks for it may have changed where it goes. */
void
lqueue_wake(struct lqueue *lq)
{
	struct rcpt *r;

	lq->away++;
	lq->woken = lq->hold;
	lqueue_release(lq);
	while ((r = TAILQ_FIRST(&lq->wait)) != NULL)
		send_back(lq, r);
	lq->away--;
	lqueue_touch(lq);
}

void
lqueue_holds(void)
{
	struct lqueue *lq, *next;
	bool hold;

	RB_FOREACH_SAFE(lq, lqtree, &lqueues, next) {
		if (lq->kind != QUEUE_SMTP ||
		    (hold = remote_is_held(lq->host)) == lq->hold)
			continue;
		lq->hold = hold;
		lq->woken = false;
		if (!hold && !lq->byhand)
			lqueue_release(lq);
		else
			lqueue_touch(lq);
	}
}

static void	later_due(int, short, void *);

static void
later_timer(struct lqueue *lq)
{
	struct timeval tv = { 0 };
	struct rcpt *r = TAILQ_FIRST(&lq->later);

	if (lq->again == NULL)
		lq->again = evtimer_new(proc_base(), later_due, lq);
	if (r == NULL || lq->again == NULL)
		return;
	tv.tv_sec = r->due > time(NULL) ? r->due - time(NULL) : 0;
	evtimer_add(lq->again, &tv);
}

static void
later_due(int fd, short what, void *arg)
{
	struct lqueue *lq = arg;
	struct rcpt *r;

	lq->away++;
	while ((r = TAILQ_FIRST(&lq->later)) != NULL && r->due <= time(NULL))
		if (lq->kind == QUEUE_LOCAL || !remote_expired(r, r->text))
			send_back(lq, r);
	later_timer(lq);
	lq->away--;
	lqueue_touch(lq);
}

void
lqueue_later(struct rcpt *r, const char *why, int64_t seconds)
{
	struct lqueue *lq = r->lq;
	struct rcpt *o;

	take(lq, r);
	free(r->text);
	r->text = strdup(why);
	r->due = time(NULL) + seconds;
	o = TAILQ_LAST(&lq->later, waitlist);
	while (o != NULL && o->due > r->due)
		o = TAILQ_PREV(o, waitlist, entry);
	if (o == NULL)
		TAILQ_INSERT_HEAD(&lq->later, r, entry);
	else
		TAILQ_INSERT_AFTER(&lq->later, o, r, entry);
	lq->nlater++;
	rcpt_state(r, R_LATER);
	later_timer(lq);
	log_tag(LOG_PROBLEM, "QUEUE", "%s(%s)%s delayed for %lld seconds: %s",
	    lq->kind == QUEUE_LOCAL ? "LOCAL" : "SMTP", lq->show, r->q->addr,
	    (long long)seconds, why);
	lqueue_list(lq);
}

void
lqueue_put_off(struct rcpt *r, int64_t until)
{
	lqueue_later(r, by_hand, until - time(NULL));
	r->byhand = until;
}

void
lqueue_routed(struct rcpt *r)
{
	struct lqueue *lq = r->from;

	if (lq == NULL)
		return;
	r->from = NULL;
	lq->away--;
	lqueue_free_empty(lq);
}

/*
 * How many of one queue may be in flight.  The more are, the fewer: accounts
 * whose workers hang leave room for all the others.
 */
static bool
has_share(const struct lqueue *lq)
{
	return local_flight() < FLIGHT_ALL && (lq->flight == 0 ||
	    lq->flight < (FLIGHT_ALL - local_flight()) / SHARE);
}

/* One queue's turn, while it is ready.  How many were sent; -1: stop. */
static int
turn(struct lqueue *lq)
{
	int i;

	for (i = 0; i < TURN && lq->listed && has_share(lq); i++)
		switch (local_send(lq, TAILQ_FIRST(&lq->wait))) {
		case SEND_DONE:
			break;
		case SEND_ASIDE:	/* the queue may be gone */
			return i + 1;
		case SEND_LATER:
			sched_later();
			return -1;
		default:
			return -1;
		}
	return i;
}

void
sched_run(void)
{
	struct lqueue *lq;
	size_t idle = 0;
	int n;

	while (local_ready() && !queue_stopping() &&
	    local_flight() < FLIGHT_ALL && idle <= nready &&
	    (lq = TAILQ_FIRST(&ready)) != NULL) {
		/* To the end; sending may take it off the list. */
		TAILQ_REMOVE(&ready, lq, ready);
		TAILQ_INSERT_TAIL(&ready, lq, ready);
		if ((n = turn(lq)) == -1)
			return;
		idle = n > 0 ? 0 : idle + 1;
	}
}

static void
run(int fd, short what, void *arg)
{
	sched_run();
}

static void
run_after(time_t seconds)
{
	const struct timeval tv = { .tv_sec = seconds };

	if (soon == NULL &&
	    (soon = evtimer_new(proc_base(), run, NULL)) == NULL)
		return;
	if (!evtimer_pending(soon, NULL))
		evtimer_add(soon, &tv);
}

void
sched_soon(void)
{
	run_after(0);
}

static void
sched_later(void)
{
	run_after(LATER);
}

bool
lqueue_hangs(const struct lqueue *lq)
{
	return lq->kind == QUEUE_LOCAL && lq->flight > 0 &&
	    time(NULL) - lq->since >= HANGS;
}

/* Nobody can end a call that waits for a disk: at least it is said. */
static void
watch(int fd, short what, void *arg)
{
	static const struct timeval tv = { WATCH, 0 };
	struct lqueue *lq;
	int64_t s;

	RB_FOREACH(lq, lqtree, &lqueues) {
		s = time(NULL) - lq->since;
		if (lqueue_hangs(lq) && s % HANGS < WATCH)
			log_tag(LOG_CRASH, "QUEUE", "LOCAL(%s) delivers since "
			    "%lld minutes", lq->show, (long long)s / 60);
	}
	evtimer_add(*(struct event **)arg, &tv);
}

void
sched_start(void)
{
	static struct event *ev;

	if ((ev = evtimer_new(proc_base(), watch, &ev)) != NULL)
		watch(-1, 0, &ev);
}
