/*
 * The table of IMAP commands before login: name, handler; and the small ones
 * among the handlers.  Runs in imapd.  What comes after the login stands in
 * session/.
 */
#include <string.h>

#include "imapd.h"
#include "log.h"

struct command {
	const char	*name;
	void		(*handler)(struct imap *, struct cur *);
};

static bool
alone(struct imap *p, const struct cur *c)
{
	if (cur_left(c) == 0)
		return true;
	imapd_error(p, "BAD nothing may follow that command");
	return false;
}

void
imapd_capabilities(struct imap *p, struct buf *b)
{
	bool clear = front_clear_ok(p->front);
	struct buf mechs;
	struct cur c;
	struct str name;

	buf_puts(b, IMAP_CAPA " SASL-IR");
	if (!p->front->tls && front_tls_ctx() != NULL)
		buf_puts(b, " STARTTLS");
	if (!clear)
		buf_puts(b, " LOGINDISABLED");
	buf_init(&mechs, 512);
	sasl_list(&mechs, front_sasl_offers(p->front));
	c = cur_make(mechs.p, mechs.len);
	for (;;) {
		cur_ws(&c);
		name = cur_until(&c, " ");
		if (name.len == 0)
			break;
		buf_printf(b, " AUTH=%.*s", (int)name.len, name.p);
	}
	buf_free(&mechs);
}

static void
cmd_capability(struct imap *p, struct cur *c)
{
	struct buf caps;

	if (!alone(p, c))
		return;
	buf_init(&caps, 1024);
	imapd_capabilities(p, &caps);
	front_say(p->front, "* CAPABILITY %s", caps.p);
	imapd_reply(p, "OK done");
	buf_free(&caps);
}

/* RFC 2971: NIL, or names and values, which are for the log alone. */
static void
cmd_id(struct imap *p, struct cur *c)
{
	if (!cur_caselit(c, "NIL") && cur_peek(c) != '(') {
		imapd_error(p, "BAD say ID and NIL or a list");
		return;
	}
	front_say(p->front, "* ID (\"name\" \"cgate\" \"version\" \""
	    CG_VERSION "\")");
	imapd_reply(p, "OK done");
}

static void
cmd_noop(struct imap *p, struct cur *c)
{
	if (alone(p, c))
		imapd_reply(p, "OK nothing done");
}

static void
cmd_logout(struct imap *p, struct cur *c)
{
	if (!alone(p, c))
		return;
	front_say(p->front, "* BYE %s closes the connection", front_hostname());
	imapd_reply(p, "OK done");
	front_close(p->front);
}

static void
cmd_starttls(struct imap *p, struct cur *c)
{
	if (!alone(p, c))
		return;
	if (p->front->tls)
		imapd_error(p, "BAD TLS is up already");
	else if (front_tls_ctx() == NULL)
		imapd_error(p, "BAD no TLS here");
	else {
		imapd_reply(p, "OK ready for TLS");
		if (front_starttls(p->front) == -1)
			front_close(p->front);
	}
}

static const struct command commands[] = {
	{ "CAPABILITY",		cmd_capability },
	{ "LOGIN",		cmd_login },
	{ "AUTHENTICATE",	cmd_authenticate },
	{ "STARTTLS",		cmd_starttls },
	{ "ID",			cmd_id,		 },
	{ "NOOP",		cmd_noop },
	{ "LOGOUT",		cmd_logout }
};

static const struct command *
find(struct str name)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (str_caseeq(name, commands[i].name))
			return &commands[i];
	return NULL;
}

/* What is no command, and a tag, may be a password that came too early. */
static void
log_command(struct imap *p, const struct command *cmd, const struct cur *args)
{
	if (cmd == NULL)
		front_log(p->front, LOG_LOW, "cmd: (no command)");
	else
		front_log(p->front, LOG_LOW, "cmd: %s%s", cmd->name,
		    cur_left(args) > 0 ? " ..." : "");
}

void
imapd_command(struct imap *p, struct cur *c)
{
	const struct command *cmd = find(cur_until(c, " "));

	log_command(p, cmd, c);
	if (cmd == NULL) {
		imapd_error(p, "BAD unknown command, or log in first");
		return;
	}
	cur_lit(c, " ");
	cmd->handler(p, c);
}
