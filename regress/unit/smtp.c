/*
 * smtpd's pure parts: the text of a message between wire and disk, its
 * header, the parameters of MAIL and RCPT.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "qfile.h"
#include "smtpd/binary.c"
#include "smtpd/body.c"
#include "smtpd/header.c"
#include "smtpd/param.c"

static const char DATE[] = "Date: Sat, 21 Nov 2026 10:00:00 +0000\n";
enum { NOW = 1795255200 };		/* that moment */

struct run {
	struct body	 b;
	struct buf	 out;
	size_t		 used;
};

/* Feeds the text in pieces of so many bytes. */
static void
feed(struct run *r, const char *text, size_t len, size_t piece, bool trusted)
{
	size_t at = 0, n;

	buf_init(&r->out, 0);
	body_start(&r->b, &r->out);
	r->b.sender = "ann@x.example";
	r->b.host = "x.example";
	r->b.now = NOW;
	r->b.trusted = trusted;
	while (at < len && r->b.state != BODY_END) {
		n = len - at < piece ? len - at : piece;
		at += body_feed(&r->b, text + at, n);
	}
	r->used = at;
}

/* Whatever the pieces are, the result is the same. */
static void
expect(const char *in, const char *out)
{
	size_t len = strlen(in), piece;
	struct run r;

	for (piece = 1; piece <= len; piece++) {
		feed(&r, in, len, piece, false);
		assert_int_equal(r.b.state, BODY_END);
		assert_false(r.b.bare);
		assert_string_equal(r.out.p, out);
		buf_free(&r.out);
	}
}

static void
expect_bare(const char *in, size_t len, bool ends)
{
	struct run r;
	size_t piece;

	for (piece = 1; piece <= len; piece++) {
		feed(&r, in, len, piece, false);
		assert_true(r.b.bare);
		assert_int_equal(r.b.state == BODY_END, ends);
		buf_free(&r.out);
	}
}

static void
test_lines(void **state)
{
	expect("Date: x\r\n\r\nhello\r\n.\r\n", "Date: x\n\nhello\n");
	expect("Date: x\r\n\r\n..\r\n...a\r\n.b\r\n.\r\n",
	    "Date: x\n\n.\n..a\nb\n");
	expect("Date: x\r\n\r\n\r\n\r\n.\r\n", "Date: x\n\n\n\n");
	expect("Date: x\r\n\ty\r\n\r\nz\r\n.\r\n", "Date: x\n\ty\n\nz\n");
}

static void
test_end(void **state)
{
	static const char text[] = "Date: x\r\n\r\na\r\n.\r\nMAIL FROM:<b>\r\n";
	struct run r;
	size_t piece;

	for (piece = 1; piece < sizeof(text); piece++) {
		feed(&r, text, sizeof(text) - 1, piece, false);
		assert_int_equal(r.used, strlen("Date: x\r\n\r\na\r\n.\r\n"));
		assert_int_equal(r.b.size, strlen("Date: x\r\n\r\na\r\n"));
		buf_free(&r.out);
	}
}

/* The end of data that some see and others do not. */
static void
test_smuggling(void **state)
{
	static const char *const ends[] = {
		"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\n.\r",
		"\r.\r\n", "\r.\n", "\r\n.\r\r\n", "\r\r\n.\r\r\n",
		"\n\n.\r\n", "\r\n\n.\r\n"
	};
	char text[256];
	size_t i;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(text, sizeof(text), "Date: x\r\n\r\na%sb\r\nc\r\n",
		    ends[i]);
		expect_bare(text, strlen(text), false);
		snprintf(text, sizeof(text),
		    "Date: x\r\n\r\na%sb\r\n.\r\n", ends[i]);
		expect_bare(text, strlen(text), true);
	}
	expect_bare("a\rb\r\n.\r\n", 9, true);
	expect_bare("\nb\r\n.\r\n", 7, true);
}

static void
test_nul(void **state)
{
	static const char in[] = "Date: x\r\n\r\na\0b\r\n.\r\n";
	struct run r;

	feed(&r, in, sizeof(in) - 1, 5, false);
	assert_int_equal(r.b.state, BODY_END);
	assert_int_equal(r.out.len, strlen("Date: x\n\n") + 4);
	assert_memory_equal(r.out.p, "Date: x\n\na\0b\n", r.out.len);
	buf_free(&r.out);
}

