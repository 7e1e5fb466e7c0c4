/*
 * The client's side of SMTP (RFC 5321) before and after messages: greeting,
 * EHLO, QUIT; replies of several lines put together.  Runs in smtpd's sending
 * role; what a reply to a message's commands means is mail.c's.
 */
#include <ctype.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "conn.h"
#include "log.h"
#include "policy.h"
#include "proc.h"
#include "send.h"
#include "tls_client.h"

enum {
	MAXLINE = 4096,
	/* Seconds for a whole reply, RFC 5321, 4.5.3.2. */
	GREET_TIME = 300,
	MAIL_TIME = 600,
	QUIT_TIME = 10,
	SLOWEST = 1024,		/* bytes a second of a message */
	MAXLINES = 200		/* of one reply */
};

enum state {
	S_GREET, S_EHLO, S_HELO, S_STARTTLS, S_AUTH, S_WAKE,
	S_READY, S_MAIL, S_QUIT
};

static const struct {
	const char	*word;
	unsigned int	 cap;
} caps[] = {
	{ "PIPELINING", CAP_PIPELINING }, { "SIZE", CAP_SIZE },
	{ "DSN", CAP_DSN }, { "8BITMIME", CAP_8BIT },
	{ "CHUNKING", CAP_CHUNKING }, { "STARTTLS", CAP_STARTTLS },
	{ "SMTPUTF8", CAP_UTF8 }, { "REQUIRETLS", CAP_REQUIRETLS }
};

/* --- replies --- */

/* "5.1.1 " at the text's beginning, of the reply's own class. */
static void
split_esc(struct reply *r, const char *text)
{
	struct cur c = cur_str(text);
	struct str s = cur_span(&c, "0123456789.");

	if (s.len >= 5 && s.len < sizeof(r->esc) && s.p[1] == '.' &&
	    s.p[0] - '0' == r->code / 100 && cur_peek(&c) == ' ')
		str_copy(s, r->esc, sizeof(r->esc));
	else
		snprintf(r->esc, sizeof(r->esc), "%d.0.0", r->code / 100);
}

void
reply_outcome(struct outcome *o, const struct reply *r, const char *before)
{
	enum verdict v = r->code / 100 == 2 ? GOOD :
	    r->code / 100 == 5 ? NEVER : LATER;

	outcome_set(o, v, r->esc, "%s%d %s", before, r->code, r->text);
}

/* 0: more lines follow; 1: that was the last; -1: no reply at all. */
static int
parse_line(struct reply *r, char *line, size_t len)
{
	char *p;

	if (len < 3 || !isdigit((unsigned char)line[0]) ||
	    !isdigit((unsigned char)line[1]) ||
	    !isdigit((unsigned char)line[2]) || line[0] < '2' ||
	    line[0] > '5' || (len > 3 && line[3] != ' ' && line[3] != '-'))
		return -1;
	r->code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
	for (p = line; *p != '\0'; p++)
		if (iscntrl((unsigned char)*p))
			*p = ' ';
	snprintf(r->text, sizeof(r->text), "%s", len > 4 ? line + 4 : "");
	split_esc(r, r->text);
	return len > 3 && line[3] == '-' ? 0 : 1;
}

/* --- how long --- */

static void	broken(struct chan *, const char *);

static void
too_slow(int fd, short what, void *arg)
{
	broken(arg, "it takes too long");
}

/* However it trickles: in so many seconds it has come.  0: nothing is due. */
static void
await(struct chan *c, int seconds)
{
	const struct timeval tv = { .tv_sec = seconds };

	conn_timeout(c->conn, seconds < MAIL_TIME ? seconds : MAIL_TIME);
	if (c->deadline == NULL)
		c->deadline = evtimer_new(proc_base(), too_slow, c);
	if (c->deadline == NULL)
		return;
	if (seconds > 0)
		evtimer_add(c->deadline, &tv);
	else
		evtimer_del(c->deadline);
}

