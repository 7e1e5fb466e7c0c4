/*
 * One transaction: MAIL, RCPTs and the message, at one go where the other
 * host takes that, and what its replies mean for each recipient.  Runs in
 * smtpd's sending role.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addr.h"
#include "conn.h"
#include "idn.h"
#include "log.h"
#include "proc.h"
#include "qfile.h"
#include "send.h"

enum {
	FIELDS = 4,		/* of a recipient in SEND_MAIL */
	AT_ONCE = 64 * 1024	/* bytes sent before recipients are taken */
};

struct to {
	uint32_t	 index;
	char		*addr;
	unsigned int	 notify;
	char		*orcpt;		/* "" if there was none */
	bool		 taken;		/* by the other host, so far */
	bool		 told;		/* queued knows how it ended */
};

/* Which command's reply comes next. */
enum step { R_MAIL, R_RCPT, R_DATA, R_END, R_RSET };

struct mail {
	uint64_t	 id;
	uint64_t	 offset, size;
	bool		 eightbit;
	bool		 tls;		/* REQUIRETLS */
	bool		 utf8;		/* it came by SMTPUTF8 */
	bool		 utf8_header;	/* more than ASCII in its headers */
	bool		 say_utf8;	/* and goes by it */
	bool		 test;		/* of addresses: nothing is sent */
	char		*sender, *envid;
	char		 ret;
	struct to	*to;
	size_t		 nto;
	int		 fd;
	struct body	*body;
	enum step	 step;
	size_t		 rcpt;		/* whose reply comes next */
	size_t		 asked;		/* RCPTs sent */
	size_t		 ntaken;
	unsigned int	 chunks;	/* BDATs answered */
	bool		 data;		/* DATA or the first BDAT is sent */
	bool		 whole;		/* the message is sent */
	bool		 refused;	/* MAIL was */
	struct outcome	 bad;		/* a chunk's */
};

/* --- what queued gave us --- */

static bool
read_rcpts(struct mail *m, const char *text)
{
	const char *err, *f[FIELDS];
	struct val *v = val_parse_all(text, strlen(text), &err);
	size_t i, n = v == NULL ? 0 : val_count(v) / FIELDS;
	int k;

	m->to = calloc(n > 0 ? n : 1, sizeof(*m->to));
	for (i = 0; m->to != NULL && i < n; i++) {
		for (k = 0; k < FIELDS; k++)
			if ((f[k] = val_text(val_at(v, i * FIELDS + k))) ==
			    NULL)
				f[k] = "";
		m->to[i].index = strtoul(f[0], NULL, 10);
		m->to[i].addr = addr_dup(str_make(f[1]));
		m->to[i].notify = strtoul(f[2], NULL, 10);
		m->to[i].orcpt = strdup(f[3]);
		m->nto = i + 1;
		if (m->to[i].addr == NULL || m->to[i].orcpt == NULL)
			break;
	}
	val_free(v);
	return n > 0 && i == n;
}

struct mail *
mail_new(struct chan *c, const struct msg_send_mail *q, int fd)
{
	struct mail *m = calloc(1, sizeof(*m));

	if (m == NULL) {
		close(fd);
		return NULL;
	}
	m->id = q->id;
	m->offset = q->offset;
	m->size = q->size;
	m->eightbit = q->eightbit;
	m->tls = strchr(q->options, 'R') != NULL;
	m->utf8 = strchr(q->options, 'U') != NULL;
	m->utf8_header = q->utf8;
	m->test = strchr(q->options, 'X') != NULL;
	m->ret = *q->ret;
	m->fd = fd;
	if ((m->sender = addr_dup(str_make(q->sender))) == NULL ||
	    (m->envid = strdup(q->envid)) == NULL ||
	    !read_rcpts(m, q->rcpts)) {
		mail_free(m);
		return NULL;
	}
	return m;
}

void
mail_free(struct mail *m)
{
	size_t i;

	if (m == NULL)
		return;
	for (i = 0; i < m->nto; i++) {
		free(m->to[i].addr);
		free(m->to[i].orcpt);
	}
	if (m->fd != -1)
		close(m->fd);
	body_free(m->body);
	free(m->to);
	free(m->sender);
	free(m->envid);
	free(m);
}

void
mail_jobs(const struct mail *m, struct ipc *ipc)
{
	struct msg_job_held j = { .id = m->id };
	size_t i;

	for (i = 0; i < m->nto; i++) {
		j.rcpt = m->to[i].index;
		if (!m->to[i].told)
			ipc_send(ipc, IPC_JOB_HELD, 0, &j, -1);
	}
}

/* --- what may be said --- */

