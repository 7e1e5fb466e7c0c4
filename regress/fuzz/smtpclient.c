/*
 * Any bytes as what a mail host says to us: replies in any order, early, late
 * or never, and the ends a connection can have.  A line of one byte from 1 to
 * 5 is an event instead.  What is awaited is never awaited for ever.  Each recipient gets one result a transaction, or
 * none, if queued takes it back.
 */
#include <sys/mman.h>

#include <event2/event.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "log.h"
#include "proc.h"
#include "tls_client.h"

#include "smtpd/send/body.c"
#define tell	results_tell
#include "smtpd/send/results.c"
#undef tell
#include "smtpd/send/utf8.c"
#include "smtpd/send/mail.c"
#include "smtpd/send/login.c"
#include "smtpd/send/client.c"
#define tell	wake_tell
#define finish	wake_finish
#include "smtpd/send/wake.c"
#undef finish
#undef tell

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { RCPTS_OF = 3, MAILS = 3, ADDRESSES = 3, BIG = 300000 };

struct conn {
	size_t	 maxline, unsent;
	bool	 dead, shaking, tls;
	char	*ssl;
};

static struct {
	struct chan		 c;
	struct dest_addr	 addr;
	struct conn		*conn, *old[ADDRESSES * 4];
	size_t			 nold, mails, addresses;
	unsigned int		 told;		/* recipients, by bits */
	bool			 over, big;
	int			 file;
} fake;

struct send_conf send_conf = {
	.forward = "f.example", .name = "us", .password = "secret",
	.encrypted = "", .wake_name = "us", .wake_password = "secret"
};

const char *send_helo(void) { return "us.example"; }
enum secure send_secure(const char *host) { return SECURE_NO; }
struct chan *chan_new(const char *host, bool computers) { return NULL; }
void chan_start(struct chan *c) { }

/* --- conn --- */

static void
bury(struct conn *c)
{
	c->dead = true;
	free(c->ssl);		/* whoever looks at it now is found out */
	c->ssl = NULL;
	fake.old[fake.nold++] = c;
	if (fake.conn == c)
		fake.conn = NULL;
}

struct conn *
conn_new(struct event_base *base, int fd, conn_cb *cb, void *arg)
{
	return fake.conn = calloc(1, sizeof(*fake.conn));
}

void conn_finish(struct conn *c) { if (!c->dead) bury(c); }
void conn_free(struct conn *c) { if (c != NULL && !c->dead) bury(c); }
void conn_timeout(struct conn *c, int s) { c->unsent += s < 0; }
void conn_lines(struct conn *c, size_t n) { c->maxline = n; }
size_t conn_unsent(const struct conn *c) { return c->unsent; }
bool conn_is_tls(const struct conn *c) { return c->tls; }
const char *conn_error(const struct conn *c) { return "error"; }

void
conn_write(struct conn *c, const void *p, size_t len)
{
	c->unsent += len;
}

void
conn_printf(struct conn *c, const char *fmt, ...)
{
	c->unsent += strlen(fmt);
}

int
conn_tls(struct conn *c, void *ssl)
{
	c->ssl = ssl;
	c->shaking = true;
	return 0;
}

bool
tls_client_doubts(void *ssl)
{
	return *(char *)ssl != 0;
}

/* --- policy.c --- */

void *policy_ssl(struct chan *c) { return calloc(1, 1); }
void policy_secured(struct chan *c) { c->proven = c->testing; }
bool policy_failed(struct chan *c) { return c->policy == POLICY_LIST; }

bool
policy_unoffered(struct chan *c)
{
	if (c->policy == POLICY_LIST || c->secure != SECURE_MUST)
		return false;
	outcome_set(&c->last, LATER, "4.7.10", "no");
	chan_try_next(c);
	return true;
}

int
conn_pump(struct conn *c, void (*done)(void *), void *arg)
{
	if (c->unsent & 1)
		return -1;
	bury(c);
	return 0;
}

/* --- ipc, of which queued hears the results --- */

struct ipc *proc_peer(enum proc_id id) { return NULL; }

struct event_base *
proc_base(void)
{
	static struct event_base *base;

	return base != NULL ? base : (base = event_base_new());
}

int
ipc_send(struct ipc *ipc, enum ipc_type t, uint32_t session, const void *m,
    int fd)
{
	const struct msg_sent *s = m;
	struct msg_result_ack a;
	struct ipc_pkt pkt = { .m = &a };

	if (t != IPC_SENT)
		return 0;
	if (s->rcpt >= RCPTS_OF || fake.told & 1U << s->rcpt)
		panic("recipient %u has a second result", s->rcpt);
	fake.told |= 1U << s->rcpt;
	a.id = s->id;
	a.rcpt = s->rcpt;
	result_ack(ipc, &pkt, NULL);
	return 0;
}

/* --- the channel --- */

void
chan_log(const struct chan *c, int level, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
}

void
chan_end(struct chan *c, const struct outcome *o)
{
	if (fake.over)
		panic("a channel ended twice");
	client_gone(c);
	if (c->mail != NULL && mail_broken(c, o) &&
	    fake.told != (1U << RCPTS_OF) - 1)
		panic("a recipient has no result");
	if (c->wake != NULL)
		wake_end(c, o);
	if (c->conn != NULL)
		conn_finish(c->conn);
	fake.over = true;
	free(c->host);		/* as the whole would be */
	c->host = NULL;
	c->addr = NULL;
}

