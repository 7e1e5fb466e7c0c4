/*
 * Channels: queued asks for one to a host; it is looked up, its addresses are
 * tried one after the other, and while the connection stands queued gives it
 * messages.  Runs in smtpd's sending role; one connection a channel.
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "conn.h"
#include "log.h"
#include "policy.h"
#include "proc.h"
#include "send.h"

enum { SERIALS = 1000000 };

static LIST_HEAD(, chan) chans = LIST_HEAD_INITIALIZER(chans);
static size_t nchans;
static void (*drained)(void);	/* set: we are to end */

static void	try_next(struct chan *);

void
chan_log(const struct chan *c, int level, const char *fmt, ...)
{
	char tag[560];
	va_list ap;

	if (level > log_get_level())
		return;
	snprintf(tag, sizeof(tag), "%s-%06u(%s)",
	    c->wake != NULL ? "SMTPW" : "SMTP", c->serial, c->host);
	va_start(ap, fmt);
	log_vtag(level, tag, fmt, ap);
	va_end(ap);
}

size_t
chan_count(void)
{
	return nchans;
}

static struct chan *
find(uint32_t num)
{
	struct chan *c;

	LIST_FOREACH(c, &chans, entry)
		if (c->num == num && !c->orphan)
			return c;
	return NULL;
}

static void
say_end(uint32_t num, const struct outcome *o)
{
	struct msg_send_end m = {
		.chan = num, .code = o->verdict, .esc = o->esc, .text = o->text
	};

	ipc_send(proc_peer(PROC_QUEUED), IPC_SEND_END, 0, &m, -1);
}

static void
stop_connecting(struct chan *c)
{
	dial_free(c->dial);
	c->dial = NULL;
}

void
chan_end(struct chan *c, const struct outcome *o)
{
	static const struct outcome in_order = { .verdict = GOOD };
	struct outcome later = *o;

	/* Who calls us proves nothing about his domain. */
	if (c->turned != NULL && o->verdict == NEVER) {
		later.verdict = LATER;
		o = &later;
	}
	if (c->mail != NULL && !mail_broken(c, o))
		o = &in_order;
	if (c->wake != NULL)
		wake_end(c, o);
	if (!c->orphan)
		say_end(c->num, o);
	stop_connecting(c);
	client_gone(c);
	if (c->conn != NULL)
		conn_finish(c->conn);
	policy_forget(c);
	dest_free(c->dest);
	free(c->turned);
	LIST_REMOVE(c, entry);
	nchans--;
	free(c->host);
	free(c);
	if (nchans == 0 && drained != NULL)
		drained();
}

/* --- connecting --- */

static void
own_address(struct chan *c, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char ip[64] = "?";
	unsigned int port = 0;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
	    ss.ss_family == AF_INET) {
		const struct sockaddr_in *in = (void *)&ss;

		inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
		port = ntohs(in->sin_port);
	} else if (ss.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (void *)&ss;

		inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip));
		port = ntohs(in6->sin6_port);
	}
	snprintf(c->local, sizeof(c->local), "[%s]:%u", ip, port);
}

void
chan_try_next(struct chan *c)
{
	if (c->last.verdict == LATER)
		c->trouble = true;
	chan_log(c, LOG_PROBLEM, "%s[%s]:%u: %s",
	    c->addr == NULL ? "" : c->addr->host,
	    c->addr == NULL ? "" : c->addr->ip,
	    c->addr == NULL ? 0 : c->addr->port, c->last.text);
	client_gone(c);
	stop_connecting(c);
	if (c->conn != NULL) {
		conn_finish(c->conn);
		c->conn = NULL;
	}
	try_next(c);
}

static void
dialed(int fd, int err, void *arg)
{
	struct chan *c = arg;

	stop_connecting(c);
	if (fd != -1) {
		own_address(c, fd);
		client_start(c, fd);
		return;
	}
	outcome_set(&c->last, LATER, "4.4.1", "cannot connect to %s%s%s: %s",
	    c->addr->host, *c->source != '\0' ? " from " : "", c->source,
	    strerror(err));
	chan_try_next(c);
}

void
chan_connect(struct chan *c)
{
	c->dial = dial_new(c->addr, c->source, dialed, c);
}

/*
 * There is no further address.  A message that none of them could take as it
 * has to be taken fails for itself; what was tried last says more than why.
 */
static void
no_more(struct chan *c, const struct outcome *why)
{
	struct outcome o = c->addr != NULL && why->verdict == LATER ?
	    c->last : *why;

	if (c->mail != NULL) {
		mail_unfit(c);
		o.verdict = GOOD;
	}
	chan_end(c, &o);
}

static void
got_address(const struct dest_addr *a, const struct outcome *why, void *arg)
{
	struct chan *c = arg;

	if (a == NULL) {
		no_more(c, why);
		return;
	}
	c->addr = a;
	policy_ask(c);
}

