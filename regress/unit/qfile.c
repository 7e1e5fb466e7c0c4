/* Queue file envelopes, and the files of Submitted/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "file.h"
#include "qfile.h"
#include "subfile.h"

enum { NOW = 1795255200 };		/* Sat, 21 Nov 2026 10:00:00 */

static const char VENDOR[] =
    "P I 17-09-2001 09:52:33 0000 ____ ____ <ann@domain.ru>\n"
    "O T\n"
    "S SMTP [199.199.199.199]\n"
    "R W 17-09-2001 09:52:33 0000 ____ _FY_ <nif@guga.ru>\n"
    "R D 17-09-2001 09:52:33 0012 ____ _FY_ <naf@buki.ru>\n"
    "\n"
    "Received: ...\n";

static void
parse_ok(struct qfile *q, const char *text)
{
	const char *why = NULL;

	assert_int_equal(qfile_parse(q, text, strlen(text), &why), 0);
}

static void
test_vendor(void **state)
{
	struct qfile q;

	parse_ok(&q, VENDOR);
	assert_string_equal(q.sender, "ann@domain.ru");
	assert_int_equal(q.time, 1000720353);
	assert_string_equal(q.options, "T");
	assert_string_equal(q.tag, "SMTP");
	assert_string_equal(q.peer, "199.199.199.199");
	assert_null(q.account);
	assert_int_equal(q.nrcpts, 2);
	assert_int_equal(q.rcpts[0].status, 'W');
	assert_int_equal(q.rcpts[0].notify, QN_FAILURE | QN_DELAY);
	assert_int_equal(VENDOR[q.rcpts[0].at], 'W');
	assert_int_equal(VENDOR[q.rcpts[1].at], 'D');
	assert_int_equal(q.rcpts[1].attempts, 12);
	assert_string_equal(q.rcpts[1].addr, "naf@buki.ru");
	assert_false(q.z);
	assert_string_equal(VENDOR + q.body, "Received: ...\n");
	qfile_free(&q);
}

/* Exactly the bytes that helpers in the field parse. */
static void
test_bytes(void **state)
{
	struct buf b;

	buf_init(&b, 0);
	assert_true(qfile_from(&b, 1000720353, "ann@domain.ru", '_', NULL));
	assert_true(qfile_options(&b, "T"));
	assert_true(qfile_source(&b, NULL, "SMTP", "199.199.199.199"));
	assert_true(qfile_rcpt(&b, 1000720353, "nif@guga.ru",
	    QN_FAILURE | QN_DELAY, NULL));
	assert_int_equal(strncmp(b.p, VENDOR, b.len), 0);
	buf_free(&b);
}

static void
test_all_lines(void **state)
{
	char z[QFILE_ZLEN + 1];
	struct qfile q;
	struct buf b;

	buf_init(&b, 0);
	assert_true(qfile_from(&b, NOW, "", 'F', "id+2B1"));
	assert_true(qfile_about(&b, 77, "0F,3D"));
	assert_true(qfile_passed(&b, "sales all@x.com"));
	assert_true(qfile_made_of(&b, "12.34.56 a file.sub"));
	assert_true(qfile_options(&b, ""));
	assert_true(qfile_source(&b, "john@x.com", "SMTP", "::1"));
	assert_true(qfile_local(&b, "10.0.0.1"));
	assert_true(qfile_rcpt(&b, NOW, "\"a > b\"@c", QN_SUCCESS | QN_FAILURE |
	    QN_DELAY, "rfc822;x+20y@z"));
	assert_true(qfile_rcpt(&b, NOW, "d", QN_NEVER, NULL));
	assert_true(qfile_end(&b));
	assert_true(buf_puts(&b, "text\n"));
	parse_ok(&q, b.p);
	assert_string_equal(q.sender, "");
	assert_string_equal(q.passed, "sales all@x.com");
	assert_int_equal(q.ret, 'F');
	assert_int_equal(q.time, NOW);
	assert_string_equal(q.envid, "id+2B1");
	assert_int_equal(q.about, 77);
	assert_string_equal(q.about_rcpts, "0F,3D");
	assert_string_equal(q.source, "12.34.56 a file.sub");
	assert_string_equal(q.account, "john@x.com");
	assert_string_equal(q.peer, "::1");
	assert_string_equal(q.local, "10.0.0.1");
	assert_string_equal(q.rcpts[0].addr, "\"a > b\"@c");
	assert_string_equal(q.rcpts[0].orcpt, "rfc822;x+20y@z");
	assert_int_equal(q.rcpts[0].notify, QN_SUCCESS | QN_FAILURE |
	    QN_DELAY);
	assert_int_equal(q.rcpts[1].notify, QN_NEVER);
	assert_null(q.rcpts[1].orcpt);
	assert_true(q.z);
	assert_false(q.filled);
	qfile_z(z, 5, crc32c(0, "text\n", 5));
	memcpy(b.p + q.zat, z, QFILE_ZLEN);
	qfile_free(&q);
	parse_ok(&q, b.p);
	assert_true(q.filled);
	assert_int_equal(q.zlen, 5);
	assert_int_equal(q.zcrc, crc32c(0, "text\n", 5));
	assert_string_equal(b.p + q.body, "text\n");
	qfile_free(&q);
	buf_free(&b);
}

