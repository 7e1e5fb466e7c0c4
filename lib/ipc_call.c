/*
 * Requests that wait for an answer: credits, time-outs, cancelling, and the
 * certain end of each.  Runs in every process.  Every call is told exactly
 * once, from the loop, unless it was cancelled.
 */
#include <event2/event.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "ipc_int.h"
#include "log.h"

enum { SLOT_BITS = 7, BUCKETS = 256 };
_Static_assert(IPC_CREDITS == 1 << SLOT_BITS, "a slot is part of a seq");

LIST_HEAD(bucket, ipc_call);
static struct bucket	 byarg[BUCKETS];

/* Calls that failed and are not yet told. */
static struct ipc_callq	 failed = TAILQ_HEAD_INITIALIZER(failed);
static bool		 failing;
static struct event_base *loop;

static struct bucket *
bucket_of(const void *arg)
{
	uintptr_t h = (uintptr_t)arg;

	return &byarg[(h >> 4 ^ h >> 12) % BUCKETS];
}

static void
call_free(struct ipc_call *c)
{
	LIST_REMOVE(c, byarg);
	if (c->pkt != NULL)
		ipc_out_free(c->pkt);
	free(c);
}

/* Tells and frees. */
static void
finish(struct ipc_call *c, const struct ipc_pkt *pkt)
{
	ipc_answer_cb *cb = c->cb;
	void *arg = c->arg;

	call_free(c);
	if (cb != NULL)
		cb(pkt, arg);
}

static void
tell_failed(int fd, short what, void *arg)
{
	struct ipc_call *c;

	failing = false;
	while ((c = TAILQ_FIRST(&failed)) != NULL) {
		TAILQ_REMOVE(&failed, c, next);
		finish(c, NULL);
	}
}

static void
fail_later(struct ipc_call *c)
{
	static const struct timeval now;

	c->ipc = NULL;
	TAILQ_INSERT_TAIL(&failed, c, next);
	if (failing)
		return;
	if (loop == NULL ||
	    event_base_once(loop, -1, EV_TIMEOUT, tell_failed, NULL, &now) == -1)
		panic("ipc: no loop to tell a failed call from");
	failing = true;
}

void
ipc_calls_base(struct event_base *base)
{
	if (loop == base)
		return;
	loop = base;
	failing = false;
}

static void	timer_cb(int, short, void *);

void
ipc_calls_init(struct ipc *ipc)
{
	TAILQ_INIT(&ipc->waiting);
	memset(ipc->freeslots, 0xff, sizeof(ipc->freeslots));
	ipc->ev_timer = event_new(ipc->base, -1, 0, timer_cb, ipc);
	if (ipc->ev_timer == NULL)
		fatalx("ipc: no timer");
}

void
ipc_calls_fail(struct ipc *ipc)
{
	struct ipc_call *c;
	int i;

	for (i = 0; i < IPC_CREDITS; i++)
		if (ipc->slot[i] != NULL) {
			fail_later(ipc->slot[i]);
			ipc->slot[i] = NULL;
		}
	while ((c = TAILQ_FIRST(&ipc->waiting)) != NULL) {
		TAILQ_REMOVE(&ipc->waiting, c, next);
		fail_later(c);
	}
}

/*
 * One timer a channel, for the earliest deadline; it is set anew only for an
 * earlier one, so with one usual time-out it costs next to nothing.
 */
static void
arm(struct ipc *ipc, int64_t deadline)
{
	struct timeval tv;
	int64_t ms;

	if (ipc->timer_at != 0 && ipc->timer_at <= deadline)
		return;
	ipc->timer_at = deadline;
	ms = deadline - ipc_now();
	if (ms < 0)
		ms = 0;
	tv.tv_sec = ms / 1000;
	tv.tv_usec = ms % 1000 * 1000;
	event_add(ipc->ev_timer, &tv);
}

static int
slot_take(struct ipc *ipc)
{
	size_t w;
	int bit;

	for (w = 0; w < IPC_CREDITS / 64; w++)
		if (ipc->freeslots[w] != 0) {
			bit = __builtin_ctzll(ipc->freeslots[w]);
			ipc->freeslots[w] &= ~(1ULL << bit);
			return (int)w * 64 + bit;
		}
	return -1;
}

static void
slot_give(struct ipc *ipc, int slot)
{
	ipc->slot[slot] = NULL;
	ipc->freeslots[slot / 64] |= 1ULL << slot % 64;
}

bool
ipc_busy(const struct ipc *ipc)
{
	size_t w;

	for (w = 0; w < IPC_CREDITS / 64; w++)
		if (ipc->freeslots[w] != 0)
			return false;
	return true;
}

/* The packet's seq stands in its header's last four bytes. */
static void
set_seq(char *data, uint32_t seq)
{
	int i;

	for (i = 0; i < 4; i++)
		data[12 + i] = (char)(seq >> (24 - 8 * i));
}

