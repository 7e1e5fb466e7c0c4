/* Helper programs: their lines, and the commands that start them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "helper.h"

static struct helper_answer
parse(const char *line)
{
	struct helper_answer a;

	helper_parse(str_make(line), &a);
	return a;
}

static void
answers(void **state)
{
	static const struct {
		const char	*line;
		enum helper_said said;
		uint32_t	 seq;
		const char	*text;
	} table[] = {
		{ "00010 OK", HELPER_OK, 10, "" },
		{ "10 ok 1 OAUTHBEARER", HELPER_OK, 10, "1 OAUTHBEARER" },
		{ "00011 ERROR incorrect password", HELPER_ERROR, 11,
		    "incorrect password" },
		{ " 7\tError", HELPER_ERROR, 7, "" },
		{ "4294967295 OK", HELPER_OK, 4294967295U, "" },
		{ "* started", HELPER_COMMENT, 0, "started" },
		{ "*", HELPER_COMMENT, 0, "" },
		{ "", HELPER_NONSENSE, 0, "" },
		{ "OK", HELPER_NONSENSE, 0, "" },
		{ "00010", HELPER_NONSENSE, 10, "" },
		{ "00010 OKAY", HELPER_NONSENSE, 10, "" },
		{ "4294967296 OK", HELPER_NONSENSE, 0, "" },
		{ "-1 OK", HELPER_NONSENSE, 0, "" },
	};
	struct helper_answer a;
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		a = parse(table[i].line);
		assert_int_equal(a.said, table[i].said);
		assert_int_equal(a.seq, table[i].seq);
		if (a.said != HELPER_NONSENSE)
			assert_true(str_eq(a.text, table[i].text));
	}
}

static void
sendable(void **state)
{
	assert_true(helper_sendable(str_make("two words, \xc3\xa4")));
	assert_true(helper_sendable(str_make("")));
	assert_false(helper_sendable(str_make("a\nVRFY b c")));
	assert_false(helper_sendable(str_make("a\r")));
	assert_false(helper_sendable((struct str){ "a\0b", 3 }));
	assert_true(helper_has_word(str_make("1 xoauth2 OAUTHBEARER"),
	    "OAUTHBEARER"));
	assert_false(helper_has_word(str_make("1 XOAUTH22"), "XOAUTH2"));
	assert_false(helper_has_word(str_make(""), "XOAUTH2"));
}

static void
commands(void **state)
{
	char many[3 * HELPER_WORDS + 3];
	char **w = helper_words("  /opt/x/auth  -f \"/etc/my \\\"file\\\"\" a\"b "
	    "c\"d \"\"");
	int i;

	assert_non_null(w);
	assert_string_equal(w[0], "/opt/x/auth");
	assert_string_equal(w[1], "-f");
	assert_string_equal(w[2], "/etc/my \"file\"");
	assert_string_equal(w[3], "ab cd");
	assert_string_equal(w[4], "");
	assert_null(w[5]);
	helper_words_free(w);
	assert_null(helper_words(""));
	assert_null(helper_words("   "));
	assert_null(helper_words("a \"b"));
	assert_null(helper_words("a \"b\\"));
	for (i = 0; i < HELPER_WORDS; i++)
		memcpy(many + 2 * i, "a ", 3);
	w = helper_words(many);
	assert_non_null(w);
	helper_words_free(w);
	memcpy(many + 2 * i, "a", 2);
	assert_null(helper_words(many));
	helper_words_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(sendable),
		cmocka_unit_test(commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
