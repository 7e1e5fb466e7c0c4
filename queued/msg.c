/*
 * The messages in the queue, in memory, and what becomes of each recipient:
 * routed, put into a logical queue, delivered or failed, reported, noted in
 * the file; the last one removes the file.  The loop's alone.  Must never
 * acknowledge a result to stored before it is noted, nor note a failure
 * before its report is safe.
 */
#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "queued.h"

struct msgtree msgs = RB_INITIALIZER(&msgs);
static size_t nmsgs;

/* A thread's: one status letter, or the file's end. */
struct note {
	struct sreq	 req;
	struct msg	*msg;
	struct rcpt	*rcpt;		/* NULL: remove the file */
	uint64_t	 id;
	const char	*dir;
	size_t		 at;
	char		 letter;
	uint64_t	 reuse;		/* the number it gets instead, or 0 */
	int		 fd;
	int		 err;
};

/* A thread's, too: how often a recipient was tried. */
struct attempt {
	struct sreq	 req;
	struct msg	*msg;
	uint64_t	 id;
	const char	*dir;
	size_t		 at;
	char		 digits[16];
};

int
msg_cmp(const struct msg *a, const struct msg *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}
RB_GENERATE(msgtree, msg, tree, msg_cmp)

struct msg *
msg_new(uint64_t id, const char *dir)
{
	static uint64_t arrivals;
	struct msg *m;

	if ((m = calloc(1, sizeof(*m))) == NULL)
		return NULL;
	if (dir != NULL && (m->dir = strdup(dir)) == NULL) {
		free(m);
		return NULL;
	}
	m->id = id;
	m->arrival = ++arrivals;
	STAILQ_INIT(&m->early);
	if (RB_INSERT(msgtree, &msgs, m) != NULL) {
		free(m->dir);
		free(m);
		return NULL;
	}
	nmsgs++;
	return m;
}

struct msg *
msg_find(uint64_t id)
{
	struct msg key;

	key.id = id;
	return RB_FIND(msgtree, &msgs, &key);
}

size_t
msg_count(void)
{
	return nmsgs;
}

int
msg_fill(struct msg *m, struct qfile *q, uint64_t size)
{
	struct rcpt *r;
	size_t i;

	if ((m->rcpts = calloc(q->nrcpts, sizeof(*m->rcpts))) == NULL)
		return -1;
	m->q = *q;
	memset(q, 0, sizeof(*q));
	m->size = size;
	m->loaded = true;
	m->trusted = strchr(m->q.options, 'T') != NULL;
	for (i = 0; i < m->q.nrcpts; i++) {
		r = &m->rcpts[i];
		r->msg = m;
		r->q = &m->q.rcpts[i];
		r->state = r->q->status == 'W' ? R_NEW : R_DONE;
		if (r->state == R_NEW)
			m->left++;
	}
	return 0;
}

static void
rcpt_wipe(struct rcpt *r)
{
	free(r->mailbox);
	free(r->realto);
	free(r->esc);
	free(r->text);
	free(r->to);
	free(r->via);
}

struct early *
msg_early(struct msg *m, uint32_t rcpt)
{
	struct early *e = calloc(1, sizeof(*e));

	if (e != NULL) {
		e->rcpt = rcpt;
		STAILQ_INSERT_TAIL(&m->early, e, entry);
	}
	return e;
}

static void
early_free(struct msg *m)
{
	struct early *e;

	while ((e = STAILQ_FIRST(&m->early)) != NULL) {
		STAILQ_REMOVE_HEAD(&m->early, entry);
		free(e->esc);
		free(e->text);
		free(e->host);
		free(e);
	}
}

void
msg_drop(struct msg *m)
{
	size_t i;

	RB_REMOVE(msgtree, &msgs, m);
	nmsgs--;
	for (i = 0; m->rcpts != NULL && i < m->q.nrcpts; i++)
		rcpt_wipe(&m->rcpts[i]);
	early_free(m);
	if (m->report != NULL)
		event_free(m->report);
	free(m->rcpts);
	qfile_free(&m->q);
	free(m->dir);
	free(m);
}