void
chan_again(struct chan *c)
{
	conn_free(c->conn);
	c->conn = NULL;
	client_start(c, -1);
}

void
chan_try_next(struct chan *c)
{
	struct outcome good = { .verdict = GOOD };

	c->trouble |= c->last.verdict == LATER;
	client_gone(c);
	if (c->conn != NULL)
		conn_finish(c->conn);
	c->conn = NULL;
	if (++fake.addresses < ADDRESSES)
		client_start(c, -1);
	else if (c->mail != NULL) {
		mail_unfit(c);
		chan_end(c, &good);
	} else
		chan_end(c, &c->last);
}

void
chan_ready(struct chan *c)
{
	struct msg_send_mail m = {
		.id = 7, .size = fake.big ? BIG : 50, .eightbit = 1,
		.sender = "a@x.example", .ret = "F", .envid = "x",
		.rcpts = "(0,\"b@y.example\",14,\"\","
		    "1,\"c@y.example\",1,\"rfc822;c@y\",2,\"d> \xc3@y\",2,\"\")",
		.options = fake.mails % 2 == 1 ? "8R" : "8"
	};

	if (c->mail != NULL) {
		mail_start(c);
		return;
	}
	if (c->wake != NULL) {
		wake_ready(c);
		return;
	}
	if (fake.mails > 0 && fake.told != (1U << RCPTS_OF) - 1)
		panic("ready, and a recipient has no result");
	fake.told = 0;
	if (++fake.mails > MAILS) {
		client_stop(c);
		return;
	}
	if ((c->mail = mail_new(c, &m, dup(fake.file))) == NULL)
		panic("no mail");
	mail_start(c);
}

/* --- what it says --- */

static void
forget(void)
{
	while (fake.nold > 0)
		free(fake.old[--fake.nold]);
}

static void
happens(enum conn_event ev, char *line, size_t len)
{
	struct conn *now = fake.conn;

	if (fake.over || now == NULL)
		return;
	if (now->shaking && (ev == CONN_LINE || ev == CONN_LONG ||
	    ev == CONN_DRAINED))
		return;		/* thrown away */
	if (ev == CONN_SECURE) {
		if (!now->shaking)
			return;
		now->shaking = false;
		now->tls = true;
	}
	if (ev == CONN_ERROR && now->ssl != NULL)
		*now->ssl = len & 1;
	event(now, ev, line, len, &fake.c);
	forget();
}

static bool
is_due(void)
{
	return fake.c.deadline != NULL &&
	    evtimer_pending(fake.c.deadline, NULL);
}

static void
line(const uint8_t *p, size_t len)
{
	static const enum conn_event events[] = {
		CONN_TIMEOUT, CONN_ERROR, CONN_EOF, CONN_SECURE
	};
	char *copy;

	if (len == 1 && *p >= 1 && *p <= 4) {
		happens(events[*p - 1], NULL, 0);
		return;
	}
	if (len == 1 && *p == 5 && is_due()) {
		too_slow(-1, EV_TIMEOUT, &fake.c);
		forget();
		return;
	}
	copy = calloc(1, len + 1);
	memcpy(copy, p, len);
	if (len > MAXLINE)
		happens(CONN_LONG, NULL, 0);
	else
		happens(CONN_LINE, copy, len);
	free(copy);
	if (fake.conn != NULL && fake.conn->unsent > 0 && !fake.over) {
		fake.conn->unsent = 0;
		happens(CONN_DRAINED, NULL, 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static int file = -1;
	const uint8_t *lf, *end = p + len;

	if (len < 1)
		return 0;
	if (file == -1 && ((file = memfd_create("m", 0)) == -1 ||
	    ftruncate(file, BIG) == -1))
		abort();
	memset(&fake, 0, sizeof(fake));
	fake.file = file;
	fake.big = *p & 1;
	fake.addr.host = "mx.y.example";
	fake.addr.port = *p & 2 ? SMTPS_PORT : SMTP_PORT;
	fake.c.addr = &fake.addr;
	fake.c.host = strdup("y.example");
	fake.c.secure = *p >> 2 & 3 ? (*p >> 2 & 3) - 1 : SECURE_NO;
	fake.c.login = *p & 16;
	fake.c.policy = *p & 32 ? POLICY_LIST : POLICY_NONE;
	fake.c.testing = *p & 64;
	if (*p & 32) {
		if ((fake.c.wake = calloc(1, sizeof(*fake.c.wake))) == NULL)
			abort();
		fake.c.wake->domain = strdup("us.example");
		fake.c.wake->atrn = *p & 64;
	}
	client_start(&fake.c, -1);
	for (p++; p < end && !fake.over; p = lf + 1) {
		if ((lf = memchr(p, '\n', end - p)) == NULL)
			lf = end;
		line(p, lf - p);
		if (!fake.over && fake.conn != NULL &&
		    fake.c.state != S_READY && !is_due())
			panic("state %d has no end", fake.c.state);
	}
	while (!fake.over)
		happens(CONN_EOF, NULL, 0);
	free(fake.c.host);
	return 0;
}
