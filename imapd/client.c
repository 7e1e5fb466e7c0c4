/*
 * An IMAP client from the greeting to the login: lines in, answers out,
 * errors counted.  Runs in imapd.
 */
#include <stdlib.h>
#include <string.h>

#include "imapd.h"
#include "log.h"

static LIST_HEAD(, imap) clients = LIST_HEAD_INITIALIZER(clients);

static void
start(struct front_session *f)
{
	struct imap *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		conn_printf(f->conn, "* BYE [UNAVAILABLE] out of memory\r\n");
		front_close(f);
		return;
	}
	p->front = f;
	f->data = p;
	LIST_INSERT_HEAD(&clients, p, all);
	conn_lines(f->conn, IMAPD_MAXLINE);
	conn_timeout(f->conn, imapd_conf.timeout);
	front_log(f, LOG_LOW, "connected%s", f->tls ? " with TLS" : "");
	conn_printf(f->conn, "* OK cgate IMAP server is ready\r\n");
}

static void
end(struct front_session *f)
{
	struct imap *p = f->data;

	if (p == NULL)
		return;
	f->data = NULL;
	LIST_REMOVE(p, all);
	explicit_bzero(p, sizeof(*p));
	free(p);
	front_log(f, LOG_LOW, "closed");
}

static void
event(struct conn *c, enum conn_event what, char *line, size_t len, void *arg)
{
	struct front_session *f = arg;

	if (what == CONN_EOF || what == CONN_TIMEOUT)
		front_close(f);
}

const struct front_def imapd_front = {
	.module = "IMAP",
	.tag = "IMAP",
	.id = PROC_IMAPD,
	.start = start,
	.event = event,
	.end = end,
	.busy = "* BYE [UNAVAILABLE] too many connections, try again later\r\n"
};

/* Those who have logged in live on in their workers as long as those do. */
void
imapd_stop(void)
{
	struct imap *p, *next;

	for (p = LIST_FIRST(&clients); p != NULL; p = next) {
		next = LIST_NEXT(p, all);
		if (p->passed_on)
			continue;
		conn_printf(p->front->conn,
		    "* BYE the server is shutting down\r\n");
		front_close(p->front);
	}
	front_stop();
}
