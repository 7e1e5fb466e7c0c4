/*
 * Deliveries: stored gets a job with a fresh descriptor of the queue file
 * and tells the result until we acknowledge it.  Nothing is scheduled to a
 * stored that has not yet listed what it has in hand, so that a restart of
 * either repeats nothing.  The loop's alone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "queued.h"
#include "settings.h"

static struct ipc *stored;	/* the newest channel */
static bool	listed;		/* JOBS_END was heard on it */
static size_t	flight;

bool
local_ready(void)
{
	return listed && stored != NULL;
}

size_t
local_flight(void)
{
	return flight;
}

/* In no queue: it was in hand since an earlier life. */
static void
anew(struct rcpt *r)
{
	route_forget(r);
	rcpt_state(r, R_NEW);
	if (!load_busy())
		route_rcpt(r);
}

/*
 * Its jobs wait again; if it (or its successor) has them after all, it says
 * so before JOBS_END.
 */
static void
take_back(void)
{
	struct msg *m;
	struct rcpt *r;
	size_t i;

	listed = false;
	RB_FOREACH(m, msgtree, &msgs) {
		for (i = 0; m->loaded && i < m->q.nrcpts; i++) {
			r = &m->rcpts[i];
			if (r->remote)
				continue;
			r->ack = false;
			if (r->state != R_FLIGHT)
				continue;
			if (r->lq != NULL)
				lqueue_back(r);
			else
				anew(r);
		}
	}
	flight = 0;
}

/* The new one may be here before the old one's end is known. */
void
local_up(struct ipc *ipc)
{
	if (stored != NULL)
		take_back();
	stored = ipc;
	listed = false;
}

void
local_down(struct ipc *ipc)
{
	if (ipc != stored)
		return;
	stored = NULL;
	take_back();
}

/* One bad file is no reason to keep others from this account. */
enum sent
local_unopened(struct rcpt *r)
{
	struct msg *m = r->msg;

	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
		log_warn("Queue: deliveries wait");
		return SEND_LATER;
	}
	if (errno == ENOENT) {
		msg_lost(m);
		return SEND_ASIDE;
	}
	msg_log(LOG_CRASH, m->id, "cannot be opened, waits: %s",
	    strerror(errno));
	route_aside(r);
	return SEND_ASIDE;
}

/* The name that a unified account's message was for; in no field, if "". */
static void
real_to(const char *name, char *header, size_t size)
{
	const char *field = settings_text(proc_settings(), "LOCAL",
	    "EnvelopeRecipientsField");

	if (*field != '\0')
		snprintf(header, size, "%.128s: %s\n", field, name);
}

enum sent
local_send(struct lqueue *lq, struct rcpt *r)
{
	struct msg *m = r->msg;
	char header[2048] = "";
	struct msg_deliver d = {
		.id = m->id,
		.rcpt = r - m->rcpts,
		.account = lq->show,
		.path = lq->name,
		.mailbox = r->mailbox == NULL ? "" : r->mailbox,
		.sender = m->q.sender,
		.header = header,
		.offset = m->q.body,
		.size = m->size,
		.time = m->q.time
	};
	int fd;

	if ((fd = disk_open(m->dir, m->id, "msg")) == -1)
		return local_unopened(r);
	if (r->realto != NULL)
		real_to(r->realto, header, sizeof(header));
	if (ipc_send(stored, IPC_DELIVER, 0, &d, fd) == -1)
		return SEND_NONE;
	lqueue_flight(r);
	flight++;
	return SEND_DONE;
}

/* --- what stored says --- */

static bool
in_flight(const struct rcpt *r)
{
	return r->state == R_FLIGHT;
}

static void
landed(struct rcpt *r)
{
	if (in_flight(r) && flight > 0)
		flight--;
	sched_soon();
}

static void
later(struct rcpt *r, const char *text)
{
	struct lqueue *lq = r->lq;

	r->ack = true;
	landed(r);
	msg_attempt(r);
	if (lq == NULL)
		anew(r);
	else {
		if (in_flight(r))
			lqueue_back(r);
		lqueue_delay(lq, text);
	}
	msg_ack(r);
}

/*
 * Its account was renamed or removed: where does it go now?  At once, but not
 * twice in a row, in case the Router knows no better.
 */
static void
moved(struct rcpt *r)
{
	r->moved = r->ack = true;
	landed(r);
	if (r->lq != NULL)
		lqueue_remove(r);
	anew(r);
	msg_ack(r);
}

/*
 * Why mail waits for an account, how long (manual 30), and what its sender is
 * told when that time is over.
 */
static const struct wait {
	const char	*esc, *setting, *end, *text;
} waits[] = {
	{ "4.2.2", "KeepFull", "5.2.2", "account is full (quota exceeded)" },
	{ "4.2.1", "KeepDisabled", "5.2.1", "the account takes no mail" }
};

