/*
 * AUTH (RFC 4954): lib/sasl makes the steps, authd says whether it is true.
 * Runs in smtpd.  Secrets are wiped as soon as they were passed on, and are
 * never logged.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "smtpd.h"

void
auth_forget(struct smtp *s)
{
	if (s->sasl == NULL)
		return;
	sasl_wipe(s->sasl);
	free(s->sasl);
	s->sasl = NULL;
	if (s->state == ST_AUTH)
		s->state = ST_READY;
}

static void
welcome(struct smtp *s, const struct msg_authed *m)
{
	s->account = strdup(m->account);
	if (s->account == NULL || m->ticket.len > sizeof(s->ticket)) {
		free(s->account);
		s->account = NULL;
		smtp_reply(s, "454 4.3.0 out of memory");
		return;
	}
	memcpy(s->ticket, m->ticket.p, m->ticket.len);
	s->ticketlen = m->ticket.len;
	front_log(s->front, LOG_MAJOR, "%s authenticated", s->account);
	smtp_reply(s, "235 2.7.0 welcome");
}

static void
answered(struct front_session *f, const struct msg_authed *m)
{
	struct smtp *s = f->data;

	if (m == NULL || m->code == 2)
		smtp_reply(s, "454 4.7.0 %s", m == NULL || *m->text == '\0' ?
		    "cannot be checked now" : m->text);
	else if (m->code == 0)
		welcome(s, m);
	else if (strcmp(m->reason, "PRIVACYREQUIRED") == 0)
		smtp_error(s, "538 5.7.11 %s", m->text);
	else
		smtp_error(s, "535 5.7.8 %s", m->text);
}

static void
prove(struct smtp *s)
{
	struct sasl *a = s->sasl;

	s->state = ST_READY;
	front_auth(s->front, a->mech->name, a->name, a->authz, a->secret,
	    a->secretlen, a->challenge, answered);
	auth_forget(s);
}

static void
step(struct smtp *s, const char *line)
{
	struct buf out;
	enum sasl_result r;

	buf_init(&out, 4096);
	r = sasl_step(s->sasl, line, &out);
	switch (r) {
	case SASL_MORE:
		conn_printf(s->front->conn, "334 %s\r\n",
		    out.p != NULL ? out.p : "");
		break;
	case SASL_DONE:
		prove(s);
		break;
	case SASL_BAD:
		auth_forget(s);
		smtp_error(s, "501 5.5.2 that makes no sense");
		break;
	case SASL_CANCEL:
		auth_forget(s);
		smtp_error(s, "501 5.7.0 given up");
		break;
	}
	buf_free(&out);
}

void
auth_line(struct smtp *s, const char *line)
{
	step(s, line);
}

void
cmd_auth(struct smtp *s, struct cur *c)
{
	struct str name = cur_until(c, " \t");
	const struct sasl_mech *mech = sasl_find(name);

	cur_ws(c);
	if (s->account != NULL) {
		smtp_error(s, "503 5.5.1 you are %s already", s->account);
		return;
	}
	if (mech == NULL || strcmp(mech->name, "APOP") == 0) {
		smtp_error(s, "504 5.5.4 no such mechanism");
		return;
	}
	if (mech->clear && !front_clear_ok(s->front)) {
		smtp_error(s, "538 5.7.11 that mechanism needs encryption");
		return;
	}
	if ((s->sasl = calloc(1, sizeof(*s->sasl))) == NULL) {
		smtp_reply(s, "454 4.3.0 out of memory");
		return;
	}
	s->state = ST_AUTH;
	sasl_start(s->sasl, mech, front_hostname());
	/* cur's text ends with the line's NUL. */
	step(s, cur_left(c) > 0 ? c->p : NULL);
}
