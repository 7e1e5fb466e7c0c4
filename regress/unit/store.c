/*
 * Mailboxes on a real disk: appending, exactly once, whoever is killed; no
 * room; UIDs that are never used twice; names.
 */
#include "store_test.h"

static void
test_append(void **state)
{
	struct acct *a = account(false);
	struct box *b = inbox(a);
	char *p;
	size_t n;

	deliver(b, 1, "Subject: a\n\nhello\n\nFrom me\n");
	deliver(b, 2, "Subject: b\n\nno end");
	acct_free(a);
	p = whole("INBOX.mbox", &n);
	assert_string_equal(p,
	    "From <s@x>(------r-00000000-0000000001-000000000047) "
	    "Sat Nov 21 02:40:26 2026\n"
	    "Return-Path: <s@x>\nSubject: a\n\nhello\n\n>From me\n\n"
	    "From <s@x>(------r-00000000-0000000002-000000000038) "
	    "Sat Nov 21 02:40:26 2026\n"
	    "Return-Path: <s@x>\nSubject: b\n\nno end\n\n");
	free(p);
}

static void
test_append_then_read(void **state)
{
	struct acct *a = account(false);
	struct box *b = inbox(a);

	deliver(b, 1, "Subject: a\n\nhello\n");
	deliver(b, 2, "");
	deliver(b, 3, "\nFrom x\n\r\nFrom y\n");
	acct_free(a);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_count(b), 3);
	assert_text(b, 0, "Return-Path: <s@x>\nSubject: a\n\nhello\n");
	assert_int_equal(box_rec(b, 0)->wire, 18 + 2 + 10 + 2 + 2 + 5 + 2);
	assert_text(b, 1, "Return-Path: <s@x>\n");
	assert_text(b, 2, "Return-Path: <s@x>\n\n>From x\n\r\n>From y\n");
	assert_int_equal(box_rec(b, 2)->uid, 3);
	acct_free(a);
}

static void
test_exactly_once(void **state)
{
	struct acct *a = account(false);
	struct box *b = inbox(a);
	uint64_t size;

	deliver(b, 1, "one\n");
	deliver(b, 2, "two\n");
	size = b->size;
	deliver(b, 1, "one\n");
	assert_int_equal(b->size, size);
	crash(a);
	a = account(false);
	b = inbox(a);
	deliver(b, 2, "two\n");
	deliver(b, 1, "one\n");
	assert_int_equal(b->size, size);
	acct_free(a);
	/* over to a worker, and back */
	a = account(true);
	b = inbox(a);
	deliver(b, 1, "one\n");
	deliver(b, 3, "three\n");
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 3);
	crash(a);
	a = account(false);
	b = inbox(a);
	deliver(b, 3, "three\n");
	deliver(b, 2, "two\n");
	acct_free(a);
	a = account(true);
	assert_int_equal(box_count(inbox(a)), 3);
	acct_free(a);
}

/*
 * A process that appends is killed at any moment, over and over; the next one
 * is sent all that was not answered, and some that was.
 */
static void
append_for_ever(bool worker, uint64_t from, int out)
{
	struct acct *a = account(worker);
	struct box *b = inbox(a);
	struct delivery d[3];
	char text[4000];
	uint64_t id;
	int i;

	for (id = from;; id += 3) {
		for (i = 0; i < 3; i++) {
			memset(text, 'x', sizeof(text));
			snprintf(text, sizeof(text), "Id: %llu\n\n",
			    (unsigned long long)id + i);
			text[strlen(text)] = ' ';
			text[sizeof(text) - 1 - (id * 7 + i) % 3000] = '\0';
			d[i] = job(id + i, text);
		}
		box_deliver(b, d, 3);
		for (i = 0; i < 3; i++) {
			close(d[i].fd);
			if (d[i].code != 0)
				_exit(1);
		}
		if (worker && id % 5 == 0)
			(void)box_refresh(b);
		id += 3;
		if (write(out, &id, sizeof(id)) != sizeof(id))
			_exit(1);
		id -= 3;
	}
}

