/*
 * An INBOX that lies elsewhere: nothing is lost whoever is killed, whatever
 * other programs do before we are back, and where there is no room.
 */
#include "outside_test.h"

/* Another mailer has taken out what we delivered first. */
static void
test_killed_after_others_removed(void **state)
{
	struct acct *a = external(false);
	struct box *b = inbox(a);
	int worker;
	char *p;

	deliver(b, 1, "Subject: 1\n\n1, which is rather long\n");
	deliver(b, 2, "Subject: 2\n\n2\n");
	deliver(b, 3, "Subject: 3\n\n3\n");
	p = spool();
	rewrite(strstr(p + 1, "From <s@x>"));
	free(p);
	crash(a);
	for (worker = 0; worker < 2; worker++) {
		a = external(worker == 1);
		b = inbox(a);
		deliver(b, 4 + worker, worker == 0 ? "Subject: 4\n\n4\n" :
		    "Subject: 5\n\n5\n");
		crash(a);
	}
	a = external(true);
	assert_subjects(inbox(a), "2345");
	acct_free(a);
	assert_int_equal(faccessat(top, "INBOX.mbox.torn", F_OK, 0), -1);
}

static void
test_killed_after_append(void **state)
{
	struct stored_msg m = { .text = "Subject: p\n\np\n", .size = 14,
		.date = 1795228826 };
	struct acct *a;

	rewrite(OLD "Subject: a\n\nno empty line follows\n");
	a = external(true);
	assert_int_equal(box_put(inbox(a), &m, 1), 0);
	crash(a);
	a = external(true);
	assert_subjects(inbox(a), "ap");
	acct_free(a);
}

#define MSG(c, text) OLD "Subject: " c "\n\n" text "\n\n"

/*
 * The mailbox was to become "now" when somebody was killed; then it, or another
 * file in its place, was found as "found".
 */
static void
plant(const char *was, const char *now, const char *found, bool same)
{
	char foot[64];
	struct stat st;
	char *p = NULL;
	int fd;

	rewrite(was);
	fd = openat(top, SPOOL, O_RDWR);
	assert_int_equal(fstat(fd, &st), 0);
	snprintf(foot, sizeof(foot), "%016llx%016llx%08x%08x",
	    (unsigned long long)strlen(was), (unsigned long long)st.st_ino +
	    !same, box_born(fd), crc32c(0, was, strlen(was)));
	close(fd);
	assert_true(asprintf(&p, "%s%s", now, foot) > 0);
	put("INBOX.mbox.redo", p, strlen(p));
	free(p);
	rewrite(found);
}