static void
test_notify(void **state)
{
	unsigned int n;
	struct qfile q;
	struct buf b;

	for (n = 1; n <= QN_NEVER; n++) {
		buf_init(&b, 0);
		qfile_from(&b, NOW, "a", '_', NULL);
		qfile_rcpt(&b, NOW, "b", n, NULL);
		qfile_end(&b);
		parse_ok(&q, b.p);
		assert_int_equal(q.rcpts[0].notify, n);
		qfile_free(&q);
		buf_free(&b);
	}
}

/* Nobody adds a line to an envelope by a name he chooses. */
static void
test_injection(void **state)
{
	static const char *const bad[] = { "a\nR W", "a\rb", "a\x01", "a\x7f" };
	struct buf b;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		buf_init(&b, 0);
		assert_false(qfile_from(&b, NOW, bad[i], '_', NULL));
		assert_true(b.failed);
		assert_false(qfile_rcpt(&b, NOW, bad[i], 0, NULL));
		assert_false(qfile_rcpt(&b, NOW, "a", 0, bad[i]));
		assert_false(qfile_from(&b, NOW, "a", '_', "with blank"));
		assert_false(qfile_source(&b, bad[i], "SMTP", ""));
		buf_free(&b);
	}
}

static void
test_bad(void **state)
{
	static const char *const bad[] = {
		"\n\n",
		"P I 17-09-2001 09:52:33 0000 ____ ____ <a>\n\n",
		"R W 17-09-2001 09:52:33 0000 ____ _FY_ <nif@guga.ru>\n\n",
		"P I 17-09-2001 09:52:33 0000 ____ ____ <a\n"
		"R W 17-09-2001 09:52:33 0000 ____ _FY_ <b>\n\n",
		"P I 17-09-2001 09:52:33 0000 ____ ____ <a>\n"
		"R W 17-09-2001 09:52:33 00x0 ____ _FY_ <b>\n\n",
		"P I 17-09-2001 09:52:33 0000 ____ ____ <a>\n"
		"R W 17-09-2001 09:52:33 0000 ____ _FY_ <b>\nz 12 34\n\n",
		"P I 17-09-2001 09:52:33 0000 ____ ____ <a>\n"
		"z 00000000000000000012 0123abcd\n"
		"R W 17-09-2001 09:52:33 0000 ____ _FY_ <b>\n\n",
		"P I 17-09-2001 09:52:33 0000 ____ ____ <a>\n"
		"P I 17-09-2001 09:52:33 0000 ____ ____ <a>\n"
		"R W 17-09-2001 09:52:33 0000 ____ _FY_ <b>\n\n",
	};
	struct qfile q;
	const char *why;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(qfile_parse(&q, bad[i], strlen(bad[i]),
		    &why), -1);
		assert_non_null(why);
	}
	/* Without its end there may be more to come. */
	for (i = 0; i + 1 < strlen(VENDOR) - 14; i++)
		assert_int_equal(qfile_parse(&q, VENDOR, i, &why), 1);
}

static void
test_xtext(void **state)
{
	struct buf b, c;

	buf_init(&b, 0);
	buf_init(&c, 0);
	assert_true(xtext_encode(&b, str_make("a+b=c d\xc3\xbc")));
	assert_string_equal(b.p, "a+2Bb+3Dc+20d+C3+BC");
	assert_true(xtext_decode(&c, (struct str) { b.p, b.len }));
	assert_string_equal(c.p, "a+b=c d\xc3\xbc");
	assert_false(xtext_decode(&c, str_make("a+2")));
	assert_false(xtext_decode(&c, str_make("a+2g")));
	assert_false(xtext_decode(&c, str_make("a=b")));
	assert_false(xtext_decode(&c, str_make("a b")));
	buf_free(&b);
	buf_free(&c);
}

/* --- Submitted/ --- */

static const struct subfile_by ann = {
	.domain = "x.example", .login = "ann", .now = NOW
};
static const struct subfile_by root = {
	.domain = "x.example", .login = "root", .trusted = true, .now = NOW
};

static void
sub_ok(struct subfile *f, const char *text, const struct subfile_by *by)
{
	const char *why = "";

	if (subfile_parse(f, str_make(text), by, &why) == -1)
		fail_msg("%s: %s", text, why);
}

static bool
has(const struct subfile *f, const char *line)
{
	return strstr(f->header.p, line) != NULL;
}