static void
assert_each_once(uint64_t upto)
{
	unsigned char *seen = calloc(1, upto + 1000);
	struct acct *a = account(true);
	struct box *b = inbox(a);
	unsigned long long id;
	uint32_t i;
	char *p;

	for (i = 0; i < box_count(b); i++) {
		p = text_of(b, i);
		assert_int_equal(sscanf(p, "Return-Path: <s@x>\nId: %llu",
		    &id), 1);
		if (seen[id]++)
			fail_msg("%llu is there twice", id);
		free(p);
	}
	for (id = 0; id < upto; id++)
		if (!seen[id])
			fail_msg("%llu is lost", id);
	assert_int_equal(b->idx.head->junk, 0);
	free(seen);
	acct_free(a);
}

static void
test_killed(void **state)
{
	uint64_t answered = 0, got;
	int round, fd[2];
	pid_t pid;

	srand(17);
	for (round = 0; round < 150; round++) {
		assert_int_equal(pipe(fd), 0);
		if ((pid = fork()) == 0) {
			close(fd[0]);
			append_for_ever(round % 2, answered > 30 &&
			    round % 3 == 0 ? answered - 30 : answered, fd[1]);
		}
		close(fd[1]);
		usleep(rand() % 15000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while (read(fd[0], &got, sizeof(got)) == sizeof(got))
			answered = got > answered ? got : answered;
		close(fd[0]);
	}
	assert_each_once(answered);
}

/*
 * The same while messages are deleted and the mailbox is copied: what was said
 * to be gone stays gone, what was not is there, once.
 */
static void
edit_for_ever(uint64_t from, int out)
{
	struct acct *a = account(true);
	struct box *b = inbox(a);
	uint64_t id, said[2];
	unsigned long long is;
	char text[64], *p;
	uint32_t uid, i;

	srand(from);
	for (id = from;; id++) {
		snprintf(text, sizeof(text), "Id: %llu\n\nx\n",
		    (unsigned long long)id);
		deliver(b, id, text);
		said[0] = 1;
		said[1] = id;
		(void)!write(out, said, sizeof(said));
		if (box_refresh(b) == -1)
			_exit(1);
		if (id % 3 == 0) {
			i = rand() % box_count(b);
			uid = box_rec(b, i)->uid;
			p = text_of(b, i);
			(void)sscanf(p, "Return-Path: <s@x>\nId: %llu", &is);
			free(p);
			said[0] = 2;
			said[1] = is;
			(void)!write(out, said, sizeof(said));
			if (box_expunge(b, &uid, 1) == -1)
				_exit(1);
			said[0] = 3;
			(void)!write(out, said, sizeof(said));
		}
		if (id % 7 == 0)
			(void)box_flags(b, box_rec(b, 0), MSG_SEEN, 0);
		if (id % 5 == 0) {
			b->rewrite = true;
			box_tidy(b);
		}
	}
}

static void
test_killed_editing(void **state)
{
	static unsigned char now[100000];	/* what was said of each */
	static unsigned char seen[100000];
	uint64_t said[2], next = 0;
	unsigned long long id;
	struct acct *a;
	struct box *b;
	int round, fd[2];
	uint32_t i, last;
	pid_t pid;
	char *p;

	for (round = 0; (round < 120 || next <= 200) && next < 99000; round++) {
		assert_int_equal(pipe(fd), 0);
		if ((pid = fork()) == 0)
			edit_for_ever(next, fd[1]);
		close(fd[1]);
		/* Mostly once it is at it, however slow it is. */
		if (round % 4 != 0)
			poll(&(struct pollfd){ fd[0], POLLIN, 0 }, 1, 60000);
		usleep(2000 + rand() % 15000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while (read(fd[0], said, sizeof(said)) == sizeof(said)) {
			now[said[1]] = said[0];
			if (said[1] >= next)
				next = said[1] + 1;
		}
		close(fd[0]);
		memset(seen, 0, sizeof(seen));
		a = account(true);
		b = inbox(a);
		/* The one that was under way, if it came through. */
		for (i = last = 0; i < box_count(b); i++) {
			assert_true(box_rec(b, i)->uid > last);
			last = box_rec(b, i)->uid;
			p = text_of(b, i);
			assert_int_equal(sscanf(p,
			    "Return-Path: <s@x>\nId: %llu", &id), 1);
			free(p);
			if (seen[id]++ || now[id] == 3)
				fail_msg("%llu is there, said %d", id,
				    now[id]);
			if (id >= next)
				next = id + 1;
			now[id] = 1;
		}
		for (id = 0; id < next; id++)
			if (now[id] == 1 && !seen[id])
				fail_msg("%llu is lost", id);
			else if (!seen[id])
				now[id] = 3;
		if (round % 2)
			acct_free(a);
		else
			crash(a);
	}
	assert_true(next > 200);
}

static void
test_batch(void **state)
{
	struct acct *a = account(false);
	struct box *b = inbox(a);
	struct delivery d[DELIVER_BATCH];
	char text[64];
	int i, k;

	for (k = 0; k < 10; k++) {
		for (i = 0; i < DELIVER_BATCH; i++) {
			snprintf(text, sizeof(text), "batch %d message %d\n",
			    k, i);
			d[i] = job(k * 100 + i, text);
		}
		box_deliver(b, d, DELIVER_BATCH);
		for (i = 0; i < DELIVER_BATCH; i++) {
			assert_int_equal(d[i].code, 0);
			close(d[i].fd);
		}
	}
	acct_free(a);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_count(b), 10 * DELIVER_BATCH);
	for (i = 0; i < 10 * DELIVER_BATCH; i++)
		assert_int_equal(box_rec(b, i)->uid, i + 1);
	assert_text(b, 639, "Return-Path: <s@x>\nbatch 9 message 63\n");
	acct_free(a);
}

/* Larger than any buffer, with From lines at all places of the seams. */
static void
test_large(void **state)
{
	struct acct *a = account(false);
	struct box *b = inbox(a);
	size_t len = 5 * 1024 * 1024 + 3, i, k, quotes = 0;
	char *p = malloc(len), *got, *q;
	struct delivery d = { .id = 9, .sender = "s@x", .header = "X: y\n",
		.size = len, .time = 1 };
	struct rec *r;

	for (i = 0; i < len; i++)
		p[i] = 'a' + i % 26;
	for (i = 100; i + 20 < len; i += 11 + i % 7) {
		memcpy(p + i, i % 3 ? "\n\nFrom " : "\n\r\nFrom", 7);
		if (i % 3 == 0)
			p[i + 7] = ' ';
		quotes++;
	}
	d.fd = content(p, len);
	deliver(b, 8, "before\n");
	box_deliver(b, &d, 1);
	assert_int_equal(d.code, 0);
	deliver(b, 10, "after\n");
	close(d.fd);
	acct_free(a);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_count(b), 3);
	assert_text(b, 2, "Return-Path: <s@x>\nafter\n");
	r = box_rec(b, 1);
	k = strlen("Return-Path: <s@x>\nX: y\n");
	assert_int_equal(r->size, k + len + quotes + 1);
	got = text_of(b, 1);
	/* the same but for the quotes */
	for (i = 0, q = got + k; i < len; i++, q++) {
		if (*q == '>' && p[i] == 'F')
			q++;
		if (*q != p[i])
			fail_msg("differs at %zu", i);
	}
	free(got);
	free(p);
	acct_free(a);
}

