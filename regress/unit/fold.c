/* Case folding, and search in pieces of any size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fold.h"

static const struct {
	const char	*needle, *text;
	bool		 found;
} searches[] = {
	{ "", "", true },
	{ "", "x", true },
	{ "x", "", false },
	{ "x", "X", true },
	{ "HELLO", "Say hello.", true },
	{ "hello", "Say hell.", false },
	{ "o w", "Hello World", true },
	{ "[@`{", "x[@`{y", true },		/* neighbours of letters */
	{ "[@`{", "x{`@[y", false },
	{ "\r\nb", "a\r\nB", true },
	{ "aab", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", true },
	{ "end", "seventeen bytes here, and the END", true },
	{ "gr\303\274\303\237e", "Viele GR\303\234SSE aus", true },
	{ "STRASSE", "Stra\303\237e", true },
	{ "\321\201\321\202\320\276", "\320\241\320\242\320\236", true },
	{ "\317\203", "\317\202", true },		/* both sigmas */
	{ "k", "\342\204\252", true },			/* the Kelvin sign */
	{ "i\314\207", "\304\260", true },		/* I with a dot */
	{ "\346\227\245\346\234\254", "x\346\227\245\346\234\254y", true },
	{ "\360\220\220\250", "\360\220\220\200", true },	/* Deseret */
	{ "\374ber", "\374BER", true },			/* not UTF-8 */
	{ "\374", "\303\274", false },
	{ "b\303", "ab\303", true },			/* cut off */
	{ "\303\274", "ascii", false }
};

static bool
in_pieces(struct finder *f, struct needle *n, struct str s, size_t size)
{
	struct needle *open[] = { n };
	bool found = false;
	size_t i, k;

	finder_start(f, open, 1);
	for (i = 0; i < s.len && !found; i += k) {
		k = s.len - i < size ? s.len - i : size;
		found = finder_feed(f, s.p + i, k, false);
	}
	return found || finder_feed(f, "", 0, true);
}

static void
finds(void **state)
{
	struct needle n;
	struct finder f;
	struct str s;
	size_t i, size;

	finder_init(&f);
	for (i = 0; i < sizeof(searches) / sizeof(searches[0]); i++) {
		s = str_make(searches[i].text);
		assert_true(needle_init(&n, str_make(searches[i].needle)));
		if (finder_find(&f, &n, s) != searches[i].found)
			print_error("%s in %s\n", searches[i].needle,
			    searches[i].text);
		assert_int_equal(finder_find(&f, &n, s), searches[i].found);
		for (size = 1; size < 6; size++)
			assert_int_equal(in_pieces(&f, &n, s, size),
			    searches[i].found);
		needle_free(&n);
	}
	finder_free(&f);
}

/* A needle at each place of a longer text, of ASCII and not. */
static void
everywhere(void **state)
{
	static const char *const fill[] = { "ab c", "\303\274 a" };
	static const char word[] = "NeedLE";
	struct needle n;
	struct finder f;
	char text[121];
	size_t i, k;
	int kind;

	finder_init(&f);
	assert_true(needle_init(&n, str_make("needle")));
	for (kind = 0; kind < 2; kind++)
		for (i = 0; i + 6 < sizeof(text); i += 2) {
			for (k = 0; k < sizeof(text) - 1; k++)
				text[k] = fill[kind][k % 4];
			text[k] = '\0';
			assert_false(finder_find(&f, &n, str_make(text)));
			memcpy(text + i, word, 6);
			assert_true(finder_find(&f, &n, str_make(text)));
			for (k = 1; k < 20; k++)
				assert_true(in_pieces(&f, &n, str_make(text),
				    k));
		}
	needle_free(&n);
	finder_free(&f);
}

/* Many needles at once, in pieces of any size: each as if it were alone. */
static void
together(void **state)
{
	enum { N = 6 };
	static const char *const words[N] = { "x", "needle", "GR\303\234SSE",
		"no such thing", "dle", "a long one, with blanks and \303\274" };
	static const char text[] = "The neeDLE is here: gr\303\274\303\237e, X; "
	    "A LONG ONE, WITH blanks and \303\234 at the end";
	struct needle n[N], *open[N];
	struct str s = str_make(text);
	struct finder f;
	size_t i, k, off, size;

	finder_init(&f);
	for (i = 0; i < N; i++)
		assert_true(needle_init(&n[i], str_make(words[i])));
	for (size = 1; size <= s.len; size++) {
		for (i = 0; i < N; i++)
			open[i] = &n[i];
		finder_start(&f, open, N);
		for (off = 0; off < s.len; off += k) {
			k = s.len - off < size ? s.len - off : size;
			assert_false(finder_feed(&f, s.p + off, k,
			    off + k == s.len));
		}
		assert_int_equal(f.nopen, 1);
		for (i = 0; i < N; i++)
			assert_int_equal(n[i].found, i != 3);
	}
	for (i = 0; i < N; i++)
		needle_free(&n[i]);
	finder_free(&f);
}

/* What makes a simple search slow does not. */
static void
patience(void **state)
{
	struct needle n;
	struct finder f;
	struct buf b;

	buf_init(&b, 0);
	buf_printf(&b, "%05000d1", 0);
	assert_true(needle_init(&n, (struct str){ b.p, b.len }));
	buf_reset(&b);
	buf_printf(&b, "%01000000d", 0);
	finder_init(&f);
	assert_false(finder_find(&f, &n, (struct str){ b.p, b.len }));
	b.p[b.len - 1] = '1';
	assert_true(finder_find(&f, &n, (struct str){ b.p, b.len }));
	finder_free(&f);
	needle_free(&n);
	buf_free(&b);
}

static void
folds(void **state)
{
	struct buf b;

	buf_init(&b, 0);
	assert_true(fold_utf8(&b, str_make("A\303\204\303\237\377Z[")));
	assert_string_equal(b.p, "a\303\244ss\377z[");
	buf_reset(&b);
	assert_true(fold_utf8(&b, str_make("\357\254\203 \306\237")));
	assert_string_equal(b.p, "ffi \311\265");
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
		cmocka_unit_test(everywhere), cmocka_unit_test(together),
		cmocka_unit_test(patience),
		cmocka_unit_test(folds)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
