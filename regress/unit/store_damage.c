/*
 * Damaged indexes, planted files, files that are too large; files that cannot
 * be read or written for a while, and what a kill may leave half done.
 */
#include "keyword.h"
#include "store_test.h"

/* Calls on a file whose name ends so fail, with that error. */
static const char *unreadable, *unwritable;
static int	failure;
static int	dirsyncs;

static bool
is(int fd, const char *end)
{
	char link[64], path[256];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (end == NULL || (n = readlink(link, path, sizeof(path))) < 0)
		return false;
	return (size_t)n >= strlen(end) &&
	    memcmp(path + n - strlen(end), end, strlen(end)) == 0;
}

/* Instead of libc's, in this program. */
ssize_t
pread(int fd, void *p, size_t len, off_t off)
{
	if (is(fd, unreadable)) {
		errno = failure;
		return -1;
	}
	return syscall(SYS_pread64, fd, p, len, off);
}

ssize_t
write(int fd, const void *p, size_t len)
{
	if (is(fd, unwritable)) {
		errno = failure;
		return -1;
	}
	return syscall(SYS_write, fd, p, len);
}

int
fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		dirsyncs++;
	return syscall(SYS_fsync, fd);
}

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

/* --- account.info --- */

/* Ten messages, the last of them gone again, and a crash. */
static uint32_t
ten_and_crash(uint32_t *uidvalidity)
{
	static const uint32_t last[] = { 10 };
	struct acct *a = account(false);
	struct box *b;

	assert_int_equal(acct_init(a, NULL), 0);
	acct_free(a);
	fill(10);
	a = account(true);
	b = inbox(a);
	*uidvalidity = b->idx.head->uidvalidity;
	assert_int_equal(box_expunge(b, last, 1), 0);
	crash(a);
	return 10;
}

/* A failed read is no lost file: nothing is guessed, all comes later. */
static void
test_info_unreadable(void **state)
{
	uint32_t uidvalidity, last = ten_and_crash(&uidvalidity);
	struct delivery d = job(11, "x\n");
	const char *esc, *text;
	struct acct *a = account(false);
	struct box *b;

	unreadable = "account.info";
	failure = EIO;
	b = box_open(a, "");
	if (b != NULL)
		box_deliver(b, &d, 1);
	else
		d.code = box_why(&esc, &text);
	unreadable = NULL;
	assert_int_equal(d.code, 2);
	assert_int_equal(faccessat(top, "account.info.bad", F_OK, 0), -1);
	b = inbox(a);
	box_deliver(b, &d, 1);
	assert_int_equal(d.code, 0);
	assert_true(d.uid > last);
	assert_int_equal(b->idx.head->uidvalidity, uidvalidity);
	close(d.fd);
	acct_free(a);
}

/* Not even a way to it: a link, too many open files. */
static void
test_info_unopenable(void **state)
{
	uint32_t uidvalidity, last = ten_and_crash(&uidvalidity);
	struct acct *a = account(false);
	const char *esc, *text;
	struct delivery d = job(11, "x\n");
	struct box *b;

	assert_int_equal(renameat(top, "account.info", top, "away"), 0);
	assert_int_equal(symlinkat("away", top, "account.info"), 0);
	assert_null(box_open(a, ""));
	assert_int_equal(box_why(&esc, &text), 2);
	assert_int_equal(renameat(top, "away", top, "account.info"), 0);
	b = inbox(a);
	box_deliver(b, &d, 1);
	assert_true(d.uid > last);
	close(d.fd);
	acct_free(a);
}

/* Lost or rubbish: UIDs go on, with the index's UIDVALIDITY. */
static void
test_info_lost(void **state)
{
	uint32_t uidvalidity, last = ten_and_crash(&uidvalidity);
	struct delivery d = job(11, "x\n");
	struct acct *a;
	struct box *b;
	int i;

	for (i = 0; i < 6; i++) {
		if (i % 2)
			unlinkat(top, "account.info", 0);
		else
			put("account.info", "{ rub", 5);
		a = account(i % 3 == 0);
		b = inbox(a);
		d.id++;
		box_deliver(b, &d, 1);
		assert_int_equal(d.code, 0);
		assert_true(d.uid > last);
		last = d.uid;
		assert_int_equal(b->idx.head->uidvalidity, uidvalidity);
		if (a->worker) {
			assert_int_equal(box_refresh(b), 0);
			assert_int_equal(box_expunge(b, &d.uid, 1), 0);
		}
		crash(a);
	}
	close(d.fd);
	assert_int_equal(faccessat(top, "account.info.bad", F_OK, 0), 0);
}