/* The queue file has less than it should: nobody gets half a message. */
static void
test_short_source(void **state)
{
	struct acct *a = account(false);
	struct box *b = inbox(a);
	struct delivery d[3] = { job(1, "one\n"), job(2, "two\n"),
		job(3, "three\n") };
	int i;

	d[1].size = 1000;
	box_deliver(b, d, 3);
	assert_int_equal(d[0].code, 0);
	assert_int_equal(d[1].code, 2);
	assert_int_equal(d[2].code, 0);
	for (i = 0; i < 3; i++)
		close(d[i].fd);
	d[1] = job(2, "two\n");
	d[1].size = 3000000;
	box_deliver(b, &d[1], 1);
	assert_int_equal(d[1].code, 2);
	close(d[1].fd);
	deliver(b, 2, "two\n");
	acct_free(a);
	a = account(true);
	assert_int_equal(box_count(inbox(a)), 3);
	acct_free(a);
}

/* No room: truncated back, a temporary error, the small one still fits. */
static void
test_no_room(void **state)
{
	struct rlimit old, now;
	struct acct *a = account(false);
	struct box *b = inbox(a);
	char *big = calloc(1, 60001);
	struct delivery d[3];
	struct stat st;
	int i;

	memset(big, 'x', 60000);
	deliver(b, 1, "one\n");
	d[0] = job(2, "two\n");
	d[1] = job(3, big);
	d[2] = job(4, "four\n");
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	now = old;
	now.rlim_cur = 50000;
	setrlimit(RLIMIT_FSIZE, &now);
	box_deliver(b, d, 3);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(d[0].code, 0);
	assert_int_equal(d[1].code, 2);
	assert_string_equal(d[1].esc, "4.3.1");
	assert_int_equal(d[2].code, 0);
	fstat(b->fd, &st);
	assert_int_equal(st.st_size, b->size);
	deliver(b, 3, big);
	acct_free(a);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_count(b), 4);
	for (i = 0; i < 3; i++)
		close(d[i].fd);
	free(big);
	acct_free(a);
}

