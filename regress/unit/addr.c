/* Addresses: what chapter 27 of the manual says of them, and bad ones. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include <cmocka.h>

#include "addr.h"

static const char *
text(const struct buf *b)
{
	return b->p != NULL ? b->p : "";
}

static void
routes(void **state)
{
	static const struct {
		const char *in, *local, *domain;
	} t[] = {
		{ "xxxx@yyyyy", "xxxx", "yyyyy" },
		{ "<@zzzz:xxxx@yyyyy>", "xxxx%yyyyy", "zzzz" },
		{ "zzzz!yyyyy!xxxx", "xxxx%yyyyy", "zzzz" },
		{ "xxxx%yyyyy@zzzz", "xxxx%yyyyy", "zzzz" },
		{ "support@stalker.com", "support", "stalker.com" },
		{ "<@stalker.com:sales@gamma.com>", "sales%gamma.com",
		    "stalker.com" },
		{ "sales%gamma.com", "sales", "gamma.com" },
		{ "joe5%bigprovider.com@relay3.com.smtp",
		    "joe5%bigprovider.com", "relay3.com.smtp" },
		{ "@a,@b:c@d", "c%d%b", "a" },
		{ "@a,@b,@x.y:c@d", "c%d%x.y%b", "a" },
		{ "@a:c", "c", "a" },
		{ "c%d%b@a", "c%d%b", "a" },
		{ "c%d%b", "c%d", "b" },
		{ "a!b!c!user", "user%c%b", "a" },
		{ "a!user@b", "user%a", "b" },
		{ "a!user%c@b", "user%a%c", "b" },
		{ "user@[10.34.45.67]", "user", "[10.34.45.67]" },
		{ "user@10.34.45.67", "user", "10.34.45.67" },
		{ "user%[10.1.2.3]@x", "user%[10.1.2.3]", "x" },
		{ "postmaster", "postmaster", "" },
		{ "\"john\"@x", "john", "x" },
		{ "\"jo\\hn\"@x", "john", "x" },
		{ "\"a%b\"@c", "\"a%b\"", "c" },
		{ "\"a!b\"", "\"a!b\"", "" },
		{ "\"a@b\"@c", "\"a@b\"", "c" },
		{ "\"a@b\"%d@c", "\"a@b\"%d", "c" },
		{ "\"john doe\"@x.y", "\"john doe\"", "x.y" },
		{ "<>", "", "" },
		{ "", "", "" },
		{ "null", "null", "" },
		{ "gr\xc3\xbcn@EX\xc3\x84MPLE.com", "gr\xc3\xbcn",
		    "xn--exmple-cua.com" },
		{ "gr\xc3\xbcn%ex\xc3\xa4mple.com@b",
		    "gr\xc3\xbcn%xn--exmple-cua.com", "b" },
		{ "ex\xc3\xa4mple.com!x", "x", "xn--exmple-cua.com" },
		{ "<@ex\xc3\xa4mple.com,@a.ex\xc3\xa4mple.com:x@y>",
		    "x%y%a.xn--exmple-cua.com", "xn--exmple-cua.com" },
		/* a letter in two characters, and Japan's full stop */
		{ "x@exa\xcc\x88mple\xe3\x80\x82" "com", "x",
		    "xn--exmple-cua.com" },
		{ "listname-admin@list_domain.com", "listname-admin",
		    "list_domain.com" },
	};
	static const char *bad[] = { "@", "user@", "@dom", "@a:", "@a,b:c@d",
	    "%", "a%", "%b", "!", "a!", "!b", "a b@c", "a@b c", "a@b@c",
	    "\"a@b", "\"a\"b@c", "a@-b", "a@b..c", "a@[1.2.3]", "a@[]",
	    "a\x01@b", "a@b\r\n", "<a@b", "a..b@c", ".a@b", "a.@b",
	    "<<a@b>>", "a@b.", "\"\"x@y", "a@[IPv6:1::2::3]", "gr\xfcn@b",
	    "a\xc2\x80@b", "\xed\xa0\x80@b", "\xc0\xaf@b", "a@\xfc.com",
	    "a@-\xc3\xa4.com", ("a@b\xef\xbc\xa0" "c\xc3\xa4.com"),
	    "a@b\xc3\xa4\xef\xbc\x9e.com", "\"\xff\"@b" };
	struct buf l, d;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		buf_init(&l, 0);
		buf_init(&d, 0);
		if (addr_route_parse(str_make(t[i].in), &l, &d) != 0)
			fail_msg("refused: %s", t[i].in);
		assert_string_equal(text(&l), t[i].local);
		assert_string_equal(text(&d), t[i].domain);
		buf_free(&l);
		buf_free(&d);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		buf_init(&l, 0);
		buf_init(&d, 0);
		if (addr_route_parse(str_make(bad[i]), &l, &d) != -1)
			fail_msg("taken: %s as %s at %s", bad[i], text(&l),
			    text(&d));
		buf_free(&l);
		buf_free(&d);
	}
}