/* NULL: it is another reason, or the time is not over. */
static const struct wait *
waited(const struct rcpt *r, const char *esc)
{
	size_t i;

	for (i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
		if (strcmp(waits[i].esc, esc) == 0 &&
		    time(NULL) - r->msg->q.time >= settings_int(
		    proc_settings(), "LOCAL", waits[i].setting))
			return &waits[i];
	return NULL;
}

/*
 * Once it has waited for so long its sender is told.  Much later it is not the
 * first time that it is looked at, whatever is remembered.
 */
static void
warn(struct rcpt *r, const char *esc, const char *text)
{
	enum { WINDOW = 900 };
	int64_t after = settings_int(proc_settings(), "LOCAL",
	    "SendWarningsAfter");
	int64_t age = time(NULL) - r->msg->q.time;
	size_t i;

	for (i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
		if (strcmp(waits[i].esc, esc) == 0 && after > 0 &&
		    age >= after && age < after + WINDOW)
			dsn_warn(r, esc, text, r->msg->q.time +
			    settings_int(proc_settings(), "LOCAL",
			    waits[i].setting));
}

static void
result(struct rcpt *r, uint8_t code, const char *esc, const char *text)
{
	const struct wait *over;

	if (r->state == R_DONE) {
		r->ack = true;
		msg_ack(r);
		return;
	}
	if (r->state >= R_REPORT) {	/* being noted */
		r->ack = true;
		return;
	}
	if (code > 1 && strcmp(esc, "4.1.6") == 0 && !r->moved) {
		moved(r);
		return;
	}
	r->moved = false;
	if (code > 1 && (over = waited(r, esc)) != NULL) {
		esc = over->end;
		text = over->text;
	} else if (code > 1) {
		warn(r, esc, text);
		later(r, text);
		return;
	}
	landed(r);
	r->ack = true;
	if (code == 0) {
		r->boxed = true;
		if (r->lq != NULL) {
			stat_delivered(r->lq->show, r->msg->size);
			lqueue_worked(r->lq);
		}
		rcpt_finish(r, 'D', "2.0.0",
		    "Delivered to the user mailbox");
	} else
		rcpt_finish(r, 'F', *esc == '5' ? esc : "5.2.0", text);
}

/* stored has it: not to be sent, nor routed. */
static void
held(struct rcpt *r)
{
	if (r->state >= R_FLIGHT)
		return;
	route_forget(r);
	if (r->lq != NULL)
		lqueue_flight(r);
	else
		rcpt_state(r, R_FLIGHT);
	flight++;
}

static void
early_add(struct msg *m, uint32_t rcpt, const struct msg_result *res)
{
	struct early *e = msg_early(m, rcpt);

	if (e == NULL || res == NULL)
		return;
	e->result = true;
	e->code = res->code;
	e->esc = strdup(res->esc);
	e->text = strdup(res->text);
}

void
local_early(struct msg *m)
{
	struct early *e;

	STAILQ_FOREACH(e, &m->early, entry) {
		if (e->rcpt >= m->q.nrcpts)
			continue;
		if (e->remote)
			remote_early(&m->rcpts[e->rcpt], e);
		else if (!e->result)
			held(&m->rcpts[e->rcpt]);
		else
			result(&m->rcpts[e->rcpt], e->code,
			    e->esc == NULL ? "" : e->esc,
			    e->text == NULL ? "" : e->text);
	}
}

void
local_result(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_result *res = pkt->m;
	struct msg_result_ack a = { .id = res->id, .rcpt = res->rcpt };
	struct msg *m = msg_find(res->id);

	if (m != NULL && !m->loaded)
		early_add(m, res->rcpt, res);
	else if (m != NULL && res->rcpt < m->q.nrcpts)
		result(&m->rcpts[res->rcpt], res->code, res->esc, res->text);
	else	/* noted in an earlier life, and the file removed */
		ipc_send(ipc, IPC_RESULT_ACK, 0, &a, -1);
}

/* Something was removed there, or it may keep more now. */
void
local_room(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_account_room *m = pkt->m;
	struct lqueue *lq = lqueue_find(QUEUE_LOCAL, m->path);

	if (lq == NULL || !lq->delayed)
		return;
	lq->tries = 0;
	lqueue_release(lq);
}

void
local_held(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_job_held *j = pkt->m;
	struct msg *m = msg_find(j->id);

	if (m == NULL || ipc != stored)
		return;
	if (!m->loaded)
		early_add(m, j->rcpt, NULL);
	else if (j->rcpt < m->q.nrcpts)
		held(&m->rcpts[j->rcpt]);
}

void
local_end(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	if (ipc != stored)
		return;
	listed = true;
	sched_run();
}
