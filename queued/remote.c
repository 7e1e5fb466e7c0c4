/*
 * Remote delivery: channels of smtpd's sending role, one connection each to a
 * logical queue's host, and how soon what failed for now is tried again
 * (manual 29).  Nothing is scheduled to a sender that has not yet listed what
 * it has in hand.  The loop's alone.
 */
#include <errno.h>
#include <event2/event.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "queued.h"

enum {
	MANY = 50,		/* waiting, from which one channel is too few */
	GROW = 30,		/* seconds after a host refused one more */
	IDLE = 5,		/* seconds a channel waits for more mail */
	RCPTS = 100,		/* of one transaction, RFC 5321, 4.5.3.1.8 */
	RCPTS_TEXT = 48000,	/* bytes, as SEND_MAIL has them */
	PARAM = 1024
};

#define BLANKS	" \t,;\r\n"

struct chan {
	LIST_ENTRY(chan)	 entry;
	struct lqueue		*lq;
	uint32_t		 num;
	unsigned int		 mails;		/* given to it */
	uint64_t		 mail;		/* the last of them */
	time_t			 since;		/* in this state */
	bool			 ready;		/* for a message */
	bool			 closing;	/* SEND_CLOSE was said */
	bool			 reversed;	/* the other side connected */
};

static LIST_HEAD(, chan) chans = LIST_HEAD_INITIALIZER(chans);
static TAILQ_HEAD(, lqueue) wanting = TAILQ_HEAD_INITIALIZER(wanting);
static unsigned int nchans;		/* without those reversed */
static struct ipc *sender;		/* the newest channel */
static bool listed;			/* JOBS_END was heard on it */
static struct event *soon, *tick;

static void	remote_run(void);

static int64_t
smtp_int(const char *name)
{
	return settings_int(proc_settings(), "SMTP", name);
}

/* --- which queues want a channel --- */

static bool
is_slow(const struct lqueue *lq)
{
	const struct chan *c;
	time_t now = time(NULL);

	LIST_FOREACH(c, &chans, entry)
		if (c->lq == lq && now - c->since < smtp_int("AddChannelAfter"))
			return false;
	return true;
}

/* Does it wait until its host asks for it (manual 29)? */
bool
remote_is_held(const char *host)
{
	struct cur c = cur_str(settings_text(proc_settings(), "SMTP",
	    "HoldMailFor"));
	char pattern[256];

	for (cur_span(&c, BLANKS); cur_left(&c) > 0; cur_span(&c, BLANKS))
		if (str_copy(cur_until(&c, BLANKS), pattern,
		    sizeof(pattern)) && (strcasecmp(pattern, host) == 0 ||
		    fnmatch(pattern, host, FNM_CASEFOLD) == 0))
			return true;
	return false;
}

static bool
wants(const struct lqueue *lq)
{
	if (lq->waiting == 0 || lq->delayed || (lq->hold && !lq->woken))
		return false;
	if (lq->chans == 0)
		return true;
	return lq->chans < lq->waiting && lq->chans < lq->most &&
	    lq->chans < smtp_int("ChannelsPerHost") &&
	    (lq->waiting > MANY || is_slow(lq));
}

static void
run(int fd, short what, void *arg)
{
	remote_run();
}

void
remote_soon(void)
{
	const struct timeval tv = { 0 };

	if (TAILQ_EMPTY(&wanting) && LIST_EMPTY(&chans))
		return;
	if (soon == NULL &&
	    (soon = evtimer_new(proc_base(), run, NULL)) == NULL)
		return;
	if (!evtimer_pending(soon, NULL))
		evtimer_add(soon, &tv);
}

void
remote_list(struct lqueue *lq)
{
	bool can = wants(lq);

	if (lq->hold && !lq->woken && lq->chans == 0 && lq->waiting > 0 &&
	    !lq->delayed)
		lqueue_delay(lq, "held until its host asks for it");
	if (can && !lq->listed)
		TAILQ_INSERT_TAIL(&wanting, lq, ready);
	else if (!can && lq->listed)
		TAILQ_REMOVE(&wanting, lq, ready);
	lq->listed = can;
	if (lq->waiting > 0 && !lq->delayed)
		remote_soon();
}

