/*
 * What the tests of connections share: one end of a socket pair is a conn,
 * whose events are written down; the other end is the test's.
 */
#include <sys/socket.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include <cmocka.h>

#include "buf.h"
#include "conn.h"

enum { BIG = 3 * 1000 * 1000 };

static struct event_base *base;
static int		 peer;		/* the test's end */
static struct conn	*conn;
static char		 seen[8192];	/* what the callback was told */
static struct evbuffer	*data;		/* what came in data mode */
static bool		 free_next, pause_next, echo, take_data;
static size_t		 to_lines;	/* data mode ends after so many */

static inline void note(const char *, ...)
    __attribute__((format(printf, 1, 2)));

static inline void
note(const char *fmt, ...)
{
	size_t n = strlen(seen);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(seen + n, sizeof(seen) - n, fmt, ap);
	va_end(ap);
}

static inline void
on_data(struct conn *c)
{
	struct evbuffer *in = conn_input(c);
	size_t n = evbuffer_get_length(in);

	if (!take_data)
		return;
	if (to_lines > 0 && n > to_lines)
		n = to_lines;
	evbuffer_remove_buffer(in, data, n);
	if (to_lines > 0 && (to_lines -= n) == 0) {
		note("<lines>");
		conn_lines(c, 100);
	}
}

static inline void
cb(struct conn *c, enum conn_event ev, char *line, size_t len, void *arg)
{
	static const char *names[] = { "line", "LONG", "data", "DRAINED",
	    "SECURE", "EOF", "ERROR", "TIMEOUT" };

	assert_ptr_equal(arg, &peer);
	assert_ptr_equal(c, conn);
	if (ev == CONN_LINE) {
		assert_int_equal(line[len], 0);
		note("[%s%s]", line, conn_bare_lf(c) ? "!" : "");
		if (strcmp(line, "DATA") == 0)
			conn_data(c);
		if (echo)
			conn_printf(c, "<%s>", line);
	} else if (ev == CONN_DATA)
		on_data(c);
	else if (ev != CONN_DRAINED || !echo)
		note("%s ", names[ev]);
	if (pause_next)
		conn_pause(c);
	if (free_next) {
		conn_free(c);
		conn = NULL;
	}
}

static inline void
loop(void)
{
	int i;

	for (i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static inline void
start_type(int type)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, sv), 0);
	base = event_base_new();
	data = evbuffer_new();
	peer = sv[1];
	seen[0] = '\0';
	free_next = pause_next = echo = take_data = false;
	to_lines = 0;
	conn = conn_new(base, sv[0], cb, &peer);
	assert_non_null(conn);
	conn_lines(conn, 100);
}

static inline void
start(void)
{
	start_type(SOCK_STREAM);
}

static inline void
stop(void)
{
	conn_free(conn);
	conn = NULL;
	loop();
	event_base_free(base);
	evbuffer_free(data);
	if (peer != -1)
		close(peer);
}

static inline void
say(const char *s)
{
	assert_int_equal(send(peer, s, strlen(s), MSG_NOSIGNAL), strlen(s));
}

static inline void
expect(const char *s)
{
	loop();
	assert_string_equal(seen, s);
	seen[0] = '\0';
}

/* What has arrived at the test's end. */
static inline void
hear(const char *s)
{
	char got[4096];
	ssize_t n;

	loop();
	n = recv(peer, got, sizeof(got) - 1, MSG_DONTWAIT);
	if (n < 0)
		n = 0;
	got[n] = '\0';
	assert_string_equal(got, s);
}