static void
grow(off_t size)
{
	int fd = openat(top, SPOOL, O_RDWR);

	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

static void
assert_finished(const char *want)
{
	struct acct *a = external(true);

	assert_subjects(inbox(a), want);
	acct_free(a);
	assert_int_equal(faccessat(top, "INBOX.mbox.redo", F_OK, 0), -1);
	assert_int_equal(faccessat(top, "INBOX.mbox.torn", F_OK, 0), -1);
}

static void
test_begun(void **state)
{
	static const char was[] = MSG("1", "one") MSG("2", "two, and longer")
	    MSG("3", "three");
	static const char less[] = MSG("1", "one") MSG("3", "three");
	static const char more[] = MSG("1", "one, and much longer than before")
	    MSG("2", "two, and longer") MSG("3", "three, and longer still");
	static const char added[] = MSG("4", "four");
	char half[sizeof(more) + sizeof(added)];

	/* Nothing was written yet. */
	plant(was, less, was, true);
	assert_finished("13");
	plant(was, less, MSG("1", "one") MSG("2", "two, and longer")
	    MSG("3", "three") MSG("4", "four"), true);
	assert_finished("134");
	plant(was, more, MSG("1", "one") MSG("2", "two, and longer")
	    MSG("3", "three") MSG("4", "four"), true);
	assert_finished("1234");
	/* Its size alone was changed, and others added to that. */
	snprintf(half, sizeof(half), "%.*s", (int)sizeof(less) - 1, was);
	plant(was, less, half, true);
	assert_finished("13");
	strcat(half, added);
	plant(was, less, half, true);
	assert_finished("134");
	/* All of it was written. */
	plant(was, less, less, true);
	assert_finished("13");
	plant(was, more, more, true);
	assert_finished("123");
	snprintf(half, sizeof(half), "%s%s", more, added);
	plant(was, more, half, true);
	assert_finished("1234");
	/* It grew, and nothing more; or what was written is as it was. */
	snprintf(half, sizeof(half), "%s", was);
	memset(half + sizeof(was) - 1, 0, sizeof(half) - sizeof(was) + 1);
	plant(was, more, half, true);
	grow(sizeof(more) - 1);
	assert_finished("123");
	snprintf(half, sizeof(half), "%.*s", (int)sizeof(was) - 2, was);
	plant(half, was, was, true);
	assert_finished("123");
	/* Others emptied it, and mail came. */
	plant(was, less, added, true);
	assert_finished("134");
	/* Another file has its place. */
	plant(was, less, added, false);
	assert_finished("4");
}

/* A process of delivery's that dies in the middle of the second message. */
static void
die_delivering(const char *big)
{
	struct rlimit rl = { 300000, 300000 };
	struct acct *a = external(false);
	struct box *b = inbox(a);
	struct delivery d = job(2, big);

	deliver(b, 1, "Subject: 1\n\n1\n");
	signal(SIGXFSZ, SIG_DFL);
	if (setrlimit(RLIMIT_FSIZE, &rl) == -1)
		_exit(1);
	box_deliver(b, &d, 1);
	_exit(0);
}

static unsigned
count(const char *where, const char *what)
{
	unsigned n = 0;

	for (; (where = strstr(where, what)) != NULL; where++)
		n++;
	return n;
}

/* Others add behind that, right there or with an empty line, a bit or much. */
static void
test_torn_and_others(void **state)
{
	static const char *const between[] = { "", "\n", "\n\n" };
	static const size_t sizes[] = { 100, 200000 };
	char *big = calloc(1, 400001), *other = calloc(1, 200301), *p;
	size_t i, k, n;
	struct acct *a;
	pid_t pid;
	int status;

	for (i = 0; i < 400000; i++)
		big[i] = i % 60 == 59 ? '\n' : 'b';
	memcpy(big, "Subject: 2\n\n", 12);
	memcpy(big + 400000 - 9, "\nthe-end\n", 9);
	for (k = 0; k < 6; k++) {
		rewrite("");
		unlinkat(top, "INBOX.mbox.idx", 0);
		unlinkat(top, "account.info", 0);
		if ((pid = fork()) == 0)
			die_delivering(big);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) &&
		    WTERMSIG(status) == SIGXFSZ);
		n = snprintf(other, 300, "%s%sSubject: o\n\nother-begins\n",
		    between[k % 3], OLD);
		while (n < sizes[k / 3]) {
			other[n] = n % 60 == 59 ? '\n' : 'x';
			n++;
		}
		strcpy(other + n, "\nother-ends\n\n");
		add(other);
		a = external(false);
		deliver(inbox(a), 2, big);
		acct_free(a);
		p = spool();
		assert_int_equal(count(p, "the-end"), 1);
		assert_int_equal(count(p, "other-begins"), 1);
		assert_int_equal(count(p, "other-ends"), 1);
		free(p);
	}
	free(big);
	free(other);
}

/* What grows needs room; without it nothing is begun. */
static void
test_no_room(void **state)
{
	static const struct flag_change seen = { .set = MSG_SEEN };
	struct rlimit rl = { 400, RLIM_INFINITY }, old;
	struct acct *a;
	struct box *b;
	char *p, *q;
	uint32_t uid;

	rewrite(MSG("1", "one") MSG("2", "two") MSG("3", "three")
	    MSG("4", "four") MSG("5", "five"));
	a = external(true);
	b = inbox(a);
	p = spool();
	uid = box_rec(b, 0)->uid;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
	assert_int_equal(box_change(b, &uid, 1, &seen), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	q = spool();
	assert_string_equal(p, q);
	free(p);
	free(q);
	assert_subjects(b, "12345");
	assert_int_equal(box_change(b, &uid, 1, &seen), 0);
	assert_subjects(b, "12345");
	acct_free(a);
}

enum { MANY = 40, ROUNDS = 60 };

static void
expunge_for_ever(int out)
{
	struct acct *a = external(true);
	struct box *b = inbox(a);
	uint32_t uid;

	while (box_count(b) > 1) {
		uid = box_rec(b, box_count(b) / 2)->uid;
		if (box_expunge(b, &uid, 1) == -1 || box_refresh(b) == -1)
			_exit(1);
		if (write(out, &uid, sizeof(uid)) != sizeof(uid))
			_exit(1);
	}
	_exit(0);
}

/* Runs f in a process that is killed after so long; what it wrote to out. */
static ssize_t
killed(void (*f)(int), useconds_t after, void *said, size_t room)
{
	int io[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(io), 0);
	if ((pid = fork()) == 0)
		f(io[1]);
	close(io[1]);
	usleep(after);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) != 0);
	while (n < room && (got = read(io[0], (char *)said + n, room - n)) > 0)
		n += got;
	close(io[0]);
	return n;
}

