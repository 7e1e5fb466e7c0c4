/* IMAP sessions over socket pairs: what is told when; putting them aside. */
#include "store_test.h"

#include <sys/socket.h>

#include <event2/event.h>

#include "imapd/session/session.h"

enum { TURNS = 50 };

static struct event_base	*base;
static struct acct		*ours;

struct client {
	int			 fd;
	bool			 over;
	struct imap_session	*s;
	char			 text[65536];
	size_t			 len;
};

static void
over(void *arg)
{
	struct client *c = arg;

	c->over = true;
	c->s = NULL;
}

static void
go(struct client *c)
{
	ssize_t n;
	int i;

	for (i = 0; i < TURNS; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		n = recv(c->fd, c->text + c->len,
		    sizeof(c->text) - 1 - c->len, MSG_DONTWAIT);
		if (n > 0)
			c->len += (size_t)n;
	}
	c->text[c->len] = '\0';
}

static void
start(struct client *c, const void *state, size_t len)
{
	struct imap_start st = { .base = base, .acct = ours, .mailbox = "",
		.tag = "IMAP-1", .account = "a", .hello = "l", .state = state,
		.statelen = len, .maxerrors = 20, .end = over, .arg = c };
	int fds[2];

	memset(c, 0, sizeof(*c));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	c->fd = fds[0];
	st.fd = fds[1];
	c->s = imap_session_new(&st);
	go(c);
}

