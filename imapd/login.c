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
	front_sasl_forget(p->front);
}

static void
not_taken(struct front_session *f, const char *text)
{
	struct imap *p = f->data;

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

/* Before the worker's answer to the login: untagged lines, one an alert. */
static void
show_alerts(struct front_session *f, const char *alerts)
{
	struct cur c = cur_str(alerts != NULL ? alerts : "");
	struct str line;

	while (cur_line(&c, &line))
		front_say(f, "* OK [ALERT] %.*s", (int)line.len, line.p);
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
		show_alerts(f, m->alerts);
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
failed(struct front_session *f, enum sasl_result r)
{
	struct imap *p = f->data;

	if (r == SASL_CANCEL)
		imapd_error(p, "BAD given up");
	else if (r == SASL_NO)
		imapd_error(p, "NO [AUTHENTICATIONFAILED] that is not true");
	else
		imapd_error(p, "BAD that makes no sense");
}

static const struct front_sasl_def sasl_def = {
	.prompt = "+ ", .authed = answered, .failed = failed
};

void
login_line(struct imap *p, const char *line, size_t len)
{
	if (strlen(line) == len) {
		front_sasl_line(p->front, line);
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
	if ((mech = front_sasl_find(p->front, name)) == NULL) {
		imapd_error(p, "NO no such mechanism");
		return;
	}
	if (mech->needs & SASL_CLEAR_OK && !front_clear_ok(p->front)) {
		needs_tls(p);
		return;
	}
	front_sasl(p->front, &sasl_def, mech, first.p != NULL ? line : NULL);
	if (first.p != NULL)
		explicit_bzero(line, sizeof(line));
}