void
msg_pin(struct msg *m)
{
	m->jobs++;
}

bool
msg_unpin(struct msg *m)
{
	if (--m->jobs > 0 || !m->gone)
		return false;
	msg_drop(m);
	return true;
}

void
msg_log(int level, uint64_t id, const char *fmt, ...)
{
	char tag[40];
	va_list ap;

	if (level > log_get_level())
		return;
	snprintf(tag, sizeof(tag), "QUEUE([%" PRIu64 "])", id);
	va_start(ap, fmt);
	log_vtag(level, tag, fmt, ap);
	va_end(ap);
}

void
msg_log_in(const struct msg *m)
{
	msg_log(LOG_MAJOR, m->id, "from <%s>, %" PRIu64 " bytes",
	    m->q.sender, m->size);
}

void
msg_enqueue(struct msg *m)
{
	size_t i;

	if (m->held || m->removing)
		return;
	for (i = 0; i < m->q.nrcpts; i++)
		if (m->rcpts[i].state == R_NEW && !m->rcpts[i].unrouted) {
			m->rcpts[i].unrouted = true;
			m->unrouted++;
		}
	for (i = 0; i < m->q.nrcpts; i++)
		if (m->rcpts[i].state == R_NEW)
			route_rcpt(&m->rcpts[i]);
	if (m->left == 0)
		msg_check(m);
}

/* --- notes in the file --- */

void
msg_ack(struct rcpt *r)
{
	struct msg_result_ack a = { .id = r->msg->id,
		.rcpt = r - r->msg->rcpts };

	if (!r->ack)
		return;
	r->ack = false;
	ipc_send(proc_peer(r->remote ? PROC_SENDER : PROC_STORED),
	    IPC_RESULT_ACK, 0, &a, -1);
}

static void
note_work(struct sreq *r)
{
	struct note *n = (struct note *)r;
	int rc;

	if (n->rcpt == NULL) {
		if (n->reuse != 0)
			n->fd = disk_recycle(n->dir, n->id, n->reuse);
		rc = n->fd != -1 ? 0 : disk_unlink(n->dir, n->id, "msg");
	} else
		rc = disk_letter(n->dir, n->id, n->at, n->letter);
	n->err = rc == -1 ? errno : 0;
}

void
msg_gone(struct msg *m)
{
	size_t i;

	m->gone = true;
	msg_log(LOG_MAJOR, m->id, "deleted");
	for (i = 0; i < m->q.nrcpts; i++) {
		m->rcpts[i].state = R_DONE;
		msg_ack(&m->rcpts[i]);
	}
}

static void
note_done(struct sreq *req)
{
	struct note *n = (struct note *)req;
	struct msg *m = n->msg;

	if (n->reuse != 0) {
		tmp_reused(n->reuse, n->fd);
		n->reuse = 0;
	}
	if (n->err != 0) {
		msg_log(LOG_CRASH, n->id, "cannot be noted in the file: %s",
		    strerror(n->err));
		sync_retry(req);
		return;
	}
	if (n->rcpt == NULL)
		msg_gone(m);
	else {
		n->rcpt->state = R_DONE;
		msg_ack(n->rcpt);
	}
	msg_unpin(m);
	free(n);
}

static void
note(struct msg *m, struct rcpt *r)
{
	struct note *n;

	if ((n = calloc(1, sizeof(*n))) == NULL)
		return;		/* noted by the next life */
	n->req.work = note_work;
	n->req.done = note_done;
	n->req.patient = true;
	n->msg = m;
	n->rcpt = r;
	n->id = m->id;
	n->dir = m->dir;
	n->fd = -1;
	if (r != NULL) {
		n->at = r->q->at;
		n->letter = r->letter;
	} else
		n->reuse = tmp_reuse();
	msg_pin(m);
	sync_submit(&n->req);
}

static void
attempt_work(struct sreq *r)
{
	struct attempt *a = (struct attempt *)r;

	if (disk_note(a->dir, a->id, a->at, a->digits, QFILE_DIGITS) == -1)
		msg_log(LOG_PROBLEM, a->id, "the attempt is not counted: %s",
		    strerror(errno));
}

