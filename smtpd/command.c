/*
 * The table of SMTP commands: verb, handler, the states it may come in, and
 * flags.  Nothing else decides what a line means (but the lines of an AUTH
 * under way, which are no commands).  Runs in smtpd.
 */
#include <string.h>

#include "log.h"
#include "smtpd.h"

enum {
	F_SECRET	= 1 << 0,	/* parameters stay out of the log */
	F_NOARGS	= 1 << 1
};

struct command {
	const char	*verb;
	void		(*handler)(struct smtp *, struct cur *);
	unsigned int	 states;
	unsigned int	 flags;
};

static const struct command commands[] = {
	{ "EHLO",	cmd_ehlo,	ST_ANY,			0 },
	{ "HELO",	cmd_helo,	ST_ANY,			0 },
	{ "MAIL",	cmd_mail,	ST_READY,		0 },
	{ "RCPT",	cmd_rcpt,	ST_MAIL | ST_RCPT,	0 },
	{ "DATA",	cmd_data,	ST_MAIL | ST_RCPT,	F_NOARGS },
	/* Anywhere: its bytes follow it in any case. */
	{ "BDAT",	cmd_bdat,	ST_ANY,			0 },
	{ "AUTH",	cmd_auth,	ST_READY,		F_SECRET },
	{ "STARTTLS",	cmd_starttls,	ST_READY,		F_NOARGS },
	{ "ETRN",	cmd_etrn,	ST_READY,		0 },
	{ "ATRN",	cmd_atrn,	ST_READY,		0 },
	{ "TURN",	cmd_turn,	ST_READY,		F_NOARGS },
	{ "RSET",	cmd_rset,	ST_ANY,			F_NOARGS },
	{ "NOOP",	cmd_noop,	ST_ANY,			0 },
	{ "HELP",	cmd_help,	ST_ANY,			0 },
	{ "VRFY",	cmd_vrfy,	ST_ANY,			0 },
	{ "EXPN",	cmd_expn,	ST_ANY,			0 },
	{ "QUIT",	cmd_quit,	ST_ANY,			F_NOARGS }
};
enum { NCOMMANDS = sizeof(commands) / sizeof(commands[0]) };

void
smtp_help(struct buf *b)
{
	size_t i;

	for (i = 0; i < NCOMMANDS; i++)
		buf_printf(b, " %s", commands[i].verb);
}

static const struct command *
find(struct str verb)
{
	size_t i;

	for (i = 0; i < NCOMMANDS; i++)
		if (str_caseeq(verb, commands[i].verb))
			return &commands[i];
	return NULL;
}

/* A line that is no command may be a password that came too early. */
static void
log_command(struct smtp *s, const struct command *cmd, const char *line)
{
	if (log_get_level() < LOG_LOW)
		return;
	if (cmd == NULL)
		front_log(s->front, LOG_LOW, "cmd: (%zu bytes, no command)",
		    strlen(line));
	else if (cmd->flags & F_SECRET)
		front_log(s->front, LOG_LOW, "cmd: %s ...", cmd->verb);
	else
		front_log(s->front, LOG_LOW, "cmd: %s", line);
}

static void
wrong_state(struct smtp *s, const struct command *cmd)
{
	if (s->state == ST_NEW)
		smtp_error(s, "503 5.5.1 say EHLO first");
	else if (s->state == ST_READY)
		smtp_error(s, "503 5.5.1 say MAIL first");
	else
		smtp_error(s, "503 5.5.1 %s is not possible in a transaction",
		    cmd->verb);
}

void
smtp_command(struct smtp *s, char *line)
{
	struct cur c = cur_str(line);
	const struct command *cmd;

	cmd = find(cur_until(&c, " \t"));
	log_command(s, cmd, line);
	cur_ws(&c);
	if (cmd == NULL)
		smtp_error(s, "500 5.5.2 unknown command");
	else if ((cmd->flags & F_NOARGS) && cur_left(&c) > 0)
		smtp_error(s, "501 5.5.4 %s takes no parameters", cmd->verb);
	else if (!(cmd->states & s->state))
		wrong_state(s, cmd);
	else
		cmd->handler(s, &c);
}
