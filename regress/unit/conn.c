/*
 * Connections over socket pairs: trickled, pipelined, paused, over-long,
 * secured, pumped, cut off.  A SEQPACKET pair shows how many writes a turn
 * costs: each is a packet.
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
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
#include <openssl/ssl.h>

#include <cmocka.h>

#include "buf.h"
#include "conn.h"
#include "tls.h"

enum { BIG = 3 * 1000 * 1000 };

static struct event_base *base;
static int		 peer;		/* the test's end */
static struct conn	*conn;
static char		 seen[8192];	/* what the callback was told */
static struct evbuffer	*data;		/* what came in data mode */
static bool		 free_next, pause_next, echo, take_data;
static size_t		 to_lines;	/* data mode ends after so many */
static bool		 pumped_out;
static struct tls_ctx	*ctx;

static void	note(const char *, ...) __attribute__((format(printf, 1, 2)));

static void
note(const char *fmt, ...)
{
	size_t n = strlen(seen);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(seen + n, sizeof(seen) - n, fmt, ap);
	va_end(ap);
}

static void
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

static void
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

static void
loop(void)
{
	int i;

	for (i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
start_type(int type)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, sv), 0);
	base = event_base_new();
	data = evbuffer_new();
	peer = sv[1];
	seen[0] = '\0';
	free_next = pause_next = echo = take_data = pumped_out = false;
	to_lines = 0;
	conn = conn_new(base, sv[0], cb, &peer);
	assert_non_null(conn);
	conn_lines(conn, 100);
}

static void
start(void)
{
	start_type(SOCK_STREAM);
}

static void
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

static void
say(const char *s)
{
	assert_int_equal(send(peer, s, strlen(s), MSG_NOSIGNAL), strlen(s));
}

static void
expect(const char *s)
{
	loop();
	assert_string_equal(seen, s);
	seen[0] = '\0';
}

/* What has arrived at the test's end. */
static void
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

/* --- lines --- */

static void
lines(void **state)
{
	start();
	say("one\r\ntwo\nthree\r\n\r\nhal");
	expect("[one][two!][three][]");
	say("f\r");
	expect("");
	say("\n\n");
	expect("[half][!]");
	say("a\rb\r\r\n");
	expect("[a\rb\r]");
	assert_int_equal(send(peer, "x\0y\r\n", 5, 0), 5);
	expect("[x]");
	stop();
}

static void
trickle(void **state)
{
	const char *s = "HELO x\r\nMAIL FROM:<>\r\nQUIT\n";
	char one[2] = "";

	start();
	for (; *s != '\0'; s++) {
		one[0] = *s;
		say(one);
		loop();
	}
	expect("[HELO x][MAIL FROM:<>][QUIT!]");
	stop();
}

static void
pipelined(void **state)
{
	start();
	pause_next = true;
	say("1\r\n2\r\n3\r\n");
	expect("[1]");
	say("4\r\n");
	expect("");
	conn_resume(conn);
	expect("[2]");
	conn_resume(conn);
	conn_resume(conn);
	expect("[3]");
	pause_next = false;
	conn_resume(conn);
	expect("[4]");
	stop();
}

static void
corked(void **state)
{
	start_type(SOCK_SEQPACKET);
	echo = true;
	say("a\r\nb\r\nc\r\n");
	hear("<a><b><c>");
	hear("");
	/* Outside a callback too. */
	conn_printf(conn, "%d ", 1);
	conn_write(conn, "2 ", 2);
	conn_printf(conn, "%d", 3);
	hear("1 2 3");
	hear("");
	stop();
}

static void
over_long(void **state)
{
	char big[20000];
	int i;

	start();
	memset(big, 'x', sizeof(big));
	big[100] = '\0';
	say(big);
	expect("");
	say("\r\n");
	loop();
	assert_int_equal(strlen(seen), 102);
	seen[0] = '\0';
	memset(big, 'x', sizeof(big));
	memcpy(big + 101, "\r\nok\r\n", 7);
	say(big);
	expect("LONG [ok]");
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	for (i = 0; i < 3; i++) {
		say(big);
		loop();
	}
	say("tail\r\nok\r\n");
	expect("LONG [ok]");
	for (i = 0; i < 102; i++) {
		say("y");
		loop();
	}
	expect("LONG ");
	say("\nok\n");
	expect("[ok!]");
	/* In the middle of a pause: nothing is told before its time. */
	pause_next = true;
	say("1\r\n");
	loop();
	big[3000] = '\0';
	say(big);
	say("\r\n2\r\n");
	expect("[1]");
	pause_next = false;
	conn_resume(conn);
	expect("LONG [2]");
	/* Lines that are let be longer than the usual look-ahead. */
	conn_lines(conn, 15000);
	big[3000] = 'x';
	big[14999] = '\0';
	say(big);
	say("\r\n");
	loop();
	assert_int_equal(seen[0], '[');
	seen[0] = '\0';
	conn_lines(conn, 15000);
	big[14999] = 'x';
	say(big);
	loop();
	conn_lines(conn, 100);
	say("\r\nend\r\n");
	expect("LONG [end]");
	stop();
}

