/* Lines before an IMAP login become commands, literals and all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "imapd/input.c"

static struct imap		imap;
static struct front_session	session;
static int			asked;	/* "+ go on" */

void
conn_printf(struct conn *c, const char *fmt, ...)
{
	asked++;
}

static int
fresh(void **state)
{
	memset(&imap, 0, sizeof(imap));
	imap.front = &session;
	buf_init(&imap.cmd, IMAPD_MAXCMD);
	asked = 0;
	return 0;
}

static int
over(void **state)
{
	buf_free(&imap.cmd);
	return 0;
}

/* Bytes as a connection tells them: line by line. */
static enum imapd_in
feed(const char *p, size_t len)
{
	enum imapd_in r = IN_MORE;
	const char *lf;
	size_t n;
	bool bare;

	while (len > 0 && r == IN_MORE) {
		lf = memchr(p, '\n', len);
		assert_non_null(lf);
		n = lf - p;
		bare = n == 0 || p[n - 1] != '\r';
		r = input_line(&imap, p, bare ? n : n - 1, bare);
		len -= n + 1;
		p += n + 1;
	}
	assert_int_equal(len, 0);
	return r;
}

static void
gives(const char *sent, const char *command, int waits)
{
	fresh(NULL);
	assert_int_equal(feed(sent, strlen(sent)), IN_WHOLE);
	assert_string_equal(imap.cmd.p, command);
	assert_int_equal(asked, waits);
	over(NULL);
}

static void
whole(void **state)
{
	gives("a NOOP\r\n", "a NOOP", 0);
	gives("a NOOP\n", "a NOOP", 0);
	gives("a X {3}\r\nabc\r\n", "a X {3}\r\nabc", 1);
	gives("a X {3+}\r\nabc y\r\n", "a X {3+}\r\nabc y", 0);
	gives("a X {0+}\r\n\r\n", "a X {0+}\r\n", 0);
	gives("a X {0}\r\n {1}\r\nb c\r\n", "a X {0}\r\n {1}\r\nb c", 2);
}

/* A literal may hold ends of lines, whole or in part, and any head. */
static void
lines_inside(void **state)
{
	gives("a X {2+}\r\n\r\n\r\n", "a X {2+}\r\n\r\n", 0);
	gives("a X {4+}\r\nb\r\nc d\r\n", "a X {4+}\r\nb\r\nc d", 0);
	gives("a X {3+}\r\nb\nc\n", "a X {3+}\r\nb\nc", 0);
	gives("a X {2+}\r\nb\r\n", "a X {2+}\r\nb\r", 0);
	gives("a X {3+}\r\nb\r\n\r\n", "a X {3+}\r\nb\r\n", 0);
	gives("a X {6+}\r\nb {9+}\r\n", "a X {6+}\r\nb {9+}", 0);
	gives("a X {8+}\r\nb {9+}\r\n{1+}\r\n\n\r\n",
	    "a X {8+}\r\nb {9+}\r\n{1+}\r\n\n", 0);
}

static void
octets(void **state)
{
	static const char sent[] = "a X {4+}\r\n\0\r\n\0 y\r\n";

	assert_int_equal(feed(sent, sizeof(sent) - 1), IN_WHOLE);
	assert_int_equal(imap.cmd.len, sizeof(sent) - 3);
	assert_memory_equal(imap.cmd.p, sent, imap.cmd.len);
}

static enum imapd_in
sends(const char *sent)
{
	enum imapd_in r;

	fresh(NULL);
	r = feed(sent, strlen(sent));
	over(NULL);
	return r;
}

static void
too_long(void **state)
{
	char text[3000];
	int i;

	assert_int_equal(sends("a X {8193}\r\n"), IN_REFUSED);
	assert_int_equal(sends("a X {99999999999999999999999}\r\n"),
	    IN_REFUSED);
	assert_int_equal(sends("a X {8193+}\r\n"), IN_HOPELESS);
	assert_int_equal(sends("a X {18446744073709551616+}\r\n"),
	    IN_HOPELESS);
	/* In pieces of which none is too long. */
	memset(text, 'x', sizeof(text));
	fresh(NULL);
	feed("a X {2500+}\r\n", 13);
	memcpy(text + 2500, " {2500+}\r\n", 10);
	for (i = 0; i < 2; i++)
		assert_int_equal(feed(text, 2510), IN_MORE);
	assert_int_equal(feed(text, 2510), IN_HOPELESS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(lines_inside),
		cmocka_unit_test_setup_teardown(octets, fresh, over),
		cmocka_unit_test_setup_teardown(too_long, fresh, over)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