void
client_sends(struct chan *c, uint64_t size)
{
	uint64_t n = size / SLOWEST;

	await(c, MAIL_TIME + (n < INT32_MAX / 2 ? (int)n : INT32_MAX / 2));
}

void
client_gone(struct chan *c)
{
	if (c->deadline != NULL)
		event_free(c->deadline);
	c->deadline = NULL;
}

/* --- what is said --- */

static void	vsay(struct chan *, enum state, int, const char *, va_list)
		    __attribute__((format(printf, 4, 0)));
static void	say(struct chan *, enum state, int, const char *, ...)
		    __attribute__((format(printf, 4, 5)));

static void
vsay(struct chan *c, enum state s, int timeout, const char *fmt, va_list ap)
{
	struct buf b;

	buf_init(&b, 0);
	if (buf_vprintf(&b, fmt, ap)) {
		chan_log(c, LOG_LOW, "cmd: %s", b.p);
		buf_puts(&b, "\r\n");
		conn_write(c->conn, b.p, b.len);
	}
	buf_free(&b);
	c->state = s;
	await(c, timeout);
}

static void
say(struct chan *c, enum state s, int timeout, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(c, s, timeout, fmt, ap);
	va_end(ap);
}

void
client_command(struct chan *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(c, S_MAIL, MAIL_TIME, fmt, ap);
	va_end(ap);
}

void
client_wake(struct chan *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(c, S_WAKE, MAIL_TIME, fmt, ap);
	va_end(ap);
}

static const struct {
	const char	*word;
	unsigned int	 cap;
} logins[] = {
	{ "CRAM-MD5", CAP_CRAM }, { "PLAIN", CAP_PLAIN },
	{ "LOGIN", CAP_LOGIN }
};

static void
note_logins(struct chan *c, struct cur cur)
{
	struct str word;
	size_t i;

	for (; cur_left(&cur) > 0; cur_ws(&cur)) {
		word = cur_until(&cur, " ");
		for (i = 0; i < sizeof(logins) / sizeof(*logins); i++)
			if (str_caseeq(word, logins[i].word))
				c->caps |= logins[i].cap;
	}
}

static void
note_cap(struct chan *c, const char *text)
{
	struct cur cur = cur_str(text);
	struct str word = cur_until(&cur, " ");
	uint64_t n;
	size_t i;

	for (i = 0; i < sizeof(caps) / sizeof(*caps); i++)
		if (str_caseeq(word, caps[i].word))
			c->caps |= caps[i].cap;
	cur_ws(&cur);
	if (str_caseeq(word, "AUTH"))
		note_logins(c, cur);
	else if (str_caseeq(word, "SIZE") && cur_u64(&cur, &n, INT64_MAX))
		c->maxsize = n;
}

static void
fail(struct chan *c, const struct reply *r, const char *what)
{
	char before[600];

	snprintf(before, sizeof(before), "%s said %s: ", c->addr->host, what);
	reply_outcome(&c->last, r, before);
	/* Another of its hosts may be in a better mood (RFC 5321, 5.1). */
	c->last.verdict = LATER;
	if (*c->last.esc == '5')
		*c->last.esc = '4';
	chan_try_next(c);
}

static void
greeted(struct chan *c, const struct reply *r)
{
	if (r->code / 100 != 2)
		fail(c, r, "at the greeting");
	else
		say(c, S_EHLO, GREET_TIME, "EHLO %s", send_helo());
}

/* Does it call itself by our name?  Then it is us. */
static bool
is_us(const struct chan *c, const char *text)
{
	struct cur cur = cur_str(text);

	return str_caseeq(cur_until(&cur, " "), send_helo());
}

static void
ready(struct chan *c)
{
	c->state = S_READY;
	await(c, 0);
	chan_ready(c);
}

