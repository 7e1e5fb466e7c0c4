/*
 * Connections over socket pairs: trickled, pipelined, paused, over-long, cut
 * off.  A SEQPACKET pair shows how many writes a turn costs: each is a packet.
 */
#include "conn_test.h"

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
	};

	signal(SIGPIPE, SIG_IGN);	/* as lib/proc does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