static void
leave(struct client *c)
{
	close(c->fd);
	while (c->s != NULL)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
say(struct client *c, const char *text)
{
	c->len = 0;
	assert_int_equal(send(c->fd, text, strlen(text), 0), strlen(text));
	go(c);
}

static void
expect(struct client *c, const char *text, const char *answer)
{
	say(c, text);
	assert_string_equal(c->text, answer);
}

/* Something else was done; what is he told? */
static void
hears(struct client *c, const char *text)
{
	go(c);
	assert_string_equal(c->text, text);
}

static void
login(struct client *c, const char *box)
{
	char line[64];

	start(c, NULL, 0);
	assert_memory_equal(c->text, "l OK [CAPABILITY IMAP4rev1 ", 27);
	if (box == NULL)
		return;
	snprintf(line, sizeof(line), "s SELECT %s\r\n", box);
	say(c, line);
	assert_non_null(strstr(c->text, "\r\ns OK [READ-WRITE] "));
}

static void
append(struct client *c, const char *box)
{
	char line[128];

	snprintf(line, sizeof(line),
	    "p APPEND %s {16+}\r\nSubject: s\r\n\r\nt\n\r\n", box);
	say(c, line);
	assert_non_null(strstr(c->text, "p OK [APPENDUID "));
}

static int
begin(void **state)
{
	if (setup(state) != 0)
		return -1;
	base = event_base_new();
	ours = account(true);
	return base == NULL;
}

static int
end(void **state)
{
	acct_free(ours);
	event_base_free(base);
	return teardown(state);
}

static void
numbers(void **state)
{
	struct client a, b;
	int i;

	login(&a, NULL);
	for (i = 0; i < 3; i++)
		append(&a, "INBOX");
	say(&a, "s SELECT INBOX\r\n");
	login(&b, "INBOX");
	say(&b, "1 STORE 1 +FLAGS.SILENT (\\Deleted)\r\n");
	say(&b, "2 EXPUNGE\r\n");
	/* Numbers do not move under a command that has numbers. */
	expect(&a, "1 FETCH 2 UID\r\n",
	    "* 2 FETCH (UID 2)\r\n1 OK done\r\n");
	expect(&a, "2 UID FETCH 3 UID\r\n",
	    "* 3 FETCH (UID 3)\r\n* 1 EXPUNGE\r\n2 OK done\r\n");
	expect(&a, "3 FETCH 1 UID\r\n",
	    "* 1 FETCH (UID 2)\r\n3 OK done\r\n");
	append(&b, "INBOX");
	expect(&a, "4 NOOP\r\n",
	    "* 3 EXISTS\r\n* 2 RECENT\r\n4 OK done\r\n");
	expect(&a, "5 NOOP\r\n", "5 OK done\r\n");
	expect(&a, "6 FETCH 4 UID\r\n",
	    "6 BAD there are only 3 messages\r\n");
	leave(&a);
	leave(&b);
}

static size_t
aside(struct client *c, char *state)
{
	size_t len = 0;
	int fd;

	assert_true(imap_session_rests(c->s) >= 0);
	assert_true(imap_session_save(c->s, state, &len));
	assert_in_range(len, 1, IMAP_STATE_MAX);
	fd = imap_session_release(c->s);
	assert_int_not_equal(fd, -1);
	assert_false(c->over);
	close(fd);
	close(c->fd);
	return len;
}

static void
put_aside(void **state)
{
	char blob[IMAP_STATE_MAX];
	struct client a, b;
	size_t len;
	int i;

	login(&b, NULL);
	for (i = 0; i < 4; i++)
		append(&b, "INBOX");
	say(&b, "s SELECT INBOX\r\n");
	login(&a, "INBOX");
	expect(&a, "idle IDLE\r\n", "+ idling\r\n");
	len = aside(&a, blob);
	assert_string_equal(imap_state_mailbox(blob, len), "INBOX");
	say(&b, "1 STORE 2 +FLAGS.SILENT (\\Deleted)\r\n");
	say(&b, "2 STORE 3 +FLAGS.SILENT (\\Flagged)\r\n");
	say(&b, "3 EXPUNGE\r\n");
	append(&b, "INBOX");
	start(&a, blob, len);
	hears(&a, "* 2 EXPUNGE\r\n* 2 FETCH (UID 3 FLAGS (\\Flagged))\r\n"
	    "* 4 EXISTS\r\n* 0 RECENT\r\n");
	expect(&a, "DONE\r\n", "idle OK done\r\n");
	/* Silent, it is told nothing before it asks. */
	len = aside(&a, blob);
	assert_string_equal(imap_state_mailbox(blob, len), "");
	append(&b, "INBOX");
	start(&a, blob, len);
	hears(&a, "");
	expect(&a, "5 FETCH 4 UID\r\n",
	    "* 4 FETCH (UID 5)\r\n* 5 EXISTS\r\n* 0 RECENT\r\n5 OK done\r\n");
	leave(&a);
	leave(&b);
}

static void
not_aside(void **state)
{
	char blob[IMAP_STATE_MAX];
	struct client a;
	size_t len;

	login(&a, "INBOX");
	say(&a, "1 NO");
	assert_int_equal(imap_session_rests(a.s), -1);
	assert_false(imap_session_save(a.s, blob, &len));
	assert_int_equal(imap_session_release(a.s), -1);
	expect(&a, "OP\r\n", "1 OK done\r\n");
	assert_true(imap_session_rests(a.s) >= 0);
	say(&a, "2 SEARCH SUBJECT {3}\r\n");
	assert_int_equal(imap_session_rests(a.s), -1);
	leave(&a);
}

/* It does not fit, or it is another mailbox now, or no state at all. */
static void
no_return(void **state)
{
	char blob[IMAP_STATE_MAX], bad[IMAP_STATE_MAX];
	struct client a, b;
	size_t len, i;

	login(&b, NULL);
	say(&b, "c CREATE x\r\n");
	append(&b, "x");
	login(&a, "x");
	expect(&a, "i IDLE\r\n", "+ idling\r\n");
	len = aside(&a, blob);
	for (i = 0; i < len; i++) {
		start(&a, blob, i + (i == 0));
		leave(&a);
	}
	for (i = 0; i < len; i++) {
		memcpy(bad, blob, len);
		bad[i] ^= 1;
		start(&a, bad, len);
		leave(&a);
	}
	say(&b, "d DELETE x\r\n");
	start(&a, blob, len);
	assert_null(a.s);
	hears(&a, "* BYE log in again\r\n");
	leave(&a);
	say(&b, "c CREATE x\r\n");
	start(&a, blob, len);
	assert_null(a.s);
	hears(&a, "* BYE log in again\r\n");
	leave(&a);
	leave(&b);
}

/* One of two is gone: 2^n such holes. */
static void
make_holes(struct client *c, int n)
{
	say(c, "p APPEND INBOX (\\Deleted) {1+}\r\nt\r\n");
	say(c, "p APPEND INBOX {1+}\r\nt\r\n");
	say(c, "s SELECT INBOX\r\n");
	while (n-- > 0)
		say(c, "c COPY 1:* INBOX\r\n");
	say(c, "e EXPUNGE\r\n");
}

static void
holes(void **state)
{
	char blob[IMAP_STATE_MAX];
	struct client a, b;
	size_t len;

	login(&a, NULL);
	make_holes(&a, 11);
	say(&a, "i IDLE\r\n");
	len = aside(&a, blob);
	login(&b, "INBOX");
	say(&b, "1 STORE 5,1000 +FLAGS.SILENT (\\Deleted)\r\n");
	say(&b, "3 EXPUNGE\r\n");
	start(&a, blob, len);
	hears(&a, "* 5 EXPUNGE\r\n* 999 EXPUNGE\r\n");
	leave(&a);
	leave(&b);
}

static void
too_many_holes(void **state)
{
	char blob[IMAP_STATE_MAX];
	struct client a;
	size_t len;

	login(&a, NULL);
	make_holes(&a, 13);
	assert_true(imap_session_rests(a.s) >= 0);
	assert_false(imap_session_save(a.s, blob, &len));
	leave(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(numbers, begin, end),
		cmocka_unit_test_setup_teardown(put_aside, begin, end),
		cmocka_unit_test_setup_teardown(not_aside, begin, end),
		cmocka_unit_test_setup_teardown(no_return, begin, end),
		cmocka_unit_test_setup_teardown(holes, begin, end),
		cmocka_unit_test_setup_teardown(too_many_holes, begin, end)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
