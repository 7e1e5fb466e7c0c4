/* Account lists: columns, rows, and what is wrong where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../authd/import.h"
#include "dict.h"

static void
columns(void **state)
{
	struct import_list l;
	const struct val *v;

	assert_true(import_parse(&l, str_make("\r\n"
	    "Ignore\tname\tTYPE\tAliases\tUnixPassword\tStorage\tcity\tRules\r"
	    "\n\n"
	    "x\t Ann \tText  Mailbox\t a, b ,,c\t$6$h\t5M\tBonn\t((1,r,(),()))\n"
	    "\tben")));
	assert_int_equal(l.nrows, 2);
	assert_string_equal(l.rows[0].name, "Ann");
	assert_string_equal(l.rows[0].type, "TextMailbox");
	assert_int_equal(l.rows[0].line, 4);
	assert_int_equal(val_count(l.rows[0].aliases), 3);
	assert_string_equal(val_text(val_at(l.rows[0].aliases, 1)), "b");
	v = l.rows[0].settings;
	assert_string_equal(dict_str(v, "Password", ""), "\002$6$h");
	assert_string_equal(dict_str(v, "MaxAccountSize", ""), "5M");
	assert_string_equal(dict_str(v, "city", ""), "Bonn");
	assert_int_equal(val_type(dict_get(v, "Rules")), VAL_ARRAY);
	assert_string_equal(l.rows[1].name, "ben");
	assert_string_equal(l.rows[1].type, "");
	assert_null(l.rows[1].aliases);
	assert_int_equal(l.rows[1].line, 5);
	assert_int_equal(val_count(l.rows[1].settings), 0);
	import_free(&l);
}

static void
wrong(void **state)
{
	static const struct {
		const char	*text;
		unsigned	 line;
	} bad[] = {
		{ "", 0 }, { "\n\n", 2 }, { "RealName\nann", 1 },
		{ "Name\t\tType\nq", 1 }, { "Name\nq\tr", 2 },
		{ "Name\tType\n\tx", 2 }, { "Name\tRules\nq\t(a", 2 },
		{ "Name\tcity\nq\t\nr\t{a", 3 }, { "Type\tx\n\n", 1 }
	};
	struct import_list l;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(import_parse(&l, str_make(bad[i].text)));
		assert_non_null(l.err);
		assert_int_equal(l.line, bad[i].line);
		import_free(&l);
	}
}

static void
line_ends(void **state)
{
	static const char *const texts[] = { "Name\na\nb\nc\n",
		"Name\r\na\r\nb\r\nc", "Name\ra\rb\rc\r" };
	struct import_list l;
	size_t i;

	for (i = 0; i < 3; i++) {
		assert_true(import_parse(&l, str_make(texts[i])));
		assert_int_equal(l.nrows, 3);
		assert_string_equal(l.rows[2].name, "c");
		assert_int_equal(l.rows[2].line, 4);
		import_free(&l);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns),
		cmocka_unit_test(wrong),
		cmocka_unit_test(line_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
