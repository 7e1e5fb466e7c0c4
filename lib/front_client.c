/*
 * What all fronts' sessions have in common, from the first word to the last:
 * the protocol's own data is made and wiped, what the connection tells becomes
 * the protocol's calls.  Runs in the fronts.
 */
#include <stdlib.h>
#include <string.h>

#include "front.h"
#include "log.h"

void
front_client_start(const struct front_def *d, struct front_session *f)
{
	if ((f->data = calloc(1, d->size)) == NULL) {
		conn_write(f->conn, d->busy, strlen(d->busy));
		front_close(f);
		return;
	}
	conn_lines(f->conn, d->maxline);
	front_log(f, LOG_LOW, "connected%s", f->tls ? " with TLS" : "");
	d->start(f);
}

void
front_client_end(const struct front_def *d, struct front_session *f)
{
	if (f->data == NULL)
		return;
	d->end(f);
	explicit_bzero(f->data, d->size);
	free(f->data);
	f->data = NULL;
	front_log(f, LOG_LOW, "closed");
}

static void
secured(const struct front_def *d, struct front_session *f)
{
	front_log(f, LOG_LOW, "TLS is up");
	if (d->secured != NULL)
		d->secured(f);
}

void
front_client_event(const struct front_def *d, struct front_session *f,
    enum conn_event what, char *line, size_t len)
{
	switch (what) {
	case CONN_LINE:
		d->line(f, line, len);
		break;
	case CONN_LONG:
		d->too_long(f);
		break;
	case CONN_DATA:
		d->input(f);
		break;
	case CONN_SECURE:
		secured(d, f);
		break;
	case CONN_TIMEOUT:
		front_log(f, LOG_PROBLEM, "timed out");
		d->silent(f);
		break;
	case CONN_ERROR:
		front_log(f, LOG_PROBLEM, "connection lost: %s",
		    conn_error(f->conn));
		front_close(f);
		break;
	case CONN_EOF:
		front_close(f);
		break;
	case CONN_DRAINED:
		break;
	}
}
