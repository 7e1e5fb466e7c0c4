/*
 * One command of the administration language: cli/ parses the line and names
 * the owner; the owner is asked with the session's ticket, and its answer is
 * told.  Runs in pwdd.  Arguments may hold passwords: they are never logged.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "file.h"
#include "log.h"
#include "pwdd.h"

enum {
	ARGS_MAX = 59999,		/* ADMIN's args field */
	OBJECT_MAX = 512,		/* and its names */
	ANSWER_MAX = 64 * 1024 * 1024,
	COMMAND_TIMEOUT = 1800000	/* a whole domain may come or go */
};

static void
tell(struct session *s, unsigned code, const char *text, const char *data)
{
	struct buf out;

	buf_init(&out, ANSWER_MAX);
	cli_answer(&out, s->inl, code, text, data);
	/* Those in a row count: a script may run for days. */
	if (s->authed && code < 300)
		s->errors = 0;
	/* An owner's "no" is no error of the session: scripts ask a lot. */
	if (out.failed)
		say_error(s, "501 out of memory");
	else {
		front_log(s->fs, LOG_LOW, "answer %u, %zu bytes", code,
		    out.len);
		conn_write(s->fs->conn, out.p, out.len);
	}
	if (out.p != NULL)
		explicit_bzero(out.p, out.len);
	buf_free(&out);
}

static void
on_admined(const struct ipc_pkt *pkt, void *arg)
{
	struct session *s = arg;
	const struct msg_admined *m = pkt != NULL ? pkt->m : NULL;
	char *data = NULL;
	size_t len;

	if (m == NULL)
		tell(s, 501, "the server cannot do this now, try again", NULL);
	else if (pkt->fd == -1)
		tell(s, m->code, m->text, m->data);
	else if ((data = file_read_fd(pkt->fd, ANSWER_MAX, &len)) == NULL)
		tell(s, 501, "out of memory", NULL);
	else
		tell(s, m->code, m->text, data);
	free(data);
	session_answered(s);
}

static void
ask_owner(struct session *s, const struct cli_cmd *cmd,
    const struct val *args)
{
	struct msg_admin m = { .verb = cmd->name, .args = "",
		.ticket = { s->ticket, TICKET_LEN },
		.object = cli_arg(cmd, args, "accountName"),
		.actas = cli_arg(cmd, args, "authAccountName") };
	struct buf b;
	int fd = -1;

	if (strlen(m.object) > OBJECT_MAX || strlen(m.actas) > OBJECT_MAX) {
		tell(s, 501, "illegal account name", NULL);
		return;
	}
	buf_init(&b, ANSWER_MAX);
	if (!val_write(&b, args, false) ||
	    (b.len > ARGS_MAX &&
	    (fd = file_memfd("arguments", b.p, b.len)) == -1))
		tell(s, 501, "out of memory", NULL);
	else {
		if (fd == -1)
			m.args = b.p;
		s->waiting = true;
		conn_pause(s->fs->conn);
		ipc_call(proc_peer(cmd->owner), IPC_ADMIN, s->fs->id, &m, fd,
		    COMMAND_TIMEOUT, on_admined, s);
	}
	if (b.p != NULL)
		explicit_bzero(b.p, b.len);
	buf_free(&b);
}

static void
tell_val(struct session *s, struct val *v)
{
	struct buf b;

	buf_init(&b, ANSWER_MAX);
	if (v != NULL && val_write(&b, v, false))
		tell(s, 200, "", b.p);
	else
		tell(s, 501, "this cannot be answered here", NULL);
	buf_free(&b);
	val_free(v);
}

void
command_help(struct session *s, const char *name)
{
	const char *later = cli_unavailable(str_make(name));
	struct val *lines = cli_help(name);

	if (lines == NULL)
		tell(s, 501, later != NULL ? later : "unknown command", NULL);
	else
		tell_val(s, lines);
}

/* poppwd: the rest of the line is the new password, whatever is in it. */
void
command_newpass(struct session *s, struct cur args)
{
	struct val *v;

	if (cur_left(&args) == 0) {
		say_error(s, "501 a password is expected");
		return;
	}
	v = val_array();
	val_append(v, val_string("*"));
	val_append(v, val_bytes(args.p, cur_left(&args)));
	val_append(v, val_string(""));
	val_append(v, val_string("NO"));
	ask_owner(s, cli_find(str_make("SetAccountPassword")), v);
	val_free(v);
}

void
command_line(struct session *s, char *line, size_t len)
{
	const struct cli_cmd *cmd;
	const char *later;
	struct val *args;
	struct buf text;

	buf_init(&text, 0);
	if (cli_parse(cur_make(line, len), &cmd, &args, &text) == -1) {
		s->errors += cmd == NULL || cmd->owner != PROC_MAX;
		tell(s, 501, text.p, NULL);
	} else {
		front_log(s->fs, LOG_LOW, "%s", cmd->name);
		if ((later = cli_unavailable(str_make(cmd->name))) != NULL)
			tell(s, 501, later, NULL);
		else if (cmd->owner == PROC_PWDD)
			tell_val(s, local_command(cmd->name, args));
		else
			ask_owner(s, cmd, args);
		val_free(args);
	}
	buf_free(&text);
}