/*
 * Random lines in random pieces, with pauses: what is told must be what a
 * plain splitting of the text says.
 */
static void
any_pieces(void **state)
{
	char text[6000], want[8192], one[400];
	size_t len, n, at, w, k;
	unsigned seed;
	bool lf;

	for (seed = 1; seed <= 60; seed++) {
		srandom(seed);
		start();
		len = w = 0;
		while (len < sizeof(text) - 400) {
			n = random() % 20 == 0 ? 95 + random() % 200 :
			    random() % 30;
			for (k = 0; k < n; k++)
				one[k] = 'a' + random() % 26;
			one[n] = '\0';
			lf = random() % 4 == 0;
			len += snprintf(text + len, sizeof(text) - len,
			    "%s%s\n", one, lf ? "" : "\r");
			w += n > 100 ? snprintf(want + w, sizeof(want) - w,
			    "LONG ") : snprintf(want + w, sizeof(want) - w,
			    "[%s%s]", one, lf ? "!" : "");
		}
		pause_next = seed % 2;
		for (at = 0; at < len; at += n) {
			n = 1 + random() % (seed % 3 ? 40 : 900);
			if (n > len - at)
				n = len - at;
			assert_int_equal(send(peer, text + at, n, 0), n);
			event_base_loop(base, EVLOOP_NONBLOCK);
			if (random() % 3 == 0)
				conn_resume(conn);
		}
		pause_next = false;
		conn_resume(conn);
		expect(want);
		stop();
	}
}

static void
data_mode(void **state)
{
	start();
	take_data = true;
	to_lines = 10;
	say("DATA\r\n01234\n\r\n");
	expect("[DATA]");
	say("89NEXT\r\nmore\r\n");
	expect("<lines>[NEXT][more]");
	assert_int_equal(evbuffer_get_length(data), 10);
	/* What is left alone is told again with more, or when resumed. */
	take_data = false;
	say("DATA\r\nabc");
	expect("[DATA]");
	take_data = true;
	to_lines = 3;
	loop();
	assert_int_equal(evbuffer_get_length(data), 10);
	conn_pause(conn);
	conn_resume(conn);
	expect("<lines>");
	stop();
}

