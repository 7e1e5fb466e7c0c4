/* Mailboxes that others made, and write to. */
#include "store_test.h"

static void
expect(const char *file, uint32_t count, const char *const *texts)
{
	struct acct *a;
	struct box *b;
	uint32_t i;

	unlinkat(top, "INBOX.mbox.idx", 0);
	put("INBOX.mbox", file, strlen(file));
	a = account(true);
	b = inbox(a);
	if (box_count(b) != count)
		fail_msg("%u messages in:\n%s", box_count(b), file);
	for (i = 0; i < count; i++)
		assert_text(b, i, texts[i]);
	acct_free(a);
	/* again, by the index */
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_count(b), count);
	for (i = 0; i < count; i++)
		assert_text(b, i, texts[i]);
	acct_free(a);
}

static void
test_origins(void **state)
{
	static const char *const ab[] = { "A: b\n\nc\n", "D: e\n\nf\n" };
	static const char *const crlf[] = { "A: b\r\n\r\nc\r\n",
		"D: e\r\n\r\nf\r\n" };
	static const char *const open[] = { "A: b\n\nc\n", "D: e\n\nf" };
	static const char *const body[] = {
		"A: b\n\nFrom here on\n\nFrom there\nFrom x\n" };
	static const char *const blank[] = { "A: b\n\n\n\n", "D: e\n\nf\n" };

	expect("", 0, NULL);
	expect(OLD "A: b\n\nc\n\n" OLD "D: e\n\nf\n\n", 2, ab);
	expect(OLD "A: b\n\nc\n\n" OLD "D: e\n\nf\n", 2, ab);
	expect(OLD "A: b\n\nc\n\n" OLD "D: e\n\nf", 2, open);
	expect("From ann Sat Nov 21 02:40:26 2026\r\nA: b\r\n\r\nc\r\n\r\n"
	    "From <x@y>(R-7) Sat Nov 21 02:40:26 2026\r\nD: e\r\n\r\nf\r\n",
	    2, crlf);
	expect(OLD "A: b\n\nFrom here on\n\nFrom there\nFrom x\n", 1, body);
	expect("From <a@b>(R-5) Sat Nov 21 02:40:26 2026\nA: b\n\nc\n\n"
	    "From <a@b>(R-6-9999) Sat Nov 21 02:40:26 2026\nD: e\n\nf\n\n",
	    2, ab);
	/* a length that is not true */
	expect("From <a@b>(--------00000000-0000000005-000000000003) "
	    "Sat Nov 21 02:40:26 2026\nA: b\n\nc\n\n"
	    "From <a@b>(--------00000000-0000000006-000000000006) "
	    "Sat Nov 21 02:40:26 2026\nD: e\n\nf\n\n", 2, ab);
	/* by its length, a message may hold anything */
	expect("From <a@b>(--------00000000-0000000005-000000000008) "
	    "Sat Nov 21 02:40:26 2026\nA: b\n\n\n\n\n" OLD "D: e\n\nf\n\n",
	    2, blank);
	/* junk before the first */
	expect("rubbish\n\n" OLD "A: b\n\nc\n", 1, ab);
}

static void
test_wire_sizes(void **state)
{
	static const struct {
		const char	*text;
		uint64_t	 wire;
	} t[] = {
		{ "", 0 }, { "a", 1 }, { "a\n", 3 }, { "a\r\n", 3 },
		{ "\n", 2 }, { "a\nb\r\nc\n", 9 }, { "a\rb\n", 5 },
	};
	struct acct *a;
	struct box *b;
	char text[256];
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(text, sizeof(text), "From <a@b>(--------00000000-"
		    "0000000005-%012zu) Sat Nov 21 02:40:26 2026\n%s\n",
		    strlen(t[i].text), t[i].text);
		unlinkat(top, "INBOX.mbox.idx", 0);
		put("INBOX.mbox", text, strlen(text));
		a = account(true);
		b = inbox(a);
		assert_int_equal(box_count(b), 1);
		assert_int_equal(box_rec(b, 0)->wire, t[i].wire);
		acct_free(a);
	}
}

static void
test_uid_order(void **state)
{
	static const char text[] =
	    "From <a@b>(R-5) Sat Nov 21 02:40:26 2026\n\na\n\n"
	    "From <a@b>(R-9) Sat Nov 21 02:40:26 2026\n\nb\n\n"
	    "From <a@b>(R-7) Sat Nov 21 02:40:26 2026\n\nc\n\n"
	    "From x Sat Nov 21 02:40:26 2026\n\nd\n\n"
	    "From <a@b>(R-4294967290) Sat Nov 21 02:40:26 2026\n\ne\n\n";
	struct acct *a;
	struct box *b;

	put("INBOX.mbox", text, strlen(text));
	a = account(true);
	/* so near the end of all numbers no more are given */
	b = box_open(a, "");
	assert_non_null(b);
	assert_int_equal(box_refresh(b), -1);
	acct_free(a);
	unlinkat(top, "INBOX.mbox.idx", 0);
	put("INBOX.mbox", text, strlen(text) - 56);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_count(b), 4);
	assert_int_equal(box_rec(b, 0)->uid, 5);
	assert_int_equal(box_rec(b, 1)->uid, 9);
	assert_true(box_rec(b, 2)->uid > 9);
	assert_int_equal(box_rec(b, 3)->uid, box_rec(b, 2)->uid + 1);
	acct_free(a);
}

/* Others append to the file while it is ours, or replace it. */
static void
test_others_write(void **state)
{
	struct acct *a = account(true);
	struct box *b = inbox(a);
	int fd;

	deliver(b, 1, "one\n");
	fd = openat(top, "INBOX.mbox", O_WRONLY | O_APPEND);
	assert_int_equal(file_write(fd, OLD "x\n\ny", strlen(OLD) + 4), 0);
	close(fd);
	deliver(b, 2, "two\n");
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 3);
	assert_text(b, 1, "x\n\ny\n");
	assert_text(b, 2, "Return-Path: <s@x>\ntwo\n");
	put("other", OLD "z\n", strlen(OLD) + 2);
	assert_int_equal(renameat(top, "other", top, "INBOX.mbox"), 0);
	deliver(b, 3, "three\n");
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 2);
	assert_text(b, 0, "z\n");
	/* emptied behind our back */
	put("INBOX.mbox", "", 0);
	deliver(b, 4, "four\n");
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 1);
	acct_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_origins),
		T(test_wire_sizes),
		T(test_uid_order),
		T(test_others_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
