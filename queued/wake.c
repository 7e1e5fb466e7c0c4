/*
 * Waking up (manual 29).  Others wake us: ETRN and letters release a host's
 * queues, ATRN hands us a connection that they go by; whose session asks for
 * that is checked here, a front's word is not enough.  And we wake the backup
 * server that keeps our mail, when its time has come.  The loop's alone.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "queued.h"

enum {
	TICKET_LEN = 16,
	FIRST = 5,		/* seconds after the start */
	FRONTS = 64,		/* at most */
	SAID = 600		/* seconds until a wake-up counts as lost */
};

enum { WAKE_OK, WAKE_NOTHING, WAKE_LATER, WAKE_REFUSED };

/* An ATRN, while authd and routerd are asked. */
struct atrn {
	struct ipc_ref	 ref;
	char		*host;
	char		*account;
	char		 peer[64];
	int		 fd;
	bool		 tls;
};

static struct {
	struct event	*timer;
	uint32_t	 num;		/* of the wake-up under way, or 0 */
	time_t		 since;
	time_t		 due;		/* the next one by itself */
	int64_t		 every;
} out;

/* --- others wake us --- */

static bool
is_hosts(const struct lqueue *lq, const char *host)
{
	return lq->kind == QUEUE_SMTP && strcasecmp(lq->host, host) == 0;
}

size_t
wake_host(const char *host)
{
	struct lqueue *lq, *next;
	size_t n = 0;

	RB_FOREACH_SAFE(lq, lqtree, &lqueues, next)
		if (is_hosts(lq, host)) {
			n += lq->waiting + lq->nlater;
			lqueue_wake(lq);
		}
	return n;
}

/* The first that has mail; how many recipients wait in all. */
static struct lqueue *
waiting(const char *host, size_t *n)
{
	struct lqueue *lq, *first = NULL;

	*n = 0;
	RB_FOREACH(lq, lqtree, &lqueues)
		if (is_hosts(lq, host) && lq->waiting + lq->nlater > 0) {
			*n += lq->waiting + lq->nlater;
			if (first == NULL)
				first = lq;
		}
	return first;
}

static void
woken(struct ipc_ref ref, unsigned int code, size_t n, const char *text)
{
	struct msg_woken m = { .code = code, .text = text,
		.waiting = n < UINT32_MAX ? n : UINT32_MAX };

	ipc_answer(ref, IPC_WOKEN, &m, -1);
}

static void
atrn_end(struct atrn *a, unsigned int code, size_t n, const char *text)
{
	woken(a->ref, code, n, text);
	if (a->fd != -1)
		close(a->fd);
	free(a->host);
	free(a->account);
	free(a);
}

/* All is checked: its mail may go by that connection. */
static void
atrn_go(struct atrn *a)
{
	size_t n;
	struct lqueue *lq = waiting(a->host, &n);
	int fd = a->fd;

	if (lq == NULL) {
		atrn_end(a, WAKE_NOTHING, 0, "no mail waits");
		return;
	}
	if (fd == -1) {
		atrn_end(a, WAKE_OK, n, "");
		return;
	}
	a->fd = -1;
	if (remote_adopt(lq, fd, a->tls, a->peer) == -1) {
		atrn_end(a, WAKE_LATER, n, "it cannot be sent now");
		return;
	}
	log_tag(LOG_MAJOR, "QUEUE", "SMTP(%s) released to [%s] by ATRN of %s",
	    a->host, a->peer, a->account);
	atrn_end(a, WAKE_OK, n, "");
}

static void
atrn_routed(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_routed *m = pkt == NULL ? NULL : pkt->m;
	struct atrn *a = arg;

	if (m == NULL || m->code == 2)
		atrn_end(a, WAKE_LATER, 0, "the router is not there now");
	else if (m->code != 0 || strcmp(m->module, "SMTP") != 0 ||
	    strcasecmp(m->host, a->host) != 0)
		atrn_end(a, WAKE_REFUSED, 0,
		    "that is not the queue of who is logged in");
	else if (!remote_is_held(a->host))
		atrn_end(a, WAKE_REFUSED, 0, "no mail is held for it");
	else
		atrn_go(a);
}

/* The account's name is the domain's (manual 29). */
static void
atrn_checked(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ticket_info *m = pkt == NULL ? NULL : pkt->m;
	struct msg_route r = { 0 };
	struct atrn *a = arg;
	char address[600], *at;

	if (m == NULL) {
		atrn_end(a, WAKE_LATER, 0, "the accounts are not there now");
		return;
	}
	if (m->code != 0 || (a->account = strdup(m->account)) == NULL) {
		atrn_end(a, WAKE_REFUSED, 0, "who is that?");
		return;
	}
	if ((at = strrchr(a->account, '@')) != NULL) {
		if (strcasecmp(at + 1, queue_domain()) != 0) {
			atrn_end(a, WAKE_REFUSED, 0,
			    "not an account of the main domain");
			return;
		}
		*at = '\0';
	}
	snprintf(address, sizeof(address), "wakeup@%s", a->account);
	r.address = address;
	ipc_call(proc_peer(PROC_ROUTERD), IPC_ROUTE, 0, &r, -1, IPC_TIMEOUT,
	    atrn_routed, a);
}