static void
test_sub_header(void **state)
{
	struct subfile f;

	sub_ok(&f, "From: Ann <ann>\nTo: b@c, Bob <d@e>,\n x\nCc: b@C\n"
	    "Bcc: secret@z\nSubject: s\n\nbody\n", &ann);
	assert_int_equal(f.nrcpts, 4);
	assert_string_equal(f.rcpts[0], "b@c");
	assert_string_equal(f.rcpts[1], "d@e");
	assert_string_equal(f.rcpts[2], "x");
	assert_string_equal(f.rcpts[3], "secret@z");
	assert_string_equal(f.sender, "ann@x.example");
	assert_true(has(&f, "From: Ann <ann@x.example>\n"));
	assert_true(has(&f, "To: b@c, Bob <d@e>,\n x\n"));
	assert_true(has(&f, "Date: Sat, 21 Nov 2026 10:00:00 +0000\n"));
	assert_true(has(&f, "Message-ID: <"));
	assert_false(has(&f, "Bcc"));
	assert_false(has(&f, "Sender"));
	assert_string_equal(f.header.p + f.header.len - 2, "\n\n");
	subfile_free(&f);
}

static void
test_sub_envelope(void **state)
{
	struct subfile f;

	sub_ok(&f, "Return-Path: <>\nEnvelope-To: only@here\nTo: a@b\n"
	    "Envelope-ID: id 1\nEnvelope-Notify: success,DELAY\n"
	    "Envelope-Return: full\nFrom: r@s\n\n", &root);
	assert_int_equal(f.nrcpts, 1);
	assert_string_equal(f.rcpts[0], "only@here");
	assert_string_equal(f.sender, "");
	assert_string_equal(f.envid, "id+201");
	assert_int_equal(f.notify, QN_SUCCESS | QN_DELAY | QN_SAID);
	assert_int_equal(f.ret, 'F');
	assert_false(has(&f, "Envelope"));
	assert_false(has(&f, "Return-Path"));
	assert_true(has(&f, "To: a@b\n"));
	subfile_free(&f);
	sub_ok(&f, "Envelope-Ignore: A@b\nTo: a@b, c@d\nFrom: r\n\n", &root);
	assert_int_equal(f.nrcpts, 1);
	assert_string_equal(f.rcpts[0], "c@d");
	assert_string_equal(f.sender, "r@x.example");
	assert_true(has(&f, "From: r@x.example\n"));
	subfile_free(&f);
}

/* Others than the trusted say who they are. */
static void
test_sub_sender(void **state)
{
	static const char text[] = "From: boss@x.example\nTo: a@b\n"
	    "Sender: boss@x.example\n\n";
	struct subfile f;

	sub_ok(&f, text, &ann);
	assert_true(has(&f, "Sender: <ann@x.example>\n"));
	assert_false(has(&f, "Sender: boss"));
	subfile_free(&f);
	sub_ok(&f, text, &root);
	assert_true(has(&f, "Sender: boss@x.example\n"));
	subfile_free(&f);
	sub_ok(&f, "Return-Path: <ann@x.example>\nTo: a@b\n\n", &ann);
	assert_false(has(&f, "Sender"));
	assert_true(has(&f, "From: <ann@x.example>\n"));
	subfile_free(&f);
}

static void
test_sub_bad(void **state)
{
	static const char *const bad[] = {
		"", "\n", "no header\n", "Subject: x\n\nTo: a@b\n",
		"To: undisclosed-recipients:;\n\n",
		"To: a@b\nEnvelope-Ignore: a@b\n\n",
		"To: a@b\nEnvelope-Notify: sometimes\n\n",
		"To: a@b\nEnvelope-Return: half\n\n"
	};
	struct subfile f;
	const char *why;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why = NULL;
		assert_int_equal(subfile_parse(&f, str_make(bad[i]), &ann,
		    &why), -1);
		assert_non_null(why);
	}
}

/* Whatever the line ends were, in pieces of any length. */
static void
test_lf(void **state)
{
	static const char in[] = "a\r\nb\rc\n\r\r\nd\r";
	static const char want[] = "a\nb\nc\n\n\nd\n";
	char text[sizeof(in)], out[sizeof(in)];
	size_t piece, at, n, len;
	bool cr;

	for (piece = 1; piece < sizeof(in); piece++) {
		memcpy(text, in, sizeof(in));
		cr = false;
		len = 0;
		for (at = 0; at < sizeof(in) - 1; at += n) {
			n = sizeof(in) - 1 - at < piece ? sizeof(in) - 1 - at :
			    piece;
			size_t got = subfile_lf(text + at, n, &cr);

			memcpy(out + len, text + at, got);
			len += got;
		}
		assert_int_equal(len, sizeof(want) - 1);
		assert_memory_equal(out, want, len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vendor),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_all_lines),
		cmocka_unit_test(test_notify),
		cmocka_unit_test(test_injection),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_xtext),
		cmocka_unit_test(test_sub_header),
		cmocka_unit_test(test_sub_envelope),
		cmocka_unit_test(test_sub_sender),
		cmocka_unit_test(test_sub_bad),
		cmocka_unit_test(test_lf)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