/* --- channels --- */

static struct chan *
chan_find(uint32_t num)
{
	struct chan *c;

	LIST_FOREACH(c, &chans, entry)
		if (c->num == num)
			return c;
	return NULL;
}

static void
chan_free(struct chan *c)
{
	struct lqueue *lq = c->lq;

	LIST_REMOVE(c, entry);
	lq->chans--;
	if (!c->reversed) {
		nchans--;
		tcp_end();
	}
	free(c);
	if (lq->chans == 0 && lq->waiting == 0)
		lq->woken = false;	/* what comes now is held again */
	lqueue_touch(lq);
	remote_soon();		/* others may have its place */
}

static void
chan_close(struct chan *c)
{
	struct msg_send_close m = { .chan = c->num };

	c->closing = true;
	c->ready = false;
	ipc_send(sender, IPC_SEND_CLOSE, 0, &m, -1);
}

/* Idle ones are closed; busy ones may have grown slow. */
static void
ticked(int fd, short what, void *arg)
{
	const struct timeval tv = { .tv_sec = 1 };
	struct chan *c, *next;
	time_t now = time(NULL);

	for (c = LIST_FIRST(&chans); c != NULL; c = next) {
		next = LIST_NEXT(c, entry);
		if (c->ready && (c->reversed || now - c->since >= IDLE ||
		    !tcp_open()))
			chan_close(c);
		else
			remote_list(c->lq);
	}
	if (!LIST_EMPTY(&chans))
		evtimer_add(tick, &tv);
}

/* fd: the connection, if there is one already, or -1; taken over. */
static int
chan_open(struct lqueue *lq, int fd, bool tls, const char *peer)
{
	const struct timeval tv = { .tv_sec = 1 };
	struct msg_send_open m = {
		.host = lq->host,
		.source = lq->source,
		.reversed = fd != -1,
		.lax = lq->lax,
		.tls = tls,
		.peer = peer
	};
	static uint32_t num;
	struct chan *c;

	if ((c = calloc(1, sizeof(*c))) == NULL) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	m.chan = c->num = ++num;
	c->reversed = fd != -1;
	if (ipc_send(sender, IPC_SEND_OPEN, 0, &m, fd) == -1) {
		free(c);
		return -1;
	}
	c->lq = lq;
	c->since = time(NULL);
	LIST_INSERT_HEAD(&chans, c, entry);
	lq->chans++;
	if (!c->reversed) {
		nchans++;
		tcp_begin();
	}
	if (tick == NULL)
		tick = evtimer_new(proc_base(), ticked, NULL);
	if (tick != NULL && !evtimer_pending(tick, NULL))
		evtimer_add(tick, &tv);
	return 0;
}

/* --- a message for a channel --- */

/* Of a file that others wrote: too long for SEND_MAIL, it goes without. */
static const char *
optional(const char *s)
{
	return s == NULL || strlen(s) > PARAM ? "" : s;
}

/*
 * The recipients of the queue's first message that all is known of, written
 * as SEND_MAIL has them, marked as in flight.
 */
static size_t
take_rcpts(const struct chan *c, struct rcpt *first, struct buf *b)
{
	struct rcpt *r = first, *next;
	const struct msg *m = first->msg;
	size_t n;

	buf_putc(b, '(');
	for (n = 0; n < RCPTS && r != NULL && r->msg == m; r = next, n++) {
		const char *orcpt = optional(r->q->orcpt);

		if (n > 0 && b->len + strlen(r->q->addr) + strlen(orcpt) >
		    RCPTS_TEXT / 2)
			break;
		next = TAILQ_NEXT(r, entry);
		buf_printf(b, "%s%zu,", n > 0 ? "," : "",
		    (size_t)(r - m->rcpts));
		val_write_string(b, r->to != NULL ? r->to : r->q->addr,
		    strlen(r->to != NULL ? r->to : r->q->addr));
		buf_printf(b, ",%u,", r->q->notify);
		val_write_string(b, orcpt, strlen(orcpt));
		r->remote = true;
		r->chan = c->num;
		lqueue_flight(r);
	}
	buf_putc(b, ')');
	return n;
}