/* What we said in the clear, and heard, does not count any more. */
static void
start_tls(struct chan *c)
{
	c->caps = 0;
	c->ssl = policy_ssl(c);
	if (c->ssl == NULL || conn_tls(c->conn, c->ssl) == -1) {
		outcome_set(&c->last, LATER, "4.3.0", "no TLS: out of memory");
		chan_try_next(c);
	}
}

static void
not_encrypted(struct chan *c)
{
	struct outcome o;

	if (policy_unoffered(c))
		return;
	outcome_set(&o, NEVER, "5.7.10", "mail for %s is to be sent encrypted,"
	    " and %s cannot do that", c->host, c->addr->host);
	chan_end(c, &o);
}

static void
login_or_ready(struct chan *c)
{
	if (!c->login || *login_name(c) == '\0') {
		ready(c);
		return;
	}
	c->state = S_AUTH;
	login_start(c);
}

static void
ehlo_good(struct chan *c)
{
	if (conn_is_tls(c->conn))
		login_or_ready(c);
	else if (c->caps & CAP_STARTTLS && c->secure != SECURE_NO)
		say(c, S_STARTTLS, GREET_TIME, "STARTTLS");
	else if (c->secure == SECURE_MUST)
		not_encrypted(c);
	else {
		if (c->secure == SECURE_MAY)
			(void)policy_unoffered(c);
		login_or_ready(c);
	}
}

static void
tls_answer(struct chan *c, const struct reply *r)
{
	if (r->code == 220)
		start_tls(c);
	else if (c->secure == SECURE_MUST && r->code / 100 == 5)
		not_encrypted(c);
	else if (c->secure == SECURE_MUST)
		fail(c, r, "to STARTTLS");
	else
		login_or_ready(c);
}

static void
secured(struct chan *c)
{
	policy_secured(c);
	c->ssl = NULL;
	if (c->state == S_GREET)	/* TLS at once: it greets now */
		return;
	say(c, S_EHLO, GREET_TIME, "EHLO %s", send_helo());
}

/* Encryption is better than none, but none is better than no mail. */
static void
tls_failed(struct chan *c, const char *why)
{
	bool listed = policy_failed(c);

	outcome_set(&c->last, LATER, "4.7.5", "TLS with %s: %s",
	    c->addr->host, why);
	if (listed && tls_client_doubts(c->ssl))
		outcome_set(&c->last, NEVER, "5.7.5",
		    "%s cannot prove that it is %s", c->addr->host, c->host);
	c->ssl = NULL;
	if (c->secure == SECURE_MAY && c->addr->port != SMTPS_PORT) {
		c->secure = SECURE_NO;
		chan_again(c);
	} else if (c->last.verdict == NEVER)
		chan_end(c, &c->last);
	else
		chan_try_next(c);
}

static void
auth_answer(struct chan *c, const struct reply *r)
{
	struct outcome o;

	if (!login_reply(c, r, &o))
		return;
	if (o.verdict == GOOD)
		ready(c);
	else {
		o.verdict = LATER;	/* the administrator mends that */
		chan_end(c, &o);
	}
}

static void
wake_answer(struct chan *c, const struct reply *r)
{
	c->state = S_READY;
	wake_reply(c, r);
}

static void
ehlo_done(struct chan *c, const struct reply *r)
{
	if (r->code / 100 == 2) {
		ehlo_good(c);
	} else if (r->code / 100 == 5 && c->state == S_EHLO)
		say(c, S_HELO, GREET_TIME, "HELO %s", send_helo());
	else
		fail(c, r, "to EHLO");
}

static void
quit_done(struct chan *c, const struct reply *r)
{
	struct outcome o = { .verdict = GOOD };

	chan_end(c, &o);
}

/* It says that it closes: what waits is tried again later. */
static void
unexpected(struct chan *c, const struct reply *r)
{
	struct outcome o;

	reply_outcome(&o, r, "");
	o.verdict = c->worked ? GOOD : LATER;
	chan_end(c, &o);
}

