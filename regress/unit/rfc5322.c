/* Header fields, whole and broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rfc5322.h"

static const char mail[] =
    "Received: by a\r\n\tfor b\r\n"
    "received: by c\r\n"
    "Subject : Hello\r\n  there \r\n"
    "X-Empty:\r\n"
    "To: x@y\r\n"
    "\r\n"
    "Body: none\r\n";

static struct str
header(const char *text)
{
	struct str s = str_make(text);

	s.len = header_end(s);
	return s;
}

static void
finds(void **state)
{
	struct str h = header(mail);
	struct field f;
	struct buf b;

	buf_init(&b, 0);
	assert_int_equal(h.len, strstr(mail, "Body") - mail);
	assert_true(header_find(h, "subject", &f));
	assert_true(str_eq(f.name, "Subject"));
	assert_true(str_eq(f.whole, "Subject : Hello\r\n  there \r\n"));
	assert_true(field_unfold(&b, f.body));
	assert_string_equal(b.p, "Hello  there");
	assert_true(header_find(h, "X-Empty", &f));
	assert_int_equal(f.body.len, 0);
	buf_reset(&b);
	assert_true(field_unfold(&b, f.body));
	assert_int_equal(b.len, 0);
	assert_false(header_find(h, "Body", &f));
	assert_false(header_find(str_make(mail), "Body", &f));
	buf_free(&b);
}

static void
line_feeds(void **state)
{
	struct str h = header("A: 1\nB: 2\n 3\n\nC: 4\n");
	struct field f;

	assert_int_equal(h.len, 14);
	assert_true(header_find(h, "b", &f));
	assert_true(str_eq(f.body, " 2\n 3"));
}

static void
broken(void **state)
{
	struct field f;
	struct cur c;

	assert_int_equal(header_end(str_make("A: 1\nB")), 6);
	assert_int_equal(header_end(str_make("\r\nx")), 2);
	assert_int_equal(header_end(str_make("")), 0);
	c = cur_str("no colon here\r\nA: b\r\n");
	assert_false(field_next(&c, &f));
	c = cur_str(": x\r\n");
	assert_false(field_next(&c, &f));
	c = cur_str(" folded: x\r\n");
	assert_false(field_next(&c, &f));
	c = cur_str("A:");
	assert_true(field_next(&c, &f));
	assert_int_equal(f.body.len, 0);
	assert_false(field_next(&c, &f));
}

static void
ids(void **state)
{
	char a[128], b[128];

	message_id(a, sizeof(a), "host.dom");
	message_id(b, sizeof(b), "host.dom");
	assert_string_not_equal(a, b);
	assert_int_equal(a[0], '<');
	assert_string_equal(strchr(a, '@'), "@host.dom>");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
		cmocka_unit_test(line_feeds),
		cmocka_unit_test(broken),
		cmocka_unit_test(ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
