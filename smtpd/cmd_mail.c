/*
 * MAIL and RCPT.  Each recipient is asked of routerd; what it refuses, or
 * would have to be relayed for somebody who may not, is refused here and now.
 * Runs in smtpd.  Its word is not the last: queued asks again.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "addr.h"
#include "idn.h"
#include "log.h"
#include "qfile.h"
#include "smtpd.h"

static const char no_utf8[] = "553 5.6.7 that address needs SMTPUTF8";

/*
 * The path behind "FROM:" or "TO:" as a fresh string, or NULL.  utf8: there
 * was more than ASCII in it; its domain is in ASCII by now.
 */
static char *
path(struct cur *c, const char *word, bool *utf8)
{
	const char *start = c->p;
	struct buf b;
	char *p = NULL;

	if (!cur_caselit(c, word))
		return NULL;
	cur_ws(c);
	buf_init(&b, ADDR_MAX + 1);
	if (addr_path(c, &b, true) == 0 && !b.failed && b.len <= ADDR_MAX)
		p = b.len == 0 ? strdup("") : buf_steal(&b);
	buf_free(&b);
	*utf8 = !utf8_is_ascii((struct str){ start, c->p - start });
	return p;
}

/* As much of it as an answer needs. */
static int
shown(const char *address)
{
	return (int)utf8_fit(address, 256);
}

static void
ask_router(struct smtp *s, const char *address, bool rcpt,
    ipc_answer_cb *cb)
{
	struct msg_route m = {
		.address = address,
		/* What a client's may be is not what is known of an address. */
		.peer = rcpt ? s->front->peer : "",
		.local = s->front->local,
		.account = s->account != NULL ? s->account : "",
		.consult = rcpt || smtp_is_for(s, smtp_conf.verify),
		.client = rcpt && s->named_client
	};

	smtp_wait(s);
	ipc_call(proc_peer(PROC_ROUTERD), IPC_ROUTE, s->front->id, &m, -1,
	    IPC_TIMEOUT, cb, s);
}

static const char *
check_mail(const struct smtp *s)
{
	if (s->front->submission && s->account == NULL)
		return "530 5.7.0 authenticate first";
	return NULL;
}

static void
welcome_sender(struct smtp *s)
{
	s->state = ST_MAIL;
	buf_init(&s->rcpts, 65536 + SMTP_RCPT_ROOM *
	    (size_t)smtp_conf.max_rcpts);
	smtp_reply(s, "250 2.1.0 %.*s sender accepted", *s->sender != '\0' ?
	    shown(s->sender) : 2, *s->sender != '\0' ? s->sender : "<>");
}

static void
sender_verified(struct smtp *s, const char *refusal)
{
	bool alive = true;

	if (refusal == NULL)
		welcome_sender(s);
	else {
		front_log(s->front, LOG_PROBLEM, "'<%s>' refused: %s",
		    s->sender, refusal);
		smtp_reset(s);
		if (*refusal == '5')
			alive = smtp_error(s, "%s", refusal);
		else
			smtp_reply(s, "%s", refusal);
	}
	if (alive)
		smtp_go_on(s);
}

/* A blacklisted host may always write to the white hole. */
static bool
to_verify(const struct smtp *s)
{
	return !s->black && smtp_is_for(s, smtp_conf.verify);
}

static void
verify_sender(struct smtp *s, const struct msg_routed *r)
{
	struct str domain = { "", 0 };
	const char *no = r == NULL ? NULL : verify_routed(s, r, &domain);

	if (no != NULL)
		sender_verified(s, no);
	else
		verify_start(s, domain, sender_verified);
}

/* Force AUTH (manual 29): who sends as one of our accounts has to log in. */
static void
sender_routed(const struct ipc_pkt *pkt, void *arg)
{
	struct smtp *s = arg;
	const struct msg_routed *r = pkt == NULL ? NULL : pkt->m;

	if (r == NULL || r->code == 2)
		sender_verified(s, "451 4.3.0 the router does not answer");
	else if (r->code == 0 && strcmp(r->module, "LOCAL") == 0 &&
	    smtp_is_for(s, smtp_conf.force_auth))
		sender_verified(s, "530 5.7.0 authenticate first");
	else if (to_verify(s))
		verify_sender(s, r);
	else
		sender_verified(s, NULL);
}