/*
 * NULL, or why this must not stand between < and >.  Quotes may hold what
 * else would be a line's end or another parameter.
 */
static const char *
unsendable(const struct chan *c, const char *addr, const char **esc)
{
	bool quoted = false;
	const char *p;

	*esc = "5.1.3";
	if (!utf8_valid(str_make(addr)))
		return "bad address";
	if (!utf8_is_ascii(str_make(addr)) && !(c->caps & CAP_UTF8)) {
		*esc = "5.6.7";
		return "the host does not take such an address (SMTPUTF8)";
	}
	for (p = addr; *p != '\0'; p++) {
		if (iscntrl((unsigned char)*p) ||
		    (!quoted && strchr(" <>", *p) != NULL))
			break;
		if (*p == '"')
			quoted = !quoted;
		else if (quoted && *p == '\\' && iscntrl((unsigned char)*++p))
			break;
	}
	return *p != '\0' || quoted ? "bad address" : NULL;
}

/* Others wrote the queue file, perhaps. */
static bool
is_param(const char *s)
{
	const char *p;

	for (p = s; *p > ' ' && *p < 0x7f; p++)
		;
	return p > s && *p == '\0';
}

static void	tell(const struct chan *, struct to *, const struct outcome *);

/* Is it the sender's, or the header's, fault that nobody can have it? */
static const char *
unsendable_to_all(const struct chan *c, const char **esc)
{
	const char *why = unsendable(c, c->mail->sender, esc);

	if (why != NULL || !c->mail->utf8_header || c->caps & CAP_UTF8)
		return why;
	*esc = "5.6.9";
	return "the host does not take such a header (SMTPUTF8)";
}

/* Whom it cannot be sent to. */
static void
leave_out(struct chan *c)
{
	struct mail *m = c->mail;
	const char *esc, *why, *sender_esc, *sender;
	struct outcome o;
	size_t i, n = 0;

	sender = unsendable_to_all(c, &sender_esc);
	m->say_utf8 = m->utf8 || !utf8_is_ascii(str_make(m->sender));
	for (i = 0; i < m->nto; i++) {
		why = unsendable(c, m->to[i].addr, &esc);
		m->say_utf8 |= !utf8_is_ascii(str_make(m->to[i].addr));
		if (why == NULL && sender == NULL) {
			m->to[n++] = m->to[i];
			continue;
		}
		outcome_set(&o, NEVER, why != NULL ? esc : sender_esc, "%s",
		    why != NULL ? why : sender);
		tell(c, &m->to[i], &o);
		free(m->to[i].addr);
		free(m->to[i].orcpt);
	}
	m->nto = n;
	m->say_utf8 &= (c->caps & CAP_UTF8) != 0;
}

/* --- what is said --- */

static void
say_mail(struct chan *c, const struct mail *m)
{
	struct buf b;

	buf_init(&b, 0);
	buf_printf(&b, "MAIL FROM:<%s>", m->sender);
	if (c->caps & CAP_SIZE)
		buf_printf(&b, " SIZE=%" PRIu64, m->size);
	if ((m->eightbit || m->say_utf8) && c->caps & CAP_8BIT)
		buf_puts(&b, " BODY=8BITMIME");
	if (m->say_utf8)
		buf_puts(&b, " SMTPUTF8");
	if (m->tls)
		buf_puts(&b, " REQUIRETLS");
	if (c->caps & CAP_DSN && (m->ret == 'H' || m->ret == 'F'))
		buf_printf(&b, " RET=%s", m->ret == 'H' ? "HDRS" : "FULL");
	if (c->caps & CAP_DSN && is_param(m->envid))
		buf_printf(&b, " ENVID=%s", m->envid);
	client_command(c, "%s", b.p == NULL ? "" : b.p);
	buf_free(&b);
}

static const struct {
	unsigned int	 bit;
	const char	*word;
} notifies[] = {
	{ QN_NEVER, "NEVER" }, { QN_SUCCESS, "SUCCESS" },
	{ QN_FAILURE, "FAILURE" }, { QN_DELAY, "DELAY" }
};

/* RFC 6533, 3: as it is, or its other form, which is xtext. */
static void
say_orcpt(struct buf *b, const char *orcpt, bool utf8)
{
	struct buf ascii;

	buf_init(&ascii, 0);
	if (utf8_valid(str_make(orcpt)))
		orcpt_ascii(&ascii, orcpt);
	if (ascii.p != NULL && is_param(ascii.p))
		buf_printf(b, " ORCPT=%s", utf8 ? orcpt : ascii.p);
	buf_free(&ascii);
}

