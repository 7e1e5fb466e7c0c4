/*
 * An INBOX that lies elsewhere: what other programs do to it is seen, what we
 * do is theirs to see at once.
 */
#include <sys/file.h>

#include "outside_test.h"

static void
test_delivery(void **state)
{
	char *p;

	deliver_some(2);
	p = spool();
	assert_string_equal(p,
	    "From <s@x>(------r-00000000-0000000001-000000000033) "
	    "Sat Nov 21 02:40:26 2026\n"
	    "Return-Path: <s@x>\nSubject: 1\n\n1\n\n"
	    "From <s@x>(------r-00000000-0000000002-000000000033) "
	    "Sat Nov 21 02:40:26 2026\n"
	    "Return-Path: <s@x>\nSubject: 2\n\n2\n\n");
	free(p);
	assert_int_equal(faccessat(top, "INBOX.mbox", F_OK, 0), -1);
}

static void
test_others_add(void **state)
{
	struct acct *a;
	struct box *b;

	deliver_some(2);
	a = external(true);
	b = inbox(a);
	assert_subjects(b, "12");
	add(OLD "Subject: a\n\nof another program\n");
	assert_subjects(b, "12a");
	add("\n" OLD "Subject: b\n\nand again\n\n");
	assert_subjects(b, "12ab");
	assert_int_equal(box_rec(b, 1)->uid, 2);
	/* Ours goes behind theirs. */
	deliver(b, 3, "Subject: 3\n\n3\n");
	assert_subjects(b, "12ab3");
	acct_free(a);
	a = external(true);
	b = inbox(a);
	assert_subjects(b, "12ab3");
	assert_int_equal(box_rec(b, 0)->uid, 1);
	acct_free(a);
}

static void
test_others_remove(void **state)
{
	struct acct *a;
	struct box *b;
	char *p;

	deliver_some(3);
	a = external(true);
	b = inbox(a);
	assert_subjects(b, "123");
	p = spool();
	rewrite(strstr(p + 1, "From <s@x>"));
	assert_subjects(b, "23");
	assert_int_equal(box_rec(b, 0)->uid, 2);
	assert_int_equal(box_rec(b, 1)->uid, 3);
	rewrite("");
	assert_subjects(b, "");
	deliver(b, 4, "Subject: 4\n\n4\n");
	assert_subjects(b, "4");
	assert_int_equal(box_rec(b, 0)->uid, 4);
	free(p);
	acct_free(a);
}

/* A mailer that notes in a message that it was read. */
static void
test_others_change(void **state)
{
	char *p, *at, *q = NULL;
	struct acct *a;
	struct box *b;
	int i;

	deliver_some(2);
	a = external(true);
	b = inbox(a);
	for (i = 0; i < 2; i++) {
		p = spool();
		/* The last one first: nothing behind it moves. */
		at = i == 0 ? strstr(p, "Subject: 2") : strstr(p, "Subject: 1");
		assert_true(asprintf(&q, "%.*sStatus: RO\n%s", (int)(at - p), p,
		    at) > 0);
		rewrite(q);
		free(q);
		free(p);
		assert_subjects(b, "12");
		assert_text(b, 1 - i, i == 0 ?
		    "Return-Path: <s@x>\nStatus: RO\nSubject: 2\n\n2\n" :
		    "Return-Path: <s@x>\nStatus: RO\nSubject: 1\n\n1\n");
	}
	assert_int_equal(box_rec(b, 0)->uid, 1);
	assert_int_equal(box_rec(b, 1)->uid, 2);
	acct_free(a);
}

/* Between two commands of ours the file moves under a record. */
static void
test_stale_record(void **state)
{
	struct acct *a;
	struct box *b;
	char *p, c;

	deliver_some(3);
	a = external(true);
	b = inbox(a);
	p = spool();
	rewrite(strstr(p + 1, "From <s@x>"));
	assert_int_equal(box_read(b, box_rec(b, 2), 0, &c, 1), -1);
	assert_int_equal(errno, ESTALE);
	assert_null(box_find(b, 3));
	assert_subjects(b, "23");
	assert_non_null(box_find(b, 3));
	free(p);
	acct_free(a);
}

static void
test_expunge(void **state)
{
	static const uint32_t middle[] = { 2, 3 }, last[] = { 5 };
	struct acct *a;
	struct box *b;
	struct stat st, now;
	char *p;

	deliver_some(5);
	assert_int_equal(fstatat(top, SPOOL, &st, 0), 0);
	a = external(true);
	b = inbox(a);
	assert_int_equal(box_expunge(b, middle, 2), 0);
	assert_subjects(b, "145");
	p = spool();
	assert_null(strstr(p, "Subject: 2"));
	assert_null(strstr(p, "Subject: 3"));
	assert_non_null(strstr(p, "Subject: 4"));
	free(p);
	assert_int_equal(box_expunge(b, last, 1), 0);
	assert_subjects(b, "14");
	assert_int_equal(box_rec(b, 1)->uid, 4);
	acct_free(a);
	/* The file is the same, and nothing of ours lies about. */
	assert_int_equal(fstatat(top, SPOOL, &now, 0), 0);
	assert_int_equal(now.st_ino, st.st_ino);
	assert_int_equal(faccessat(top, "INBOX.mbox.redo", F_OK, 0), -1);
	assert_int_equal(faccessat(top, "INBOX.mbox.new", F_OK, 0), -1);
	assert_int_equal(faccessat(top, "INBOX.mbox", F_OK, 0), -1);
	a = external(true);
	b = inbox(a);
	assert_subjects(b, "14");
	acct_free(a);
}