static void
atrn_request(struct ipc *ipc, struct ipc_pkt *pkt, const struct msg_wake *m)
{
	struct msg_ticket_check t = { .ticket = m->ticket };
	struct atrn *a = calloc(1, sizeof(*a));
	int fd = ipc_take_fd(pkt);

	if (a == NULL || (a->host = strdup(m->host)) == NULL) {
		free(a);
		if (fd != -1)
			close(fd);
		woken(ipc_ref(ipc, pkt), WAKE_LATER, 0, "out of memory");
		return;
	}
	a->ref = ipc_ref(ipc, pkt);
	a->fd = fd;
	a->tls = m->tls;
	snprintf(a->peer, sizeof(a->peer), "%s", m->peer);
	if (m->ticket.len != TICKET_LEN || (m->atrn == 2) != (fd != -1)) {
		atrn_end(a, WAKE_REFUSED, 0, "log in first");
		return;
	}
	ipc_call(proc_peer(PROC_AUTHD), IPC_TICKET_CHECK, 0, &t, -1,
	    IPC_TIMEOUT, atrn_checked, a);
}

void
wake_request(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_wake *m = pkt->m;
	size_t n;

	if (m->atrn != 0) {
		atrn_request(ipc, pkt, m);
		return;
	}
	n = wake_host(m->host);
	log_tag(LOG_MAJOR, "QUEUE", "SMTP(%s) released by ETRN of [%s]: %zu "
	    "recipients", m->host, m->peer, n);
	woken(ipc_ref(ipc, pkt), n > 0 ? WAKE_OK : WAKE_NOTHING, n,
	    n > 0 ? "" : "no mail waits");
}

/* --- we wake the backup server --- */

static void	out_tick(int, short, void *);

static void
out_timer(void)
{
	const struct timeval tv = { .tv_sec = 1 };

	if (out.timer == NULL)
		out.timer = evtimer_new(proc_base(), out_tick, NULL);
	if (out.timer != NULL && !evtimer_pending(out.timer, NULL))
		evtimer_add(out.timer, &tv);
}

static void
out_over(void)
{
	if (out.num == 0)
		return;
	out.num = 0;
	tcp_end();
}

static const char *
out_send(void)
{
	static uint32_t nums;
	struct msg_send_wake m = {
		.host = settings_text(proc_settings(), "SMTP",
		    "SendWakeupsTo"),
		.domain = queue_domain(),
		.atrn = settings_bool(proc_settings(), "SMTP", "UseATRN")
	};

	if (*m.host == '\0')
		return "the setting SendWakeupsTo is empty";
	if (out.num != 0 && time(NULL) - out.since < SAID)
		return "it is being asked";
	out_over();
	if (++nums == 0)
		nums++;
	m.num = nums;
	if (proc_peer(PROC_SENDER) == NULL || ipc_send(proc_peer(PROC_SENDER),
	    IPC_SEND_WAKE, 0, &m, -1) == -1)
		return "the sending role is not there now";
	out.num = nums;
	out.since = time(NULL);
	tcp_begin();
	return NULL;
}

const char *
wake_send(void)
{
	return tcp_may() ? out_send() : "the TCP schedule allows none now";
}

static void
out_tick(int fd, short what, void *arg)
{
	time_t now = time(NULL);

	if (out.every == 0 || queue_stopping())
		return;
	out_timer();
	/* A clock that was set back must not stop it. */
	if (out.due > now + out.every)
		out.due = now + out.every;
	if (now >= out.due && tcp_may() && out_send() == NULL)
		out.due = now + out.every;
}

void
wake_settings(const struct val *all)
{
	out.every = settings_int(all, "SMTP", "SendWakeupsEvery");
	if (*settings_text(all, "SMTP", "SendWakeupsTo") == '\0')
		out.every = 0;
	if (out.every == 0)
		return;
	if (out.due == 0)
		out.due = time(NULL) + FIRST;
	out_timer();
}

void
wake_sent(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_wake_sent *m = pkt->m;

	if (m->num != out.num)
		return;
	log_tag(m->code == 0 ? LOG_MAJOR : LOG_PROBLEM, "QUEUE",
	    "the backup server %s%s%s",
	    m->code == 0 ? "is woken up" : "cannot be woken up",
	    *m->text != '\0' ? ": " : "", m->text);
	out_over();
}

void
wake_sender_down(void)
{
	out_over();
}

/* --- our ATRN was heard: the other side is a client now --- */

void
wake_serve(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_serve *m = pkt->m;
	static unsigned int turn;
	struct ipc *front = NULL;
	int fd = ipc_take_fd(pkt), i;

	for (i = 0; i < FRONTS && front == NULL; i++)
		front = proc_peer_n(PROC_SMTPD, turn++ % FRONTS);
	if (front != NULL && fd != -1)
		ipc_send(front, IPC_SERVE, 0, m, fd);
	else if (fd != -1)
		close(fd);
}
