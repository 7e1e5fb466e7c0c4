/* SEARCH's keys: what is taken, as which tree, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "from.h"
#include "imapd/session/search.h"

static struct search_cmd	s;

static int
teardown(void **state)
{
	search_free(&s);
	return 0;
}

static const char *
parse(const char *text)
{
	struct cur c = cur_str(text);

	search_free(&s);
	return search_parse(&c, &s);
}

static void
bad(const char *text)
{
	if (parse(text) == NULL)
		fail_msg("taken: %s", text);
}

/* The tree in short: (a b) is AND, [a b] is OR, ! is NOT. */
static void
draw(struct buf *b, const struct search_node *n)
{
	static const char names[] = "afksubolemBONShxX";
	uint32_t i;

	if (n->not)
		buf_putc(b, '!');
	if (n->key < SEARCH_AND) {
		buf_putc(b, names[n->key]);
		if (n->number != 0)
			buf_printf(b, "%lld", (long long)n->number);
		if (n->text.len > 0)
			buf_printf(b, "'%.*s'", (int)n->text.len, n->text.p);
		return;
	}
	buf_putc(b, n->key == SEARCH_AND ? '(' : '[');
	for (i = n->child; i != 0; i = s.nodes[i].next) {
		draw(b, &s.nodes[i]);
		if (s.nodes[i].next != 0)
			buf_putc(b, ' ');
	}
	buf_putc(b, n->key == SEARCH_AND ? ')' : ']');
}

static void
tree(const char *text, const char *want)
{
	const char *why = parse(text);
	struct buf b;

	if (why != NULL)
		fail_msg("%s: %s", text, why);
	buf_init(&b, 0);
	draw(&b, &s.nodes[0]);
	assert_string_equal(b.p, want);
	buf_free(&b);
}

static void
test_keys(void **state)
{
	tree("ALL", "(a)");
	tree("all SEEN unseen", "(a f1 !f1)");
	tree("NEW", "((f64 !f1))");
	tree("OLD RECENT", "(!f64 f64)");
	tree("KEYWORD work UNKEYWORD play", "(k'work' !k'play')");
	tree("LARGER 10 SMALLER 20", "(e10 m20)");
	tree("MODSEQ 77", "(B77)");
	assert_true(s.modseq);
	tree("MODSEQ \"/flags/\\\\Draft\" all 77", "(B77)");
	tree("BEFORE 1-Jan-1970 ON 2-Jan-1970 SINCE \"03-jan-1970\"",
	    "(b o1 l2)");
	tree("1:3 UID 5,7:*", "(s u)");
	assert_true(imap_set_has(&s.nodes[1].set, 2, 9));
	assert_false(imap_set_has(&s.nodes[1].set, 4, 9));
	assert_true(imap_set_has(&s.nodes[2].set, 8, 9));
	bad("");
	bad(" ALL");
	bad("ALL ");
	bad("BOGUS");
	bad("LARGER");
	bad("LARGER -1");
	bad("LARGER 4294967296");
	bad("ON 1-Foo-2000");
	bad("ON 0-Jan-2000");
	bad("ON \"1-Jan-2000");
	bad("0");
	bad("UID");
	bad("MODSEQ \"x\" 5");
}

static void
test_texts(void **state)
{
	tree("FROM ann SUBJECT \"a \\\"b\\\"\" BODY {3}\r\nc d",
	    "(h'ann' h'a \"b\"' x'c d')");
	assert_true(str_eq(s.nodes[1].field, "From"));
	assert_int_equal(s.cost, COST_BODY);
	tree("HEADER X-Y z", "(h'z')");
	assert_true(str_eq(s.nodes[1].field, "X-Y"));
	tree("CHARSET UTF-8 TEXT {2}\r\n\xc3\xbc", "(X'\xc3\xbc')");
	tree("CHARSET iso-8859-1 TEXT {1}\r\n\xfc", "(X'\xc3\xbc')");
	assert_false(s.badcharset);
	bad("CHARSET x-bogus ALL");
	assert_true(s.badcharset);
	bad("CHARSET utf-8");
	bad("FROM");
	bad("HEADER x");
	bad("BODY {5}\r\nabc");
}

