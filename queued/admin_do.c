/*
 * What administrators do to the queue: release, delay, reject and move.  What
 * stored or the sending role has in hand is theirs: nobody takes it back.
 * byhand.c keeps what the next life must know of it.  The loop's alone.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "admin.h"

static const char no_queue[] = "there is no such queue";

/* By the name that is shown; a host's are all of its. */
static bool
is_named(const struct lqueue *lq, const char *name)
{
	return strcasecmp(lq->show, name) == 0 ||
	    (lq->kind == QUEUE_SMTP && strcasecmp(lq->host, name) == 0);
}

/* Calls fn for each; false: there was none. */
static bool
each_queue(const char *name, void (*fn)(struct lqueue *, void *), void *arg)
{
	struct lqueue *lq, *next;
	bool any = false;

	RB_FOREACH_SAFE(lq, lqtree, &lqueues, next)
		if (*name == '\0' || is_named(lq, name)) {
			any = true;
			fn(lq, arg);
		}
	return any;
}

/* The time that an argument says. */
static bool
seconds(const struct request *r, size_t n, int64_t *s, const char **text)
{
	const struct val *v = n < val_count(r->args) ? val_at(r->args, n) :
						       NULL;

	if (v != NULL && val_int(v, s) && *s > 0 && *s <= 365 * 86400)
		return true;
	*text = "how long? 30m, 2h, 1d";
	return false;
}

/* --- queues --- */

/* Of single messages he says otherwise now. */
static void
forget(struct lqueue *lq)
{
	struct rcpt *r;

	TAILQ_FOREACH(r, &lq->later, entry) {
		if (r->byhand != 0)
			byhand_changed();
		r->byhand = 0;
	}
}

static void
release(struct lqueue *lq, void *arg)
{
	forget(lq);
	if (lq->kind == QUEUE_SMTP)
		lqueue_wake(lq);
	else
		lqueue_release(lq);
}

/* ReleaseQueue [name]; ReleaseSMTPQueue name */
unsigned int
admin_release(struct request *r, struct val **data, const char **text)
{
	const char *name = admin_text(r, 0);
	bool all = strcmp(name, "*") == 0 || *name == '\0';

	if (each_queue(all ? "" : name, release, NULL) || all)
		return 200;
	*text = no_queue;
	return 512;
}

static void
delay(struct lqueue *lq, void *arg)
{
	lqueue_pause(lq, *(int64_t *)arg);
	byhand_changed();
}

/* DelayQueue name time */
unsigned int
admin_delay(struct request *r, struct val **data, const char **text)
{
	int64_t s;

	if (!seconds(r, 1, &s, text))
		return 501;
	if (each_queue(admin_text(r, 0), delay, &s))
		return 200;
	*text = no_queue;
	return 512;
}

static const char *
reason(const struct request *r)
{
	const char *why = admin_text(r, 1);

	return *why == '\0' ? "rejected by the administrator" : why;
}

/* NONDN: nobody is told.  So the vendor's scripts clean a queue of spam. */
static void
finish(struct rcpt *r, const char *why)
{
	if (strcasecmp(why, "NONDN") == 0)
		r->q->notify = QN_NEVER;
	rcpt_finish(r, 'F', "5.7.0", why);
}

/* Those that wait; the queue may end by the last one. */
static void
reject(struct lqueue *lq, void *arg)
{
	struct rcpt *r;

	lq->away++;
	forget(lq);
	lqueue_hurry(lq);
	while ((r = TAILQ_FIRST(&lq->wait)) != NULL)
		finish(r, arg);
	lq->away--;
	lqueue_touch(lq);
}

/* RejectQueue name [reason] */
unsigned int
admin_reject(struct request *r, struct val **data, const char **text)
{
	char *why = strdup(reason(r));
	bool any = why != NULL && *admin_text(r, 0) != '\0' &&
	    each_queue(admin_text(r, 0), reject, why);

	free(why);
	if (any)
		return 200;
	*text = no_queue;
	return 512;
}

static void
move(struct lqueue *lq, void *arg)
{
	struct rcpt *r;

	if (lq->kind != QUEUE_SMTP)
		return;
	forget(lq);
	lqueue_hurry(lq);
	TAILQ_FOREACH(r, &lq->wait, entry) {
		free(r->via);
		r->via = strdup(arg);
		byhand_changed();
	}
	lqueue_wake(lq);
}

/* MoveQueue name TO host: what waits there now goes by that host. */
unsigned int
admin_move(struct request *r, struct val **data, const char **text)
{
	const char *name = admin_text(r, 0), *to = admin_text(r, 1), *p;
	char *host;
	bool any;

	for (p = to; *p > ' ' && *p < 0x7f && strchr("@!<>", *p) == NULL; p++)
		;
	if (*to == '\0' || *p != '\0' || p - to > 255) {
		*text = "that is no host";
		return 501;
	}
	any = *name != '\0' && (host = strdup(to)) != NULL;
	if (any) {
		any = each_queue(name, move, host);
		free(host);
	}
	if (any)
		return 200;
	*text = no_queue;
	return 512;
}

/* --- messages --- */

/* RejectQueueMessage id [reason] */
unsigned int
admin_reject_message(struct request *r, struct val **data, const char **text)
{
	struct msg *m = admin_msg(r, text);
	size_t i;

	if (m == NULL)
		return 512;
	msg_pin(m);
	for (i = 0; i < m->q.nrcpts; i++)
		if (m->rcpts[i].state < R_FLIGHT)
			finish(&m->rcpts[i], reason(r));
	msg_unpin(m);
	return 200;
}

/* DelayQueueMessage id time */
unsigned int
admin_delay_message(struct request *r, struct val **data, const char **text)
{
	struct msg *m = admin_msg(r, text);
	size_t i, n = 0;
	int64_t s;

	if (m == NULL)
		return 512;
	if (!seconds(r, 1, &s, text))
		return 501;
	for (i = 0; i < m->q.nrcpts; i++)
		if (m->rcpts[i].state == R_WAIT ||
		    m->rcpts[i].state == R_LATER) {
			lqueue_put_off(&m->rcpts[i], time(NULL) + s);
			byhand_changed();
			n++;
		}
	if (n > 0)
		return 200;
	*text = "nothing of it waits";
	return 512;
}

/* ReleaseQueueMessage id: its recipients alone, and the queues they are in. */
unsigned int
admin_release_message(struct request *r, struct val **data,
    const char **text)
{
	struct msg *m = admin_msg(r, text);
	struct lqueue *lq;
	size_t i;

	if (m == NULL)
		return 512;
	msg_pin(m);
	for (i = 0; i < m->q.nrcpts; i++) {
		lq = m->rcpts[i].lq;
		if (m->rcpts[i].state == R_LATER)
			lqueue_back(&m->rcpts[i]);
		if (lq != NULL && lq->delayed)
			release(lq, NULL);
	}
	msg_unpin(m);
	return 200;
}

/* SendWakeup: the backup server is asked for our mail now. */
unsigned int
admin_wakeup(struct request *r, struct val **data, const char **text)
{
	const char *why = wake_send();

	if (why == NULL)
		return 200;
	*text = why;
	return 512;
}