static void
mail_answer(struct chan *c, const struct reply *r)
{
	struct outcome o;

	if (r->code == 421) {
		reply_outcome(&o, r, "");
		chan_end(c, &o);
	} else if (mail_reply(c, r)) {
		mail_free(c->mail);
		c->mail = NULL;
		c->worked = true;
		c->state = S_READY;
		await(c, 0);
		chan_ready(c);
	}
}

static void (*const answers[])(struct chan *, const struct reply *) = {
	[S_GREET] = greeted, [S_EHLO] = ehlo_done, [S_HELO] = ehlo_done,
	[S_STARTTLS] = tls_answer, [S_AUTH] = auth_answer,
	[S_WAKE] = wake_answer, [S_READY] = unexpected,
	[S_MAIL] = mail_answer, [S_QUIT] = quit_done
};

static void
broken(struct chan *c, const char *why)
{
	struct outcome o;

	if (c->ssl != NULL) {
		tls_failed(c, why);
		return;
	}
	outcome_set(&o, LATER, "4.4.2", "the connection to %s: %s",
	    c->addr->host, why);
	if (c->state < S_READY) {
		c->last = o;
		chan_try_next(c);
	} else {
		if (c->state == S_READY || c->state == S_QUIT)
			o.verdict = GOOD;	/* nothing was lost by it */
		chan_end(c, &o);
	}
}

static void
got_line(struct chan *c, char *line, size_t len)
{
	struct reply r;
	struct outcome o;
	int more;

	chan_log(c, LOG_LOW, "rsp: %s", line);
	more = parse_line(&r, line, len);
	if (more == -1 || ++c->lines > MAXLINES) {
		broken(c, "what it says is no SMTP");
		return;
	}
	if (c->state == S_EHLO && r.code / 100 == 2) {
		if (c->lines > 1)
			note_cap(c, r.text);
		else if (is_us(c, r.text)) {
			outcome_set(&o, NEVER, "5.4.6",
			    "mail for %s loops back to this host", c->host);
			chan_end(c, &o);
			return;
		}
	}
	if (more == 0)
		return;
	c->lines = 0;
	if (c->state == S_MAIL)		/* one of many, perhaps */
		await(c, MAIL_TIME);
	answers[c->state](c, &r);
}

static void
event(struct conn *conn, enum conn_event ev, char *line, size_t len,
    void *arg)
{
	struct chan *c = arg;

	switch (ev) {
	case CONN_LINE:
		got_line(c, line, len);
		break;
	case CONN_DRAINED:
		if (c->mail != NULL)
			mail_drained(c);
		break;
	case CONN_LONG:
		broken(c, "a line too long");
		break;
	case CONN_EOF:
		broken(c, "it closed");
		break;
	case CONN_ERROR:
		broken(c, conn_error(conn));
		break;
	case CONN_TIMEOUT:
		broken(c, "it is silent");
		break;
	case CONN_SECURE:
		secured(c);
		break;
	case CONN_DATA:
		break;
	}
}

void
client_start(struct chan *c, int fd)
{
	c->caps = 0;
	c->maxsize = 0;
	c->lines = 0;
	c->ssl = NULL;
	if ((c->conn = conn_new(proc_base(), fd, event, c)) == NULL) {
		outcome_set(&c->last, LATER, "4.3.0", "out of memory");
		chan_try_next(c);
		return;
	}
	conn_lines(c->conn, MAXLINE);
	await(c, GREET_TIME);
	c->state = S_GREET;
	if (c->addr->port == SMTPS_PORT)
		start_tls(c);
}

void
client_stop(struct chan *c)
{
	struct outcome o = { .verdict = GOOD };

	if (c->conn != NULL && c->state == S_READY)
		say(c, S_QUIT, QUIT_TIME, "QUIT");
	else
		chan_end(c, &o);
}
