/*
 * Logging in by POP: USER and PASS, APOP, AUTH (RFC 5034, and the empty AUTH
 * of manual 36); authd decides; then the client is given to stored.  Runs in
 * pop3d.  Passwords are wiped once they were passed on, and never logged.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "pop3d.h"

enum { MAXNAME = 512, MAXSECRET = 1024, MD5HEX = 32 };

/* Back to the beginning. */
void
login_forget(struct pop *p)
{
	free(p->user);
	p->user = NULL;
	front_sasl_forget(p->front);
	p->state = POP_START;
}

static void
not_taken(struct front_session *f, const char *text)
{
	struct pop *p = f->data;

	/* stored's text may bring its own code: [IN-USE] */
	if (*text == '[')
		pop_error(p, "%s", text);
	else
		pop_error(p, "[SYS/TEMP] %s", text);
}

/* The response code (RFC 2449, 3206) for authd's reason. */
static const char *
code_for(const struct msg_authed *m)
{
	static const struct {
		const char	*reason, *code;
	} table[] = {
		{ "AUTH",		"[AUTH] " },
		{ "DISABLED",		"[AUTH] " },
		{ "NOSERVICE",		"[AUTH] " },
		{ "PRIVACYREQUIRED",	"[AUTH] " },
		{ "LIMIT",		"[SYS/TEMP] " },
		{ "TEMP",		"[SYS/TEMP] " },
		{ "ALERT",		"ALERT: " }
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(m->reason, table[i].reason) == 0)
			return table[i].code;
	return m->code == 2 ? "[SYS/TEMP] " : "[AUTH] ";
}

static void
answered(struct front_session *f, const struct msg_authed *m)
{
	struct pop *p = f->data;

	login_forget(p);
	if (m == NULL)
		pop_error(p, "[SYS/TEMP] cannot be checked now");
	else if (m->code != 0)
		pop_error(p, "%s%s", code_for(m), m->text);
	else {
		front_log(f, LOG_LOW, "%s authenticated", m->account);
		front_handover(f, m->ticket.p, not_taken);
	}
}

void
cmd_user(struct pop *p, struct cur *c)
{
	struct str name;

	cur_ws(c);
	name = cur_until(c, " \t");
	cur_ws(c);
	if (name.len == 0 || name.len > MAXNAME || cur_left(c) > 0) {
		pop_error(p, "say USER and a name");
		return;
	}
	if (!front_clear_ok(p->front)) {
		pop_error(p, "[AUTH] a password needs encryption here: STLS");
		return;
	}
	login_forget(p);
	if ((p->user = str_dup(name)) == NULL) {
		pop_error(p, "[SYS/TEMP] out of memory");
		return;
	}
	p->state = POP_USER;
	pop_reply(p, "+OK now the password");
}

void
cmd_pass(struct pop *p, struct cur *c)
{
	size_t len = cur_left(c);

	if (len == 0 || len > MAXSECRET) {
		pop_error(p, "say PASS and a password");
		return;
	}
	front_auth(p->front, "USER", p->user, "", c->p, len, "", answered);
	login_forget(p);
}

void
cmd_apop(struct pop *p, struct cur *c)
{
	struct str name, digest;
	char text[MAXNAME + 1];

	cur_ws(c);
	name = cur_until(c, " \t");
	cur_ws(c);
	digest = cur_span(c, "0123456789abcdefABCDEF");
	cur_ws(c);
	if (name.len == 0 || !str_copy(name, text, sizeof(text)) ||
	    digest.len != MD5HEX || cur_left(c) > 0) {
		pop_error(p, "say APOP, a name and a digest");
		return;
	}
	login_forget(p);
	front_auth(p->front, "APOP", text, "", digest.p, digest.len, p->stamp,
	    answered);
}

/* --- AUTH --- */

static void
failed(struct front_session *f, enum sasl_result r)
{
	struct pop *p = f->data;

	login_forget(p);
	if (r == SASL_CANCEL)
		pop_error(p, "given up");
	else if (r == SASL_NO)
		pop_error(p, "[AUTH] that is not true");
	else
		pop_error(p, "that makes no sense");
}

static const struct front_sasl_def sasl_def = {
	.prompt = "+ ", .authed = answered, .failed = failed
};

void
login_line(struct pop *p, const char *line)
{
	front_sasl_line(p->front, line);
}

/* AUTH alone: Microsoft's clients ask so what there is. */
static void
list(struct pop *p)
{
	struct buf mechs;
	struct cur c;
	struct str name;

	buf_init(&mechs, 512);
	sasl_list(&mechs, front_sasl_offers(p->front));
	pop_reply(p, "+OK mechanisms follow");
	c = cur_make(mechs.p, mechs.len);
	for (;;) {
		cur_ws(&c);
		name = cur_until(&c, " ");
		if (name.len == 0)
			break;
		conn_write(p->front->conn, name.p, name.len);
		conn_write(p->front->conn, "\r\n", 2);
	}
	conn_write(p->front->conn, ".\r\n", 3);
	buf_free(&mechs);
}

void
cmd_auth(struct pop *p, struct cur *c)
{
	const struct sasl_mech *mech;
	struct str name;

	cur_ws(c);
	if (cur_left(c) == 0) {
		list(p);
		return;
	}
	name = cur_until(c, " \t");
	cur_ws(c);
	if ((mech = front_sasl_find(p->front, name)) == NULL) {
		pop_error(p, "no such mechanism");
		return;
	}
	if (mech->needs & SASL_CLEAR_OK && !front_clear_ok(p->front)) {
		pop_error(p, "[AUTH] that mechanism needs encryption");
		return;
	}
	login_forget(p);
	p->state = POP_SASL;
	/* The cursor's text ends with the line's NUL. */
	front_sasl(p->front, &sasl_def, mech, cur_left(c) > 0 ? c->p : NULL);
}
