/*
 * Each recipient is routed anew, whatever its front was told: routerd says
 * where it goes and whether this sender may send there.  Some requests are
 * under way at a time, the rest waits here; while routerd is away they are
 * asked again.  The loop's alone.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "queued.h"

enum {
	UNDERWAY = 96,		/* below IPC_CREDITS */
	AGAIN = 3,		/* seconds */
	ASIDE = 10,		/* until its file is tried again */
	TURNS = 4		/* one of them is for those that wait already */
};

TAILQ_HEAD(rcptlist, rcpt);
static struct rcptlist todo = TAILQ_HEAD_INITIALIZER(todo);
/* Those that wait already: new ones go before them. */
static struct rcptlist old = TAILQ_HEAD_INITIALIZER(old);
static struct rcptlist paused = TAILQ_HEAD_INITIALIZER(paused);
static struct rcptlist aside = TAILQ_HEAD_INITIALIZER(aside);
static unsigned int underway;
static struct event *again, *again_aside;

static void	route_run(void);

static struct rcptlist *
list_of(const struct rcpt *r)
{
	return r->from != NULL || r->msg->found ? &old : &todo;
}

/* arg: those whose time it is. */
static void
resume(int fd, short what, void *arg)
{
	struct rcptlist *list = arg;
	struct rcpt *r;

	while ((r = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, r, entry);
		r->aside = false;
		rcpt_state(r, R_NEW);
		TAILQ_INSERT_TAIL(list_of(r), r, entry);
	}
	route_run();
}

static void
pause_rcpt(struct rcpt *r)
{
	struct timeval tv = { .tv_sec = AGAIN };

	if (again == NULL)
		again = evtimer_new(proc_base(), resume, &paused);
	rcpt_state(r, R_PAUSE);
	r->listed = true;
	TAILQ_INSERT_TAIL(&paused, r, entry);
	if (again != NULL && !evtimer_pending(again, NULL))
		evtimer_add(again, &tv);
}

void
route_again(struct rcpt *r)
{
	pause_rcpt(r);
}

void
route_aside(struct rcpt *r)
{
	struct timeval tv = { .tv_sec = ASIDE };

	if (again_aside == NULL)
		again_aside = evtimer_new(proc_base(), resume, &aside);
	lqueue_remove(r);
	rcpt_state(r, R_PAUSE);
	r->listed = r->aside = true;
	TAILQ_INSERT_TAIL(&aside, r, entry);
	if (again_aside != NULL && !evtimer_pending(again_aside, NULL))
		evtimer_add(again_aside, &tv);
}

static void
routed_once(struct rcpt *r)
{
	struct msg *m = r->msg;

	if (!r->unrouted)
		return;
	r->unrouted = false;
	if (--m->unrouted == 0) {
		msg_log(LOG_MAJOR, m->id, "enqueued");
		remote_soon();	/* its recipients can go together now */
	}
}

/*
 * LOCAL: the rest of the address is "box#" for a mailbox, or the local part
 * that a unified account keeps in X-Real-To.
 */
static int
go_local(struct rcpt *r, const struct msg_routed *a)
{
	size_t n = strlen(a->address);
	struct lqueue *lq;

	if (strlen(r->msg->q.sender) > 512) {	/* as DELIVER has it */
		rcpt_finish(r, 'F', "5.1.7", "the return-path is too long");
		return 0;
	}
	if (*a->path == '\0') {		/* Accepted and Bounced */
		rcpt_finish(r, 'F', "5.1.1", "unknown user account");
		return 0;
	}
	if (r->msg->q.test) {
		rcpt_finish(r, 'D', "2.1.5", "tested: the account exists");
		return 0;
	}
	free(r->mailbox);
	free(r->realto);
	r->mailbox = r->realto = NULL;
	if (n > 1 && a->address[n - 1] == '#') {
		if ((r->mailbox = strndup(a->address, n - 1)) == NULL)
			return -1;
	} else if (n > 0 && (r->realto = strdup(a->address)) == NULL)
		return -1;
	if ((lq = lqueue_get(QUEUE_LOCAL, a->path, a->host)) == NULL)
		return -1;
	lqueue_add(lq, r);
	return 0;
}

/* Its header says that it may go without TLS (RFC 8689). */
static bool
is_lax(const struct msg *m)
{
	return strchr(m->q.options, 'N') != NULL &&
	    strchr(m->q.options, 'R') == NULL;
}

