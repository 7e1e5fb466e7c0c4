/*
 * One file by HTTPS, as MTA-STS wants it (RFC 8461, 3.3): a GET of HTTP/1.0,
 * so that what comes is neither in chunks nor encoded, from a host that has
 * proved its name before it is asked anything; no redirection is followed, no
 * proxy used, and bytes and seconds are bounded.  A library of the size of
 * curl would be more to wall in than this is.  Runs in smtpd's sending role.
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conn.h"
#include "https.h"
#include "log.h"
#include "proc.h"
#include "send.h"
#include "tls_client.h"

enum {
	HTTPS_PORT = 443,
	MAXTIME = 30,		/* seconds, all in all */
	MAXLINE = 8192,
	MAXLINES = 100
};

struct https {
	char		*host, *path;
	struct dest	*dest;
	struct dial	*dial;
	struct conn	*conn;
	void		*ssl;		/* while TLS begins */
	struct event	*deadline;
	struct buf	 body;
	uint64_t	 left;		/* of the body; HTTPS_ANY: not said */
	unsigned int	 lines;
	bool		 plain;		/* it is text */
	char		 why[200];
	enum https_end	 end;
	https_cb	*cb;
	void		*arg;
};

#define HTTPS_ANY	UINT64_MAX

void
https_free(struct https *h)
{
	if (h == NULL)
		return;
	if (h->deadline != NULL)
		event_free(h->deadline);
	conn_free(h->conn);
	dial_free(h->dial);
	dest_free(h->dest);
	buf_free(&h->body);
	free(h->host);
	free(h->path);
	free(h);
}

/* The callback frees it. */
static void
finish(struct https *h, enum https_end end, const char *why)
{
	h->cb(end, end == HTTPS_GOOD ? h->body.p : why, h->body.len, h->arg);
}

static void	try_next(struct https *);

/* This address was no good. */
static void
unreachable(struct https *h, enum https_end end, const char *why)
{
	h->end = end;
	snprintf(h->why, sizeof(h->why), "%s", why);
	conn_free(h->conn);
	h->conn = NULL;
	h->ssl = NULL;
	try_next(h);
}

/* --- what it answers --- */

/* "HTTP/1.1 200 OK" */
static bool
is_good(const char *line)
{
	return strncmp(line, "HTTP/1.", 7) == 0 && line[7] != '\0' &&
	    strncmp(line + 8, " 200", 4) == 0 &&
	    (line[12] == ' ' || line[12] == '\0');
}

/* NULL, or why it cannot be used. */
static const char *
field(struct https *h, const char *line)
{
	struct cur c = cur_str(line);
	struct str name = cur_until(&c, ":"), v;

	if (cur_get(&c) != ':')
		return "its header is none";
	cur_ws(&c);
	if (str_caseeq(name, "Content-Length")) {
		if (!cur_u64(&c, &h->left, INT64_MAX) || h->left > HTTPS_MAX)
			return "its answer is too long";
	} else if (str_caseeq(name, "Content-Type")) {
		v = cur_until(&c, "; \t");
		h->plain = str_caseeq(v, "text/plain");
	} else if (str_caseeq(name, "Transfer-Encoding") ||
	    str_caseeq(name, "Content-Encoding"))
		return "its answer is encoded";
	return NULL;
}

static void
got_line(struct https *h, const char *line)
{
	const char *bad = NULL;

	if (h->lines++ == 0)
		bad = is_good(line) ? NULL : "it has no such file";
	else if (h->lines > MAXLINES)
		bad = "its header is too long";
	else if (*line != '\0')
		bad = field(h, line);
	else if (!h->plain)
		bad = "its answer is no text/plain";
	else {
		conn_data(h->conn);
		if (h->left == 0)
			finish(h, HTTPS_GOOD, "");
		return;
	}
	if (bad != NULL)
		finish(h, HTTPS_FETCH, bad);
}

