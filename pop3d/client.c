/*
 * A POP client from the greeting to the login: lines in, answers out, errors
 * counted.  Runs in pop3d.
 */
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "pop3d.h"

void
pop_reply(struct pop *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	front_vsay(p->front, fmt, ap);
	va_end(ap);
}

bool
pop_error(struct pop *p, const char *fmt, ...)
{
	char text[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pop_reply(p, "-ERR %s", text);
	if (++p->errors < pop_conf.max_errors)
		return true;
	front_log(p->front, LOG_PROBLEM, "too many errors");
	front_close(p->front);
	return false;
}

static void
start(struct front_session *f)
{
	struct pop *p = f->data;

	p->front = f;
	p->state = POP_START;
	conn_timeout(f->conn, pop_conf.timeout);
	sasl_challenge(p->stamp, sizeof(p->stamp), front_hostname());
	pop_reply(p, "+OK cgate POP server is ready %s", p->stamp);
}

static void
forget(struct front_session *f)
{
	login_forget(f->data);
}

static void
line_in(struct front_session *f, char *line, size_t len)
{
	struct pop *p = f->data;

	if (strlen(line) != len)
		pop_error(p, "NUL in a command");
	else if (p->state == POP_SASL)
		login_line(p, line);
	else
		pop_command(p, line);
}

static void
too_long(struct front_session *f)
{
	pop_error(f->data, "line too long");
}

static void
stop(struct front_session *f)
{
	pop_reply(f->data, "-ERR [SYS/TEMP] the server is shutting down");
	front_close(f);
}

const struct front_def pop_front = {
	.module = "POP",
	.tag = "POP",
	.id = PROC_POP3D,
	.size = sizeof(struct pop),
	.maxline = POP_MAXLINE,
	.start = start,
	.line = line_in,
	.too_long = too_long,
	.silent = front_close,
	.stop = stop,
	.secured = forget,
	.end = forget,
	.busy = "-ERR [SYS/TEMP] too many connections, try again later\r\n"
};