static void
attempt_done(struct sreq *r)
{
	struct attempt *a = (struct attempt *)r;

	msg_unpin(a->msg);
	free(a);
}

void
msg_attempt(struct rcpt *r)
{
	struct attempt *a;

	if (r->q->attempts >= QFILE_MAXATTEMPTS || r->msg->removing ||
	    (a = calloc(1, sizeof(*a))) == NULL)
		return;
	a->req.work = attempt_work;
	a->req.done = attempt_done;
	a->req.patient = true;
	a->msg = r->msg;
	a->id = r->msg->id;
	a->dir = r->msg->dir;
	a->at = r->q->at + QFILE_DIGITS_AT;
	snprintf(a->digits, sizeof(a->digits), "%04u", ++r->q->attempts);
	msg_pin(r->msg);
	sync_submit(&a->req);
}

/* --- the life of a recipient --- */

static bool
is_final(enum rstate s)
{
	return s >= R_REPORT;
}

void
rcpt_state(struct rcpt *r, enum rstate s)
{
	struct msg *m = r->msg;

	if (is_final(s) && !is_final(r->state))
		m->left--;
	if (r->state == R_REPORT)
		m->reports--;
	if (s == R_REPORT)
		m->reports++;
	r->state = s;
}

static void
report_due(int fd, short what, void *arg)
{
	dsn_make(arg);
}

void
msg_report_later(struct msg *m, int seconds)
{
	struct timeval tv = { .tv_sec = seconds };

	if (m->report == NULL)
		m->report = evtimer_new(proc_base(), report_due, m);
	if (m->report != NULL && !evtimer_pending(m->report, NULL))
		evtimer_add(m->report, &tv);
}

void
msg_check(struct msg *m)
{
	/* What is found at start may tell that it was reported already. */
	if (!m->loaded || m->removing || m->dsn || load_busy())
		return;
	if (m->reports > 0) {
		if (m->left == 0)
			dsn_make(m);
		else
			msg_report_later(m, queue_int("ReportDelay"));
	} else if (m->left == 0) {
		m->removing = true;
		note(m, NULL);
	}
}

/* What stored has in hand it can still deliver: it has the file open. */
void
msg_lost(struct msg *m)
{
	struct rcpt *r;
	size_t i;

	msg_log(LOG_CRASH, m->id, "its file was removed by somebody else: "
	    "dropped");
	for (i = 0; i < m->q.nrcpts; i++) {
		r = &m->rcpts[i];
		if (r->state >= R_FLIGHT && r->state != R_REPORT)
			continue;
		r->letter = 'F';
		route_forget(r);
		if (r->lq != NULL)
			lqueue_remove(r);
		rcpt_state(r, R_FINAL);
	}
	msg_check(m);
}

/* "LOCAL(user)" of the queue it was in. */
static void
log_out(const struct rcpt *r, const char *text)
{
	const struct lqueue *lq = r->lq;
	bool good = r->letter == 'D';

	log_tag(good ? LOG_MAJOR : LOG_CRASH, "DEQUEUER",
	    "[%" PRIu64 "] %s(%s)%s %s: %s", r->msg->id,
	    lq == NULL ? "SYSTEM" : lq->kind == QUEUE_LOCAL ? "LOCAL" : "SMTP",
	    lq == NULL ? "*" : lq->show, r->q->addr,
	    !good ? "failed" : r->remote ? "relayed" : "delivered", text);
}

void
rcpt_finish(struct rcpt *r, char letter, const char *esc, const char *text)
{
	struct msg *m = r->msg;

	if (is_final(r->state))
		return;
	r->letter = letter;
	log_out(r, text);
	route_forget(r);
	if (r->lq != NULL)
		lqueue_remove(r);
	if (dsn_wanted(r)) {
		free(r->text);
		r->esc = strdup(esc);
		r->text = strdup(text);
		rcpt_state(r, R_REPORT);
	} else {
		rcpt_state(r, R_FINAL);
		/* The last one takes the file away: no need to write it. */
		if (m->left > 0 || m->reports > 0 || m->dsn)
			note(m, r);
	}
	msg_check(m);
}
