/* IP lists: every form of a line, and lines that make no sense. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "iplist.h"

static bool
in(const char *list, const char *ip)
{
	struct iplist *l;
	int line = 0;
	bool yes;

	l = iplist_parse(list, &line);
	if (l == NULL)
		fail_msg("line %d of: %s", line, list);
	yes = iplist_has(l, ip);
	iplist_free(l);
	return yes;
}

static void
forms(void **state)
{
	assert_true(in("10.34.56.78", "10.34.56.78"));
	assert_false(in("10.34.56.78", "10.34.56.79"));
	assert_true(in("10.34.50.01-10.34.59.99", "10.34.50.1"));
	assert_true(in("10.34.50.01-10.34.59.99", "10.34.55.255"));
	assert_false(in("10.34.50.01-10.34.59.99", "10.34.59.100"));
	assert_true(in("10.0.0.1 - 10.0.0.3 ; ours", "10.0.0.2"));
	assert_true(in("10.0.0.0/8", "10.255.255.255"));
	assert_false(in("10.0.0.0/8", "11.0.0.0"));
	assert_true(in("10.1.2.3/8", "10.0.0.0"));
	assert_true(in("0.0.0.0/0", "1.2.3.4"));
	assert_false(in("0.0.0.0/0", "2001:db8::1"));
	assert_true(in("::/0", "1.2.3.4"));	/* mapped */
	assert_true(in("1.2.3.4/32", "1.2.3.4"));
	assert_false(in("1.2.3.4/32", "1.2.3.5"));
	assert_true(in("2001:db8::/32", "2001:db8:ffff::1"));
	assert_false(in("2001:db8::/32", "2001:db9::"));
	assert_true(in("2001:db8::1-2001:db8::ff", "2001:db8::80"));
	assert_true(in("2001:db8::/64", "2001:db8::1:2:3:4"));
	assert_false(in("2001:db8::/64", "2001:db8:0:1::"));
	assert_true(in("2001:db8::/65", "2001:db8::7fff:0:0:0"));
	assert_false(in("2001:db8::/65", "2001:db8::8000:0:0:0"));
	assert_true(in("2001:db8::5/128", "2001:db8::5"));
	assert_true(in("192.0.2.1", "::ffff:192.0.2.1"));
	assert_true(in("[192.0.2.1]", "192.0.2.1"));
}

static void
lines(void **state)
{
	const char *list = "; ours\r\n10.0.0.1\n\n  10.0.0.5 % five\n"
	    "10.0.0.7 - the printer\n!10.0.1.3\n10.0.1.0/24;x\n% end";

	assert_true(in(list, "10.0.0.1"));
	assert_true(in(list, "10.0.0.5"));
	assert_true(in(list, "10.0.0.7"));
	assert_false(in(list, "10.0.0.6"));
	assert_true(in(list, "10.0.1.2"));
	assert_false(in(list, "10.0.1.3"));
	assert_false(in("", "10.0.0.1"));
	assert_false(in("10.0.0.1", "nonsense"));
	assert_false(in("10.0.0.1", ""));
	assert_false(iplist_has(NULL, "10.0.0.1"));
	/* overlaps and order */
	assert_true(in("10.0.0.5-10.0.0.9\n10.0.0.1-10.0.0.20\n10.0.0.2",
	    "10.0.0.15"));
}

static void
nonsense(void **state)
{
	static const char *bad[] = { "x", "10.0.0", "10.0.0.256", "1.2.3.4.5",
	    "10.0.0.1/33", "10.0.0.1/", "10.0.0.9-10.0.0.1",
	    "10.0.0.1-2001:db8::1", "2001:db8::/129", "10.0.0.1 10.0.0.2",
	    "!", "!!1.2.3.4", "1.2.3.4/8x", "1::2::3", ".1.2.3", "[1.2.3.4" };
	char text[100];
	int line;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "1.1.1.1\n\n%s\n", bad[i]);
		line = 0;
		if (iplist_parse(text, &line) != NULL)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(line, 3);
	}
}

static void
loopback(void **state)
{
	assert_true(ip_is_loopback("127.0.0.1"));
	assert_true(ip_is_loopback("127.9.9.9"));
	assert_true(ip_is_loopback("::1"));
	assert_true(ip_is_loopback("::ffff:127.0.0.1"));
	assert_false(ip_is_loopback("128.0.0.1"));
	assert_false(ip_is_loopback("::2"));
	assert_false(ip_is_loopback("localhost"));
	assert_false(ip_is_loopback(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(lines),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