static void
got_data(struct https *h)
{
	struct evbuffer *in = conn_input(h->conn);
	size_t n = evbuffer_get_length(in);

	if (n > h->left)
		n = h->left;
	if (!buf_add(&h->body, evbuffer_pullup(in, (ssize_t)n), n)) {
		finish(h, HTTPS_FETCH, "its answer is too long");
		return;
	}
	evbuffer_drain(in, evbuffer_get_length(in));
	if (h->left != HTTPS_ANY && (h->left -= n) == 0)
		finish(h, HTTPS_GOOD, "");
}

static void
ask(struct https *h)
{
	h->ssl = NULL;
	conn_printf(h->conn, "GET %s HTTP/1.0\r\nHost: %s\r\n"
	    "Accept: text/plain\r\nUser-Agent: cgate\r\n\r\n", h->path,
	    h->host);
}

static void
broken(struct https *h, const char *why)
{
	enum https_end end = h->ssl != NULL && tls_client_doubts(h->ssl) ?
	    HTTPS_PKI : HTTPS_FETCH;

	if (h->lines > 0)
		finish(h, end, why);
	else
		unreachable(h, end, why);
}

static void
event(struct conn *conn, enum conn_event ev, char *line, size_t len, void *arg)
{
	struct https *h = arg;

	switch (ev) {
	case CONN_SECURE:
		ask(h);
		break;
	case CONN_LINE:
		if (h->ssl == NULL)
			got_line(h, line);
		break;
	case CONN_DATA:
		got_data(h);
		break;
	case CONN_EOF:
		if (h->body.len > 0 && h->left == HTTPS_ANY)
			finish(h, HTTPS_GOOD, "");
		else
			broken(h, "it closed");
		break;
	case CONN_LONG:
		broken(h, "a line too long");
		break;
	case CONN_ERROR:
		broken(h, conn_error(conn));
		break;
	case CONN_DRAINED:
	case CONN_TIMEOUT:
		break;
	}
}

/* --- on the way there --- */

static void
dialed(int fd, int err, void *arg)
{
	struct https *h = arg;
	const char *names[2] = { h->host, NULL };

	dial_free(h->dial);
	h->dial = NULL;
	if (fd == -1) {
		unreachable(h, HTTPS_FETCH, strerror(err));
		return;
	}
	h->conn = conn_new(proc_base(), fd, event, h);
	h->ssl = tls_client_ssl(h->host, names);
	if (h->conn == NULL || h->ssl == NULL ||
	    conn_tls(h->conn, h->ssl) == -1) {
		finish(h, HTTPS_FETCH, "out of memory");
		return;
	}
	conn_lines(h->conn, MAXLINE);
}

static void
got_address(const struct dest_addr *a, const struct outcome *why, void *arg)
{
	struct https *h = arg;

	if (a != NULL)
		h->dial = dial_new(a, "", dialed, h);
	else
		finish(h, h->end, *h->why != '\0' ? h->why : why->text);
}

static void
try_next(struct https *h)
{
	dest_next(h->dest, got_address, h);
}

static void
too_late(int fd, short what, void *arg)
{
	finish(arg, HTTPS_FETCH, "it takes too long");
}

struct https *
https_get(const char *host, const char *path, https_cb *cb, void *arg)
{
	const struct timeval tv = { .tv_sec = MAXTIME };
	struct https *h = xcalloc(1, sizeof(*h));
	char *where = xasprintf("%s:%d", host, HTTPS_PORT);

	h->host = xstrdup(host);
	h->path = xstrdup(path);
	h->dest = dest_new(where, false);
	h->deadline = evtimer_new(proc_base(), too_late, h);
	free(where);
	if (h->dest == NULL || h->deadline == NULL)
		fatal("HTTPS");
	h->left = HTTPS_ANY;
	h->end = HTTPS_FETCH;
	h->cb = cb;
	h->arg = arg;
	buf_init(&h->body, HTTPS_MAX + 1);
	evtimer_add(h->deadline, &tv);
	try_next(h);
	return h;
}