/* It is known who he is. */
static void
sender_known(struct smtp *s)
{
	bool verify = to_verify(s);

	if (*s->sender != '\0' &&
	    (verify || smtp_is_for(s, smtp_conf.force_auth)))
		ask_router(s, s->sender, false, sender_routed);
	else if (verify)
		verify_sender(s, NULL);
	else
		sender_verified(s, NULL);
}

/* May he say MAIL without anything having to be asked? */
static bool
is_sender_free(const struct smtp *s)
{
	return s->account != NULL || (s->origin == NULL &&
	    !to_verify(s) &&
	    (*s->sender == '\0' || !smtp_is_for(s, smtp_conf.force_auth)));
}

/*
 * A submission: is that another name of his?  Then it may stand in From
 * without a word about who sent it (header.c).
 */
static bool
is_other_name(const struct smtp *s)
{
	return s->front->submission && s->account != NULL &&
	    *s->sender != '\0' && strcasecmp(s->sender, s->account) != 0;
}

static void
name_routed(const struct ipc_pkt *pkt, void *arg)
{
	struct smtp *s = arg;
	const struct msg_routed *r = pkt == NULL ? NULL : pkt->m;
	size_t n;

	if (r != NULL && r->code == 0 && strcmp(r->module, "LOCAL") == 0) {
		n = strcspn(r->host, "@");
		s->own_sender = strncasecmp(s->account, r->host, n) == 0 &&
		    s->account[n] == '@' &&
		    strcasecmp(s->account + n + 1, r->domain) == 0;
	}
	welcome_sender(s);
	smtp_go_on(s);
}

void
cmd_mail(struct smtp *s, struct cur *c)
{
	const char *no;
	char *sender;
	bool utf8;

	if ((no = check_mail(s)) != NULL) {
		smtp_error(s, "%s", no);
		return;
	}
	if ((no = abuse_mail(s)) != NULL) {
		smtp_reply(s, "%s", no);
		return;
	}
	if ((sender = path(c, "FROM:", &utf8)) == NULL) {
		smtp_error(s, "501 5.1.7 MAIL FROM:<address> is wanted");
		return;
	}
	no = param_mail(c, &s->mail);
	if (no == NULL && smtp_conf.max_size > 0 &&
	    s->mail.size > smtp_conf.max_size)
		no = "552 5.3.4 too large a message";
	if (no == NULL && utf8 && !s->mail.utf8)
		no = no_utf8;
	if (no == NULL && s->mail.tls && !s->front->tls)
		no = "530 5.7.10 REQUIRETLS is only good inside TLS";
	if (no != NULL) {
		free(sender);
		smtp_error(s, "%s", no);
		return;
	}
	s->sender = sender;
	files_expect();
	if (is_other_name(s)) {
		ask_router(s, sender, false, name_routed);
		return;
	}
	if (is_sender_free(s)) {
		welcome_sender(s);
		return;
	}
	smtp_wait(s);
	if (s->origin != NULL)
		origin_wait(s, sender_known);
	else
		sender_known(s);
}

/* --- RCPT --- */

static void
accepted(struct smtp *s)
{
	int64_t now = time(NULL);
	size_t before = s->rcpts.len;

	qfile_rcpt(&s->rcpts, now, s->rcpt_addr, s->rcpt.notify,
	    *s->rcpt.orcpt != '\0' ? s->rcpt.orcpt : NULL);
	if (s->rcpts.failed) {
		s->rcpts.failed = false;
		s->rcpts.len = before;
		smtp_reply(s, "452 4.5.3 too many recipients");
		return;
	}
	if (s->nrcpts++ == 0) {
		s->first_rcpt = s->rcpt_addr;
		s->rcpt_addr = NULL;
		smtp_reply(s, "250 2.1.5 %.*s recipient accepted",
		    shown(s->first_rcpt), s->first_rcpt);
	} else
		smtp_reply(s, "250 2.1.5 %.*s recipient accepted",
		    shown(s->rcpt_addr), s->rcpt_addr);
	s->state = ST_RCPT;
}

/*
 * The router's words, with a code and a status that fit each other.  False:
 * the session has ended.
 */