static void
test_uids(void **state)
{
	struct acct *a;
	struct box *b;
	uint32_t last = 0, uid[1];
	int i;

	for (i = 0; i < 40; i++) {
		a = account(i % 3 == 0);
		b = inbox(a);
		deliver(b, 1000 + i, "x\n");
		if (a->worker) {
			assert_int_equal(box_refresh(b), 0);
			uid[0] = box_rec(b, box_count(b) - 1)->uid;
			assert_true(uid[0] > last);
			last = uid[0];
			/* the last one goes: its number must not come back */
			assert_int_equal(box_expunge(b, uid, 1), 0);
		}
		if (i % 4 == 0)
			crash(a);
		else
			acct_free(a);
		if (i % 5 == 0)
			unlinkat(top, "INBOX.mbox.idx", 0);
	}
}

static void
test_reserved_before_use(void **state)
{
	struct acct *a = account(false);
	struct box_info bi;
	struct info in;
	struct box *b;
	int i;

	assert_int_equal(acct_init(a, NULL), 0);
	acct_free(a);
	a = account(false);
	b = inbox(a);
	for (i = 0; i < 600; i++) {
		deliver(b, i, "x\n");
		assert_true(info_init(&in, top, "account.info"));
		assert_int_equal(info_get(&in, "INBOX", &bi), 1);
		assert_true(bi.uidnext > (uint32_t)i + 1);
		info_free(&in);
	}
	assert_int_equal(b->idx.head->uidnext, 601);
	acct_free(a);
	a = account(false);
	b = inbox(a);
	assert_int_equal(b->idx.head->uidnext, 601);
	crash(a);
	put("account.info", "rubbish", 7);
	a = account(false);
	b = inbox(a);
	deliver(b, 9999, "x\n");
	assert_int_equal(b->idx.head->uidnext, 602);
	acct_free(a);
}
static void
test_names(void **state)
{
	static const char *const bad[] = { "..", "../x", "a/../b", ".x",
		"a/.b", "#x", "~x", "a//b", "/a", "a/", "a\nb", "a/#b" };
	struct acct *a = account(true);
	struct box *b;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(box_open(a, bad[i]));
		assert_int_equal(errno, EINVAL);
	}
	assert_null(box_open(a, "lists"));
	assert_int_equal(errno, ENOENT);
	put("lists.mbox", "", 0);
	assert_int_equal(mkdirat(top, "lists.folder", 0700), 0);
	put("lists.folder/info.mbox", "", 0);
	b = box_open(a, "lists/info");
	assert_non_null(b);
	deliver(b, 1, "x\n");
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 1);
	assert_non_null(box_open(a, "lists"));
	assert_ptr_equal(box_open(a, "inbox"), box_open(a, "INBOX"));
	acct_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_append),
		T(test_append_then_read),
		T(test_exactly_once),
		T(test_killed),
		T(test_killed_editing),
		T(test_batch),
		T(test_large),
		T(test_short_source),
		T(test_no_room),
		T(test_uids),
		T(test_reserved_before_use),
		T(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