static void
paths(void **state)
{
	static const struct {
		const char *in, *out, *rest;
		bool lax;
	} t[] = {
		{ "<a@b.c>", "a@b.c", "", false },
		{ "<a@b.c> SIZE=3", "a@b.c", " SIZE=3", false },
		{ "<>", "", "", false },
		{ "<> BODY=7BIT", "", " BODY=7BIT", false },
		{ "<postmaster>", "postmaster", "", false },
		{ "<@a,@b.c:d@e>", "d@e", "", false },
		{ "<\"a b\\\"c\"@d>", "\"a b\\\"c\"@d", "", false },
		{ "<\"a>b\"@d>", "\"a>b\"@d", "", false },
		{ "<a@[192.0.2.1]>", "a@[192.0.2.1]", "", false },
		{ "<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]", "", false },
		{ " < a@b > x", "a@b", " x", true },
		{ "a@b SIZE=1", "a@b", " SIZE=1", true },
		{ "a%b!c@d", "a%b!c@d", "", true },
		{ "<a\xc3\xa4@b>", "a\xc3\xa4@b", "", false },
		{ "<\"a\xc3\xa4\"@b\xc3\xa4.c> x", "\"a\xc3\xa4\"@xn--b-0fa.c",
		    " x", false },
	};
	static const char *bad[] = { "a@b", "<a@b", "<a b@c>", 
	    "<a@@b>", "<a@>", "<@b>", "<a@b.>", "<.a@b>", "<a@b c>",
	    "<\"a@b>", "<a@[300.1.1.1]>", "<a\xc3@b>", "<a@b\r>", "<",
	    "<@a:@b:c@d>", "<@a,:c@d>", "<@a b@c>" };
	struct buf out;
	struct cur c;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		buf_init(&out, 0);
		c = cur_str(t[i].in);
		if (addr_path(&c, &out, t[i].lax) != 0)
			fail_msg("refused: %s", t[i].in);
		assert_string_equal(text(&out), t[i].out);
		assert_int_equal(cur_left(&c), strlen(t[i].rest));
		buf_free(&out);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		buf_init(&out, 0);
		c = cur_str(bad[i]);
		if (addr_path(&c, &out, false) != -1)
			fail_msg("taken: %s", bad[i]);
		buf_free(&out);
	}
}

/* Lengths at and over their limits. */
static void
limits(void **state)
{
	char s[2000];
	struct buf out;
	struct cur c;
	int n, rv;

	for (n = ADDR_MAXLOCAL - 1; n < ADDR_MAXLOCAL + 3; n++) {
		s[0] = '<';
		memset(s + 1, 'a', n);
		strlcpy(s + 1 + n, "@b.c>", 100);
		buf_init(&out, 0);
		c = cur_str(s);
		rv = addr_path(&c, &out, false);
		assert_int_equal(rv, n <= ADDR_MAXLOCAL ? 0 : -1);
		buf_free(&out);
	}
	memset(s, 'a', sizeof(s));
	assert_true(addr_valid_domain((struct str){ s, 63 }));
	assert_false(addr_valid_domain((struct str){ s, 64 }));
	for (n = 63; n < 2000; n += 64)
		s[n] = '.';
	assert_true(addr_valid_domain((struct str){ s, 255 }));
	assert_false(addr_valid_domain((struct str){ s, 256 }));
	memset(s, '%', sizeof(s));
	buf_init(&out, 0);
	assert_int_equal(addr_route_parse((struct str){ s, 2000 }, &out, &out),
	    -1);
	buf_free(&out);
}

