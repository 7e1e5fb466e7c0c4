/* base64: RFC 4648's vectors, every length, and what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rfc5322.h"

static void
vectors(void **state)
{
	static const char *const t[][2] = { { "", "" }, { "f", "Zg==" },
		{ "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" } };
	struct buf b;
	size_t i;

	buf_init(&b, 0);
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		buf_reset(&b);
		assert_true(base64_encode(&b, t[i][0], strlen(t[i][0])));
		assert_string_equal(b.p, t[i][1]);
		buf_reset(&b);
		assert_int_equal(base64_decode(&b, str_make(t[i][1])), 0);
		assert_string_equal(b.p, t[i][0]);
	}
	buf_free(&b);
}

static void
all_lengths(void **state)
{
	unsigned char raw[256];
	struct buf text, back;
	struct str s;
	size_t i;

	for (i = 0; i < sizeof(raw); i++)
		raw[i] = (unsigned char)(i * 167 + 13);
	buf_init(&text, 0);
	buf_init(&back, 0);
	for (i = 0; i <= sizeof(raw); i++) {
		buf_reset(&text);
		buf_reset(&back);
		assert_true(base64_encode(&text, raw, i));
		s.p = text.p;
		s.len = text.len;
		assert_int_equal(base64_decode(&back, s), 0);
		assert_int_equal(back.len, i);
		assert_memory_equal(back.p, raw, i);
	}
	buf_free(&text);
	buf_free(&back);
}

static void
refused(void **state)
{
	static const char *const bad[] = { "Z", "Zg", "Zg=", "Zg===", "====",
		"Z===", "Zh==", "Zm9=", "Zg==Zg==", "Zm 9v", "Zm9v\n",
		"Zm-_", "=Zm9", "Z=m9", "Zm=v" };
	struct buf b;
	size_t i;

	buf_init(&b, 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (base64_decode(&b, str_make(bad[i])) != -1)
			fail_msg("taken: %s", bad[i]);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(all_lengths),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
