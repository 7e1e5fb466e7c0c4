/* MTA-STS: records, policies, and which hosts a policy allows. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "smtpd/send/sts.h"

#define COUNT(a)	(sizeof(a) / sizeof(*(a)))

static void
test_record(void **state)
{
	static const struct {
		const char *text, *id;
	} t[] = {
		{ "v=STSv1; id=20160831085700Z;", "20160831085700Z" },
		{ "v=STSv1;id=a1", "a1" },
		{ "v=STSv1 ; x=y ; id = b2 ;", "b2" },
		{ "v=STSv1;", NULL }, { "", NULL }, { "id=1; v=STSv1", NULL },
		{ "v=STSv2; id=1", NULL }, { "v=STSv1; id=a-b", NULL },
		{ "v=STSv1; id=;", NULL }, { "v=spf1 -all", NULL },
		{ "v=STSv1; id=123456789012345678901234567890123", NULL },
		{ "v=STSv1; id=12345678901234567890123456789012",
		    "12345678901234567890123456789012" },
	};
	char id[STS_ID];
	size_t i;

	for (i = 0; i < COUNT(t); i++) {
		assert_int_equal(sts_record(t[i].text, id), t[i].id != NULL);
		if (t[i].id != NULL)
			assert_string_equal(id, t[i].id);
	}
}

static bool
parses(const char *text, struct sts_policy *p)
{
	return sts_policy(p, text, strlen(text));
}

static void
test_policy(void **state)
{
	struct sts_policy p;

	assert_true(parses("version: STSv1\r\nmode: enforce\r\n"
	    "mx: Mail.Example.com\r\nmx:*.example.net\r\nmax_age: 604800\r\n",
	    &p));
	assert_int_equal(p.mode, STS_ENFORCE);
	assert_int_equal(p.max_age, 604800);
	assert_string_equal(p.mx, "mail.example.com *.example.net");
	free(p.mx);
	/* What is said twice, or unknown, and the last line without an end. */
	assert_true(parses("mode: testing\nmode: enforce\nversion:STSv1\n"
	    "new: thing\n\nmx: a\nmax_age: 9999999999", &p));
	assert_int_equal(p.mode, STS_TESTING);
	assert_int_equal(p.max_age, STS_MAXAGE);
	free(p.mx);
	assert_true(parses("version: STSv1\nmode: none\nmax_age: 1\n", &p));
	free(p.mx);
}

static void
test_no_policy(void **state)
{
	static const char *const t[] = {
		"", "version: STSv1\n",
		"version: STSv1\nmode: enforce\nmax_age: 1\n",
		"version: STSv2\nmode: none\nmax_age: 1\n",
		"mode: none\nmax_age: 1\n",
		"version: STSv1\nmode: off\nmax_age: 1\n",
		"version: STSv1\nmode: none\nmax_age: 1d\n",
		"version: STSv1\nmode: none\nmax_age: -1\n",
		"version: STSv1\nmode: enforce\nmx: a b\nmax_age: 1\n",
		"version: STSv1\nmode: enforce\nmx: *\nmax_age: 1\n",
		"version: STSv1\nmode: enforce\nmx: a.*.b\nmax_age: 1\n",
		"version: STSv1\nmode: enforce\nmx:\nmax_age: 1\n",
		"version: STSv1\nwhat is this\nmode: none\nmax_age: 1\n",
		"<html>no</html>"
	};
	struct sts_policy p;
	size_t i;

	for (i = 0; i < COUNT(t); i++)
		assert_false(parses(t[i], &p));
}

/* Names without end are none. */
static void
test_long(void **state)
{
	struct sts_policy p;
	struct buf b;
	int i;

	buf_init(&b, 0);
	buf_puts(&b, "version: STSv1\nmode: enforce\nmax_age: 1\n");
	for (i = 0; i < 100; i++)
		buf_printf(&b, "mx: mail%d.example.com\n", i);
	assert_true(parses(b.p, &p));
	free(p.mx);
	for (i = 0; i < 100; i++)
		buf_printf(&b, "mx: mail%d.example.com\n", i);
	assert_false(parses(b.p, &p));
	buf_free(&b);
}

static void
test_allows(void **state)
{
	static const struct {
		const char *host;
		bool ok;
	} t[] = {
		{ "mail.example.com", true }, { "MAIL.example.com", true },
		{ "a.example.net", true }, { "example.net", false },
		{ "a.b.example.net", false }, { ".example.net", false },
		{ "mail.example.com.evil.org", false }, { "", false },
		{ "ail.example.com", false }, { "xexample.net", false }
	};
	char mx[] = "mail.example.com *.example.net";
	struct sts_policy p = { .mx = mx };
	size_t i;

	for (i = 0; i < COUNT(t); i++)
		assert_int_equal(sts_allows(&p, t[i].host), t[i].ok);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_no_policy),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_allows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
