/*
 * The table of POP commands before login: verb, handler, states; and the small
 * ones among the handlers.  Runs in pop3d.  What comes after the login stands
 * in session/.
 */
#include <string.h>

#include "log.h"
#include "pop3d.h"

struct command {
	const char	*verb;
	void		(*handler)(struct pop *, struct cur *);
	unsigned int	 states;
};

/* RFC 2449; the same again from the worker after login. */
static void
cmd_capa(struct pop *p, struct cur *c)
{
	bool clear = front_clear_ok(p->front);
	struct buf mechs;

	buf_init(&mechs, 512);
	sasl_list(&mechs, front_sasl_offers(p->front));
	pop_reply(p, "+OK what is possible here");
	conn_printf(p->front->conn, "%s%s%s%s%sTOP\r\nUIDL\r\nRESP-CODES\r\n"
	    "AUTH-RESP-CODE\r\nPIPELINING\r\nIMPLEMENTATION cgate-"
	    CG_VERSION "\r\n.\r\n", clear ? "USER\r\n" : "",
	    mechs.len > 0 ? "SASL" : "", mechs.len > 0 ? mechs.p : "",
	    mechs.len > 0 ? "\r\n" : "",
	    p->front->tls || front_tls_ctx() == NULL ? "" : "STLS\r\n");
	buf_free(&mechs);
}

static void
cmd_stls(struct pop *p, struct cur *c)
{
	if (p->front->tls)
		pop_error(p, "TLS is up already");
	else if (front_tls_ctx() == NULL)
		pop_error(p, "no TLS here");
	else {
		pop_reply(p, "+OK ready for TLS");
		if (front_starttls(p->front) == -1)
			front_close(p->front);
	}
}

static void
cmd_noop(struct pop *p, struct cur *c)
{
	pop_reply(p, "+OK nothing done");
}

static void
cmd_quit(struct pop *p, struct cur *c)
{
	pop_reply(p, "+OK %s closes the connection", front_hostname());
	front_close(p->front);
}

static const struct command commands[] = {
	{ "USER",	cmd_user,	POP_ANY },
	{ "PASS",	cmd_pass,	POP_USER },
	{ "APOP",	cmd_apop,	POP_ANY },
	{ "AUTH",	cmd_auth,	POP_ANY },
	{ "CAPA",	cmd_capa,	POP_ANY },
	{ "STLS",	cmd_stls,	POP_ANY },
	{ "NOOP",	cmd_noop,	POP_ANY },
	{ "QUIT",	cmd_quit,	POP_ANY }
};

static const struct command *
find(struct str verb)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (str_caseeq(verb, commands[i].verb))
			return &commands[i];
	return NULL;
}

/* A line that is no command, and a name, may be a password in its place. */
static void
log_command(struct pop *p, const struct command *cmd, const char *line)
{
	if (log_get_level() < LOG_LOW)
		return;
	if (cmd == NULL)
		front_log(p->front, LOG_LOW, "cmd: (%zu bytes, no command)",
		    strlen(line));
	else
		front_log(p->front, LOG_LOW, "cmd: %s%s", cmd->verb,
		    line[strlen(cmd->verb)] != '\0' ? " ..." : "");
}

void
pop_command(struct pop *p, const char *line)
{
	struct cur c = cur_str(line);
	const struct command *cmd;

	cmd = find(cur_until(&c, " "));
	log_command(p, cmd, line);
	if (cmd == NULL)
		pop_error(p, "unknown command, or log in first");
	else if (!(cmd->states & p->state))
		pop_error(p, "say USER first");
	else {
		/* One blank: a password may begin with another. */
		cur_lit(&c, " ");
		cmd->handler(p, &c);
	}
}