static char listed[4096];

static void
note(struct str addr, struct str name, void *arg)
{
	size_t n = strlen(listed);

	snprintf(listed + n, sizeof(listed) - n, "{%.*s|%.*s}", (int)addr.len,
	    addr.p, (int)name.len, name.p);
}

static void
lists(void **state)
{
	static const struct {
		const char *in, *out;
		int n;
	} t[] = {
		{ "a@b", "{a@b|}", 1 },
		{ "a@b, c@d", "{a@b|}{c@d|}", 2 },
		{ "John Doe <j@d>", "{j@d|John Doe}", 1 },
		{ "\"Doe, John\" <j@d>, x@y", "{j@d|Doe, John}{x@y|}", 2 },
		{ "John Q. Public <j@d>", "{j@d|John Q. Public}", 1 },
		{ "j@d (John (the) Doe)", "{j@d|}", 1 },
		{ "A Group: a@b, C <c@d>;, e@f", "{a@b|}{c@d|C}{e@f|}", 3 },
		{ "undisclosed-recipients:;", "", 0 },
		{ "", "", 0 },
		{ ",, ,", "", 0 },
		{ "<@x,@y:a@b>", "{a@b|}", 1 },
		{ "a @ b . c", "{a@b.c|}", 1 },
		{ "\"a b\"@c", "{\"a b\"@c|}", 1 },
		{ "a@b;c@d", "{a@b|}{c@d|}", 2 },
		{ "a@[IPv6:1::2]", "{a@[IPv6:1::2]|}", 1 },
		{ "=?utf-8?q?J=C3=B6rg?= <j@d>",
		    "{j@d|=?utf-8?q?J=C3=B6rg?=}", 1 },
		{ "a@b,\r\n c@d", "{a@b|}{c@d|}", 2 },
		{ "<>", "", 0 },
		{ "postmaster", "{postmaster|}", 1 },
		{ "X <a@b> (tail)", "{a@b|X}", 1 },
		{ "a@b (", "", -1 },
		{ "\"a", "", -1 },
		{ "<a@b", "", -1 },
		{ "<a@b> <c@d>", "", -1 },
		{ "a: b: c@d;", "", -1 },
	};
	size_t i;
	int n;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		listed[0] = '\0';
		n = addr_list(str_make(t[i].in), note, NULL);
		if (n != t[i].n)
			fail_msg("%s: %d", t[i].in, n);
		if (n >= 0)
			assert_string_equal(listed, t[i].out);
	}
}

static void
quoting(void **state)
{
	static const char *t[][2] = { { "john", "john" }, { "a.b", "a.b" },
	    { "a b", "\"a b\"" }, { "a\"b\\", "\"a\\\"b\\\\\"" },
	    { "", "\"\"" }, { ".a", "\".a\"" }, { "a@b", "\"a@b\"" } };
	struct buf b;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		buf_init(&b, 0);
		assert_true(addr_quote_local(&b, str_make(t[i][0])));
		assert_string_equal(text(&b), t[i][1]);
		assert_true(addr_valid_local((struct str){ b.p, b.len }));
		buf_free(&b);
	}
}

static void
splits(void **state)
{
	struct str l, d;

	assert_true(addr_split(str_make("\"a@b\"@c"), &l, &d));
	assert_true(str_eq(l, "\"a@b\"") && str_eq(d, "c"));
	assert_true(addr_split(str_make("a@b@c"), &l, &d));
	assert_true(str_eq(l, "a@b") && str_eq(d, "c"));
	assert_false(addr_split(str_make("abc"), &l, &d));
	assert_true(str_eq(l, "abc") && d.len == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes),
		cmocka_unit_test(paths),
		cmocka_unit_test(limits),
		cmocka_unit_test(lists),
		cmocka_unit_test(quoting),
		cmocka_unit_test(splits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