/* Keywords that cannot be read now are not overwritten by fewer. */
static void
test_info_keywords(void **state)
{
	struct acct *a = account(true);
	struct box *b;

	assert_int_equal(keyword_make(inbox(a), "One", 3), 0);
	acct_free(a);
	a = account(true);
	b = inbox(a);
	unreadable = "account.info";
	failure = EIO;
	assert_int_equal(keyword_make(b, "Two", 3), -1);
	assert_int_equal(errno, EIO);
	unreadable = NULL;
	assert_int_equal(keyword_make(b, "Two", 3), 1);
	assert_string_equal(keyword_name(b, 0), "One");
	acct_free(a);
}

static void
test_info_leftover(void **state)
{
	uint32_t uidvalidity;
	struct acct *a;

	(void)ten_and_crash(&uidvalidity);
	put("account.info.new", "{ half", 6);
	put("INBOX.mbox.new", "half", 4);
	a = account(false);
	(void)inbox(a);
	assert_int_equal(faccessat(top, "account.info.new", F_OK, 0), -1);
	assert_int_equal(faccessat(top, "INBOX.mbox.new", F_OK, 0), -1);
	acct_free(a);
}

/* --- what is known of a message --- */

/* A queue that was made anew begins its numbers again: other messages. */
static void
test_same_number(void **state)
{
	struct acct *a = account(false);
	struct box *b = inbox(a);
	struct delivery d[2] = { job(1, "one\n"), job(1, "one\n") };

	deliver(b, 1, "one\n");
	deliver(b, 1, "another size\n");
	d[0].time++;
	box_deliver(b, d, 1);
	assert_int_equal(d[0].code, 0);
	/* in one batch too */
	d[0].time++;
	d[1].time += 3;
	box_deliver(b, d, 2);
	assert_int_equal(d[0].code, 0);
	assert_int_equal(d[1].code, 0);
	box_deliver(b, d, 2);
	deliver(b, 1, "one\n");
	close(d[0].fd);
	close(d[1].fd);
	crash(a);
	a = account(true);
	b = inbox(a);
	deliver(b, 1, "another size\n");
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 5);
	acct_free(a);
}

/* An index of another version: made anew, but its numbers are not lost. */
static void
test_old_version(void **state)
{
	uint32_t uidvalidity, last = ten_and_crash(&uidvalidity);
	static char old[IDX_SLOTS * sizeof(struct slot)];
	struct idx ix;
	struct acct *a;
	struct box *b;
	int way, i;

	for (way = 0; way < 2; way++) {
		assert_int_equal(idx_open(&ix, top, "INBOX.mbox.idx", false),
		    0);
		ix.head->version = IDX_VERSION - 1;
		assert_int_equal(idx_put_head(&ix), 0);
		/* slots of another size: 48 bytes, as version 2 had them */
		memcpy(old, ix.slots, sizeof(old));
		for (i = 0; i < IDX_SLOTS; i++)
			memcpy(old + i * 48, &ix.slots[i], 48);
		assert_int_equal(file_pwrite(ix.fd, old, sizeof(old),
		    IDX_SLOTOFF), 0);
		idx_close(&ix);
		unlinkat(top, "account.info", 0);
		a = account(way == 1);
		b = inbox(a);
		assert_int_equal(b->idx.head->version, IDX_VERSION);
		assert_int_equal(b->idx.head->uidvalidity, uidvalidity);
		assert_true(b->idx.head->uidnext > last);
		deliver(b, 50 + way, "x\n");
		acct_free(a);
		a = account(true);
		assert_int_equal(box_count(inbox(a)), 10 + way);
		acct_free(a);
	}
}

/* --- torn, and no room --- */

static uint64_t
size_of(const char *name)
{
	struct stat st;

	return fstatat(top, name, &st, 0) == 0 ? (uint64_t)st.st_size : 0;
}

/* Three messages, the last one torn. */
static void
torn(bool slots)
{
	struct acct *a = account(false);
	struct box *b = inbox(a);
	int fd;

	deliver(b, 1, "one\n");
	deliver(b, 2, "two\n");
	deliver(b, 3, "three\n");
	crash(a);
	if (!slots)
		unlinkat(top, "INBOX.mbox.idx", 0);
	fd = openat(top, "INBOX.mbox", O_RDWR);
	assert_int_equal(ftruncate(fd, size_of("INBOX.mbox") - 4), 0);
	close(fd);
	unwritable = ".torn";
	failure = ENOSPC;
}