static int
go_remote(struct rcpt *r, const struct msg_routed *a)
{
	struct lqueue *lq;

	/* What was sent before may be of one whose time as a client is over. */
	if (!a->relay && !r->msg->trusted && r->q->attempts == 0) {
		rcpt_finish(r, 'F', "5.7.1", "relaying is not permitted");
		return 0;
	}
	if (strlen(r->msg->q.sender) > 1024) {	/* as SEND_MAIL has it */
		rcpt_finish(r, 'F', "5.1.7", "the return-path is too long");
		return 0;
	}
	free(r->to);
	r->to = NULL;
	if (*a->address != '\0' && strcmp(a->address, r->q->addr) != 0 &&
	    (r->to = strdup(a->address)) == NULL)
		return -1;
	if ((lq = lqueue_remote(r->via != NULL ? r->via : a->host, a->source,
	    is_lax(r->msg))) == NULL)
		return -1;
	lqueue_add(lq, r);
	return 0;
}

/* A letter to NAME-wakeup: manual 29. */
static void
go_wake(struct rcpt *r, const char *host)
{
	char text[600];

	snprintf(text, sizeof(text), "the queue of %s is released: %zu "
	    "recipients", host, wake_host(host));
	rcpt_finish(r, 'D', "2.0.0", text);
}

static void
refused(struct rcpt *r, const struct msg_routed *a)
{
	rcpt_finish(r, 'F', *a->esc == '5' ? a->esc : "5.1.1",
	    *a->text != '\0' ? a->text : "the address cannot be routed");
}

static void
routed(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_routed *a = pkt == NULL ? NULL : pkt->m;
	struct rcpt *r = arg;
	int rc = 0;

	underway--;
	if (a == NULL || a->code == 2) {
		if (a != NULL)	/* the others need not wait for it */
			routed_once(r);
		pause_rcpt(r);
		route_run();
		return;
	}
	rcpt_state(r, R_NEW);
	routed_once(r);
	if (a->code != 0)
		refused(r, a);
	else if (strcmp(a->module, "LOCAL") == 0)
		rc = go_local(r, a);
	else if (strcmp(a->module, "SMTP") == 0)
		rc = go_remote(r, a);
	else if (strcmp(a->module, "LIST") == 0)
		rc = group_expand(r, a->host);
	else if (strcmp(a->module, "WAKEUP") == 0)
		go_wake(r, a->host);
	else if (strcmp(a->module, "SYSTEM") == 0)
		rcpt_finish(r, 'D', "2.0.0", "discarded");
	else
		rcpt_finish(r, 'F', "5.3.5", "no such module");
	if (rc == -1)
		pause_rcpt(r);
	else
		lqueue_routed(r);
	route_run();
}

static void
ask(struct rcpt *r)
{
	const struct qfile *q = &r->msg->q;
	struct msg_route m = {
		.address = r->q->addr,
		.peer = q->peer,
		.local = q->local,
		.account = q->account == NULL ? "" : q->account,
		.consult = 1,
		.client = strchr(q->options, 'C') != NULL,
		.sender = strlen(q->sender) > 1024 ? "" : q->sender
	};

	underway++;
	rcpt_state(r, R_ROUTING);
	ipc_call(proc_peer(PROC_ROUTERD), IPC_ROUTE, 0, &m, -1, IPC_TIMEOUT,
	    routed, r);
}

/* However many new ones come, the others get some turns, too. */
static struct rcpt *
next(void)
{
	static unsigned int turns;
	struct rcpt *r = TAILQ_FIRST(&todo), *o = TAILQ_FIRST(&old);

	return o == NULL || (r != NULL && ++turns % TURNS != 0) ? r : o;
}

static void
route_run(void)
{
	struct rcpt *r;

	while (underway < UNDERWAY && (r = next()) != NULL) {
		TAILQ_REMOVE(list_of(r), r, entry);
		r->listed = false;
		ask(r);
	}
}

void
route_rcpt(struct rcpt *r)
{
	const struct qfile *q = &r->msg->q;

	if (r->listed)
		return;
	/* What no packet holds: a vendor's file may have it. */
	if (strlen(r->q->addr) > 1024 || strlen(q->peer) > 64 ||
	    strlen(q->local) > 64 ||
	    (q->account != NULL && strlen(q->account) > 512)) {
		rcpt_finish(r, 'F', "5.1.3", "bad address");
		return;
	}
	r->listed = true;
	TAILQ_INSERT_TAIL(list_of(r), r, entry);
	route_run();
}

void
route_forget(struct rcpt *r)
{
	if (r->state == R_ROUTING) {
		ipc_cancel(r);
		underway--;
	} else if (r->aside)
		TAILQ_REMOVE(&aside, r, entry);
	else if (r->listed && r->state == R_PAUSE)
		TAILQ_REMOVE(&paused, r, entry);
	else if (r->listed)
		TAILQ_REMOVE(list_of(r), r, entry);
	r->listed = r->aside = false;
	routed_once(r);
	lqueue_routed(r);
}