static enum sent
give(struct chan *c, struct rcpt *r)
{
	struct msg *m = r->msg;
	char ret[2] = { m->q.ret, '\0' }, options[33] = "";
	struct msg_send_mail s = {
		.chan = c->num,
		.id = m->id,
		.offset = m->q.body,
		.size = m->size,
		.eightbit = strchr(m->q.options, '8') != NULL,
		.sender = m->q.sender,
		.ret = ret,
		.envid = optional(m->q.envid),
		.options = options,
		.utf8 = m->q.utf8
	};
	struct buf b;
	int fd;

	if (strlen(m->q.options) < sizeof(options) - 1)
		snprintf(options, sizeof(options), "%s%s", m->q.options,
		    m->q.test ? "X" : "");

	if ((fd = disk_open(m->dir, m->id, "msg")) == -1)
		return local_unopened(r);
	buf_init(&b, RCPTS_TEXT);
	take_rcpts(c, r, &b);
	c->mail = m->id;
	s.rcpts = b.p;
	c->ready = false;
	c->mails++;
	c->since = time(NULL);
	ipc_send(sender, IPC_SEND_MAIL, 0, &s, fd);
	buf_free(&b);
	return SEND_DONE;
}

/* The first whose message has all its recipients in their queues. */
static struct rcpt *
next_of(const struct lqueue *lq)
{
	struct rcpt *r;

	TAILQ_FOREACH(r, &lq->wait, entry)
		if (r->msg->unrouted == 0)
			return r;
	return NULL;
}

static bool
can_go_on(void)
{
	return sender != NULL && listed && !queue_stopping();
}

/*
 * Another queue of the same host has mail, too, and the connection that the
 * host has made is for all of it.
 */
static bool
change_queue(struct chan *c)
{
	struct lqueue *lq, *old = c->lq;

	RB_FOREACH(lq, lqtree, &lqueues)
		if (lq != old && lq->kind == QUEUE_SMTP && lq->waiting > 0 &&
		    !lq->byhand && strcasecmp(lq->host, old->host) == 0)
			break;
	if (lq == NULL)
		return false;
	c->lq = lq;
	lq->chans++;
	lqueue_release(lq);
	old->chans--;
	lqueue_touch(old);
	return true;
}

static void
feed(struct chan *c)
{
	struct rcpt *r;

	if (!c->reversed && !tcp_open())
		return;
	do {
		while (c->ready && !c->lq->delayed &&
		    (r = next_of(c->lq)) != NULL &&
		    give(c, r) == SEND_ASIDE)
			;
	} while (c->ready && c->reversed && c->lq->waiting == 0 &&
	    change_queue(c));
}

static void
remote_run(void)
{
	struct lqueue *lq;
	struct chan *c;

	if (!can_go_on())
		return;
	LIST_FOREACH(c, &chans, entry)
		feed(c);
	while (nchans < smtp_int("SendingChannels") &&
	    (lq = TAILQ_FIRST(&wanting)) != NULL && tcp_may()) {
		TAILQ_REMOVE(&wanting, lq, ready);
		lq->listed = false;
		if (chan_open(lq, -1, false, "") == -1)
			break;
	}
}

int
remote_adopt(struct lqueue *lq, int fd, bool tls, const char *peer)
{
	if (!can_go_on()) {
		close(fd);
		return -1;
	}
	if (chan_open(lq, fd, tls, peer) == -1)
		return -1;
	lqueue_release(lq);
	return 0;
}

/* --- again, later --- */

