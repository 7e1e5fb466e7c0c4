/* Stored passwords: every form, right and wrong, and the SASL digests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "password.h"

static struct password_key key = { .set = true, .k = { 1, 2, 3 } };

struct sample {
	const char	*stored, *clear;
};

static const struct sample samples[] = {
	{ "secret", "secret" },
	{ "\002rl.3StKT.4T8M", "rasmuslerdorf" },	/* DES */
	{ "\002{crypt}rl.3StKT.4T8M", "rasmuslerdorf" },
	{ "\002{WM-CRY}rl.3StKT.4T8M", "rasmuslerdorf" },
	{ "\002$1$rasmusle$rISCgZzpwk3UhDidwXvin0", "rasmuslerdorf" },
	{ "\002{crypt}$1$rasmusle$rISCgZzpwk3UhDidwXvin0", "rasmuslerdorf" },
	/* As openssl passwd -5 and -6 make them. */
	{ "\002$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
	    "Hello world!" },
	{ "\002$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3"
	  "uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1", "Hello world!" },
	{ "\002{MD5}XrY7u+Ae7tCTyyK7j1rNww==", "hello world" },
	{ "\002{md5}XrY7u+Ae7tCTyyK7j1rNww", "hello world" },
	{ "\002{SHA}Kq5sNclPz7QV2+lfQIuc6R7oRu0=", "hello world" },
};

static struct str
s(const char *text)
{
	return str_make(text);
}

static void
forms(void **state)
{
	const struct sample *t;
	char wrong[64];
	size_t i;

	for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		t = &samples[i];
		assert_true(password_verify(s(t->stored), s(t->clear), &key));
		snprintf(wrong, sizeof(wrong), "%sx", t->clear);
		/* DES looks at eight characters only. */
		if (strstr(t->stored, "rl.3") == NULL)
			assert_false(
			    password_verify(s(t->stored), s(wrong), &key));
		wrong[0] ^= 1;
		assert_false(password_verify(s(t->stored), s(wrong), &key));
		assert_false(password_verify(s(t->stored), s(""), &key));
	}
}

static void
mta_md5(void **state)
{
	/* MD5 of salt, "Y", password, 0xF7, salt, made by another program. */
	static const char stored[] =
	    "\002{NS-MTA-MD5}8e61b0baac0f5e054195606f545b923b"
	    "0123456789abcdef0123456789abcdef";

	assert_true(password_verify(s(stored), s("testing"), &key));
	assert_false(password_verify(s(stored), s("Testing"), &key));
}

static void
nothing_opens(void **state)
{
	static const char *const none[] = { "", "\001xyz", "\002", "\002*0",
		"\002*1", "\002{SHA}", "\002{MD5}", "\002{NS-MTA-MD5}",
		"\002{crypt}", "\003", "\003AAAA", "\003!!!", "\002x",
		"\004foo", "\002{nosuch}abc" };
	static const char *const tries[] = { "", "*0", "*1", "x", "xyz",
		"AAAA" };
	size_t i, j;

	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		for (j = 0; j < sizeof(tries) / sizeof(tries[0]); j++)
			assert_false(
			    password_verify(s(none[i]), s(tries[j]), &key));
	assert_false(password_verify(s("a"),
	    (struct str) { "a\0b", 3 }, &key));
}

static void
form_names(void **state)
{
	assert_int_equal(password_form(s("")), PASSWORD_NONE);
	assert_int_equal(password_form(s("x")), PASSWORD_CLEAR);
	assert_int_equal(password_form(s("\xd0\xbf")), PASSWORD_CLEAR);
	assert_int_equal(password_form(s("\001x")), PASSWORD_VENDOR);
	assert_int_equal(password_form(s("\002x")), PASSWORD_ONEWAY);
	assert_int_equal(password_form(s("\003x")), PASSWORD_SEALED);
	assert_int_equal(password_form(s("\011x")), PASSWORD_VENDOR);
	assert_true(password_slow(s("\002$6$x$y")));
	assert_false(password_slow(s("\002{SHA}x")));
	assert_false(password_slow(s("\003x")));
}