static void
test_header(void **state)
{
	char want[512];

	snprintf(want, sizeof(want), "Subject: x\n%s\nhi\n", DATE);
	expect("Subject: x\r\n\r\nhi\r\n.\r\n", want);
	/* a header alone */
	snprintf(want, sizeof(want), "Subject: x\n%s", DATE);
	expect("Subject: x\r\n.\r\n", want);
	/* a header that ends without an empty line */
	snprintf(want, sizeof(want), "Subject: x\n%s\nhello there\n", DATE);
	expect("Subject: x\r\nhello there\r\n.\r\n", want);
	/* none at all */
	snprintf(want, sizeof(want),
	    "%sFrom: <ann@x.example>\n\nhello\n\nyou\n",
	    DATE);
	expect("hello\r\n\r\nyou\r\n.\r\n", want);
	snprintf(want, sizeof(want), "%sFrom: <ann@x.example>\n\n", DATE);
	expect(".\r\n", want);
	snprintf(want, sizeof(want), "%sFrom: <ann@x.example>\n\nhi\n", DATE);
	expect("\r\nhi\r\n.\r\n", want);
	snprintf(want, sizeof(want),
	    "%sFrom: <ann@x.example>\n\n Date: x\n\nhi\n", DATE);
	expect(" Date: x\r\n\r\nhi\r\n.\r\n", want);
}

static void
test_message_id(void **state)
{
	static const char in[] = "Date: x\r\n\r\nhi\r\n.\r\n";
	static const char has[] = "DATE : x\r\nmessage-id: y\r\n\r\n.\r\n";
	struct run r;

	feed(&r, in, sizeof(in) - 1, 100, true);
	assert_non_null(strstr(r.out.p, "\nMessage-Id: <"));
	buf_free(&r.out);
	feed(&r, has, sizeof(has) - 1, 100, true);
	assert_string_equal(r.out.p, "DATE : x\nmessage-id: y\n\n");
	buf_free(&r.out);
}

static void
test_hops(void **state)
{
	static const char in[] = "Received: a\r\nReceived: b\r\n  c\r\n"
	    "X: d\r\n\r\nReceived: no\r\n.\r\n";
	struct run r;

	feed(&r, in, sizeof(in) - 1, 7, false);
	assert_int_equal(r.b.hops, 2);
	buf_free(&r.out);
}

/* What is ready can be taken away at any time. */
static void
test_taking(void **state)
{
	static const char in[] = "Subject: x\r\nTo: y\r\n\r\na\r\nb\r\n.\r\n";
	struct buf all;
	struct run r;
	size_t i, n;

	buf_init(&all, 0);
	buf_init(&r.out, 0);
	body_start(&r.b, &r.out);
	r.b.sender = r.b.host = "";
	r.b.now = NOW;
	for (i = 0; i < sizeof(in) - 1; i++) {
		body_feed(&r.b, in + i, 1);
		n = body_ready(&r.b);
		buf_add(&all, r.out.p, n);
		body_taken(&r.b, n);
	}
	assert_int_equal(r.out.len, 0);
	assert_string_equal(all.p, "Subject: x\nTo: y\n"
	    "Date: Sat, 21 Nov 2026 10:00:00 +0000\n\na\nb\n");
	buf_free(&all);
	buf_free(&r.out);
}

static void
test_long_header_line(void **state)
{
	size_t len = BODY_MAXHEADERLINE + 100;
	char *text = malloc(len);
	struct run r;

	memset(text, 'a', len);
	memcpy(text, "X: ", 3);
	feed(&r, text, len, 1000, false);
	assert_true(r.b.longline);
	assert_true(r.out.len <= BODY_MAXHEADERLINE + 1000);
	buf_free(&r.out);
	free(text);
}

static void
test_received(void **state)
{
	struct received r = {
		.helo = "h.example", .peer = "192.0.2.1", .host = "x.example",
		.rcpt = "bob@x.example", .esmtp = true, .tls = true,
		.auth = true, .id = 17, .now = NOW
	};
	struct buf b;

	buf_init(&b, 0);
	header_received(&b, &r);
	assert_string_equal(b.p, "Received: from h.example ([192.0.2.1])\n"
	    "  by x.example (cgate SMTP " CG_VERSION ")\n"
	    "  with ESMTPSA id 17\n  for <bob@x.example>;\n"
	    "  Sat, 21 Nov 2026 10:00:00 +0000\n");
	buf_free(&b);
}

static const char *
mail(const char *text, struct mail_params *m)
{
	struct cur c = cur_str(text);

	return param_mail(&c, m);
}

