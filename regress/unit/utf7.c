/* Modified UTF-7: one form a name, all others refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "utf7.h"

/* As sent, and in UTF-8; NULL: refused. */
static const struct {
	const char	*wire, *utf8;
} names[] = {
	{ "", "" },
	{ "INBOX", "INBOX" },
	{ "a&-b", "a&b" },
	{ "&-", "&" },
	{ "&AOQ-", "\303\244" },
	{ "&AOQA9g-x", "\303\244\303\266x" },
	{ "&AOQ-a&APY-", "\303\244a\303\266" },
	{ "&AOQ-&-", "\303\244&" },
	{ "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
	    "~peter/mail/\345\217\260\345\214\227/"
	    "\346\227\245\346\234\254\350\252\236" },
	{ "&2D3eAA-", "\360\237\230\200" },
	{ "&", NULL },
	{ "a&b", NULL },
	{ "&AOQ", NULL },
	{ "&AOQ-&APY-", NULL },		/* one run would do */
	{ "&AGE-", NULL },		/* ASCII stands for itself */
	{ "&ACY-", NULL },		/* so does the ampersand */
	{ "&AAA-", NULL },
	{ "&AAo-", NULL },		/* controls */
	{ "&AIU-", NULL },
	{ "&2D0-", NULL },		/* half a pair */
	{ "&3gA-", NULL },
	{ "&2D0AYQ-", NULL },
	{ "&AOR-", NULL },		/* stray bits */
	{ "&AOQA-", NULL },		/* a digit too many */
	{ "&AO/-", NULL },		/* not this alphabet */
	{ "&AOQ=-", NULL },
	{ "\303\244", NULL },
	{ "a\nb", NULL },
	{ "a\177", NULL }
};

static void
both_ways(void **state)
{
	struct buf b, back;
	size_t i;

	buf_init(&b, 0);
	buf_init(&back, 0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		buf_reset(&b);
		buf_reset(&back);
		buf_puts(&b, "kept ");
		if (utf7_decode(&b, str_make(names[i].wire)) !=
		    (names[i].utf8 != NULL))
			print_error("%s\n", names[i].wire);
		if (names[i].utf8 == NULL) {
			assert_string_equal(b.p, "kept ");
			continue;
		}
		assert_string_equal(b.p + 5, names[i].utf8);
		buf_puts(&back, "");
		assert_true(utf7_encode(&back, str_make(names[i].utf8)));
		assert_string_equal(back.p, names[i].wire);
	}
	buf_free(&b);
	buf_free(&back);
}

static void
no_utf8(void **state)
{
	static const char *const bad[] = { "\303", "\300\200", "\340\200\200",
	    "\355\240\200", "\364\220\200\200", "\377", "a\200" };
	struct buf b;
	size_t i;

	buf_init(&b, 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(utf7_encode(&b, str_make(bad[i])));
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(no_utf8)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
