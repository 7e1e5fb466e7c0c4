/* Dictionaries: reading, writing, changing, and refusing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "dict.h"

static struct val *
parse(const char *text)
{
	const char *err = "?";
	struct val *v = val_parse_all(text, strlen(text), &err);

	if (v == NULL)
		fail_msg("%s: %s", text, err);
	return v;
}

static void
expect(const char *text, const char *written)
{
	struct val *v = parse(text), *again, *copy;
	struct buf b;

	buf_init(&b, 0);
	assert_true(val_write(&b, v, false));
	assert_string_equal(b.p, written);
	again = parse(b.p);
	copy = val_copy(again);
	buf_reset(&b);
	assert_true(val_write(&b, copy, true));
	val_free(again);
	again = parse(b.p);
	buf_reset(&b);
	assert_true(val_write(&b, again, false));
	assert_string_equal(b.p, written);
	buf_free(&b);
	val_free(v);
	val_free(again);
	val_free(copy);
}

static void
round_trips(void **state)
{
	expect("MyName", "MyName");
	expect("\"My Name. sign\"", "\"My Name. sign\"");
	expect("\"a \\\"string\\\" within\"", "\"a \\\"string\\\" within\"");
	expect("\"L1\\eL2\\nL3\\r\\t\\012\\000\"",
	    "\"L1\\eL2\\eL3\\r\\t\\012\\000\"");
	expect("\"\"", "\"\"");
	expect("{a=\"one \"\n  \"two\"\t\"\"; b=(\"x\"\"y\",z);}",
	    "{a=\"one two\";b=(xy,z);}");
	expect("(Element1 , \"Element2\" , \"Element 3\")",
	    "(Element1,Element2,\"Element 3\")");
	expect("(\nElement1  ,\n(    \"Sub Element1\",\nSub2  )\n)",
	    "(Element1,(\"Sub Element1\",Sub2))");
	expect("( )", "()");
	expect("{}", "{}");
	expect("{Key2=(E1,E2);\n Key1 = {S1 = \"XXX 1\"; S2=X245;  };}",
	    "{Key1={S1=\"XXX 1\";S2=X245;};Key2=(E1,E2);}");
	expect("{a=b}", "{a=b;}");
	expect("{\"a key\"=b;\"\"=c;}", "{\"\"=c;\"a key\"=b;}");
	expect("(#5,#-7,#NULL#,#T21-11-2026_10:00:00,#I[1.2.3.4]:25)",
	    "(#5,#-7,#NULL#,#T21-11-2026_10:00:00,#I[1.2.3.4]:25)");
	expect("[Zm 9v\nYg==]", "[Zm9vYg==]");
	expect("{A=user@domain.com;B=*;}", "{A=\"user@domain.com\";B=\"*\";}");
	expect("\"gr\xc3\xbc\xc3\x9f\"", "\"gr\xc3\xbc\xc3\x9f\"");
}

static void
types(void **state)
{
	struct val *v = parse("(a,#5,#NULL#,#T1,#I[1],[Zg==],{},())");
	static const enum val_type t[] = { VAL_STRING, VAL_NUMBER, VAL_NULL,
		VAL_TIME, VAL_ADDR, VAL_DATA, VAL_DICT, VAL_ARRAY };
	size_t i;

	assert_int_equal(val_count(v), 8);
	for (i = 0; i < 8; i++)
		assert_int_equal(val_type(val_at(v, i)), t[i]);
	assert_string_equal(val_text(val_at(v, 1)), "5");
	assert_string_equal(val_text(val_at(v, 5)), "f");
	assert_null(val_text(val_at(v, 6)));
	assert_null(val_at(v, 8));
	val_free(v);
}

static void
refused(void **state)
{
	static const char *const bad[] = { "", " ", "{", "(", "\"", "{a", "{a=",
		"{a=b", "{a=b;", "{=b;}", "{a=b;;}", "(a", "(a,", "(a,)", "(,)",
		"a b", "{} x", "\"a\\", "\"a\\x\"", "\"\\256\"", "\"\\1\"",
		"#", "#x", "#5x", "#99999999999999999999", "#T", "[Zg=", "[Z]",
		"{{}=a;}", "{(a)=b;}", "{\"\\000\"=a;}", ")", "}", ";", "=" };
	const char *err;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err = NULL;
		if (val_parse_all(bad[i], strlen(bad[i]), &err) != NULL)
			fail_msg("taken: %s", bad[i]);
		assert_non_null(err);
	}
}

static void
depth(void **state)
{
	char deep[2 * 100 + 1];
	const char *err;
	struct val *v;

	memset(deep, '(', 100);
	memset(deep + 100, ')', 100);
	deep[200] = '\0';
	assert_null(val_parse_all(deep, 200, &err));
	v = val_parse_all(deep + 40, 120, &err);
	assert_non_null(v);
	val_free(v);
}

static void
changes(void **state)
{
	struct val *d = val_dict();
	char key[16];
	int i;

	for (i = 99; i >= 0; i--) {
		snprintf(key, sizeof(key), "k%02d", i * 37 % 100);
		assert_int_equal(dict_setf(d, key, "%d", i), 0);
	}
	assert_int_equal(val_count(d), 100);
	for (i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "k%02d", i);
		assert_string_equal(val_key(d, i), key);
	}
	assert_int_equal(dict_set(d, "k50", NULL), 0);
	assert_int_equal(dict_set(d, "none", NULL), 0);
	assert_null(dict_get(d, "k50"));
	assert_int_equal(val_count(d), 99);
	assert_int_equal(dict_set(d, "k51", val_string("new")), 0);
	assert_string_equal(dict_str(d, "k51", NULL), "new");
	assert_int_equal(dict_set(val_at(d, 0), "k", val_dict()), -1);
	assert_int_equal(val_append(d, val_dict()), -1);
	assert_null(dict_get(NULL, "k"));
	assert_null(dict_get(val_at(d, 0), "k"));
	val_free(d);
}

static void
numbers(void **state)
{
	static const struct {
		const char	*text;
		int64_t		 n;
	} t[] = {
		{ "0", 0 }, { "5", 5 }, { "-1", -1 }, { "10K", 10240 },
		{ "3M", 3 << 20 }, { "2G", INT64_C(2) << 30 }, { "2m", 120 },
		{ "3h", 10800 }, { "1d", 86400 }, { "7s", 7 },
		{ "unlimited", -1 }, { "Unlimited", -1 },
		{ "", -99 }, { "x", -99 }, { "5x", -99 }, { "5KK", -99 },
		{ " 5", -99 }, { "+5", -99 }, { "9999999999999999999", -99 },
		{ "9999999999G", -99 },
	};
	struct val *d = val_dict();
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		dict_set(d, "n", val_string(t[i].text));
		assert_true(dict_int(d, "n", -99) == t[i].n);
	}
	dict_set(d, "b", val_string("yes"));
	assert_true(dict_bool(d, "b", false));
	dict_set(d, "b", val_string("0"));
	assert_false(dict_bool(d, "b", true));
	dict_set(d, "b", val_string("what"));
	assert_true(dict_bool(d, "b", true));
	val_free(d);
}

static void
words(void **state)
{
	struct cur c = cur_str(" CreateAccount user@d.com \"a \\\" b\" {x");
	static const char *const w[] = { "CreateAccount", "user@d.com",
		"a \" b" };
	struct buf b;
	size_t i;

	buf_init(&b, 0);
	for (i = 0; i < 3; i++) {
		buf_reset(&b);
		assert_true(val_word(&c, &b));
		assert_string_equal(b.p, w[i]);
	}
	assert_false(val_word(&c, &b));
	assert_int_equal(cur_peek(&c), '{');
	c = cur_str("\"open");
	assert_false(val_word(&c, &b));
	buf_free(&b);
}

static void
files(void **state)
{
	char dir[] = "/tmp/dict.XXXXXX";
	const char *err = NULL;
	struct val *v = parse("{a=(1,{b=\"c d\";});}"), *back;
	struct buf b;
	int dfd;

	assert_non_null(mkdtemp(dir));
	dfd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(val_write_file(dfd, "x.settings", 0600, v), 0);
	back = val_read_file(dfd, "x.settings", &err);
	assert_non_null(back);
	buf_init(&b, 0);
	assert_true(val_write(&b, back, false));
	assert_string_equal(b.p, "{a=(1,{b=\"c d\";});}");
	buf_free(&b);
	val_free(v);
	val_free(back);
	assert_null(val_read_file(dfd, "none", &err));
	assert_int_equal(errno, ENOENT);
	assert_non_null(err);
	unlinkat(dfd, "x.settings", 0);
	close(dfd);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),
		cmocka_unit_test(types),
		cmocka_unit_test(refused),
		cmocka_unit_test(depth),
		cmocka_unit_test(changes),
		cmocka_unit_test(numbers),
		cmocka_unit_test(words),
		cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