static void
test_mail_params(void **state)
{
	struct mail_params m;

	assert_null(mail("", &m));
	assert_int_equal(m.ret, '_');
	assert_null(mail(" SIZE=1000 body=8bitmime RET=HDRS ENVID=a+2Bb "
	    "AUTH=<>", &m));
	assert_int_equal(m.size, 1000);
	assert_true(m.eightbit);
	assert_int_equal(m.ret, 'H');
	assert_string_equal(m.envid, "a+2Bb");
	assert_non_null(mail(" SIZE=", &m));
	assert_non_null(mail(" SIZE=12x", &m));
	assert_non_null(mail(" SIZE=99999999999999999999", &m));
	assert_non_null(mail(" SIZE=1 SIZE=2", &m));
	assert_null(mail(" BODY=BINARYMIME SMTPUTF8", &m));
	assert_true(m.binary && m.eightbit && m.utf8);
	assert_non_null(mail(" BODY=BINARY", &m));
	assert_non_null(mail(" RET=ALL", &m));
	assert_non_null(mail(" ENVID=a=b", &m));
	assert_non_null(mail(" SMTPUTF8=1", &m));
}

static const char *
rcpt(const char *text, struct rcpt_params *r)
{
	struct cur c = cur_str(text);

	return param_rcpt(&c, r);
}

static void
test_rcpt_params(void **state)
{
	struct rcpt_params r;

	assert_null(rcpt("", &r));
	assert_int_equal(r.notify, 0);
	assert_null(rcpt(" NOTIFY=success,DELAY ORCPT=rfc822;a@b", &r));
	assert_int_equal(r.notify, QN_SUCCESS | QN_DELAY | QN_SAID);
	assert_string_equal(r.orcpt, "rfc822;a@b");
	assert_null(rcpt(" NOTIFY=NEVER", &r));
	assert_non_null(rcpt(" NOTIFY=NEVER,SUCCESS", &r));
	assert_non_null(rcpt(" NOTIFY=SUCCESS,NEVER", &r));
	assert_non_null(rcpt(" NOTIFY=", &r));
	assert_non_null(rcpt(" NOTIFY=SUCCESS,", &r));
	assert_non_null(rcpt(" ORCPT=a@b", &r));
	assert_non_null(rcpt(" ORCPT=;a@b", &r));
	assert_null(rcpt(" ORCPT=utf-8;gr\\x{FC}n@b", &r));
	assert_false(r.utf8);
	assert_null(rcpt(" ORCPT=UTF-8;gr\xc3\xbcn@b", &r));
	assert_true(r.utf8);
	assert_non_null(rcpt(" ORCPT=utf-8;gr\xfcn@b", &r));
	assert_non_null(rcpt(" ORCPT=utf-8;gr\xc3\xbcn\x01@b", &r));
	assert_non_null(rcpt(" ORCPT=rfc822;gr\xc3\xbcn@b", &r));
}

/* --- BINARYMIME --- */

/* In pieces of every size the same comes out. */
static void
expect_binary(const char *in, size_t len, const char *want)
{
	struct binary *b;
	struct buf out;
	size_t piece, at, n;

	for (piece = 1; piece <= len; piece++) {
		b = binary_new();
		assert_non_null(b);
		buf_init(&out, 0);
		for (at = 0; at < len; at += n) {
			n = len - at < piece ? len - at : piece;
			assert_true(binary_feed(b, in + at, n, false, &out));
		}
		assert_true(binary_feed(b, "", 0, true, &out));
		assert_string_equal(out.p, want);
		buf_free(&out);
		binary_free(b);
	}
}

#define BINARY(in, want) expect_binary(in, sizeof(in) - 1, want)
#define CTE "Content-Transfer-Encoding: "

