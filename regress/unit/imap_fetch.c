/* FETCH: what is asked for, and what is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "imapd/session/fetch.h"

static struct fetch_cmd	f;

static int
setup(void **state)
{
	memset(&f, 0, sizeof(f));
	return 0;
}

static int
teardown(void **state)
{
	fetch_free(&f);
	return 0;
}

static const char *
parse(const char *text)
{
	struct cur c = cur_str(text);

	fetch_free(&f);
	return fetch_parse(&c, false, &f);
}

static void
good(const char *text)
{
	const char *why = parse(text);

	if (why != NULL)
		fail_msg("%s: %s", text, why);
}

static void
bad(const char *text)
{
	if (parse(text) == NULL)
		fail_msg("taken: %s", text);
}

static void
test_words(void **state)
{
	good("FLAGS");
	assert_int_equal(f.nitems, 1);
	assert_int_equal(f.items[0].kind, FETCH_FLAGS);
	assert_true(f.flags);
	assert_false(f.seen);
	good("(uid Flags INTERNALDATE RFC822.SIZE MODSEQ envelope BODY "
	    "BODYSTRUCTURE)");
	assert_int_equal(f.nitems, 8);
	assert_int_equal(f.items[6].kind, FETCH_BODY);
	assert_true(f.uid && f.modseq && f.summary);
	good("RFC822");
	assert_true(f.seen);
	assert_true(str_eq(f.items[0].label, "RFC822"));
	good("RFC822.HEADER");
	assert_false(f.seen);
	assert_int_equal(f.items[0].text, TEXT_HEADER);
	good("RFC822.TEXT");
	assert_true(f.seen);
	assert_int_equal(f.items[0].text, TEXT_BODY);
	bad("");
	bad("()");
	bad("(FLAGS");
	bad("FLAGS UID");
	bad("(FLAGS  UID)");
	bad("FLAGS)");
	bad("BOGUS");
	bad("(FLAGS BOGUS)");
	bad("RFC822.HEADER.LINES");
	bad("BODY.PEEK");
	bad("FLAGS[]");
}

static void
test_macros(void **state)
{
	good("ALL");
	assert_int_equal(f.nitems, 4);
	good("fast");
	assert_int_equal(f.nitems, 3);
	good("Full");
	assert_int_equal(f.nitems, 5);
	assert_int_equal(f.items[4].kind, FETCH_BODY);
	bad("(ALL)");
	bad("ALLES");
}

/* One section: its label as it is answered. */
static const struct fetch_item *
section(const char *text, const char *label)
{
	good(text);
	assert_int_equal(f.nitems, 1);
	assert_int_equal(f.items[0].kind, FETCH_SECTION);
	if (!str_eq(f.items[0].label, label))
		fail_msg("%s: %.*s", text, (int)f.items[0].label.len,
		    f.items[0].label.p);
	return &f.items[0];
}

static void
test_sections(void **state)
{
	const struct fetch_item *it;

	it = section("BODY[]", "BODY[]");
	assert_false(it->peek);
	assert_true(f.seen);
	it = section("body.peek[]", "BODY[]");
	assert_true(it->peek);
	assert_false(f.seen);
	it = section("BODY[1]", "BODY[1]");
	assert_int_equal(it->npath, 1);
	it = section("BODY.PEEK[1.20.3.text]", "BODY[1.20.3.TEXT]");
	assert_int_equal(it->npath, 3);
	assert_int_equal(f.numbers[it->path + 1], 20);
	assert_int_equal(it->text, TEXT_BODY);
	section("BODY[2.MIME]", "BODY[2.MIME]");
	section("BODY[HEADER]", "BODY[HEADER]");
	section("BODY[4294967295.HEADER]", "BODY[4294967295.HEADER]");
	bad("BODY[");
	bad("BODY[0]");
	bad("BODY[1.0]");
	bad("BODY[4294967296]");
	bad("BODY[1.]");
	bad("BODY[.1]");
	bad("BODY[MIME]");
	bad("BODY[1HEADER]");
	bad("BODY[HEADER.1]");
	bad("BODY[BOGUS]");
	bad("BODY[]x");
}

