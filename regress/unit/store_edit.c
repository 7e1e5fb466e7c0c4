/* Flags, expunging, compacting; killed or not. */
#include "store_test.h"

static void
test_flags(void **state)
{
	struct acct *a;
	struct box *b;
	int way;

	fill(3);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_flags(b, box_rec(b, 1), MSG_SEEN | MSG_FLAGGED,
	    MSG_RECENT), 0);
	acct_free(a);
	for (way = 0; way < 3; way++) {
		if (way == 1)
			unlinkat(top, "INBOX.mbox.idx", 0);
		a = account(true);
		b = inbox(a);
		assert_int_equal(box_count(b), 3);
		assert_int_equal(box_rec(b, 0)->flags & MSG_FLAGS,
		    MSG_RECENT);
		assert_int_equal(box_rec(b, 1)->flags & MSG_FLAGS,
		    MSG_SEEN | MSG_FLAGGED);
		crash(a);
	}
}

/* After a crash the file's flags count, not the index's. */
static void
test_flags_after_crash(void **state)
{
	struct acct *a;
	struct box *b;
	uint64_t at;
	int fd;

	fill(3);
	a = account(true);
	b = inbox(a);
	at = box_rec(b, 1)->offset + box_rec(b, 1)->fromlen - FROM_TAIL + 1;
	crash(a);
	fd = openat(top, "INBOX.mbox", O_WRONLY);
	assert_int_equal(file_pwrite(fd, "RA------", 8, at), 0);
	close(fd);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_rec(b, 1)->flags & MSG_FLAGS,
	    MSG_SEEN | MSG_ANSWERED);
	acct_free(a);
}

static void
assert_uids(struct box *b, const char *want)
{
	char text[256] = "";
	size_t n = 0;
	uint32_t i;

	for (i = 0; i < box_count(b); i++) {
		n += snprintf(text + n, sizeof(text) - n, "%u ",
		    box_rec(b, i)->uid);
	}
	assert_string_equal(text, want);
}

static void
test_expunge(void **state)
{
	static const uint32_t some[] = { 2, 4 }, last[] = { 5 },
	    rest[] = { 1, 3 };
	struct acct *a;
	struct box *b;
	int way;

	fill(5);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_expunge(b, some, 2), 0);
	assert_uids(b, "1 3 5 ");
	assert_null(box_find(b, 2));
	for (way = 0; way < 4; way++) {
		if (way % 2)
			crash(a);
		else
			acct_free(a);
		if (way == 2)
			unlinkat(top, "INBOX.mbox.idx", 0);
		a = account(true);
		b = inbox(a);
		assert_uids(b, "1 3 5 ");
		assert_text(b, 1, "Return-Path: <s@x>\nSubject: 3\n\n3\n");
		assert_true(b->idx.head->garbage > 0);
	}
	assert_int_equal(box_expunge(b, last, 1), 0);
	assert_uids(b, "1 3 ");
	deliver(b, 50, "new\n");
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 3);
	assert_true(box_rec(b, 2)->uid > 5);
	assert_int_equal(box_expunge(b, rest, 2), 0);
	assert_int_equal(box_count(b), 1);
	assert_text(b, 0, "Return-Path: <s@x>\nnew\n");
	/* what was delivered since the index was lost stays known */
	deliver(b, 50, "new\n");
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 1);
	acct_free(a);
}

static void
test_expunge_all(void **state)
{
	static const uint32_t all[] = { 1, 2, 3 };
	struct acct *a;
	struct stat st;
	struct box *b;

	fill(3);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_expunge(b, all, 3), 0);
	assert_int_equal(box_count(b), 0);
	fstatat(top, "INBOX.mbox", &st, 0);
	assert_int_equal(st.st_size, 0);
	deliver(b, 3, "Subject: 3\n\n3\n");
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 0);
	crash(a);
	a = account(false);
	b = inbox(a);
	deliver(b, 2, "Subject: 2\n\n2\n");
	assert_int_equal(b->size, 0);
	deliver(b, 4, "four\n");
	acct_free(a);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_count(b), 1);
	assert_true(box_rec(b, 0)->uid > 3);
	acct_free(a);
}