int64_t
remote_interval(const struct msg *m)
{
	int64_t age = time(NULL) - m->q.time;

	return queue_int(age < queue_int("RetryLaterAfter") ?
	    "RetryEvery" : "RetryEveryLater");
}

/*
 * Once it has waited for so long its sender is told.  Much later it is not the
 * first time that it is looked at, whatever is remembered.
 */
static void
warn(struct rcpt *r, const char *why, int64_t keep)
{
	int64_t after = queue_int("SendWarningsAfter");
	int64_t age = time(NULL) - r->msg->q.time;

	if (after > 0 && age >= after &&
	    age < after + 2 * remote_interval(r->msg))
		dsn_warn(r, "4.4.7", why, r->msg->q.time + keep);
}

bool
remote_expired(struct rcpt *r, const char *why)
{
	int64_t keep = queue_int("KeepTrying");
	char text[700];

	if (time(NULL) - r->msg->q.time < keep) {
		warn(r, why != NULL ? why : "nobody answers", keep);
		return false;
	}
	snprintf(text, sizeof(text), "it was tried for too long: %s",
	    why != NULL ? why : "nobody answers");
	rcpt_finish(r, 'F', "5.4.7", text);
	return true;
}

/* --- what the sender says --- */

static void
anew(struct rcpt *r)
{
	route_forget(r);
	r->remote = false;
	rcpt_state(r, R_NEW);
	if (!load_busy())
		route_rcpt(r);
}

/* What it had in hand waits again, unless its successor has it. */
static void
take_back(void)
{
	struct chan *c;
	struct msg *m;
	struct rcpt *r;
	size_t i;

	listed = false;
	while ((c = LIST_FIRST(&chans)) != NULL)
		chan_free(c);
	RB_FOREACH(m, msgtree, &msgs)
		for (i = 0; m->loaded && i < m->q.nrcpts; i++) {
			r = &m->rcpts[i];
			if (!r->remote)
				continue;
			r->ack = false;
			if (r->state != R_FLIGHT)
				continue;
			r->remote = false;
			if (r->lq != NULL)
				lqueue_back(r);
			else
				anew(r);
		}
}

void
remote_up(struct ipc *ipc)
{
	take_back();
	sender = ipc;
}

void
remote_down(struct ipc *ipc)
{
	if (ipc != sender)
		return;
	sender = NULL;
	take_back();
}

void
remote_end(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	if (ipc != sender)
		return;
	listed = true;
	remote_run();
}

static void
held(struct rcpt *r)
{
	if (r->state >= R_FLIGHT)
		return;
	route_forget(r);
	r->remote = true;
	if (r->lq != NULL)
		lqueue_flight(r);
	else
		rcpt_state(r, R_FLIGHT);
}

void
remote_held(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_job_held *j = pkt->m;
	struct msg *m = msg_find(j->id);
	struct early *e;

	if (m == NULL || ipc != sender)
		return;
	if (!m->loaded) {
		if ((e = msg_early(m, j->rcpt)) != NULL)
			e->remote = true;
	} else if (j->rcpt < m->q.nrcpts)
		held(&m->rcpts[j->rcpt]);
}

static void
result(struct rcpt *r, const struct msg_sent *s)
{
	char text[1100];

	r->remote = r->ack = true;
	if (r->state == R_DONE)
		msg_ack(r);
	if (r->state >= R_REPORT)	/* else it is being noted */
		return;
	if (s->code == 0) {
		r->passed = s->dsn;
		snprintf(text, sizeof(text), r->msg->q.test ?
		    "tested: %s takes the address" : "relayed via %s", s->host);
		rcpt_finish(r, 'D', "2.0.0", text);
	} else if (s->code == 1) {
		snprintf(text, sizeof(text), "%s%s%s", s->host,
		    *s->host != '\0' ? " said: " : "", s->text);
		rcpt_finish(r, 'F', *s->esc == '5' ? s->esc : "5.0.0", text);
	} else {
		msg_ack(r);
		msg_attempt(r);
		r->remote = false;
		if (r->lq == NULL)
			anew(r);
		else
			lqueue_later(r, s->text, remote_interval(r->msg));
	}
}

