/* Which process may write under which tag. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "logd/tags.c"

static bool
may(const char *source, const char *tag)
{
	return tag_is_its(source, str_make(tag));
}

static void
own(void **state)
{
	assert_true(may("smtpd", "SMTPI"));
	assert_true(may("smtpd", "SMTPI-000012([127.0.0.1])"));
	assert_true(may("pop3d", "POP-000012([::1])"));
	assert_true(may("stored-worker", "POP-000012([::1])"));
	assert_true(may("stored-worker", "ACCOUNT"));
	assert_true(may("stored-worker", "MAILBOX(ann@x.example)"));
	assert_true(may("queued", "QUEUE([17])"));
	assert_true(may("queued", "DEQUEUER"));
	assert_true(may("cgserver", "SERVER"));
	assert_true(may("smtpd", "TRACE"));
}

static void
others(void **state)
{
	assert_false(may("smtpd", "AUTH"));
	assert_false(may("smtpd", "SMTPIX"));
	assert_false(may("smtpd", "SMTP"));
	assert_false(may("smtpd", ""));
	assert_false(may("pop3d", "IMAP-000001([127.0.0.1])"));
	assert_false(may("stored-worker", "AUTH"));
	assert_false(may("stored-worker", "STORED"));
	assert_false(may("nobody", "AUTH"));
	assert_false(may("nobody", "TRACE"));
}

static void
records(void **state)
{
	struct str tag;

	assert_true(tag_of_record(str_make("2 AUTH AUTH-FAIL x"), &tag));
	assert_true(str_eq(tag, "AUTH"));
	assert_false(tag_of_record(str_make(""), &tag));
	assert_false(tag_of_record(str_make("2"), &tag));
	assert_false(tag_of_record(str_make("2 "), &tag));
	assert_false(tag_of_record(str_make("2  AUTH x"), &tag));
	assert_false(tag_of_record(str_make("2 AUTH"), &tag));
	assert_false(tag_of_record(str_make("22 AUTH x"), &tag));
	assert_false(tag_of_record(str_make("9 AUTH x"), &tag));
	assert_false(tag_of_record(str_make("2\tAUTH x"), &tag));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own),
		cmocka_unit_test(others),
		cmocka_unit_test(records)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
