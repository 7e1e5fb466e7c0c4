/* From_ lines, and what is found in .mbox files of all origins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "from.h"

static struct from_line
parsed(const char *line)
{
	struct from_line f;

	if (!from_parse(line, strlen(line), &f))
		fail_msg("no From_ line: %s", line);
	return f;
}

static bool
is_from(const char *line)
{
	struct from_line f;

	return from_parse(line, strlen(line), &f);
}

static void
test_ours(void **state)
{
	struct from_line f = { .path = str_make("ann@x.org"),
		.flags = MSG_SEEN | MSG_RECENT | MSG_DELETED,
		.keywords = 0xdeadbeef, .uid = 4711, .length = 123456,
		.date = 1795228826 };
	char line[FROM_MAX];
	size_t n = from_format(line, &f);

	assert_string_equal(line, "From <ann@x.org>(R--D--r-DEADBEEF-"
	    "0000004711-000000123456) Sat Nov 21 02:40:26 2026\n");
	assert_int_equal(n, strlen(line));
	assert_int_equal(line[n - FROM_TAIL], '(');
	line[n - 1] = '\0';
	f = parsed(line);
	assert_true(f.fixed);
	assert_int_equal(f.flags, MSG_SEEN | MSG_RECENT | MSG_DELETED);
	assert_int_equal(f.keywords, 0xdeadbeef);
	assert_int_equal(f.uid, 4711);
	assert_int_equal(f.length, 123456);
	assert_int_equal(f.date, 1795228826);
	assert_true(str_eq(f.path, "ann@x.org"));
}

static void
test_width_is_fixed(void **state)
{
	static const struct from_line f[] = {
		{ .path = { "", 0 }, .uid = 1, .length = 0, .date = 1 },
		{ .path = { "", 0 }, .flags = MSG_FLAGS, .uid = UINT32_MAX - 1,
		    .keywords = UINT32_MAX, .length = FROM_UNKNOWN,
		    .date = 4000000000LL },
	};
	char a[FROM_MAX], b[FROM_MAX];

	assert_int_equal(from_format(a, &f[0]), from_format(b, &f[1]));
	assert_int_equal(from_format(a, &f[0]), 7 + FROM_TAIL);
}

static void
test_paths(void **state)
{
	static const char *const paths[] = { "", "a@b", "\"a>(b\"@c",
		"\"(RRRRRRRR00000000-0000000001-000000000001)\"@x",
		"a>(RRRRRRRR00000000-0000000001-000000000001) b@x" };
	struct from_line f = { .uid = 77, .length = 5, .date = 1000000000 };
	char line[FROM_MAX];
	size_t i, n;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		f.path = str_make(paths[i]);
		n = from_format(line, &f);
		line[n - 1] = '\0';
		assert_true(parsed(line).fixed);
		assert_int_equal(parsed(line).uid, 77);
		assert_int_equal(parsed(line).flags, 0);
		assert_true(str_eq(parsed(line).path, paths[i]));
	}
	f.path = str_make("evil\nFrom x\r\n@y");
	n = from_format(line, &f);
	assert_null(memchr(line, '\n', n - 1));
	assert_null(memchr(line, '\r', n));
}

static void
test_others(void **state)
{
	struct from_line f;

	f = parsed("From ann Sat Nov 21 02:40:26 2026");
	assert_int_equal(f.uid, 0);
	assert_int_equal(f.date, 1795228826);
	assert_true(str_eq(f.path, "ann"));
	assert_false(f.fixed);
	f = parsed("From ann@x Sat Nov 21 02:40 MET 2026");
	assert_int_equal(f.date, 1795228800);
	f = parsed("From - Sat Nov 21 02:40:26 2026 +0100");
	assert_int_equal(f.date, 1795228826);
	f = parsed("From <ann@x>(R-101) Sat Nov 21 02:40:26 2026");
	assert_int_equal(f.uid, 101);
	assert_int_equal(f.flags, MSG_SEEN);
	f = parsed("From <ann@x>(RfAd-0000000101) Sat Nov 21 02:40:26 2026");
	assert_int_equal(f.uid, 101);
	assert_int_equal(f.flags, MSG_SEEN | MSG_FLAGGED | MSG_ANSWERED |
	    MSG_DELETED);
	f = parsed("From <>(R-12-345) x");
	assert_int_equal(f.uid, 12);
	assert_int_equal(f.length, 345);
	f = parsed("From <a@b>(7) x");
	assert_int_equal(f.uid, 7);
	/* lower case hex is ours as well */
	f = parsed("From <a@b>(--------0000000a-0000000007-000000000009) "
	    "Sat Nov 21 02:40:26 2026");
	assert_true(f.fixed);
	assert_int_equal(f.keywords, 10);
	/* a width that is nearly ours */
	f = parsed("From <a@b>(R-------0000000A-00000007-000000000009) "
	    "Sat Nov 21 02:40:26 2026");
	assert_false(f.fixed);
	assert_int_equal(f.uid, 7);
	assert_int_equal(f.length, 9);
	assert_int_equal(f.flags, MSG_SEEN);
	assert_int_equal(f.keywords, 10);
}

static void
test_prose(void **state)
{
	assert_false(is_from("From me to you"));
	assert_false(is_from("From here on, at 10:30, it is Nov 21"));
	assert_false(is_from("From "));
	assert_false(is_from("From"));
	assert_false(is_from("from a Sat Nov 21 02:40:26 2026"));
	assert_false(is_from(">From a Sat Nov 21 02:40:26 2026"));
	assert_false(is_from("From <a@b>(hello) there"));
	assert_false(is_from(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ours),
		cmocka_unit_test(test_width_is_fixed),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_prose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
