/* Rows of blacklists in the DNS, ranges of results, tables of names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "iplist.h"
#include "lookup.h"
#include "lib/rbl.c"

static bool
hit(const char *row, const char *records)
{
	struct rbl r;
	bool yes;

	if (!rbl_parse(&r, str_make(row)))
		fail_msg("'%s' is refused", row);
	yes = rbl_hit(&r, records);
	rbl_free(&r);
	return yes;
}

static void
usual(void **state)
{
	assert_false(hit("bl.example", ""));
	assert_false(hit("bl.example", "127.0.0.0\n"));
	assert_false(hit("bl.example", "127.0.0.1\n"));
	assert_true(hit("bl.example", "127.0.0.2\n"));
	assert_true(hit("bl.example", "127.0.255.255\n"));
	assert_true(hit("bl.example", "127.1.255.255\n"));
	assert_false(hit("bl.example", "127.2.0.0\n"));
	assert_false(hit("bl.example", "192.0.2.1\n"));
	assert_true(hit("bl.example", "192.0.2.1\n127.0.0.4\n"));
	assert_false(hit("bl.example", "nonsense\n::1\n\n"));
}

static void
ranges(void **state)
{
	static const char one[] = "bl.example 127.0.0.4";
	static const char some[] =
	    " bl.example. \t127.0.0.10-127.0.0.20,127.0.1.0/24 , 10.0.0.1,";

	assert_true(hit(one, "127.0.0.4\n"));
	assert_false(hit(one, "127.0.0.2\n"));
	assert_true(hit(some, "127.0.0.10\n"));
	assert_true(hit(some, "127.0.0.20\n"));
	assert_false(hit(some, "127.0.0.21\n"));
	assert_true(hit(some, "127.0.1.200\n"));
	assert_true(hit(some, "10.0.0.1\n"));
	assert_false(hit(some, "127.0.0.2\n"));
	assert_false(hit("bl.example 127.0.0.0/8,!127.0.0.9", "127.0.0.9\n"));
}

static void
zones(void **state)
{
	static const char *const bad[] = {
		"", " ", ".", "a b.example", "bl..example", "bl.example x",
		"bl.example 127.0.0.9-127.0.0.2", "bl.example 127.0.0.2 to 4",
		"192.0.2.1/24", "bl_\001.example", "[192.0.2.1]"
	};
	char longer[300];
	struct rbl r;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (rbl_parse(&r, str_make(bad[i])))
			fail_msg("'%s' is taken", bad[i]);
	memset(longer, 'a', sizeof(longer));
	for (i = 10; i < sizeof(longer); i += 10)
		longer[i] = '.';
	assert_true(rbl_parse(&r, (struct str){ longer, 189 }));
	rbl_free(&r);
	assert_false(rbl_parse(&r, (struct str){ longer, 199 }));
	assert_false(rbl_parse(&r, (struct str){ "a\0b.example", 11 }));
}

static bool
in(const char *table, const char *name)
{
	const char *err;
	struct val *v = val_parse_all(table, strlen(table), &err);
	bool yes;

	if (v == NULL)
		fail_msg("%s: %s", table, err);
	yes = rows_match(v, name);
	val_free(v);
	return yes;
}

static void
tables(void **state)
{
	static const char array[] =
	    "(\"*.spam.example\",\" host.example ; a note\",\"; all\",\"\")";
	static const char lines[] =
	    "\"dial*.isp.example\\e  two.example  \\e;*\\e\"";

	assert_true(in(array, "a.spam.example"));
	assert_true(in(array, "A.B.Spam.EXAMPLE"));
	assert_false(in(array, "spam.example"));
	assert_true(in(array, "host.example"));
	assert_false(in(array, "xhost.example"));
	assert_false(in(array, "other.example"));
	assert_false(in(array, ""));
	assert_true(in(lines, "dialup.7.isp.example"));
	assert_true(in(lines, "two.example"));
	assert_false(in(lines, "three.example"));
	assert_true(in("(\"host name is unknown\")", RBL_NO_NAME));
	assert_true(in("(\"*\")", "any.example"));
	assert_false(in("()", "any.example"));
	assert_false(in("{a=b;}", "b"));
	assert_false(rows_match(NULL, "b"));
}

static void
reversed(void **state)
{
	char name[256], small[20];

	assert_true(look_reversed("192.0.2.17", "bl.example", name,
	    sizeof(name)));
	assert_string_equal(name, "17.2.0.192.bl.example");
	assert_true(look_reversed("2001:db8::1", "ip6.arpa", name,
	    sizeof(name)));
	assert_string_equal(name, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	    "0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
	assert_false(look_reversed("host", "bl.example", name, sizeof(name)));
	assert_false(look_reversed("192.0.2.17", "bl.example", small,
	    sizeof(small)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usual), cmocka_unit_test(ranges),
		cmocka_unit_test(zones), cmocka_unit_test(tables),
		cmocka_unit_test(reversed)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
