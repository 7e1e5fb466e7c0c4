/*
 * Connections that are secured, and pumped from a client to a worker: bytes in
 * both directions at once, and whoever ends first.
 */
#include <openssl/ssl.h>

#include "conn_test.h"
#include "tls.h"

/* --- TLS --- */

static struct tls_ctx	*ctx;
static SSL_CTX		*client_ctx;
static SSL		*client;

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
static bool		 pumped_out;

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
	pumped_out = false;
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
