/* Dates: against the C library over four centuries, and as mail has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "rfc5322.h"

static void
against_libc(void **state)
{
	char ours[64], theirs[64];
	int64_t t;
	struct tm tm;
	time_t when;

	for (t = 0; t < 13000000000; t += 86399 * 3 + 7) {
		when = t;
		gmtime_r(&when, &tm);
		strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S +0000",
		    &tm);
		date_rfc5322(ours, sizeof(ours), t);
		assert_string_equal(ours, theirs);
		assert_true(date_parse(str_make(ours)) == t);
		strftime(theirs, sizeof(theirs), "%a %b %d %H:%M:%S %Y", &tm);
		date_from(ours, sizeof(ours), t);
		assert_string_equal(ours, theirs);
		assert_true(date_parse(str_make(ours)) == t);
		date_queue(ours, sizeof(ours), t);
		assert_true(date_queue_parse(str_make(ours)) == t);
	}
}

static void
forms(void **state)
{
	static const struct {
		const char	*text;
		int64_t		 t;
	} t[] = {
		{ "Sat, 21 Nov 2026 10:00:00 +0000", 1795255200 },
		{ "21 Nov 2026 10:00 GMT", 1795255200 },
		{ "Sat, 21 Nov 26 10:00:00 UT", 1795255200 },
		{ "Sat, 21 Nov 2026 12:30:00 +0230 (comment (in it))",
		    1795255200 },
		{ "Sat , 21 Nov 2026 05:00:00 EST", 1795255200 },
		{ "Sat,21 Nov 2026 10:00:00 -0000", 1795255200 },
		{ "Sat,\r\n 21 Nov 2026\r\n 10:00:00 +0000", 1795255200 },
		{ "21-Nov-2026 10:00:00 +0000", 1795255200 },
		{ "\" 1-Nov-2026 10:00:00 +0000\"", 1793527200 },
		{ "21-Nov-2026", 1795219200 },
		{ "Sat Nov 21 10:00:00 2026", 1795255200 },
		{ "Sun Nov  1 10:00:00 2026", 1793527200 },
		{ "1 Jan 1970 00:00:00 +0000", 0 },
		{ "29 Feb 2000 00:00:00 +0000", 951782400 },
		{ "31 Dec 1999 23:59:60 +0000", 946684800 },
		{ "1 Jan 70 00:00:00 +0100", -1 },
		{ "29 Feb 2100 00:00:00 +0000", -1 },
		{ "32 Jan 2026 00:00:00 +0000", -1 },
		{ "1 Foo 2026 00:00:00 +0000", -1 },
		{ "1 Jan 2026 24:00:00 +0000", -1 },
		{ "1 Jan 2026 10:0:00 +0000", -1 },
		{ "1 Jan 2026 10:00:00 +00", -1 },
		{ "", -1 },
		{ "Sat,", -1 },
		{ "(", -1 },
		{ "(\\", -1 },
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (date_parse(str_make(t[i].text)) != t[i].t)
			fail_msg("%s: %lld", t[i].text,
			    (long long)date_parse(str_make(t[i].text)));
}

static void
queue_form(void **state)
{
	char text[32];

	date_queue(text, sizeof(text), 1000720353);
	assert_string_equal(text, "17-09-2001 09:52:33");
	assert_true(date_queue_parse(str_make(text)) == 1000720353);
	assert_true(date_queue_parse(str_make("17-09-2001 09:52:3")) == -1);
	assert_true(date_queue_parse(str_make("17-09-2001 09:52:33 ")) == -1);
	assert_true(date_queue_parse(str_make("17-13-2001 09:52:33")) == -1);
}

static void
far_ends(void **state)
{
	char text[64];

	date_rfc5322(text, sizeof(text), INT64_MIN);
	assert_string_equal(text, "Mon, 01 Jan 0001 00:00:00 +0000");
	date_rfc5322(text, sizeof(text), INT64_MAX);
	assert_string_equal(text, "Fri, 31 Dec 9999 23:59:59 +0000");
	date_rfc5322(text, sizeof(text), -1);
	assert_string_equal(text, "Wed, 31 Dec 1969 23:59:59 +0000");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_libc),
		cmocka_unit_test(forms),
		cmocka_unit_test(queue_form),
		cmocka_unit_test(far_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