static void
test_compact(void **state)
{
	char *big = calloc(1, 600001);
	static const uint32_t some[] = { 1, 2, 4 };
	struct acct *a;
	struct stat st;
	struct box *b;
	uint32_t uid;
	int i;

	memset(big, 'y', 600000);
	a = account(true);
	b = inbox(a);
	for (i = 1; i <= 5; i++)
		deliver(b, i, i == 3 || i == 5 ? "small\n" : big);
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_flags(b, box_rec(b, 2), MSG_ANSWERED, 0), 0);
	assert_int_equal(box_expunge(b, some, 3), 0);
	assert_uids(b, "3 5 ");
	box_tidy(b);
	fstatat(top, "INBOX.mbox", &st, 0);
	assert_true(st.st_size < 1000);
	assert_uids(b, "3 5 ");
	assert_text(b, 0, "Return-Path: <s@x>\nsmall\n");
	assert_int_equal(box_rec(b, 0)->flags & MSG_FLAGS,
	    MSG_ANSWERED | MSG_RECENT);
	deliver(b, 2, big);
	crash(a);
	a = account(true);
	b = inbox(a);
	assert_uids(b, "3 5 ");
	deliver(b, 4, big);
	assert_int_equal(box_refresh(b), 0);
	assert_uids(b, "3 5 ");
	uid = b->idx.head->uidnext;
	deliver(b, 6, "six\n");
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 3);
	assert_int_equal(box_rec(b, 2)->uid, uid);
	acct_free(a);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_count(b), 3);
	assert_text(b, 2, "Return-Path: <s@x>\nsix\n");
	assert_int_equal(b->idx.head->garbage, 0);
	acct_free(a);
	assert_int_equal(faccessat(top, "INBOX.mbox.new", F_OK, 0), -1);
	free(big);
}

/* Lines of other widths become ours; nothing that is no message is lost. */
static void
test_rewrite(void **state)
{
	static const char text[] = "preamble\n\n"
	    "From <a@b>(R-5) Sat Nov 21 02:40:26 2026\r\nA: b\r\n\r\na\r\n\r\n"
	    OLD "B: c\n\nb\n\n"
	    "From <a@b>(A-900) Sat Nov 21 02:40:26 2026\nC: d\n\nno end";
	struct acct *a;
	struct box *b;
	uint32_t uid;
	char *p;
	size_t n;

	put("INBOX.mbox", text, strlen(text));
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_count(b), 3);
	uid = box_rec(b, 1)->uid;
	assert_int_equal(box_flags(b, box_rec(b, 1), MSG_SEEN, 0), 0);
	box_tidy(b);
	assert_int_equal(box_count(b), 3);
	assert_int_equal(box_rec(b, 1)->uid, uid);
	acct_free(a);
	p = whole("INBOX.mbox.torn", &n);
	assert_string_equal(p, "preamble\n\n");
	free(p);
	unlinkat(top, "INBOX.mbox.idx", 0);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_count(b), 3);
	assert_int_equal(box_rec(b, 0)->uid, 5);
	assert_int_equal(box_rec(b, 1)->uid, uid);
	assert_int_equal(box_rec(b, 1)->flags & MSG_FLAGS, MSG_SEEN);
	assert_true(box_rec(b, 1)->flags & REC_FIXED);
	assert_text(b, 0, "A: b\r\n\r\na\r\n");
	assert_text(b, 2, "C: d\n\nno end");
	uid = box_rec(b, 1)->uid;
	assert_int_equal(box_expunge(b, &uid, 1), 0);
	assert_int_equal(box_count(b), 2);
	acct_free(a);
}

/* Expunging where lines are not ours. */
static void
test_expunge_foreign(void **state)
{
	static const char text[] = OLD "a\n\n" OLD "b\n\n" OLD "c\n";
	struct acct *a;
	struct box *b;
	uint32_t uid;

	put("INBOX.mbox", text, strlen(text));
	a = account(true);
	b = inbox(a);
	uid = box_rec(b, 1)->uid;
	assert_int_equal(box_expunge(b, &uid, 1), 0);
	assert_int_equal(box_count(b), 2);
	acct_free(a);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_count(b), 2);
	assert_text(b, 0, "a\n");
	assert_text(b, 1, "c\n");
	acct_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_flags),
		T(test_flags_after_crash),
		T(test_expunge),
		T(test_expunge_all),
		T(test_compact),
		T(test_rewrite),
		T(test_expunge_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