/* Sends with a credit that is there; a call that cannot go fails. */
static void
launch(struct ipc *ipc, struct ipc_call *c, int slot, char *data, size_t len,
    int fd)
{
	if (++ipc->serial >= UINT32_MAX >> SLOT_BITS)
		ipc->serial = 1;
	c->seq = ipc->serial << SLOT_BITS | (uint32_t)slot;
	ipc->slot[slot] = c;
	set_seq(data, c->seq);
	if (ipc_output(ipc, data, len, fd) == -1) {
		slot_give(ipc, slot);
		fail_later(c);
	}
}

/* Credits came back: send what waited for them. */
static void
launch_waiting(struct ipc *ipc)
{
	struct ipc_call *c;
	struct ipc_out *o;
	int slot;

	while ((c = TAILQ_FIRST(&ipc->waiting)) != NULL) {
		if ((slot = slot_take(ipc)) == -1)
			return;
		TAILQ_REMOVE(&ipc->waiting, c, next);
		o = c->pkt;
		c->pkt = NULL;
		launch(ipc, c, slot, o->data, o->len, o->fd);
		o->fd = -1;
		ipc_out_free(o);
	}
}

void
ipc_call(struct ipc *ipc, enum ipc_type type, uint32_t session,
    const void *msg, int fd, int timeout_ms, ipc_answer_cb *cb, void *arg)
{
	struct ipc_call *c = xcalloc(1, sizeof(*c));
	struct buf *b;
	int slot;

	c->cb = cb;
	c->arg = arg;
	c->ipc = ipc;
	c->answer = ipc_answer_type(type);
	LIST_INSERT_HEAD(bucket_of(arg), c, byarg);
	if (c->answer == IPC_NONE)
		panic("ipc: %s is not a request, see ipc.def", ipc_name(type));
	if (ipc == NULL || ipc->broken) {
		if (fd != -1)
			close(fd);
		fail_later(c);
		return;
	}
	b = ipc_packed(type, session, 0, 0, msg);
	c->deadline = ipc_now() + timeout_ms;
	arm(ipc, c->deadline);
	if ((slot = slot_take(ipc)) != -1) {
		launch(ipc, c, slot, b->p, b->len, fd);
		return;
	}
	c->pkt = ipc_out_new(b->p, b->len, fd);
	TAILQ_INSERT_TAIL(&ipc->waiting, c, next);
}

void
ipc_cancel(void *arg)
{
	struct ipc_call *c, *next;

	for (c = LIST_FIRST(bucket_of(arg)); c != NULL; c = next) {
		next = LIST_NEXT(c, byarg);
		if (c->arg != arg || c->cb == NULL)
			continue;
		c->cb = NULL;
		if (c->ipc == NULL) {
			TAILQ_REMOVE(&failed, c, next);
			call_free(c);
		} else if (c->pkt != NULL) {
			TAILQ_REMOVE(&c->ipc->waiting, c, next);
			call_free(c);
		}
		/* else it keeps its credit until the peer has answered */
	}
}

int
ipc_call_answered(struct ipc *ipc, const struct ipc_pkt *pkt, bool lost)
{
	int slot = pkt->seq & (IPC_CREDITS - 1);
	struct ipc_call *c = ipc->slot[slot];

	/* Too late: it was told to have failed. */
	if (c == NULL || c->seq != pkt->seq)
		return 0;
	if (c->answer != pkt->type)
		return -1;
	slot_give(ipc, slot);
	launch_waiting(ipc);
	finish(c, lost ? NULL : pkt);
	return 0;
}

static void
timer_cb(int fd, short what, void *arg)
{
	struct ipc *ipc = arg;
	struct ipc_call *c, *next;
	int64_t now = ipc_now(), first = INT64_MAX;
	int i;

	ipc->timer_at = 0;
	for (i = 0; i < IPC_CREDITS; i++) {
		if ((c = ipc->slot[i]) == NULL)
			continue;
		if (c->deadline > now) {
			first = c->deadline < first ? c->deadline : first;
			continue;
		}
		log_msg(LOG_PROBLEM, "ipc: %s did not answer in time (%s)",
		    ipc->peer, ipc_name(c->answer));
		slot_give(ipc, i);
		fail_later(c);
	}
	for (c = TAILQ_FIRST(&ipc->waiting); c != NULL; c = next) {
		next = TAILQ_NEXT(c, next);
		if (c->deadline > now) {
			first = c->deadline < first ? c->deadline : first;
			continue;
		}
		TAILQ_REMOVE(&ipc->waiting, c, next);
		fail_later(c);
	}
	if (first != INT64_MAX)
		arm(ipc, first);
	launch_waiting(ipc);
}
