/* Damaged indexes, planted files, files that are too large. */
#include "store_test.h"

static void
test_damaged_index(void **state)
{
	static const uint32_t gone[] = { 4, 9 };
	struct acct *a;
	struct box *b;
	struct copy c;
	size_t i, k, n;
	int fd;

	fill(20);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_flags(b, box_rec(b, 6), MSG_SEEN, MSG_RECENT), 0);
	assert_int_equal(box_expunge(b, gone, 2), 0);
	acct_free(a);
	c = save();
	srand(4711);
	for (i = 0; i < 400; i++) {
		restore(&c);
		fd = openat(top, "INBOX.mbox.idx", O_RDWR);
		if (i % 4 == 0)
			assert_int_equal(ftruncate(fd, rand() % c.nidx), 0);
		for (k = 0; i % 4 != 0 && k < 1 + i % 3; k++) {
			char bytes[64];

			for (n = 0; n < sizeof(bytes); n++)
				bytes[n] = i % 5 ? rand() : 0xff;
			n = rand() % sizeof(bytes) + 1;
			assert_int_equal(file_pwrite(fd, bytes, n, i % 2 ?
			    rand() % 200 : IDX_RECOFF + rand() % 1300), 0);
		}
		close(fd);
		a = account(true);
		b = inbox(a);
		assert_int_equal(box_count(b), 18);
		assert_int_equal(box_rec(b, 3)->uid, 5);
		assert_int_equal(box_rec(b, 5)->uid, 7);
		assert_int_equal(box_rec(b, 5)->flags & MSG_FLAGS, MSG_SEEN);
		assert_int_equal(box_rec(b, 17)->flags & MSG_FLAGS,
		    MSG_RECENT);
		assert_text(b, 17,
		    "Return-Path: <s@x>\nSubject: 20\n\n20\n");
		if (i % 2)
			acct_free(a);
		else
			crash(a);
	}
	free_copy(&c);
}

static void
test_planted(void **state)
{
	struct acct *a = account(false);
	struct delivery d = job(1, "x\n");
	char away[] = "/tmp/cg-away.XXXXXX";
	struct stat st;
	int fd = mkstemp(away);

	assert_int_not_equal(fd, -1);
	/* a link to a neighbour's mailbox */
	assert_int_equal(symlinkat(away, top, "INBOX.mbox"), 0);
	assert_null(box_open(a, ""));
	unlinkat(top, "INBOX.mbox", 0);
	assert_int_equal(linkat(AT_FDCWD, away, top, "INBOX.mbox", 0), 0);
	assert_null(box_open(a, ""));
	assert_int_equal(errno, EPERM);
	unlinkat(top, "INBOX.mbox", 0);
	assert_int_equal(mkfifoat(top, "INBOX.mbox", 0600), 0);
	assert_null(box_open(a, ""));
	unlinkat(top, "INBOX.mbox", 0);
	/* the same for the index */
	assert_int_equal(symlinkat(away, top, "INBOX.mbox.idx"), 0);
	assert_null(box_open(a, ""));
	unlinkat(top, "INBOX.mbox.idx", 0);
	assert_int_equal(mkfifoat(top, "INBOX.mbox.idx", 0600), 0);
	assert_null(box_open(a, ""));
	unlinkat(top, "INBOX.mbox.idx", 0);
	/* for account.info */
	assert_int_equal(symlinkat(away, top, "account.info"), 0);
	unlinkat(top, "INBOX.mbox", 0);
	(void)box_open(a, "");
	unlinkat(top, "account.info", 0);
	acct_free(a);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	close(fd);
	close(d.fd);
	unlink(away);
}

/* Sparse monsters: refused or passed over, in little time and memory. */
static void
test_sparse(void **state)
{
	struct acct *a = account(false);
	struct stat st;
	int fd;

	fd = openat(top, "INBOX.mbox", O_RDWR | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd, 1LL << 40), 0);
	close(fd);
	assert_null(box_open(a, ""));
	assert_int_equal(errno, EFBIG);
	put("INBOX.mbox", "", 0);
	fd = openat(top, "INBOX.mbox.idx", O_RDWR | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd, 1LL << 40), 0);
	close(fd);
	deliver(inbox(a), 1, "x\n");
	acct_free(a);
	a = account(true);
	assert_int_equal(box_count(inbox(a)), 1);
	acct_free(a);
	fstatat(top, "INBOX.mbox.idx", &st, 0);
	assert_true(st.st_blocks < 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_damaged_index),
		T(test_planted),
		T(test_sparse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