static bool
refused(struct smtp *s, const struct msg_routed *r)
{
	bool later = r->code == 2;
	unsigned int code = r->smtp;
	const char *esc = r->esc;

	if (code / 100 != (later ? 4 : 5))
		code = later ? 450 : 550;
	if (*esc != (later ? '4' : '5'))
		esc = later ? "4.3.0" : "5.1.1";
	/* One such recipient is enough: nobody gets it (manual 07). */
	if (strcmp(r->module, "SYSTEM") == 0 &&
	    strcmp(r->host, "SPAMTRAP") == 0)
		s->refuse = "550 5.7.1 this looks like unsolicited mail";
	if (s->black && code == 591)
		return smtp_error(s, "%u %s %s ([%s]%s%s)", code, esc, r->text,
		    s->front->peer, s->black_by != NULL ? " by " : "",
		    s->black_by != NULL ? s->black_by : "");
	if (!later)
		return smtp_error(s, "%u %s %s", code, esc, r->text);
	smtp_reply(s, "%u %s %s", code, esc, r->text);
	return true;
}

/* What comes for a module that this suite does not have would be returned. */
static bool
has_module(const char *name)
{
	static const char *const modules[] = { "LOCAL", "SMTP", "LIST",
		"SYSTEM", "WAKEUP" };
	size_t i;

	for (i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		if (strcmp(name, modules[i]) == 0)
			return true;
	return false;
}

/*
 * Read, then send (manual 07): who says that he is one of ours may be so once
 * he has read his mail, and shall come again then.
 */
static void
denied_routed(const struct ipc_pkt *pkt, void *arg)
{
	struct smtp *s = arg;
	const struct msg_routed *r = pkt == NULL ? NULL : pkt->m;
	bool alive = true;

	if (r == NULL || r->code == 2 ||
	    (r->code == 0 && strcmp(r->module, "LOCAL") == 0))
		smtp_reply(s, "450 4.7.1 try to authenticate first");
	else
		alive = smtp_error(s, "550 5.7.1 relaying denied");
	if (alive)
		smtp_go_on(s);
}

static void
routed(const struct ipc_pkt *pkt, void *arg)
{
	struct smtp *s = arg;
	const struct msg_routed *r;
	bool alive = true;

	if (pkt == NULL)
		smtp_reply(s, "451 4.3.0 the router does not answer");
	else if ((r = pkt->m)->code != 0)
		alive = refused(s, r);
	else if (!r->relay && smtp_conf.roaming && s->account == NULL &&
	    *s->sender != '\0') {
		ask_router(s, s->sender, false, denied_routed);
		return;
	} else if (!r->relay)
		alive = smtp_error(s, "550 5.7.1 relaying denied");
	else if (!has_module(r->module))
		alive = smtp_error(s, "550 5.3.5 there is no module %s here",
		    r->module);
	else
		accepted(s);
	if (alive)
		smtp_go_on(s);
}

/*
 * From a blacklisted host user@domain is user%domain@blacklisted (manual 29):
 * the Router refuses it, or knows an exception.
 */
static bool
blacken(struct smtp *s)
{
	struct str local, domain;
	struct buf b;
	char *p;

	addr_split(str_make(s->rcpt_addr), &local, &domain);
	buf_init(&b, ADDR_MAX + 1);
	buf_add(&b, local.p, local.len);
	if (domain.len > 0 && buf_putc(&b, '%'))
		buf_add(&b, domain.p, domain.len);
	buf_puts(&b, "@blacklisted");
	if ((p = buf_steal(&b)) == NULL)
		return false;
	free(s->rcpt_addr);
	s->rcpt_addr = p;
	return true;
}

void
cmd_rcpt(struct smtp *s, struct cur *c)
{
	const char *no;
	bool utf8;

	free(s->rcpt_addr);
	s->rcpt_addr = path(c, "TO:", &utf8);
	if (s->rcpt_addr == NULL || *s->rcpt_addr == '\0') {
		smtp_error(s, "501 5.1.3 RCPT TO:<address> is wanted");
		return;
	}
	no = param_rcpt(c, &s->rcpt);
	if (no == NULL && (utf8 || s->rcpt.utf8) && !s->mail.utf8)
		no = no_utf8;
	if (no != NULL) {
		smtp_error(s, "%s", no);
		return;
	}
	if (s->nrcpts >= smtp_conf.max_rcpts) {
		smtp_reply(s, "452 4.5.3 too many recipients");
		return;
	}
	if ((no = abuse_rcpt(s)) != NULL) {
		smtp_reply(s, "%s", no);
		return;
	}
	if (s->black && s->account == NULL && !blacken(s)) {
		smtp_error(s, "591 5.7.1 your host is blacklisted");
		return;
	}
	ask_router(s, s->rcpt_addr, true, routed);
}
