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
	front_sasl_forget(s->front);
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

	s->state = ST_READY;
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
failed(struct front_session *f, enum sasl_result r)
{
	struct smtp *s = f->data;

	s->state = ST_READY;
	if (r == SASL_CANCEL)
		smtp_error(s, "501 5.7.0 given up");
	else if (r == SASL_NO)
		smtp_error(s, "535 5.7.8 that is not true");
	else
		smtp_error(s, "501 5.5.2 that makes no sense");
}

static const struct front_sasl_def sasl_def = {
	.prompt = "334 ", .authed = answered, .failed = failed
};

void
auth_line(struct smtp *s, const char *line)
{
	front_sasl_line(s->front, line);
}

void
cmd_auth(struct smtp *s, struct cur *c)
{
	struct str name = cur_until(c, " \t");
	const struct sasl_mech *mech = front_sasl_find(s->front, name);

	cur_ws(c);
	if (s->account != NULL) {
		smtp_error(s, "503 5.5.1 you are %s already", s->account);
		return;
	}
	if (mech == NULL) {
		smtp_error(s, "504 5.5.4 no such mechanism");
		return;
	}
	if (mech->needs & SASL_CLEAR_OK && !front_clear_ok(s->front)) {
		smtp_error(s, "538 5.7.11 that mechanism needs encryption");
		return;
	}
	s->state = ST_AUTH;
	/* cur's text ends with the line's NUL. */
	front_sasl(s->front, &sasl_def, mech, cur_left(c) > 0 ? c->p : NULL);
}
