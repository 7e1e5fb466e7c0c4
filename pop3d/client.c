/*
 * A POP client from the greeting to the login: lines in, answers out, errors
 * counted.  Runs in pop3d.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "pop3d.h"

static LIST_HEAD(, pop) clients = LIST_HEAD_INITIALIZER(clients);

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
	struct pop *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		conn_printf(f->conn, "-ERR [SYS/TEMP] out of memory\r\n");
		front_close(f);
		return;
	}
	p->front = f;
	p->state = POP_START;
	f->data = p;
	LIST_INSERT_HEAD(&clients, p, all);
	conn_lines(f->conn, POP_MAXLINE);
	conn_timeout(f->conn, pop_conf.timeout);
	sasl_challenge(p->stamp, sizeof(p->stamp), front_hostname());
	front_log(f, LOG_LOW, "connected%s", f->tls ? " with TLS" : "");
	pop_reply(p, "+OK cgate POP server is ready %s", p->stamp);
}

static void
end(struct front_session *f)
{
	struct pop *p = f->data;

	if (p == NULL)
		return;
	f->data = NULL;
	login_forget(p);
	LIST_REMOVE(p, all);
	explicit_bzero(p, sizeof(*p));
	free(p);
	front_log(f, LOG_LOW, "closed");
}

static void
line_in(struct pop *p, const char *line, size_t len)
{
	if (strlen(line) != len)
		pop_error(p, "NUL in a command");
	else if (p->state == POP_SASL)
		login_line(p, line);
	else
		pop_command(p, line);
}

static void
event(struct conn *c, enum conn_event what, char *line, size_t len, void *arg)
{
	struct front_session *f = arg;
	struct pop *p = f->data;

	if (p == NULL)
		return;
	switch (what) {
	case CONN_LINE:
		line_in(p, line, len);
		break;
	case CONN_LONG:
		pop_error(p, "line too long");
		break;
	case CONN_SECURE:
		front_log(f, LOG_LOW, "TLS is up");
		login_forget(p);	/* what was said in the clear */
		break;
	case CONN_TIMEOUT:
		front_log(f, LOG_PROBLEM, "timed out");
		front_close(f);
		break;
	case CONN_EOF:
		front_close(f);
		break;
	case CONN_ERROR:
		front_log(f, LOG_PROBLEM, "connection lost: %s",
		    conn_error(c));
		front_close(f);
		break;
	case CONN_DATA:
	case CONN_DRAINED:
		break;
	}
}

const struct front_def pop_front = {
	.module = "POP",
	.tag = "POP",
	.id = PROC_POP3D,
	.start = start,
	.event = event,
	.end = end,
	.busy = "-ERR [SYS/TEMP] too many connections, try again later\r\n"
};

/* Those who have logged in live on in their workers as long as those do. */
void
pop_stop(void)
{
	struct pop *p, *next;

	for (p = LIST_FIRST(&clients); p != NULL; p = next) {
		next = LIST_NEXT(p, all);
		if (p->passed_on)
			continue;
		pop_reply(p, "-ERR [SYS/TEMP] the server is shutting down");
		front_close(p->front);
	}
	front_stop();
}
