/*
 * Banned lines: what a pattern means, in pieces of any size; and against a
 * matcher that looks at each line as a whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "banned.h"

static struct val *
parse(const char *text)
{
	const char *err;
	struct val *v = val_parse_all(text, strlen(text), &err);

	if (v == NULL)
		fail_msg("%s: %s", text, err);
	return v;
}

static struct banned *
make(const char *header, const char *body, const char **err)
{
	struct val *h = parse(header), *b = parse(body);
	struct banned *banned = banned_make(h, b, err);

	val_free(h);
	val_free(b);
	return banned;
}

/* Which pattern is met, whatever the pieces are; "" for none. */
static const char *
meets(const char *header, const char *body, const char *text)
{
	static char met[BANNED_LINE + 1];
	size_t len = strlen(text), piece, at, n;
	struct banned_scan *s;
	const char *err, *m;
	struct banned *b = make(header, body, &err);

	assert_non_null(b);
	for (piece = 1; piece <= len; piece++) {
		s = banned_scan(b);
		for (at = 0; at < len; at += n) {
			n = len - at < piece ? len - at : piece;
			(void)banned_feed(s, text + at, n);
		}
		m = banned_end(s);
		m = m != NULL ? m : "";
		if (piece > 1)
			assert_string_equal(met, m);
		snprintf(met, sizeof(met), "%s", m);
		banned_scan_free(s);
	}
	banned_unref(b);
	return met;
}

#define NONE "()"

static void
header(void **state)
{
	static const char text[] = "Subject: buy\nX-Mailer: Bulk 1.0\n"
	    "To: a,\n b\n\tc\n\nX-Body: yes\n";

	assert_string_equal(meets("(\"X-Mailer: Bulk 1.0\")", NONE, text),
	    "X-Mailer: Bulk 1.0");
	assert_string_equal(meets("(\"X-Mailer: bulk 1.0\")", NONE, text), "");
	assert_string_equal(meets("(\"X-Mailer: Bulk\")", NONE, text), "");
	assert_string_equal(meets("(\"X-Mailer: Bulk*\")", NONE, text),
	    "X-Mailer: Bulk*");
	assert_string_equal(meets("(\"*ulk 1*\")", NONE, text), "*ulk 1*");
	assert_string_equal(meets("(\"*1.0\")", NONE, text), "*1.0");
	assert_string_equal(meets("(\"X-Body: yes\")", NONE, text), "");
	/* A field that was folded is one, with its line ends. */
	assert_string_equal(meets("(\"To: a,\")", NONE, text), "");
	assert_string_equal(meets("(\"To: a,\\e b\\e\\tc\")", NONE, text),
	    "To: a,\n b\n\tc");
	assert_string_equal(meets("(\"To: a,\\r\\n b\\r\\n\\tc\")", NONE, text),
	    "To: a,\n b\n\tc");
	assert_string_equal(meets("(\"To:*c\")", NONE, text), "To:*c");
	assert_string_equal(meets("(\"b*\")", NONE, text), "");
	/* It may be the last thing in the message. */
	assert_string_equal(meets("(\"A: b\")", NONE, "A: b"), "A: b");
	assert_string_equal(meets("(\"A: b\")", NONE, "A: b\n"), "A: b");
}

static void
body(void **state)
{
	static const char text[] = "Subject: x\n\nfirst\n\n second line \n"
	    "abababac\nlast";

	assert_string_equal(meets(NONE, "(first)", text), "first");
	assert_string_equal(meets(NONE, "(\" second line \")", text),
	    " second line ");
	assert_string_equal(meets(NONE, "(\"second line\")", text), "");
	assert_string_equal(meets(NONE, "(\"*second*\")", text), "*second*");
	assert_string_equal(meets(NONE, "(\"*ababac\")", text), "*ababac");
	assert_string_equal(meets(NONE, "(\"ab*ab*ac\")", text), "ab*ab*ac");
	assert_string_equal(meets(NONE, "(\"*abab*abab*\")", text), "");
	assert_string_equal(meets(NONE, "(\"**bac**\")", text), "*bac*");
	assert_string_equal(meets(NONE, "(last)", text), "last");
	assert_string_equal(meets(NONE, "(\"Subject: x\")", text), "");
	assert_string_equal(meets(NONE, "(a,b,\"ab*c\")", text), "ab*c");
}

static void
nonsense(void **state)
{
	static const char *const bad[] = { "(\"*\")", "(a,\"***\")", "({})",
		"((a))", "abc" };
	const char *err;
	size_t i;

	assert_null(make(NONE, NONE, &err));
	assert_null(err);
	assert_null(make("(\"\",\"\")", "(\"\")", &err));
	assert_null(err);
	assert_null(banned_make(NULL, NULL, &err));
	assert_null(err);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(make(bad[i], NONE, &err));
		assert_non_null(err);
		assert_null(make(NONE, bad[i], &err));
		assert_non_null(err);
	}
	assert_null(make(NONE, "(\"a\\eb\")", &err));
	assert_non_null(err);
}

/* The patterns of a message under way outlive a change of settings. */
static void
changes(void **state)
{
	const char *err;
	struct banned *b = make(NONE, "(bad)", &err);
	struct banned_scan *s = banned_scan(b);

	banned_unref(b);
	assert_null(banned_feed(s, "A: b\n\nba", 8));
	assert_string_equal(banned_feed(s, "d\n", 2), "bad");
	assert_string_equal(banned_end(s), "bad");
	banned_scan_free(s);
}

/* --- at random --- */

static bool
glob(const char *p, const char *s, size_t n)
{
	if (*p == '\0')
		return n == 0;
	if (*p == '*')
		return glob(p + 1, s, n) || (n > 0 && glob(p, s + 1, n - 1));
	return n > 0 && *p == *s && glob(p + 1, s + 1, n - 1);
}

static void
random_text(char *out, size_t max, const char *letters)
{
	size_t n = 1 + rand() % max, i;

	for (i = 0; i < n; i++)
		out[i] = letters[rand() % strlen(letters)];
	out[n] = '\0';
}

static void
at_random(void **state)
{
	char pattern[12], line[20], text[64], quoted[40];
	const char *met;
	int i;

	srand(1);
	for (i = 0; i < 20000; i++) {
		random_text(pattern, 8, "ab*");
		random_text(line, 14, "ab");
		if (strspn(pattern, "*") == strlen(pattern))
			continue;
		snprintf(text, sizeof(text), "A: b\n\n%s\n", line);
		snprintf(quoted, sizeof(quoted), "(\"%s\")", pattern);
		met = meets(NONE, quoted, text);
		if ((*met != '\0') != glob(pattern, line, strlen(line)))
			fail_msg("%s and %s: %s", pattern, line, met);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header),
		cmocka_unit_test(body),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(changes),
		cmocka_unit_test(at_random)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