static void
test_binary(void **state)
{
	/* nothing to do */
	BINARY("A: b\r\n\r\nlines\r\n\r\n--x\r\n",
	    "A: b\r\n\r\nlines\r\n\r\n--x\r\n");
	/* all of it */
	BINARY("A: b\r\n" CTE " BINARY\r\nC: d\r\n\r\n\0\r\n\n\xff\r",
	    "A: b\r\n" CTE "base64\r\nC: d\r\n\r\nAA0KCv8N\r\n");
	/* one part of two; its last line end is the delimiter's */
	BINARY("Content-Type: multipart/mixed; x=\"a;boundary=no\";\r\n"
	    "\tboundary=\"b b\"\r\n" CTE "binary\r\n\r\npre\r\n--b b\r\n"
	    CTE "binary\r\n\r\n\n--b b\r\n--b bx\r--\r\n\r\n--b b \r\n"
	    "\r\ntext\r\n--b b--\r\npost\r\n",
	    "Content-Type: multipart/mixed; x=\"a;boundary=no\";\r\n"
	    "\tboundary=\"b b\"\r\n" CTE "8bit\r\n\r\npre\r\n--b b\r\n"
	    CTE "base64\r\n\r\nCi0tYiBiDQotLWIgYngNLS0NCg==\r\n--b b \r\n"
	    "\r\ntext\r\n--b b--\r\npost\r\n");
	/* an empty one, one with no header's end, and the outer's boundary */
	BINARY("Content-Type: multipart/x; boundary=o\r\n\r\n--o\r\n"
	    "Content-Type: multipart/digest; boundary=i\r\n\r\n--i\r\n\r\n"
	    CTE "binary\r\n\r\n--i\r\nA: b\r\n--o\r\n" CTE "binary\r\n\r\n"
	    "\r\n--o--",
	    "Content-Type: multipart/x; boundary=o\r\n\r\n--o\r\n"
	    "Content-Type: multipart/digest; boundary=i\r\n\r\n--i\r\n\r\n"
	    CTE "base64\r\n\r\n--i\r\nA: b\r\n--o\r\n" CTE "base64\r\n"
	    "\r\n\r\n--o--");
	/* a message in a message */
	BINARY("Content-Type: message/rfc822\r\n" CTE "binary\r\n\r\n"
	    "A: b\r\n" CTE "binary\r\n\r\n\n",
	    "Content-Type: message/rfc822\r\n" CTE "8bit\r\n\r\n"
	    "A: b\r\n" CTE "base64\r\n\r\nCg==\r\n");
	BINARY("A: b\r\n", "A: b\r\n");
}

static void
test_binary_long(void **state)
{
	char in[1000], want[2000];
	size_t i, n;

	n = snprintf(in, sizeof(in), CTE "binary\r\n\r\n");
	for (i = 0; i < 120; i++)
		in[n++] = i;
	snprintf(want, sizeof(want), CTE "base64\r\n\r\n"
	    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v"
	    "MDEyMzQ1Njc4\r\n"
	    "OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiY2RlZmdo"
	    "aWprbG1ub3Bx\r\ncnN0dXZ3\r\n");
	expect_binary(in, n, want);
}

/* It is refused before it takes much memory. */
static void
test_binary_bounds(void **state)
{
	struct binary *b = binary_new();
	struct buf out;
	char text[100];
	bool ok = true;
	int i;

	buf_init(&out, 0);
	for (i = 0; i < 100 && ok; i++) {
		snprintf(text, sizeof(text), "Content-Type: multipart/x; "
		    "boundary=b%d\r\n\r\n--b%d\r\n", i, i);
		ok = binary_feed(b, text, strlen(text), false, &out);
	}
	assert_int_equal(i, BINARY_MAXDEPTH + 1);
	binary_free(b);
	b = binary_new();
	memset(text, 'a', sizeof(text));
	for (i = 0, ok = true; i < 10000 && ok; i++)
		ok = binary_feed(b, text, sizeof(text), false, &out);
	assert_false(ok);
	binary_free(b);
	buf_free(&out);
}

static void
test_return_path(void **state)
{
	char want[512];

	snprintf(want, sizeof(want), "Subject: x\nTo: y\n%s\nhi\n", DATE);
	expect("Return-Path: <evil@x>\r\n\t(really)\r\nSubject: x\r\n"
	    "return-path: <>\r\nTo: y\r\n\r\nhi\r\n.\r\n", want);
	/* What is left out hides nothing. */
	expect_bare("Return-Path: a\rb\r\nA: b\r\n\r\nc\r\n.\r\n", 34, true);
	expect_bare("Return-Path: xxxx\r\na\rb: c\r\n\r\nc\r\n.\r\n", 35,
	    true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_smuggling),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_message_id),
		cmocka_unit_test(test_hops),
		cmocka_unit_test(test_taking),
		cmocka_unit_test(test_long_header_line),
		cmocka_unit_test(test_received),
		cmocka_unit_test(test_mail_params),
		cmocka_unit_test(test_rcpt_params),
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_binary_long),
		cmocka_unit_test(test_binary_bounds),
		cmocka_unit_test(test_return_path)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