static void
test_flags(void **state)
{
	static const struct flag_change seen = { .set = MSG_SEEN };
	uint32_t both[2];
	struct acct *a;
	struct box *b;
	int i;

	deliver_some(1);
	add(OLD "Subject: a\n\na\n\n");
	a = external(true);
	b = inbox(a);
	both[0] = box_rec(b, 0)->uid;
	both[1] = box_rec(b, 1)->uid;
	assert_int_equal(box_change(b, both, 2, &seen), 0);
	assert_int_equal(box_flags(b, box_rec(b, 0), MSG_FLAGGED, 0), 0);
	for (i = 0; i < 2; i++) {
		assert_subjects(b, "1a");
		assert_int_equal(box_rec(b, 0)->flags & (MSG_SEEN |
		    MSG_FLAGGED), MSG_SEEN | MSG_FLAGGED);
		assert_int_equal(box_rec(b, 1)->flags & (MSG_SEEN |
		    MSG_FLAGGED), MSG_SEEN);
		assert_int_equal(box_rec(b, 1)->uid, both[1]);
		acct_free(a);
		a = external(true);
		b = inbox(a);
	}
	acct_free(a);
}

static void
test_put_and_copy(void **state)
{
	struct stored_msg m = { .text = "Subject: p\n\np\n", .size = 14,
		.date = 1795228826 };
	struct acct *a;
	struct box *b;

	deliver_some(1);
	a = external(true);
	b = inbox(a);
	assert_int_equal(box_put(b, &m, 1), 0);
	assert_subjects(b, "1p");
	add(OLD "Subject: a\n\na\n\n");
	assert_int_equal(box_put(b, &m, 1), 0);
	assert_subjects(b, "1pap");
	acct_free(a);
}

static void
test_locked_by_others(void **state)
{
	struct delivery d = job(2, "Subject: 2\n\n2\n");
	int fd;
	struct acct *a;
	struct box *b;

	deliver_some(1);
	a = external(false);
	b = inbox(a);
	fd = openat(top, SPOOL, O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	box_deliver(b, &d, 1);
	assert_int_equal(d.code, 2);
	assert_string_equal(d.esc, "4.2.0");
	close(fd);
	box_deliver(b, &d, 1);
	assert_int_equal(d.code, 0);
	close(d.fd);
	acct_free(a);
	a = external(true);
	assert_subjects(inbox(a), "12");
	acct_free(a);
}

/* POSIX locks are a process's: another one has it. */
static void
test_range_locked(void **state)
{
	struct delivery d = job(2, "Subject: 2\n\n2\n");
	struct flock fl = { .l_type = F_WRLCK };
	int fd, up[2], down[2];
	struct acct *a;
	struct box *b;
	pid_t pid;
	char c;

	how = OUTSIDE_RANGE;
	deliver_some(1);
	assert_int_equal(pipe(up) | pipe(down), 0);
	if ((pid = fork()) == 0) {
		fd = openat(top, SPOOL, O_RDWR);
		if (fcntl(fd, F_SETLK, &fl) == -1 || write(up[1], "x", 1) != 1)
			_exit(1);
		(void)!read(down[0], &c, 1);
		_exit(0);
	}
	assert_int_equal(read(up[0], &c, 1), 1);
	a = external(false);
	assert_null(box_open(a, ""));
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(write(down[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	b = inbox(a);
	box_deliver(b, &d, 1);
	assert_int_equal(d.code, 0);
	close(d.fd);
	acct_free(a);
	close(up[0]), close(up[1]), close(down[0]), close(down[1]);
	how = OUTSIDE_FILE;
}

static void
test_replaced(void **state)
{
	struct delivery d = job(2, "Subject: 2\n\n2\n");
	struct acct *a;
	struct box *b;

	deliver_some(1);
	a = external(true);
	b = inbox(a);
	put("other", OLD "Subject: o\n\no\n\n", strlen(OLD) + 15);
	assert_int_equal(renameat(top, "other", top, SPOOL), 0);
	assert_int_equal(box_refresh(b), -1);
	assert_true(acct_outside_lost(a));
	acct_free(a);
	a = external(false);
	b = inbox(a);
	assert_int_equal(unlinkat(top, SPOOL, 0), 0);
	box_deliver(b, &d, 1);
	assert_int_equal(d.code, 2);
	close(d.fd);
	acct_free(a);
}

/* Somebody looks at a record between two commands, and at the next. */
static void
test_read_on(void **state)
{
	struct acct *a;
	struct box *b;

	deliver_some(2);
	a = external(true);
	b = inbox(a);
	add(OLD "Subject: a\n\na\n\n");
	assert_text(b, 0, "Return-Path: <s@x>\nSubject: 1\n\n1\n");
	assert_text(b, 1, "Return-Path: <s@x>\nSubject: 2\n\n2\n");
	assert_subjects(b, "12a");
	acct_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_delivery),
		T(test_others_add),
		T(test_others_remove),
		T(test_others_change),
		T(test_stale_record),
		T(test_expunge),
		T(test_flags),
		T(test_put_and_copy),
		T(test_locked_by_others),
		T(test_range_locked),
		T(test_replaced),
		T(test_read_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