static void
sealing(void **state)
{
	struct password_key other = key, none = { .set = false };
	struct buf a, b, clear;
	struct str sa;

	buf_init(&a, 0);
	buf_init(&b, 0);
	buf_init(&clear, 0);
	assert_true(password_seal(&a, s("pass word"), &key));
	assert_true(password_seal(&b, s("pass word"), &key));
	assert_string_not_equal(a.p, b.p);
	sa = (struct str) { a.p, a.len };
	assert_true(password_verify(sa, s("pass word"), &key));
	assert_false(password_verify(sa, s("pass worD"), &key));
	assert_true(password_reveal(&clear, sa, &key));
	assert_string_equal(clear.p, "pass word");
	other.k[31] ^= 1;
	assert_false(password_verify(sa, s("pass word"), &other));
	assert_false(password_verify(sa, s("pass word"), &none));
	a.p[a.len / 2] ^= 1;
	assert_false(password_verify(sa, s("pass word"), &key));
	assert_false(password_seal(&a, s("x"), &none));
	buf_free(&a);
	buf_free(&b);
	buf_free(&clear);
}

static void
crypting(void **state)
{
	struct buf a;

	buf_init(&a, 0);
	assert_true(password_crypt(&a, s("pass word")));
	assert_int_equal(a.p[0], 2);
	assert_true(password_verify((struct str) { a.p, a.len },
	    s("pass word"), &key));
	assert_false(password_verify((struct str) { a.p, a.len },
	    s("pass wor"), &key));
	buf_free(&a);
}

static void
digests(void **state)
{
	/* RFC 2195's and RFC 1939's own examples. */
	assert_true(password_cram_md5(s("tanstaaftanstaaf"),
	    s("<1896.697170952@postoffice.reston.mci.net>"),
	    s("b913a602c7eda7a495b4e6e7334d3890")));
	assert_true(password_apop(s("tanstaaf"),
	    s("<1896.697170952@dbc.mtview.ca.us>"),
	    s("c4c9334bac560ecc979e58001b3e22fb")));
	assert_true(password_apop(s("tanstaaf"),
	    s("<1896.697170952@dbc.mtview.ca.us>"),
	    s("C4C9334BAC560ECC979E58001B3E22FB")));
	assert_false(password_apop(s("tanstaaF"),
	    s("<1896.697170952@dbc.mtview.ca.us>"),
	    s("c4c9334bac560ecc979e58001b3e22fb")));
	assert_false(password_apop(s("tanstaaf"), s("<>"), s("")));
}

static void
randoms(void **state)
{
	struct buf a;

	buf_init(&a, 0);
	assert_true(password_random(&a, 40));
	assert_int_equal(a.len, 40);
	assert_int_equal(strspn(a.p, "abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
	    40);
	buf_free(&a);
}

static void
costs(void **state)
{
	static const char *const good[] = { "\002$6$salt$x",
		"\002$6$rounds=5000$salt$x", "\002{crypt}$5$rounds=1000000$s$x",
		"\002$y$j9T$salt$x", "\002$2b$12$xxxxxxxxxxxxxxxxxxxxxx",
		"\002rl.3StKT.4T8M", "\002$1$salt$x", "\002{MD5}x", "clear",
		"\002$7$CU..../....salt$x", "\002_J9..rasm", "\002" };
	static const char *const bad[] = { "\002$6$rounds=1000001$salt$x",
		"\002$6$rounds=99999999999999999999999$salt$x",
		"\002$6$rounds=$salt$x", "\002{crypt}$5$rounds=999999999$s$x",
		"\002$y$jzT$salt$x", "\002$y$j9z$salt$x", "\002$y$",
		"\002$2b$31$xxxxxxxxxxxxxxxxxxxxxx", "\002$2y$",
		"\002$7$zU..../....salt$x", "\002$7$CUz.../....salt$x",
		"\002_zzzzrasm", "\002$sha1$9999999$salt$x" };
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (password_costly(str_make(good[i])))
			fail_msg("costly: %s", good[i]);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!password_costly(str_make(bad[i])))
			fail_msg("not costly: %s", bad[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(mta_md5),
		cmocka_unit_test(nothing_opens),
		cmocka_unit_test(form_names),
		cmocka_unit_test(sealing),
		cmocka_unit_test(crypting),
		cmocka_unit_test(digests),
		cmocka_unit_test(randoms),
		cmocka_unit_test(costs),
	};

	if (!password_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