static void
say_rcpt(struct chan *c, const struct to *to)
{
	struct buf b;
	size_t i;
	char sep = '=';

	buf_init(&b, 0);
	buf_printf(&b, "RCPT TO:<%s>", to->addr);
	if (c->caps & CAP_DSN && to->notify != QN_DEFAULT) {
		buf_puts(&b, " NOTIFY");
		for (i = 0; i < sizeof(notifies) / sizeof(*notifies); i++)
			if (to->notify & notifies[i].bit) {
				buf_printf(&b, "%c%s", sep, notifies[i].word);
				sep = ',';
			}
	}
	if (c->caps & CAP_DSN)
		say_orcpt(&b, to->orcpt, c->mail->say_utf8);
	client_command(c, "%s", b.p == NULL ? "" : b.p);
	buf_free(&b);
}

/* The file cannot be read, or there is no memory: not half a message. */
static void
give_up(struct chan *c, const char *what)
{
	struct outcome o;

	outcome_set(&o, LATER, "4.3.0", "%s: %s", what, strerror(errno));
	chan_end(c, &o);
}

/* As much of the message as the connection takes.  -1: the chan is gone. */
static int
more(struct chan *c)
{
	struct mail *m = c->mail;
	int rc = body_write(m->body, c->conn);

	if (rc == -1) {
		give_up(c, "the message cannot be read");
		return -1;
	}
	if (rc == 1 && !m->whole) {
		m->whole = true;
		client_sends(c, 0);
		chan_log(c, LOG_ALL, "[%" PRIu64 "] %" PRIu64 " bytes sent",
		    m->id, m->size);
	}
	return 0;
}

static int
start_body(struct chan *c, bool chunks)
{
	struct mail *m = c->mail;

	m->body = body_new(m->fd, m->offset, m->size, chunks);
	m->fd = -1;
	m->data = true;
	client_sends(c, m->size);
	if (m->body == NULL) {
		give_up(c, "the message cannot be sent");
		return -1;
	}
	return more(c);
}

static void
say_rcpts(struct chan *c)
{
	struct mail *m = c->mail;

	while (m->asked < m->nto) {
		say_rcpt(c, &m->to[m->asked++]);
		if (!(c->caps & CAP_PIPELINING))
			return;
	}
}

/* Chunks are only worth it if they need not wait for one another. */
static bool
in_chunks(const struct chan *c)
{
	return c->caps & CAP_CHUNKING && c->caps & CAP_PIPELINING;
}

/* DATA, or the message itself in chunks. */
static int
say_data(struct chan *c)
{
	if (in_chunks(c))
		return start_body(c, true);
	c->mail->data = true;
	client_command(c, "DATA");
	return 0;
}

static void	end_all(struct chan *, const struct outcome *);

/*
 * REQUIRETLS (RFC 8689): only to a host that is the domain's for sure, has
 * proved to be it, and promises the same.
 */
static bool
is_fit(const struct chan *c, const struct mail *m)
{
	return !m->tls || (conn_is_tls(c->conn) && c->proven &&
	    c->caps & CAP_REQUIRETLS);
}

void
mail_unfit(struct chan *c)
{
	struct outcome o;

	if (c->trouble && c->last.verdict != NEVER)
		o = c->last;
	else if (c->trouble)
		outcome_set(&o, LATER, "4.7.30", "the sender requires TLS, and "
		    "no host of %s that promises it answers now", c->host);
	else
		outcome_set(&o, NEVER, "5.7.30", "the sender requires TLS, and "
		    "no host of %s promises it", c->host);
	if (o.verdict != NEVER)
		o.verdict = LATER;
	end_all(c, &o);
	mail_free(c->mail);
	c->mail = NULL;
}

void
mail_start(struct chan *c)
{
	struct mail *m = c->mail;

	if (!is_fit(c, m)) {
		outcome_set(&c->last, NEVER, "5.7.30",
		    "%s does not promise TLS as REQUIRETLS wants it",
		    c->addr->host);
		chan_try_next(c);
		return;
	}
	leave_out(c);
	if (m->nto == 0) {
		mail_free(m);
		c->mail = NULL;
		chan_ready(c);
		return;
	}
	say_mail(c, m);
	if (!(c->caps & CAP_PIPELINING))
		return;
	say_rcpts(c);
	if (!m->test && (!in_chunks(c) || m->size <= AT_ONCE))
		(void)say_data(c);
}

void
mail_drained(struct chan *c)
{
	if (c->mail->body != NULL && !c->mail->whole)
		(void)more(c);
}

/* --- what the replies mean --- */

static void
tell(const struct chan *c, struct to *to, const struct outcome *o)
{
	if (to->told)
		return;
	to->told = true;
	result_send(c->mail->id, to->index, c->caps & CAP_DSN &&
	    !c->mail->test,
	    c->addr == NULL ? "" : c->addr->host, o);
}