static void
test_fields(void **state)
{
	const struct fetch_item *it;

	it = section("BODY.PEEK[header.fields (Date \"X \\\"Y\" {3}\r\na(b)]",
	    "BODY[HEADER.FIELDS (Date \"X \\\"Y\" \"a(b\")]");
	assert_int_equal(it->text, TEXT_FIELDS);
	assert_int_equal(it->nnames, 3);
	assert_true(str_eq(f.names[it->name], "Date"));
	assert_true(str_eq(f.names[it->name + 1], "X \"Y"));
	assert_true(str_eq(f.names[it->name + 2], "a(b"));
	it = section("BODY[1.HEADER.FIELDS.NOT (A)]",
	    "BODY[1.HEADER.FIELDS.NOT (A)]");
	assert_int_equal(it->text, TEXT_FIELDS_NOT);
	good("(BODY[HEADER.FIELDS (A B)] BODY[HEADER.FIELDS (C)])");
	assert_true(str_eq(f.names[f.items[1].name], "C"));
	bad("BODY[HEADER.FIELDS]");
	bad("BODY[HEADER.FIELDS ()]");
	bad("BODY[HEADER.FIELDS (A]");
	bad("BODY[HEADER.FIELDS (A )]");
	bad("BODY[HEADER.FIELDS A]");
}

static void
test_partials(void **state)
{
	const struct fetch_item *it;

	it = section("BODY[]<0.2048>", "BODY[]<0>");
	assert_true(it->partial);
	assert_int_equal(it->len, 2048);
	it = section("BODY[1.TEXT]<4294967295.4294967295>",
	    "BODY[1.TEXT]<4294967295>");
	assert_int_equal(it->off, UINT32_MAX);
	bad("BODY[]<0.0>");
	bad("BODY[]<1>");
	bad("BODY[]<1.>");
	bad("BODY[]<-1.5>");
	bad("BODY[]<4294967296.1>");
	bad("BODY[]<1.2");
}

static void
test_modifiers(void **state)
{
	good("FLAGS (CHANGEDSINCE 12345678901)");
	assert_true(f.since);
	assert_int_equal(f.modified, 12345678901);
	assert_int_equal(f.nitems, 2);
	assert_true(f.modseq);
	good("(FLAGS MODSEQ) (changedsince 1)");
	assert_int_equal(f.nitems, 2);
	bad("FLAGS (CHANGEDSINCE)");
	bad("FLAGS (CHANGEDSINCE x)");
	bad("FLAGS (CHANGEDSINCE 1 VANISHED)");
	bad("FLAGS (BOGUS 1)");
	bad("FLAGS (CHANGEDSINCE 1");
}

/* More than there may be of anything. */
static void
test_limits(void **state)
{
	struct buf b;
	int i;

	buf_init(&b, 0);
	buf_puts(&b, "(FLAGS");
	for (i = 0; i < FETCH_MAXITEMS; i++)
		buf_puts(&b, " FLAGS");
	buf_puts(&b, ")");
	bad(b.p);
	buf_reset(&b);
	buf_puts(&b, "BODY[1");
	for (i = 0; i < FETCH_MAXPATH; i++)
		buf_puts(&b, ".1");
	buf_puts(&b, "]");
	bad(b.p);
	buf_reset(&b);
	buf_puts(&b, "BODY[HEADER.FIELDS (a");
	for (i = 0; i < FETCH_MAXNAMES; i++)
		buf_puts(&b, " a");
	buf_puts(&b, ")]");
	bad(b.p);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_words, setup, teardown),
		cmocka_unit_test_setup_teardown(test_macros, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sections, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_partials, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_modifiers, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