static void
test_trees(void **state)
{
	tree("OR 1 2", "([s s])");
	tree("OR SEEN OR DRAFT OR (1 2) DELETED",
	    "([f1 f16 (s s) f8])");
	tree("OR OR SEEN DRAFT DELETED", "([[f1 f16] f8])");
	tree("NOT SEEN", "(!f1)");
	tree("NOT UNSEEN", "(f1)");
	tree("NOT NOT NOT (1 2)", "(!(s s))");
	tree("OR NOT OR 1 2 3", "([![s s] s])");
	bad("OR 1");
	bad("OR 1 ");
	bad("NOT");
	bad("(1");
	bad("1)");
	bad("()");
	bad("(1  2)");
}

/* What is cheap to judge is judged first, whatever comes first. */
static void
test_order(void **state)
{
	tree("BODY a FROM b SEEN TEXT c 1", "(f1 s h'b' x'a' X'c')");
	tree("OR BODY a SEEN", "([f1 x'a'])");
	tree("(BODY a 1) 2", "(s (s x'a'))");
}

static void
test_returns(void **state)
{
	tree("RETURN (MIN max Count ALL) ALL", "(a)");
	assert_true(s.esearch);
	assert_int_equal(s.ret, RETURN_MIN | RETURN_MAX | RETURN_COUNT |
	    RETURN_ALL);
	tree("RETURN () CHARSET utf-8 ALL", "(a)");
	assert_int_equal(s.ret, RETURN_ALL);
	bad("RETURN (SAVE) ALL");
	bad("RETURN (MIN ALL");
	bad("RETURN (MIN)");
	bad("RETURN MIN ALL");
}

static void
test_limits(void **state)
{
	struct buf b;
	int i;

	buf_init(&b, 0);
	for (i = 0; i < SEARCH_MAXDEPTH - 1; i++)
		buf_putc(&b, '(');
	buf_putc(&b, '1');
	for (i = 0; i < SEARCH_MAXDEPTH - 1; i++)
		buf_putc(&b, ')');
	assert_null(parse(b.p));
	buf_reset(&b);
	for (i = 0; i < 100000; i++)
		buf_putc(&b, '(');
	bad(b.p);
	buf_reset(&b);
	for (i = 0; i < 10000; i++)
		buf_puts(&b, "OR 1 ");
	buf_putc(&b, '1');
	assert_null(parse(b.p));
	buf_reset(&b);
	for (i = 0; i < 100000; i++)
		buf_puts(&b, "OR OR ");
	bad(b.p);
	buf_reset(&b);
	for (i = 0; i < SEARCH_MAXKEYS; i++)
		buf_puts(&b, "1 ");
	buf_puts(&b, "1");
	bad(b.p);
	buf_free(&b);
}

static void
test_dates(void **state)
{
	int64_t day;

	assert_int_equal(search_day(1970, 1, 1), 0);
	assert_int_equal(search_day(2000, 2, 29), 11016);
	assert_int_equal(search_day(1969, 12, 31), -1);
	assert_true(search_date(str_make(" Tue, 29 Feb 2000 23:59:59 -1200"),
	    &day));
	assert_int_equal(day, 11016);
	assert_true(search_date(str_make("29 February 00"), &day));
	assert_int_equal(day, 11016);
	assert_true(search_date(str_make("29-Feb-2000"), &day));
	assert_int_equal(day, 11016);
	assert_false(search_date(str_make("yesterday"), &day));
	assert_false(search_date(str_make("1 Foo 2000"), &day));
	assert_false(search_date(str_make(""), &day));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_keys, teardown),
		cmocka_unit_test_teardown(test_texts, teardown),
		cmocka_unit_test_teardown(test_trees, teardown),
		cmocka_unit_test_teardown(test_order, teardown),
		cmocka_unit_test_teardown(test_returns, teardown),
		cmocka_unit_test_teardown(test_limits, teardown),
		cmocka_unit_test(test_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