/* So it ends for all that have not ended yet. */
static void
end_all(struct chan *c, const struct outcome *o)
{
	size_t i;

	for (i = 0; i < c->mail->nto; i++)
		tell(c, &c->mail->to[i], o);
}

bool
mail_broken(struct chan *c, const struct outcome *why)
{
	bool begun = c->mail->step != R_MAIL || !c->worked || c->orphan;
	struct outcome o = *why;

	if (o.verdict == GOOD)
		o.verdict = LATER;
	if (begun)
		end_all(c, &o);
	mail_free(c->mail);
	c->mail = NULL;
	return begun;
}

static void
log_sent(const struct chan *c, const struct reply *r)
{
	chan_log(c, LOG_MAJOR, "[%" PRIu64 "] %s %s -> [%s]:%u, got:%d %s",
	    c->mail->id, r->code / 100 == 2 ? "sent" : "failed", c->local,
	    c->addr->ip, c->addr->port, r->code, r->text);
}

/* Nobody is left: nothing of it may stay behind in the other host. */
static bool
reset(struct chan *c)
{
	c->mail->step = R_RSET;
	client_command(c, "RSET");
	return false;
}

/* Postfix keeps the transaction of a message that its policy refused. */
static bool
finish(struct chan *c, const struct reply *r)
{
	struct outcome o;

	log_sent(c, r);
	reply_outcome(&o, r, "");
	end_all(c, &o);
	return r->code / 100 == 2 || reset(c);
}

static bool
mail_said(struct chan *c, const struct reply *r)
{
	struct mail *m = c->mail;
	struct outcome o;

	if (r->code / 100 != 2) {
		m->refused = true;
		reply_outcome(&o, r, "");
		end_all(c, &o);
		if (m->asked == 0)
			return reset(c);
	}
	m->step = R_RCPT;
	if (m->asked == 0)
		say_rcpts(c);
	return false;
}

/* All have been answered. */
static bool
rcpts_done(struct chan *c)
{
	struct mail *m = c->mail;
	struct outcome o;

	m->step = R_DATA;
	if (m->data)		/* asked already: its reply comes */
		return false;
	if (m->test) {
		outcome_set(&o, GOOD, "2.1.5", "the address is good");
		end_all(c, &o);
	}
	if (m->ntaken == 0 || m->test)
		return reset(c);
	(void)say_data(c);
	return false;
}

static bool
rcpt_said(struct chan *c, const struct reply *r)
{
	struct mail *m = c->mail;
	struct to *to = &m->to[m->rcpt++];
	struct outcome o;

	if (r->code / 100 == 2 && !m->refused) {
		to->taken = true;
		m->ntaken++;
	} else {
		reply_outcome(&o, r, "");
		if (r->code == 552)	/* RFC 5321, 4.5.3.1.10 */
			o.verdict = LATER;
		tell(c, to, &o);
	}
	if (m->rcpt < m->asked)
		return false;
	if (m->asked < m->nto) {
		say_rcpts(c);
		return false;
	}
	return rcpts_done(c);
}

/* To DATA: the message, or, if nobody wants it, an empty one that fails. */
static bool
data_said(struct chan *c, const struct reply *r)
{
	struct mail *m = c->mail;
	struct outcome o;

	if (r->code / 100 != 3) {
		reply_outcome(&o, r, "");
		if (o.verdict == GOOD)
			o.verdict = LATER;
		end_all(c, &o);
		return reset(c);
	}
	m->step = R_END;
	if (m->ntaken == 0)
		client_command(c, ".");
	else
		(void)start_body(c, false);
	return false;
}

/* To a BDAT; the last one's is the message's. */
static bool
chunk_said(struct chan *c, const struct reply *r)
{
	struct mail *m = c->mail;

	if (r->code / 100 != 2 && m->bad.verdict == GOOD)
		reply_outcome(&m->bad, r, "");
	if (++m->chunks < body_chunks(m->body) || !m->whole)
		return false;
	if (m->bad.verdict != GOOD) {
		log_sent(c, r);
		end_all(c, &m->bad);
		return reset(c);
	}
	return finish(c, r);
}

bool
mail_reply(struct chan *c, const struct reply *r)
{
	struct mail *m = c->mail;

	switch (m->step) {
	case R_MAIL:
		return mail_said(c, r);
	case R_RCPT:
		return rcpt_said(c, r);
	case R_DATA:
		return in_chunks(c) ? chunk_said(c, r) :
		    data_said(c, r);
	case R_END:
		return finish(c, r);
	case R_RSET:
		return true;
	}
	return true;
}
