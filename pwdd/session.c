/*
 * A client of pwdd: its lines, in order, one answered before the next is
 * looked at.  Line ends are CRLF or LF.  Commands of the protocol itself stand
 * in the table below; all else is the administration language's.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "log.h"
#include "pwdd.h"
#include "settings.h"

static int	timeout_seconds = 300;
static int	max_errors = 20;
static struct session *current;	/* whose line it is; NULL once it is gone */

void
session_settings(const struct val *all)
{
	timeout_seconds = settings_int(all, "PWD", "InputTimeout");
	max_errors = settings_int(all, "PWD", "MaxErrors");
}

static void	vsay(struct session *, const char *, va_list)
		    __attribute__((format(printf, 2, 0)));

static void
vsay(struct session *s, const char *fmt, va_list ap)
{
	struct buf b;

	buf_init(&b, 0);
	buf_vprintf(&b, fmt, ap);
	if (b.len > 0) {
		front_log(s->fs, LOG_ALL, "out: %s", b.p);
		buf_puts(&b, "\r\n");
		conn_write(s->fs->conn, b.p, b.len);
	}
	buf_free(&b);
}

void
say(struct session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(s, fmt, ap);
	va_end(ap);
}

void
say_error(struct session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(s, fmt, ap);
	va_end(ap);
	s->errors++;
}

void
session_greet(struct session *s)
{
	if (s->authed)
		say(s, "200 %s cgate %s ready, logged in as %s",
		    proc_conf()->hostname, CG_VERSION, s->account);
	else
		say(s, "200 %s cgate PWD Server %s ready %s",
		    proc_conf()->hostname, CG_VERSION, s->stamp);
}

void
session_start(struct front_session *fs)
{
	struct session *s = fs->data;

	s->fs = fs;
	s->unix_socket = strcmp(fs->listener->module, "CGCTL") == 0;
	sasl_challenge(s->stamp, sizeof(s->stamp), proc_conf()->hostname);
	conn_timeout(fs->conn, timeout_seconds);
	if (s->unix_socket)
		login_socket(s);
	else
		session_greet(s);
}

void
session_end(struct front_session *fs)
{
	struct session *s = fs->data;
	struct msg_ticket_end m = { .ticket = { s->ticket, TICKET_LEN } };

	if (current == s)
		current = NULL;
	ipc_cancel(s);
	if (s->authed)
		ipc_send(proc_peer(PROC_AUTHD), IPC_TICKET_END, fs->id, &m,
		    -1);
	front_sasl_forget(fs);
}

static void
shut(struct session *s)
{
	say(s, "501 the server is shutting down");
	front_close(s->fs);
}

void
session_answered(struct session *s)
{
	s->waiting = false;
	if (front_stopping())
		shut(s);
	else
		conn_resume(s->fs->conn);
}

void
session_stop(struct front_session *fs)
{
	struct session *s = fs->data;

	if (!s->waiting)
		shut(s);
}

static void
cmd_quit(struct session *s, struct cur args)
{
	say(s, "200 cgate PWD connection closed");
	front_close(s->fs);
}

static void
cmd_noop(struct session *s, struct cur args)
{
	say(s, "200 OK");
}

static void
cmd_inline(struct session *s, struct cur args)
{
	s->inl = true;
	say(s, "200 OK");
}

static void
cmd_stls(struct session *s, struct cur args)
{
	if (s->fs->tls || s->unix_socket)
		say_error(s, "501 TLS is not for this connection");
	else if (front_tls_ctx() == NULL)
		say_error(s, "501 there is no TLS here");
	else {
		s->name[0] = '\0';
		say(s, "200 begin TLS negotiation");
		if (front_starttls(s->fs) == -1)
			front_close(s->fs);
	}
}

static void
cmd_help(struct session *s, struct cur args)
{
	struct str word = cur_until(&args, " \t");
	char name[64];

	str_copy(word, name, sizeof(name));
	command_help(s, name);
}

enum when { BEFORE = 1, AFTER = 2, ANY = 3 };

static const struct {
	const char	*name;
	enum when	 when;
	void		(*fn)(struct session *, struct cur args);
} commands[] = {
	{ "USER",	BEFORE,	login_user },
	{ "PASS",	BEFORE,	login_pass },
	{ "APOP",	BEFORE,	login_apop },
	{ "AUTH",	BEFORE,	login_auth },
	{ "STLS",	BEFORE,	cmd_stls },
	{ "NEWPASS",	AFTER,	command_newpass },
	{ "INLINE",	ANY,	cmd_inline },
	{ "NOOP",	ANY,	cmd_noop },
	{ "HELP",	ANY,	cmd_help },
	{ "QUIT",	ANY,	cmd_quit }
};

static void
on_line(struct session *s, char *line, size_t len)
{
	struct cur c = cur_make(line, len);
	struct str word;
	size_t i;

	cur_ws(&c);
	word = cur_until(&c, " \t");
	cur_ws(&c);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!str_caseeq(word, commands[i].name))
			continue;
		front_log(s->fs, LOG_LOW, "%s", commands[i].name);
		if (commands[i].when & (s->authed ? AFTER : BEFORE))
			commands[i].fn(s, c);
		else
			say_error(s, s->authed ? "501 already logged in" :
						 "501 log in first");
		return;
	}
	if (s->authed)
		command_line(s, line, len);
	else
		say_error(s, "501 log in first");
}

static void
too_many(struct session *s)
{
	if (s->errors <= max_errors)
		return;
	say(s, "501 too many errors, good bye");
	front_close(s->fs);
}

void
session_line(struct front_session *fs, char *line, size_t len)
{
	struct session *s = fs->data;

	current = s;
	if (fs->sasl != NULL)
		login_sasl_line(s, line);
	else
		on_line(s, line, len);
	if (current == NULL)
		return;
	current = NULL;
	explicit_bzero(line, len);	/* it may hold a password */
	too_many(s);
}

void
session_too_long(struct front_session *fs)
{
	say_error(fs->data, "501 the line is too long");
	too_many(fs->data);
}

void
session_silent(struct front_session *fs)
{
	say(fs->data, "501 nothing was heard for too long, good bye");
	front_close(fs);
}
