/* Tails torn at every byte, and what comes after. */
#include "store_test.h"

/*
 * The file ends at each byte of the last append in turn; the first two
 * messages are always there, the third goes whole when it is sent again.
 */
static void
torn_at(struct copy *c, size_t start, size_t cut, bool slots, bool worker)
{
	struct acct *a;
	struct box *b;

	restore(c);
	assert_int_equal(ftruncate(openat(top, "INBOX.mbox", O_RDWR), cut), 0);
	if (!slots)
		unlinkat(top, "INBOX.mbox.idx", 0);
	a = account(worker);
	b = inbox(a);
	deliver(b, 3, "Subject: three\n\nthird message\n");
	acct_free(a);
	a = account(true);
	b = inbox(a);
	/* Without slots, what lacks its empty line only stays: twice then. */
	if (!slots && cut >= c->nmbox - 1)
		assert_int_equal(box_count(b), 4);
	else
		assert_int_equal(box_count(b), 3);
	assert_text(b, 0, "Return-Path: <s@x>\nSubject: one\n\nfirst\n");
	assert_text(b, 1, "Return-Path: <s@x>\nSubject: two\n\nsecond\n");
	assert_text(b, 2,
	    "Return-Path: <s@x>\nSubject: three\n\nthird message\n");
	assert_int_equal(b->idx.head->junk, 0);
	if (cut > start && cut < c->nmbox - 1) {
		char *p;
		size_t n;

		p = whole("INBOX.mbox.torn", &n);
		assert_int_equal(n, cut - start);
		assert_memory_equal(p, c->mbox + start, n);
		free(p);
	}
	acct_free(a);
}

static void
test_torn(void **state)
{
	struct acct *a = account(false);
	struct box *b = inbox(a);
	size_t start, cut;
	struct copy c;
	int fd;

	deliver(b, 1, "Subject: one\n\nfirst\n");
	deliver(b, 2, "Subject: two\n\nsecond\n");
	start = b->size;
	deliver(b, 3, "Subject: three\n\nthird message\n");
	crash(a);
	c = save();
	for (cut = start; cut <= c.nmbox; cut++) {
		torn_at(&c, start, cut, true, false);
		torn_at(&c, start, cut, false, false);
		torn_at(&c, start, cut, true, true);
		torn_at(&c, start, cut, false, true);
		/* torn_at() leaves one open each time */
		for (fd = 10; fd < 64; fd++)
			close(fd);
	}
	free_copy(&c);
}

/* The very first message torn, and one that follows a torn one. */
static void
test_torn_then_others(void **state)
{
	struct acct *a = account(false);
	struct box *b = inbox(a);
	struct copy c;
	size_t cut;
	int fd;

	deliver(b, 1, "Subject: one\n\nfirst\n");
	crash(a);
	c = save();
	for (cut = 0; cut < c.nmbox; cut++) {
		restore(&c);
		fd = openat(top, "INBOX.mbox", O_RDWR);
		assert_int_equal(ftruncate(fd, cut), 0);
		close(fd);
		a = account(false);
		b = inbox(a);
		/* another comes first, so that the file grows past the slot */
		deliver(b, 2, "Subject: two\n\na much longer message than "
		    "the first, so that its size is reached\n");
		crash(a);
		a = account(false);
		b = inbox(a);
		deliver(b, 1, "Subject: one\n\nfirst\n");
		acct_free(a);
		a = account(true);
		b = inbox(a);
		assert_int_equal(box_count(b), 2);
		assert_text(b, 1,
		    "Return-Path: <s@x>\nSubject: one\n\nfirst\n");
		assert_int_not_equal(box_rec(b, 0)->uid, box_rec(b, 1)->uid);
		acct_free(a);
	}
	free_copy(&c);
}

/* A batch torn anywhere: what is whole is known, the rest is not there. */
static void
test_torn_batch(void **state)
{
	struct acct *a = account(false);
	struct box *b = inbox(a);
	struct delivery d[5];
	char text[5][32];
	struct copy c;
	size_t cut;
	int i, fd;

	deliver(b, 100, "zero\n");
	for (i = 0; i < 5; i++) {
		snprintf(text[i], sizeof(text[i]), "message %d\n", i);
		d[i] = job(i, text[i]);
	}
	box_deliver(b, d, 5);
	crash(a);
	c = save();
	for (cut = c.nmbox; cut > 110; cut -= 7) {
		restore(&c);
		fd = openat(top, "INBOX.mbox", O_RDWR);
		assert_int_equal(ftruncate(fd, cut), 0);
		close(fd);
		a = account(false);
		b = inbox(a);
		box_deliver(b, d, 5);
		acct_free(a);
		a = account(true);
		b = inbox(a);
		assert_int_equal(box_count(b), 6);
		acct_free(a);
	}
	for (i = 0; i < 5; i++)
		close(d[i].fd);
	free_copy(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_torn),
		T(test_torn_then_others),
		T(test_torn_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
