/*
 * Logging in by IMAP: LOGIN, and AUTHENTICATE (RFC 3501, 4959); authd
 * decides; then the client is given to stored, and the worker answers the
 * command by its tag.  Runs in imapd.  Passwords are wiped once they were
 * passed on, and never logged.
 */
#include <stdlib.h>
#include <string.h>

#include "imapd.h"
#include "log.h"

enum { MAXNAME = 512, MAXSECRET = 1024 };

void
login_forget(struct imap *p)
{
	if (p->sasl == NULL)
		return;
	sasl_wipe(p->sasl);
	free(p->sasl);
	p->sasl = NULL;
}

static void
not_taken(struct front_session *f, const char *text)
{
	struct imap *p = f->data;

	p->passed_on = false;
	/* stored's text may bring its own code: [IN-USE] */
	if (*text == '[')
		imapd_error(p, "NO %s", text);
	else
		imapd_error(p, "NO [UNAVAILABLE] %s", text);
}

/* The response code (RFC 5530) for authd's reason. */
static const char *
code_for(const struct msg_authed *m)
{
	static const struct {
		const char	*reason, *code;
	} table[] = {
		{ "AUTH",		"AUTHENTICATIONFAILED" },
		{ "DISABLED",		"AUTHORIZATIONFAILED" },
		{ "NOSERVICE",		"AUTHORIZATIONFAILED" },
		{ "PRIVACYREQUIRED",	"PRIVACYREQUIRED" },
		{ "LIMIT",		"UNAVAILABLE" },
		{ "TEMP",		"UNAVAILABLE" },
		{ "ALERT",		"ALERT" }
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(m->reason, table[i].reason) == 0)
			return table[i].code;
	return m->code == 2 ? "UNAVAILABLE" : "AUTHENTICATIONFAILED";
}

static void
answered(struct front_session *f, const struct msg_authed *m)
{
	struct imap *p = f->data;

	if (m == NULL)
		imapd_error(p, "NO [UNAVAILABLE] cannot be checked now");
	else if (m->code != 0)
		imapd_error(p, "NO [%s] %s", code_for(m), m->text);
	else {
		front_log(f, LOG_LOW, "%s authenticated", m->account);
		p->passed_on = true;
		front_handover(f, m->ticket.p, not_taken);
	}
}

static void
needs_tls(struct imap *p)
{
	imapd_error(p, "NO [PRIVACYREQUIRED] that needs encryption here: "
	    "STARTTLS");
}

static void
login(struct imap *p, const struct buf *name, const struct buf *secret)
{
	if (!front_clear_ok(p->front))
		needs_tls(p);
	else
		front_auth(p->front, "LOGIN", name->p, "", secret->p,
		    secret->len, "", answered);
}

void
cmd_login(struct imap *p, struct cur *c)
{
	struct buf name, secret;

	buf_init(&name, MAXNAME + 1);
	buf_init(&secret, IMAPD_MAXCMD);
	/* An empty one is text, too. */
	buf_reserve(&name, 1);
	buf_reserve(&secret, 1);
	if (imap_astring(c, &name) && cur_lit(c, " ") &&
	    imap_astring(c, &secret) && cur_left(c) == 0)
		login(p, &name, &secret);
	else
		imapd_error(p, "BAD say LOGIN, a name and a password");
	if (secret.p != NULL)
		explicit_bzero(secret.p, secret.cap);
	buf_free(&secret);
	buf_free(&name);
}

/* --- AUTHENTICATE --- */

static void
prove(struct imap *p)
{
	struct sasl *a = p->sasl;

	front_auth(p->front, a->mech->name, a->name, a->authz, a->secret,
	    a->secretlen, a->challenge, answered);
	login_forget(p);
}

static void
step(struct imap *p, const char *line)
{
	struct buf out;
	enum sasl_result r;

	buf_init(&out, 4096);
	r = sasl_step(p->sasl, line, &out);
	switch (r) {
	case SASL_MORE:
		conn_printf(p->front->conn, "+ %s\r\n",
		    out.p != NULL ? out.p : "");
		break;
	case SASL_DONE:
		prove(p);
		break;
	case SASL_BAD:
		login_forget(p);
		imapd_error(p, "BAD that makes no sense");
		break;
	case SASL_CANCEL:
		login_forget(p);
		imapd_error(p, "BAD given up");
		break;
	}
	buf_free(&out);
}

void
login_line(struct imap *p, const char *line, size_t len)
{
	if (strlen(line) == len) {
		step(p, line);
		return;
	}
	login_forget(p);
	imapd_error(p, "BAD NUL in a line");
}

void
cmd_authenticate(struct imap *p, struct cur *c)
{
	const struct sasl_mech *mech;
	struct str name = cur_until(c, " "), first;
	char line[IMAPD_MAXLINE + 1];

	first = (struct str){ NULL, 0 };
	if (cur_lit(c, " "))
		first = cur_until(c, " ");
	if (name.len == 0 || cur_left(c) > 0 ||
	    (first.p != NULL && !str_copy(first, line, sizeof(line)))) {
		imapd_error(p, "BAD say AUTHENTICATE and a mechanism");
		return;
	}
	if ((mech = sasl_find(name)) == NULL ||
	    strcmp(mech->name, "APOP") == 0) {
		imapd_error(p, "NO no such mechanism");
		return;
	}
	if (mech->clear && !front_clear_ok(p->front)) {
		needs_tls(p);
		return;
	}
	if ((p->sasl = calloc(1, sizeof(*p->sasl))) == NULL) {
		imapd_error(p, "NO [UNAVAILABLE] out of memory");
		return;
	}
	sasl_start(p->sasl, mech, imapd_hostname());
	step(p, first.p != NULL ? line : NULL);
	if (first.p != NULL)
		explicit_bzero(line, sizeof(line));
}