void
chan_again(struct chan *c)
{
	client_gone(c);
	conn_free(c->conn);
	c->conn = NULL;
	chan_connect(c);
}

/* One that stood when we got it has no other address. */
static void
try_next(struct chan *c)
{
	if (c->turned != NULL)
		chan_end(c, &c->last);
	else
		dest_next(c->dest, got_address, c);
}

/* --- what queued says --- */

struct chan *
chan_new(const char *host, bool computers)
{
	static unsigned int serial;
	struct chan *c;

	c = calloc(1, sizeof(*c));
	if (c == NULL || (c->host = strdup(host)) == NULL ||
	    (c->dest = dest_new(host, computers)) == NULL) {
		if (c != NULL)
			free(c->host);
		free(c);
		return NULL;
	}
	c->secure = send_secure(host);
	c->policy = c->secure == SECURE_MUST ? POLICY_LIST : POLICY_NONE;
	c->serial = ++serial % SERIALS;
	LIST_INSERT_HEAD(&chans, c, entry);
	nchans++;
	return c;
}

void
chan_start(struct chan *c)
{
	try_next(c);
}

/* A client of ours asked for its mail on its own connection: fd. */
static void
start_turned(struct chan *c, const struct msg_send_open *m, int fd)
{
	c->turned = calloc(1, sizeof(*c->turned));
	if (c->turned == NULL || fd == -1) {
		if (fd != -1)
			close(fd);
		outcome_set(&c->last, LATER, "4.3.0", "out of memory");
		chan_end(c, &c->last);
		return;
	}
	c->turned->host = c->host;
	snprintf(c->turned->ip, sizeof(c->turned->ip), "%s", m->peer);
	snprintf(c->local, sizeof(c->local), "[its connection]");
	c->addr = c->turned;
	if (m->tls || c->secure != SECURE_MUST)
		c->secure = SECURE_NO;
	client_start(c, fd);
}

void
chan_open(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_send_open *m = pkt->m;
	bool forward = *send_conf.forward != '\0' && !m->reversed &&
	    strcasecmp(m->host, send_conf.forward) == 0;
	struct outcome o;
	struct chan *c;

	if (drained != NULL)
		return;
	if ((c = chan_new(m->host, forward)) == NULL) {
		outcome_set(&o, LATER, "4.3.0", "out of memory");
		say_end(m->chan, &o);
		return;
	}
	c->login = forward;
	c->num = m->chan;
	c->lax = m->lax;
	snprintf(c->source, sizeof(c->source), "%s", m->source);
	if (m->reversed)
		start_turned(c, m, ipc_take_fd(pkt));
	else
		chan_start(c);
}

void
chan_mail(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_send_mail *m = pkt->m;
	struct chan *c = find(m->chan);
	struct outcome o;
	int fd = ipc_take_fd(pkt);

	if (c == NULL || c->mail != NULL) {
		if (fd != -1)
			close(fd);
		return;		/* SEND_END is under way: it is taken back */
	}
	if (fd == -1 || (c->mail = mail_new(c, m, fd)) == NULL) {
		outcome_set(&o, LATER, "4.3.0", "out of memory");
		chan_end(c, &o);
		return;
	}
	mail_start(c);
}

void
chan_close(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_send_close *m = pkt->m;
	struct chan *c = find(m->chan);

	if (c == NULL)
		return;
	c->closing = true;
	if (c->mail == NULL)
		client_stop(c);
}

void
chan_ready(struct chan *c)
{
	struct msg_send_next m = { .chan = c->num };

	if (c->mail != NULL) {	/* another host could not take it */
		mail_start(c);
		return;
	}
	if (c->wake != NULL)
		wake_ready(c);
	else if (c->orphan || c->closing)
		client_stop(c);
	else
		ipc_send(proc_peer(PROC_QUEUED), IPC_SEND_NEXT, 0, &m, -1);
}

void
chan_drain(void (*done)(void))
{
	struct chan *c, *next;

	drained = done;
	if (nchans == 0)
		done();
	for (c = LIST_FIRST(&chans); c != NULL; c = next) {
		next = LIST_NEXT(c, entry);
		c->closing = true;
		if (c->mail == NULL) {
			c->orphan = true;	/* it is not the host's end */
			client_stop(c);
		}
	}
}

/* What is on its way is finished; the next queued asks for new channels. */
void
chan_down(struct ipc *ipc)
{
	struct chan *c, *next;
	struct outcome o = { .verdict = LATER };

	for (c = LIST_FIRST(&chans); c != NULL; c = next) {
		next = LIST_NEXT(c, entry);
		c->orphan = true;
		if (c->mail == NULL)
			chan_end(c, &o);
	}
}

void
chan_held(struct ipc *ipc)
{
	struct chan *c;

	LIST_FOREACH(c, &chans, entry)
		if (c->mail != NULL)
			mail_jobs(c->mail, ipc);
}
