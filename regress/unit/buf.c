/* Cursors and growing buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"

static void
cursor_words(void **state)
{
	struct cur c = cur_str("one  Two=3\r\nline\nlast");
	struct str s;
	uint64_t n;

	s = cur_until(&c, " ");
	assert_true(str_eq(s, "one"));
	cur_ws(&c);
	assert_false(cur_lit(&c, "two"));
	assert_true(cur_caselit(&c, "two"));
	assert_int_equal(cur_get(&c), '=');
	assert_true(cur_u64(&c, &n, 3));
	assert_int_equal(n, 3);
	assert_true(cur_line(&c, &s));
	assert_int_equal(s.len, 0);
	assert_true(cur_line(&c, &s));
	assert_true(str_eq(s, "line"));
	assert_true(cur_line(&c, &s));
	assert_true(str_caseeq(s, "LAST"));
	assert_false(cur_line(&c, &s));
	assert_int_equal(cur_peek(&c), -1);
	assert_false(cur_skip(&c, 1));
}

static void
cursor_numbers(void **state)
{
	static const struct {
		const char	*text;
		uint64_t	 max, n;
		bool		 ok;
	} t[] = {
		{ "0", UINT64_MAX, 0, true },
		{ "18446744073709551615", UINT64_MAX, UINT64_MAX, true },
		{ "18446744073709551616", UINT64_MAX, 0, false },
		{ "99999999999999999999999", UINT64_MAX, 0, false },
		{ "256", 255, 0, false },
		{ "", 10, 0, false },
		{ "-1", 10, 0, false },
		{ "x", 10, 0, false },
	};
	struct cur c;
	uint64_t n;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		c = cur_str(t[i].text);
		assert_int_equal(cur_u64(&c, &n, t[i].max), t[i].ok);
		if (t[i].ok)
			assert_true(n == t[i].n);
		else
			assert_ptr_equal(c.p, t[i].text);
	}
}

static void
cursor_sets(void **state)
{
	struct cur c = cur_make("ab\0\xff;c", 6);
	struct str s = cur_until(&c, ";\xff");

	assert_int_equal(s.len, 3);
	s = cur_span(&c, "\xff;");
	assert_int_equal(s.len, 2);
	s = cur_until(&c, ";");
	assert_true(str_eq(s, "c"));
	s = cur_until(&c, "");
	assert_int_equal(s.len, 0);
}

static void
grows(void **state)
{
	struct buf b;
	char *p;
	int i;

	buf_init(&b, 0);
	for (i = 0; i < 1000; i++)
		assert_true(buf_printf(&b, "%d,", i));
	assert_int_equal(b.len, 10 * 2 + 90 * 3 + 900 * 4);
	assert_int_equal(strlen(b.p), b.len);
	buf_reset(&b);
	assert_int_equal(b.len, 0);
	assert_true(buf_putc(&b, 0) && buf_puts(&b, "x"));
	assert_memory_equal(b.p, "\0x", 3);
	p = buf_steal(&b);
	assert_memory_equal(p, "\0x", 3);
	free(p);
	p = buf_steal(&b);
	assert_string_equal(p, "");
	free(p);
}

static void
stops_at_max(void **state)
{
	struct buf b;

	buf_init(&b, 10);
	assert_true(buf_puts(&b, "0123456789"));
	assert_false(buf_putc(&b, 'x'));
	assert_true(b.failed);
	assert_string_equal(b.p, "0123456789");
	buf_reset(&b);
	assert_true(buf_puts(&b, "01234"));
	assert_false(buf_printf(&b, "%s", "567890"));
	assert_string_equal(b.p, "01234");
	assert_false(buf_puts(&b, ""));
	assert_null(buf_steal(&b));
}

static void
strings(void **state)
{
	char small[4];

	assert_true(str_copy(str_make("abc"), small, sizeof(small)));
	assert_string_equal(small, "abc");
	assert_false(str_copy(str_make("abcd"), small, sizeof(small)));
	assert_string_equal(small, "");
	assert_false(str_eq(str_make("ab"), "abc"));
	assert_false(str_caseeq(str_make("abc"), "ab"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cursor_words),
		cmocka_unit_test(cursor_numbers),
		cmocka_unit_test(cursor_sets),
		cmocka_unit_test(grows),
		cmocka_unit_test(stops_at_max),
		cmocka_unit_test(strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
