/*
 * A client's session from the greeting to its end: lines in, answers out,
 * errors counted, the transaction forgotten.  Runs in smtpd.  Must never read
 * a command while another awaits an answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iplist.h"
#include "log.h"
#include "smtpd.h"

static LIST_HEAD(, smtp) sessions = LIST_HEAD_INITIALIZER(sessions);

/* --- answers --- */

void
smtp_reply(struct smtp *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	front_vsay(s->front, fmt, ap);
	va_end(ap);
}

bool
smtp_error(struct smtp *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	front_vsay(s->front, fmt, ap);
	va_end(ap);
	if (!abuse_error(s) && ++s->errors < smtp_conf.max_errors)
		return true;
	front_log(s->front, LOG_PROBLEM, "too many errors");
	smtp_bye(s, "4.7.0 too many errors");
	return false;
}

void
smtp_bye(struct smtp *s, const char *why)
{
	smtp_reply(s, "421 %s", why);
	front_close(s->front);
}

/* --- waiting for peers --- */

void
smtp_wait(struct smtp *s)
{
	s->await = true;
	conn_pause(s->front->conn);
}

void
smtp_go_on(struct smtp *s)
{
	s->await = false;
	if (front_stopping() && !(s->state & ST_DATA))
		smtp_bye(s, "4.3.2 the server is shutting down");
	else
		conn_resume(s->front->conn);
}

/* --- the transaction --- */

static void
replace(char **p, char *with)
{
	free(*p);
	*p = with;
}

void
smtp_reset(struct smtp *s)
{
	verify_forget(s);
	if (s->sender != NULL)
		files_unexpect();
	if (s->wants_file)
		files_leave(s);
	if (s->file != NULL)
		files_abort(s->file);
	s->file = NULL;
	replace(&s->sender, NULL);
	replace(&s->rcpt_addr, NULL);
	replace(&s->first_rcpt, NULL);
	buf_free(&s->rcpts);
	buf_free(&s->out);
	ban_forget(s);
	s->own_sender = false;
	binary_free(s->binary);
	s->binary = NULL;
	s->nrcpts = 0;
	s->refuse = NULL;
	if (s->state != ST_NEW)
		s->state = ST_READY;
}

/* --- the front's calls --- */

static void
start(struct front_session *f)
{
	struct smtp *s = f->data;

	s->front = f;
	s->state = ST_NEW;
	origin_start(s);
	LIST_INSERT_HEAD(&sessions, s, all);
	if (!abuse_connect(s))
		return;
	conn_timeout(f->conn, smtp_conf.timeout);
	smtp_reply(s, "220 %s ESMTP cgate " CG_VERSION, front_hostname());
}

/* Who he is. */
static void
forget_login(struct smtp *s)
{
	struct msg_ticket_end m;

	auth_forget(s);
	if (s->ticketlen > 0) {
		m.ticket = (struct ipc_str) { s->ticket, s->ticketlen };
		ipc_send(proc_peer(PROC_AUTHD), IPC_TICKET_END, s->front->id,
		    &m, -1);
	}
	explicit_bzero(s->ticket, sizeof(s->ticket));
	s->ticketlen = 0;
	replace(&s->account, NULL);
}

static void
end(struct front_session *f)
{
	struct smtp *s = f->data;

	ipc_cancel(s);
	data_forget(s);
	origin_forget(s);
	etrn_forget(s);
	smtp_reset(s);
	forget_login(s);
	free(s->helo);
	LIST_REMOVE(s, all);
}

/* What was said in the clear is forgotten (RFC 3207, 4.2). */
static void
secured(struct front_session *f)
{
	struct smtp *s = f->data;

	smtp_reset(s);
	forget_login(s);
	s->state = ST_NEW;
	s->helo_state = HELO_NEW;
	replace(&s->helo, NULL);
}

static void
line_in(struct front_session *f, char *line, size_t len)
{
	struct smtp *s = f->data;

	if (conn_bare_lf(s->front->conn))
		smtp_error(s, "500 5.5.2 lines end in CR LF");
	else if (strlen(line) != len || memchr(line, '\r', len) != NULL)
		smtp_error(s, "500 5.5.2 NUL or CR in a command");
	else if (s->state == ST_AUTH)
		auth_line(s, line);
	else
		smtp_command(s, line);
}

static void
too_long(struct front_session *f)
{
	smtp_error(f->data, "500 5.5.2 line too long");
}

static void
input(struct front_session *f)
{
	data_input(f->data);
}

static void
silent(struct front_session *f)
{
	smtp_bye(f->data, "4.4.2 time-out");
}

/* Whoever is in the middle of a text or a question may end that first. */
static void
stop(struct front_session *f)
{
	struct smtp *s = f->data;

	if (!s->await && !(s->state & ST_DATA))
		smtp_bye(s, "4.3.2 the server is shutting down");
}

const struct front_def smtp_front = {
	.module = "SMTP",
	.tag = "SMTPI",
	.id = PROC_SMTPD,
	.size = sizeof(struct smtp),
	.maxline = SMTP_MAXLINE,
	.start = start,
	.line = line_in,
	.too_long = too_long,
	.input = input,
	.silent = silent,
	.stop = stop,
	.secured = secured,
	.end = end,
	.busy = "421 4.3.2 too many connections, try again later\r\n"
};

/* A file that the dead queued knew will never be committed. */
void
smtp_queued_down(void)
{
	struct smtp *s;

	files_queued_down();
	LIST_FOREACH(s, &sessions, all)
		if (s->file != NULL)
			data_interrupted(s);
}