static void
flood(void **state)
{
	char big[65536];
	size_t sent = 0;
	ssize_t n;
	int i;

	start();
	/* Unread input is bounded, paused or not. */
	memset(big, 'q', sizeof(big));
	conn_pause(conn);
	for (i = 0; i < 100; i++) {
		n = send(peer, big, sizeof(big), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			sent += n;
		loop();
	}
	assert_in_range(evbuffer_get_length(conn_input(conn)), 8192, 8192);
	assert_true(sent < BIG);
	stop();

	/* A client that sends and never reads is read no further. */
	start();
	echo = true;
	for (i = 0; i < 20000; i++) {
		snprintf(big, sizeof(big), "%050d\r\n", i);
		if (send(peer, big, 52, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			loop();
	}
	loop();
	assert_in_range(conn_unsent(conn), CONN_HIGHWATER,
	    CONN_HIGHWATER + 8192);
	stop();
}

/* --- output and ends --- */

static void
big_output(void **state)
{
	char *big = calloc(1, BIG), got[70000];
	size_t have = 0;
	ssize_t n;
	int i;

	start();
	memset(big, 'z', BIG);
	conn_write(conn, big, BIG);
	assert_int_equal(conn_unsent(conn), BIG);
	loop();
	assert_in_range(conn_unsent(conn), 1, BIG - 1);
	assert_string_equal(seen, "");
	for (i = 0; i < 10000 && have < BIG; i++) {
		n = recv(peer, got, sizeof(got), MSG_DONTWAIT);
		have += n > 0 ? n : 0;
		loop();
	}
	assert_int_equal(have, BIG);
	expect("DRAINED ");
	assert_int_equal(conn_unsent(conn), 0);
	free(big);
	stop();
}

static void
eof(void **state)
{
	start();
	say("a\r\nb\r\nrest");
	shutdown(peer, SHUT_WR);
	expect("[a][b]EOF ");
	conn_printf(conn, "bye");
	hear("bye");
	stop();

	start();
	pause_next = true;
	say("a\r\nb\r\n");
	shutdown(peer, SHUT_WR);
	expect("[a]");
	conn_resume(conn);
	expect("[b]");
	pause_next = false;
	conn_resume(conn);
	expect("EOF ");
	stop();
}

static void
finish(void **state)
{
	char *big = calloc(1, BIG), got[70000];
	size_t have = 0;
	ssize_t n = 0;
	int i;

	start();
	conn_write(conn, big, BIG);
	conn_finish(conn);
	conn = NULL;		/* nothing is told any more */
	for (i = 0; i < 10000; i++) {
		n = recv(peer, got, sizeof(got), MSG_DONTWAIT);
		if (n == 0)
			break;
		have += n > 0 ? n : 0;
		loop();
	}
	assert_int_equal(n, 0);
	assert_int_equal(have, BIG);
	free(big);
	stop();

	/* Input that nobody wants does not cost the client the answer. */
	start();
	conn_pause(conn);
	conn_printf(conn, "go away\r\n");
	for (i = 0; i < 5; i++)
		say("unwanted\r\n");
	conn_finish(conn);
	conn = NULL;
	loop();
	say("more\r\n");
	loop();
	hear("go away\r\n");
	close(peer);
	peer = -1;
	stop();
}

static void
on_gone(void *arg)
{
	++*(int *)arg;
}

/* A client that takes a little now and then is not waited for. */
static void
finish_in_time(void **state)
{
	char *big = calloc(1, BIG), x;
	int i, n = 0;

	start();
	conn_timeout(conn, 1);
	conn_gone(conn, on_gone, &n);
	conn_write(conn, big, BIG);
	conn_finish(conn);
	for (i = 0; i < 4000 && n == 0; i++) {
		loop();
		(void)recv(peer, &x, 1, MSG_DONTWAIT);
		(void)send(peer, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		usleep(1000);
	}
	assert_int_equal(n, 1);
	conn = NULL;
	free(big);
	stop();
}

static void
free_anywhere(void **state)
{
	char big[3000];

	start();
	free_next = true;
	say("a\r\nb\r\n");
	expect("[a]");
	stop();

	start();
	free_next = true;
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	say(big);
	expect("LONG ");
	stop();

	start();
	free_next = true;
	shutdown(peer, SHUT_WR);
	expect("EOF ");
	stop();

	start();
	free_next = true;
	conn_printf(conn, "x");
	expect("DRAINED ");
	stop();

	/* With work still to be done. */
	start();
	conn_printf(conn, "x");
	stop();
}

static void
reset(void **state)
{
	struct linger l = { .l_onoff = 1 };
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int lfd, fd;

	start();
	conn_free(conn);
	close(peer);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	lfd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(lfd, (void *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(lfd, 1), 0);
	getsockname(lfd, (void *)&sin, &len);
	peer = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(peer, (void *)&sin, sizeof(sin)), 0);
	fd = accept(lfd, NULL, NULL);
	close(lfd);
	conn = conn_new(base, fd, cb, &peer);
	say("a\r\n");
	expect("[a]");
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(peer);
	peer = -1;
	expect("ERROR ");
	assert_string_equal(conn_error(conn), strerror(ECONNRESET));
	conn_printf(conn, "nobody hears");
	expect("");
	stop();
}

static void
released(void **state)
{
	struct evbuffer *rest = evbuffer_new();
	int fd;

	start();
	pause_next = true;
	say("PASS x\r\nSTAT\r\nLI");
	expect("[PASS x]");
	fd = conn_release(conn, rest);
	conn = NULL;
	assert_true(fd >= 0);
	assert_int_equal(evbuffer_get_length(rest), 8);
	assert_memory_equal(evbuffer_pullup(rest, -1), "STAT\r\nLI", 8);
	assert_int_equal(write(fd, "hello", 5), 5);
	hear("hello");
	close(fd);
	evbuffer_free(rest);
	stop();
}

static void
held(void **state)
{
	start();
	pause_next = true;
	say("1\r\n2\r\n");
	expect("[1]");
	assert_int_equal(conn_hold(conn), 0);
	say("3\r\n");
	expect("");
	assert_int_equal(evbuffer_get_length(conn_input(conn)), 3);
	pause_next = false;
	conn_resume(conn);
	expect("[2][3]");
	stop();
}

static void
timeouts(void **state)
{
	struct timeval tv = { .tv_sec = 2, .tv_usec = 500000 };
	char *big = calloc(1, BIG);

	start();
	conn_timeout(conn, 300);
	conn_timeout(conn, 1);
	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
	assert_string_equal(seen, "TIMEOUT TIMEOUT ");
	seen[0] = '\0';
	conn_pause(conn);
	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
	expect("");
	/* A client that does not read is not waited for in a pause either. */
	conn_write(conn, big, BIG);
	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
	assert_int_equal(strncmp(seen, "TIMEOUT ", 8), 0);
	free(big);
	stop();
}

/* --- TLS --- */

static SSL_CTX	*client_ctx;
static SSL	*client;

static int
tls_setup(void **state)
{
	struct buf pem;

	buf_init(&pem, 0);
	assert_int_equal(tls_selfsigned("mail.example.com", &pem), 0);
	ctx = tls_server(pem.p, pem.len);
	assert_non_null(ctx);
	buf_free(&pem);
	client_ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_mode(client_ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return 0;
}

static int
tls_teardown(void **state)
{
	tls_free(ctx);
	SSL_CTX_free(client_ctx);
	return 0;
}

static void
shake(void)
{
	int i, n = 0;

	client = SSL_new(client_ctx);
	SSL_set_fd(client, peer);
	for (i = 0; i < 100 && n != 1; i++) {
		n = SSL_connect(client);
		loop();
	}
	assert_int_equal(n, 1);
}

static void
tls_stop(void)
{
	SSL_free(client);
	client = NULL;
	stop();
}

static void
tls_hear(const char *s)
{
	char got[4096];
	int n;

	loop();
	n = SSL_read(client, got, sizeof(got) - 1);
	if (n < 0)
		n = 0;
	got[n] = '\0';
	assert_string_equal(got, s);
}

static void
secure(void **state)
{
	start();
	pause_next = true;
	say("STARTTLS\r\nEVIL\r\n");
	expect("[STARTTLS]");
	pause_next = false;
	conn_printf(conn, "220 go\r\n");
	assert_int_equal(conn_starttls(conn, ctx), 0);
	assert_int_equal(conn_starttls(conn, ctx), -1);
	conn_resume(conn);
	hear("220 go\r\n");
	assert_false(conn_is_tls(conn));
	shake();
	assert_true(conn_is_tls(conn));
	expect("SECURE ");
	echo = true;
	SSL_write(client, "a\r\nb\r\nc", 7);
	tls_hear("<a><b>");
	SSL_write(client, "\r\n", 2);
	tls_hear("<c>");
	assert_int_equal(conn_release(conn, NULL), -1);
	seen[0] = '\0';
	SSL_shutdown(client);
	expect("EOF ");
	tls_stop();
}

static void
no_tls(void **state)
{
	start();
	assert_int_equal(conn_starttls(conn, NULL), -1);
	assert_int_equal(conn_starttls(conn, ctx), 0);
	say("EHLO is no TLS at all\r\n");
	expect("ERROR ");
	assert_string_not_equal(conn_error(conn), "");
	stop();

	start();
	assert_int_equal(conn_starttls(conn, ctx), 0);
	close(peer);
	peer = -1;
	expect("ERROR ");
	stop();
}

/* Bytes in both directions at once, many records at a time. */
static void
exchange(size_t want_down, struct evbuffer *up, int (*more)(void))
{
	char buf[40000];
	size_t sent = 0, down = 0;
	int i, n;

	memset(buf, 'u', sizeof(buf));
	for (i = 0; i < 100000 && (sent < BIG || down < want_down ||
	    evbuffer_get_length(up) < BIG); i++) {
		if (sent < BIG) {
			n = SSL_write(client, buf, BIG - sent < sizeof(buf) ?
			    (int)(BIG - sent) : (int)sizeof(buf));
			sent += n > 0 ? n : 0;
		}
		event_base_loop(base, EVLOOP_NONBLOCK);
		if (more != NULL)
			more();
		n = SSL_read(client, buf, i % 2 ? 100 : sizeof(buf));
		down += n > 0 ? n : 0;
		memset(buf, 'u', sizeof(buf));
	}
	assert_int_equal(sent, BIG);
	assert_int_equal(down, want_down);
	assert_int_equal(evbuffer_get_length(up), BIG);
}

static void
tls_bulk(void **state)
{
	char *big = calloc(1, BIG);

	start();
	conn_starttls(conn, ctx);
	shake();
	expect("SECURE ");
	take_data = true;
	conn_data(conn);
	conn_write(conn, big, BIG);
	exchange(BIG, data, NULL);
	free(big);
	tls_stop();
}

/* --- pumps --- */

static int		 worker;
static struct evbuffer	*heard;
static size_t		 to_say;

static void
pump_over(void *arg)
{
	assert_ptr_equal(arg, &worker);
	pumped_out = true;
}

static int
work(void)
{
	char buf[30000];
	ssize_t n;

	n = recv(worker, buf, sizeof(buf), MSG_DONTWAIT);
	if (n > 0)
		evbuffer_add(heard, buf, n);
	if (to_say > 0) {
		n = send(worker, buf, to_say < sizeof(buf) ? to_say :
		    sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL);
		to_say -= n > 0 ? n : 0;
	}
	return 0;
}

static void
start_pump(void)
{
	start();
	conn_starttls(conn, ctx);
	shake();
	expect("SECURE ");
	pause_next = true;
	SSL_write(client, "PASS\r\nahead", 11);
	expect("[PASS]");
	worker = conn_pump(conn, pump_over, &worker);
	assert_true(worker >= 0);
	conn = NULL;
	heard = evbuffer_new();
	loop();
	work();
	assert_int_equal(evbuffer_get_length(heard), 5);
	evbuffer_drain(heard, 5);
}

static void
pump_stop(void)
{
	evbuffer_free(heard);
	loop();
	tls_stop();
}

static void
pump(void **state)
{
	char buf[100];

	start_pump();
	assert_int_equal(send(worker, "+OK\r\n", 5, 0), 5);
	tls_hear("+OK\r\n");
	to_say = BIG;
	exchange(BIG, heard, work);
	/* The client's end is passed on; the worker may still answer. */
	SSL_shutdown(client);
	shutdown(peer, SHUT_WR);
	loop();
	assert_int_equal(recv(worker, buf, sizeof(buf), MSG_DONTWAIT), 0);
	assert_int_equal(send(worker, "late", 4, 0), 4);
	tls_hear("late");
	assert_false(pumped_out);
	close(worker);
	loop();
	assert_true(pumped_out);
	assert_int_equal(SSL_read(client, buf, sizeof(buf)), 0);
	assert_int_equal(SSL_get_error(client, 0), SSL_ERROR_ZERO_RETURN);
	pump_stop();
}

/* The worker says much and goes: all of it still arrives. */
static void
pump_last_words(void **state)
{
	char buf[40000];
	size_t have = 0, said;
	int i, n = 0;

	start_pump();
	to_say = BIG;
	for (i = 0; to_say > 0 && i < 100000; i++) {
		work();
		loop();
		n = SSL_read(client, buf, 1000);
		have += n > 0 ? n : 0;
	}
	said = BIG - to_say;
	assert_int_equal(said, BIG);
	close(worker);
	for (i = 0; i < 100000; i++) {
		loop();
		n = SSL_read(client, buf, sizeof(buf));
		if (n == 0 || (n < 0 && SSL_get_error(client, n) !=
		    SSL_ERROR_WANT_READ))
			break;
		have += n > 0 ? n : 0;
	}
	assert_int_equal(have, said);
	assert_true(pumped_out);
	pump_stop();
}

/* Neither side makes us hold more than the high water. */
static void
pump_bounded(void **state)
{
	char buf[40000] = "";
	size_t said = 0;
	ssize_t n;
	int i;

	start_pump();
	for (i = 0; i < 1000; i++) {
		n = send(worker, buf, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL);
		said += n > 0 ? n : 0;
		loop();
	}
	assert_in_range(said, 65536, BIG);
	close(peer);		/* and the client is gone */
	peer = -1;
	for (i = 0; i < 10; i++)
		loop();
	assert_true(pumped_out);
	close(worker);
	pump_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(trickle),
		cmocka_unit_test(pipelined),
		cmocka_unit_test(corked),
		cmocka_unit_test(over_long),
		cmocka_unit_test(any_pieces),
		cmocka_unit_test(data_mode),
		cmocka_unit_test(flood),
		cmocka_unit_test(big_output),
		cmocka_unit_test(eof),
		cmocka_unit_test(finish),
		cmocka_unit_test(finish_in_time),
		cmocka_unit_test(free_anywhere),
		cmocka_unit_test(reset),
		cmocka_unit_test(released),
		cmocka_unit_test(held),
		cmocka_unit_test(timeouts),
		cmocka_unit_test(secure),
		cmocka_unit_test(no_tls),
		cmocka_unit_test(tls_bulk),
		cmocka_unit_test(pump),
		cmocka_unit_test(pump_last_words),
		cmocka_unit_test(pump_bounded),
	};

	signal(SIGPIPE, SIG_IGN);	/* as lib/proc does */
	return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