/* All that nobody was told of as gone is there, but for one at the most. */
static void
test_killed_while_expunging(void **state)
{
	uint32_t gone[MANY], i, k, left, there;
	struct acct *a;
	struct box *b;
	ssize_t n;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		rewrite("");
		unlinkat(top, "INBOX.mbox.idx", 0);
		unlinkat(top, "account.info", 0);
		deliver_some(MANY);
		n = killed(expunge_for_ever, 500 + round * 150, gone,
		    sizeof(gone));
		left = MANY - n / sizeof(gone[0]);
		/* Another mailer may have added to what was left. */
		if (round % 3 == 0)
			add(OLD "Subject: o\n\nof another program\n\n");
		a = external(true);
		b = inbox(a);
		there = box_count(b);
		if (round % 3 == 0) {
			char *p = text_of(b, --there);

			assert_non_null(strstr(p, "of another program"));
			free(p);
		}
		assert_true(there == left || there == left - 1);
		for (i = 0; i < there; i++) {
			char want[80];

			k = box_rec(b, i)->uid;
			snprintf(want, sizeof(want),
			    "Return-Path: <s@x>\nSubject: %u\n\n%u\n", k, k);
			assert_text(b, i, want);
		}
		for (i = 0; i < n / sizeof(gone[0]); i++)
			assert_null(box_find(b, gone[i]));
		acct_free(a);
	}
}

static void
deliver_for_ever(int out)
{
	struct acct *a = external(false);
	struct box *b = inbox(a);
	char text[3000];
	uint32_t id;

	for (id = 1;; id++) {
		memset(text, 'x', sizeof(text) - 1);
		text[sizeof(text) - 1 - id % 2000] = '\0';
		text[snprintf(text, 40, "Id: %u\n\n", id)] = 'x';
		deliver(b, id, text);
		if (write(out, &id, sizeof(id)) != sizeof(id))
			_exit(1);
	}
}

/* The one in hand is sent again: once, or twice if others wrote behind it. */
static void
test_killed_while_delivering(void **state)
{
	static uint32_t done[100000];
	char want[40], *p;
	struct acct *a;
	uint32_t id;
	ssize_t n;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		bool others = round % 2 != 0;

		rewrite("");
		unlinkat(top, "INBOX.mbox.idx", 0);
		unlinkat(top, "account.info", 0);
		n = killed(deliver_for_ever, 500 + round * 200, done,
		    sizeof(done)) / sizeof(done[0]);
		if (others)
			add("\n" OLD "Subject: o\n\nof another program\n\n");
		a = external(false);
		p = calloc(1, 3000);
		memset(p, 'x', 2999);
		p[2999 - (n + 1) % 2000] = '\0';
		p[snprintf(p, 40, "Id: %u\n\n", (unsigned)n + 1)] = 'x';
		deliver(inbox(a), n + 1, p);
		free(p);
		acct_free(a);
		p = spool();
		for (id = 1; id <= (uint32_t)n; id++) {
			snprintf(want, sizeof(want), "\nId: %u\n", id);
			assert_int_equal(count(p, want), 1);
		}
		snprintf(want, sizeof(want), "\nId: %u\n", (unsigned)n + 1);
		assert_in_range(count(p, want), 1, others ? 2 : 1);
		assert_int_equal(count(p, "of another program"), others);
		free(p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_killed_after_others_removed),
		T(test_killed_after_append),
		T(test_begun),
		T(test_torn_and_others),
		T(test_no_room),
		T(test_killed_while_expunging),
		T(test_killed_while_delivering),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
