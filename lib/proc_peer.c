/*
 * A child's channels to its peers: they come from cgserver, end, and are asked
 * for again.  Runs in every daemon.  It must never open one that the daemon has
 * no business with.
 */
#include <bsd/sys/queue.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "proc_int.h"

enum { LOST_SECONDS = 1 };

struct peer {
	TAILQ_ENTRY(peer)	 next;
	enum proc_id		 id;
	int			 instance;
	int			 fd;		/* until the loop runs */
	struct ipc		*ipc;
};

struct lost {			/* a peer that we have no channel to */
	TAILQ_ENTRY(lost)	 next;
	enum proc_id		 id;
	int			 instance;
	struct event		*ev;
};

/* The newest first, as an old channel may not know its end yet. */
static TAILQ_HEAD(, peer) peers = TAILQ_HEAD_INITIALIZER(peers);
static TAILQ_HEAD(, lost) losts = TAILQ_HEAD_INITIALIZER(losts);

struct ipc *
proc_peer_n(enum proc_id id, int instance)
{
	struct peer *p;

	TAILQ_FOREACH(p, &peers, next)
		if (p->id == id && p->instance == instance && p->ipc != NULL)
			return p->ipc;
	return NULL;
}

struct ipc *
proc_peer(enum proc_id id)
{
	struct peer *p;

	TAILQ_FOREACH(p, &peers, next)
		if (p->id == id && p->ipc != NULL)
			return p->ipc;
	return NULL;
}

enum proc_id
proc_who(const struct ipc *ipc, int *instance)
{
	struct peer *p;

	TAILQ_FOREACH(p, &peers, next) {
		if (p->ipc != ipc)
			continue;
		if (instance != NULL)
			*instance = p->instance;
		return p->id;
	}
	if (instance != NULL)
		*instance = 0;
	return PROC_SERVER;
}

/*
 * A peer that died brings a new channel when it is started anew.  If it lives,
 * the channel alone has ended: cgserver is asked for another, until one came.
 */
static void
lost_cb(int fd, short what, void *arg)
{
	static const struct timeval again = { LOST_SECONDS, 0 };
	struct lost *l = arg;
	struct msg_ctl_peer_lost m = { .proc = l->id,
		.instance = l->instance };

	if (!proc_stopping() && proc_peer_n(l->id, l->instance) == NULL) {
		ipc_send(proc_control(), IPC_CTL_PEER_LOST, 0, &m, -1);
		evtimer_add(l->ev, &again);
		return;
	}
	TAILQ_REMOVE(&losts, l, next);
	event_free(l->ev);
	free(l);
}

static void
peer_lost(enum proc_id id, int instance)
{
	static const struct timeval soon = { LOST_SECONDS, 0 };
	struct lost *l;

	TAILQ_FOREACH(l, &losts, next)
		if (l->id == id && l->instance == instance)
			return;
	l = xcalloc(1, sizeof(*l));
	l->id = id;
	l->instance = instance;
	if ((l->ev = evtimer_new(proc_base(), lost_cb, l)) == NULL)
		fatalx("no timer");
	evtimer_add(l->ev, &soon);
	TAILQ_INSERT_TAIL(&losts, l, next);
}

static void
peer_down(struct ipc *ipc, void *arg)
{
	struct peer *p = arg;

	TAILQ_REMOVE(&peers, p, next);
	if (!proc_stopping())
		peer_lost(p->id, p->instance);
	if (proc_def->peer_down != NULL)
		proc_def->peer_down(p->id, p->instance, ipc);
	free(p);
}

static void
peer_open(struct peer *p)
{
	char who[64];

	snprintf(who, sizeof(who), "%s-%d", proc_name(p->id), p->instance);
	p->ipc = ipc_new(proc_base(), p->fd, who, proc_def->peers[p->id],
	    peer_down, p);
	p->fd = -1;
}

void
proc_got_peer(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ctl_peer *m = pkt->m;
	struct peer *p;

	if (m->proc >= PROC_MAX || proc_def->peers[m->proc] == NULL) {
		log_warnx("no business with %s", proc_name(m->proc));
		return;
	}
	if (pkt->fd == -1) {
		if (proc_serving())
			peer_lost(m->proc, m->instance);
		return;
	}
	p = xcalloc(1, sizeof(*p));
	p->id = m->proc;
	p->instance = m->instance;
	p->fd = ipc_take_fd(pkt);
	TAILQ_INSERT_HEAD(&peers, p, next);
	if (!proc_serving())
		return;
	peer_open(p);
	if (proc_def->peer_up != NULL)
		proc_def->peer_up(p->id, p->instance, p->ipc);
}

void
proc_peers_open(void)
{
	struct peer *p;

	TAILQ_FOREACH(p, &peers, next)
		peer_open(p);
}

void
proc_peers_tell(void)
{
	struct peer *p, *tmp;

	TAILQ_FOREACH_SAFE(p, &peers, next, tmp)
		if (proc_def->peer_up != NULL)
			proc_def->peer_up(p->id, p->instance, p->ipc);
}