static void
early_add(struct msg *m, const struct msg_sent *s)
{
	struct early *e = msg_early(m, s->rcpt);

	if (e == NULL)
		return;
	e->remote = e->result = true;
	e->code = s->code;
	e->dsn = s->dsn;
	e->esc = strdup(s->esc);
	e->text = strdup(s->text);
	e->host = strdup(s->host);
}

void
remote_early(struct rcpt *r, const struct early *e)
{
	struct msg_sent s = {
		.code = e->code,
		.dsn = e->dsn,
		.esc = e->esc != NULL ? e->esc : "",
		.text = e->text != NULL ? e->text : "",
		.host = e->host != NULL ? e->host : ""
	};

	if (e->result)
		result(r, &s);
	else
		held(r);
}

void
remote_sent(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_sent *s = pkt->m;
	struct msg_result_ack a = { .id = s->id, .rcpt = s->rcpt };
	struct msg *m = msg_find(s->id);

	if (m != NULL && !m->loaded)
		early_add(m, s);
	else if (m != NULL && s->rcpt < m->q.nrcpts)
		result(&m->rcpts[s->rcpt], s);
	else	/* noted in an earlier life, and the file removed */
		ipc_send(ipc, IPC_RESULT_ACK, 0, &a, -1);
}

void
remote_next(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_send_next *m = pkt->m;
	struct chan *c = chan_find(m->chan);

	if (ipc != sender || c == NULL || c->closing)
		return;
	c->ready = true;
	c->since = time(NULL);
	if (c->lq->chans >= c->lq->most &&
	    c->since - c->lq->refused >= GROW)
		c->lq->most = c->lq->chans + 1;
	lqueue_worked(c->lq);
	remote_list(c->lq);
	remote_soon();
}

/*
 * It ended before it began with what it was given last, or as that was under
 * way to it: nobody hears more of it, so it waits again.
 */
static void
unsent(struct chan *c)
{
	struct msg *m = c->mails > 0 ? msg_find(c->mail) : NULL;
	struct rcpt *r;
	bool any = false;
	size_t i;

	for (i = 0; m != NULL && i < m->q.nrcpts; i++) {
		r = &m->rcpts[i];
		if (!r->remote || r->state != R_FLIGHT || r->chan != c->num ||
		    r->lq == NULL)
			continue;
		r->remote = false;
		lqueue_back(r);
		any = true;
	}
	if (any)
		c->mails--;
}

/* Nothing can ever be sent there. */
static void
fail_all(struct lqueue *lq, const char *esc, const char *text)
{
	struct rcpt *r;

	lqueue_hurry(lq);
	while ((r = TAILQ_FIRST(&lq->wait)) != NULL)
		rcpt_finish(r, 'F', *esc == '5' ? esc : "5.4.4", text);
}

/*
 * A host that takes no further connection while others work gets fewer; one
 * that takes none, or closes before it took anything, is left alone a while.
 */
void
remote_closed(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_send_end *m = pkt->m;
	struct chan *c = chan_find(m->chan);
	struct lqueue *lq;
	bool useless;

	if (ipc != sender || c == NULL)
		return;
	lq = c->lq;
	unsent(c);
	useless = c->mails == 0 && !c->closing;
	lq->away++;		/* it stays until we are through */
	chan_free(c);
	if (m->code == 1)
		fail_all(lq, m->esc, m->text);
	else if (lq->chans > 0) {
		lq->most = lq->chans;
		if (m->code == 2 || useless)
			lq->refused = time(NULL);
	} else if (m->code == 2 || useless) {
		lq->woken = false;
		lqueue_delay(lq, *m->text != '\0' ? m->text :
		    "the host closes at once");
	}
	lq->away--;
	lqueue_touch(lq);
}
