/* Encoded words, charsets and transfer encodings, whole and broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "charset.h"
#include "mime_decode.h"
#include "rfc2047.h"

static const struct {
	const char	*name, *field, *want;
} words[] = {
	{ "no word", " a  b\r\n\tc ", "a  b c" },
	{ "Q", "=?utf-8?q?J=C3=B6_x?= y", "J\303\266 x y" },
	{ "B", "=?utf-8?B?SsO2?=", "J\303\266" },
	{ "an underscore by its code", "=?utf-8?q?a=5Fb_c?=", "a_b c" },
	{ "blanks between words go", "=?utf-8?q?a?= \r\n =?utf-8?q?b?= c",
	    "ab c" },
	{ "words of two charsets", "=?iso-8859-1?q?=E4?= =?utf-8?q?=C3=A4?=",
	    "\303\244\303\244" },
	{ "a character cut in two", "=?utf-8?b?ww==?= =?utf-8?b?tg==?=",
	    "\303\266" },
	{ "no blank between words", "=?utf-8?q?a?==?utf-8?q?b?=", "ab" },
	{ "no blank before a word", "x=?utf-8?q?a?=y", "xay" },
	{ "a language", "=?utf-8*en?Q?a?=", "a" },
	{ "a blank in a word", "=?utf-8?q?a b?=", "a b" },
	{ "a question mark in a word", "=?utf-8?q?a?\?=", "a?" },
	{ "an equals sign first", "=?utf-8?q?=41?=", "A" },
	{ "a broken escape", "=?utf-8?q?a=4?=", "a=4" },
	{ "an unknown encoding", "=?utf-8?x?a?=", "=?utf-8?x?a?=" },
	{ "no end", "=?utf-8?q?a", "=?utf-8?q?a" },
	{ "no charset", "=??q?a?=", "=??q?a?=" },
	{ "an empty word", "a =?utf-8?q?\?= b", "a  b" },
	{ "an unknown charset", "=?foo?q?=E4?=", "\303\244" },
	{ "ISO-2022-JP", "=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=",
	    "\346\227\245\346\234\254" },
	{ "GB 2312 that is GBK", "=?gb2312?B?xOO6w4uM?=",
	    "\344\275\240\345\245\275\345\252\275" },
	{ "KOI8-R", "=?koi8-r?B?8NLJ18XU?=",
	    "\320\237\321\200\320\270\320\262\320\265\321\202" },
	{ "Windows quotes in Latin-1", "=?iso-8859-1?q?=93a=94?=",
	    "\342\200\234a\342\200\235" },
	{ "base64 without padding", "=?utf-8?b?YQ?=", "a" },
	{ "8 bits raw", "\303\244 \344", "\303\244 \344" }
};

static void
fields(void **state)
{
	struct buf b;
	size_t i;

	buf_init(&b, 0);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		buf_reset(&b);
		assert_true(rfc2047_utf8(&b, str_make(words[i].field)));
		if (strcmp(b.p, words[i].want) != 0)
			print_error("%s\n", words[i].name);
		assert_string_equal(b.p, words[i].want);
	}
	buf_free(&b);
}

static void
charsets(void **state)
{
	static const char emoji[] = "\x3d\xd8\x00\xde\x41";
	static const char jp[] = "\033$BF|K\\\033(B";
	struct charset *c;
	struct buf b;
	char name[64];
	size_t i;

	buf_init(&b, 0);
	assert_true(charset_known(str_make("UTF-8")));
	assert_true(charset_known(str_make("us-ascii")));
	assert_true(charset_known(str_make("Windows-1252")));
	assert_false(charset_known(str_make("x-nonsense")));
	assert_false(charset_known(str_make("../../etc/passwd")));
	assert_false(charset_known(str_make("utf-16,version=1")));
	assert_true(charset_is_utf8(charset_get(str_make(""))));
	/* A byte at a time. */
	c = charset_get(str_make("ISO-2022-JP"));
	for (i = 0; i < sizeof(jp) - 1; i++)
		assert_true(charset_utf8(c, jp + i, 1, i == sizeof(jp) - 2,
		    &b));
	assert_string_equal(b.p, "\346\227\245\346\234\254");
	buf_reset(&b);
	c = charset_get(str_make("utf-16le"));
	for (i = 0; i < 5; i++)
		charset_utf8(c, &emoji[i], 1, i == 4, &b);
	assert_string_equal(b.p, "\360\237\230\200\357\277\275");
	/* More of them than are kept. */
	for (i = 437; i < 1400; i++) {
		snprintf(name, sizeof(name), "cp%zu", i);
		buf_reset(&b);
		assert_true(charset_utf8(charset_get(str_make(name)), "a", 1,
		    true, &b));
	}
	buf_free(&b);
}

static const struct {
	enum mime_enc	 enc;
	const char	*in, *out;
} decodings[] = {
	{ MIME_QP, "a=3Db=\nc=\r\nd", "a=bcd" },
	{ MIME_QP, "a= \t\r\nb", "ab" },
	{ MIME_QP, "=e4=E4", "\344\344" },
	{ MIME_QP, "a=b=zz=", "a=b=zz=" },
	{ MIME_QP, "x==41=\rz", "x=A=\rz" },
	{ MIME_QP, "a=4", "a=4" },
	{ MIME_BASE64, "SGVsbG8=", "Hello" },
	{ MIME_BASE64, "SGVs\r\nbG8=\r\n", "Hello" },
	{ MIME_BASE64, "SGVsbG8", "Hello" },
	{ MIME_BASE64, "SGVsbG8=SGk=", "HelloHi" },
	{ MIME_BASE64, "S-G!V sbG8=\n--\n", "Hello" },
	{ MIME_BASE64, "====", "" },
	{ MIME_BASE64, "S", "" },
	{ MIME_8BIT, "a=3D\344", "a=3D\344" }
};

static void
decodes(void **state)
{
	struct decoder d;
	char out[128];
	size_t i, k, n, len, size;

	for (i = 0; i < sizeof(decodings) / sizeof(decodings[0]); i++) {
		len = strlen(decodings[i].in);
		for (size = 1; size <= len; size++) {
			decoder_init(&d, decodings[i].enc);
			for (n = k = 0; k < len; k += size)
				n += decoder_run(&d, decodings[i].in + k,
				    len - k < size ? len - k : size, out + n);
			n += decoder_end(&d, out + n);
			out[n] = '\0';
			assert_string_equal(out, decodings[i].out);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(charsets),
		cmocka_unit_test(decodes)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