static void
test_torn_known_no_room(void **state)
{
	struct acct *a;
	struct box *b;

	torn(true);
	a = account(false);
	b = inbox(a);
	deliver(b, 3, "three\n");
	unwritable = NULL;
	acct_free(a);
	assert_int_equal(size_of("INBOX.mbox.torn"), 0);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_count(b), 3);
	assert_text(b, 2, "Return-Path: <s@x>\nthree\n");
	acct_free(a);
}

/* Nobody knows of it: it stays, and its owner can read and delete. */
static void
test_torn_unknown_no_room(void **state)
{
	static const uint32_t two[] = { 2 };
	struct delivery d = job(4, "four\n");
	struct acct *a;
	struct box *b;
	uint64_t full;

	torn(false);
	full = size_of("INBOX.mbox");
	a = account(false);
	assert_null(box_open(a, ""));
	assert_int_equal(errno, ENOSPC);
	acct_free(a);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_count(b), 2);
	assert_text(b, 1, "Return-Path: <s@x>\ntwo\n");
	assert_int_equal(box_flags(b, box_rec(b, 0), MSG_SEEN, 0), 0);
	box_deliver(b, &d, 1);
	assert_int_equal(d.code, 2);
	assert_string_equal(d.esc, "4.3.1");
	assert_int_equal(box_expunge(b, two, 1), 0);
	assert_int_equal(box_count(b), 1);
	assert_int_equal(size_of("INBOX.mbox"), full);
	assert_int_equal(size_of("INBOX.mbox.torn"), 0);
	unwritable = NULL;
	/* there is room again */
	box_deliver(b, &d, 1);
	assert_int_equal(d.code, 0);
	close(d.fd);
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 2);
	assert_text(b, 1, "Return-Path: <s@x>\nfour\n");
	assert_true(size_of("INBOX.mbox.torn") > 0);
	acct_free(a);
	a = account(true);
	assert_int_equal(box_count(inbox(a)), 2);
	acct_free(a);
}

/* More than is searched for a From_ line, and killed: a slot knows it. */
static void
test_large_last(void **state)
{
	struct acct *a = account(false);
	struct box *b = inbox(a);
	struct delivery d = { .id = 1, .sender = "s@x", .header = "",
		.size = 70 << 20, .time = 1 };
	uint64_t size;

	d.fd = memfd_create("large", 0);
	assert_int_equal(ftruncate(d.fd, d.size), 0);
	box_deliver(b, &d, 1);
	assert_int_equal(d.code, 0);
	size = b->size;
	crash(a);
	a = account(false);
	b = inbox(a);
	box_deliver(b, &d, 1);
	assert_int_equal(d.code, 0);
	assert_int_equal(b->size, size);
	deliver(b, 2, "two\n");
	close(d.fd);
	acct_free(a);
}

/* --- a new mailbox's name --- */

/* Made by one who was killed before the first sync: the next one does it. */
static void
test_name_synced(void **state)
{
	struct acct *a = account(false);
	struct box *b;
	int i;

	(void)inbox(a);
	crash(a);
	for (i = 0; i < 2; i++) {
		a = account(i == 1);
		b = inbox(a);
		/* account.info's own syncs of the directory come first */
		assert_int_equal(box_reserve(b, 10), 0);
		dirsyncs = 0;
		deliver(b, 1 + i, "x\n");
		assert_int_equal(dirsyncs, i == 0 ? 1 : 0);
		acct_free(a);
	}
	/* one that acct_init() made is synced already */
	unlinkat(top, "INBOX.mbox", 0);
	unlinkat(top, "INBOX.mbox.idx", 0);
	a = account(false);
	assert_int_equal(acct_init(a, NULL), 0);
	acct_free(a);
	a = account(false);
	b = inbox(a);
	dirsyncs = 0;
	deliver(b, 9, "x\n");
	assert_int_equal(dirsyncs, 0);
	acct_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_damaged_index),
		T(test_planted),
		T(test_sparse),
		T(test_info_unreadable),
		T(test_info_unopenable),
		T(test_info_lost),
		T(test_info_keywords),
		T(test_info_leftover),
		T(test_same_number),
		T(test_old_version),
		T(test_torn_known_no_room),
		T(test_torn_unknown_no_room),
		T(test_large_last),
		T(test_name_synced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
