/*
 * Mailboxes on a real disk: appending, exactly once; torn tails at every
 * byte; mailboxes of other origins; flags, expunging, compacting; damaged
 * indexes; planted files; a disk that is full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "file.h"
#include "log.h"

static char	dir[64];
static int	top = -1;

static int
drop(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

static int
setup(void **state)
{
	log_set_level(0);
	strcpy(dir, "/tmp/cg-store.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	top = open(dir, O_RDONLY | O_DIRECTORY);
	return top == -1;
}

static int
teardown(void **state)
{
	close(top);
	return nftw(dir, drop, 16, FTW_DEPTH | FTW_PHYS);
}

static struct acct *
account(bool worker)
{
	return acct_new(dup(top), NULL, worker);
}

static int
content(const char *text, size_t len)
{
	return file_memfd("message", text, len);
}

static struct delivery
job(uint64_t id, const char *text)
{
	struct delivery d = { .id = id, .sender = "s@x", .header = "",
		.size = strlen(text), .time = 1795228826 };

	d.fd = content(text, strlen(text));
	return d;
}

static void
deliver(struct box *b, uint64_t id, const char *text)
{
	struct delivery d = job(id, text);

	box_deliver(b, &d, 1);
	close(d.fd);
	if (d.code != 0)
		fail_msg("delivery: %s", d.text);
}

static char *
whole(const char *name, size_t *len)
{
	char *p = file_read(top, name, 1 << 28, len);

	if (p == NULL)
		fail_msg("%s: %s", name, strerror(errno));
	return p;
}

static void
put(const char *name, const void *p, size_t len)
{
	int fd = openat(top, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(file_write(fd, p, len), 0);
	close(fd);
}

static struct box *
inbox(struct acct *a)
{
	struct box *b = box_open(a, "");

	if (b == NULL)
		fail_msg("INBOX: %s", strerror(errno));
	if (a->worker)
		assert_int_equal(box_refresh(b), 0);
	return b;
}

static char *
text_of(struct box *b, uint32_t i)
{
	struct rec *r = box_rec(b, i);
	char *p = calloc(1, r->size + 1);

	assert_int_equal(box_read(b, r, 0, p, r->size), r->size);
	return p;
}

static void
assert_text(struct box *b, uint32_t i, const char *text)
{
	char *p = text_of(b, i);

	assert_string_equal(p, text);
	free(p);
}

/* Copies of all files, for doing the same thing to them again and again. */
struct copy {
	char	*mbox, *idx, *info;
	size_t	 nmbox, nidx, ninfo;
};

static struct copy
save(void)
{
	struct copy c;

	c.mbox = whole("INBOX.mbox", &c.nmbox);
	c.idx = whole("INBOX.mbox.idx", &c.nidx);
	c.info = whole("account.info", &c.ninfo);
	return c;
}

static void
free_copy(struct copy *c)
{
	free(c->mbox);
	free(c->idx);
	free(c->info);
}

/* In place: the inode stays. */
static void
restore(const struct copy *c)
{
	put("INBOX.mbox", c->mbox, c->nmbox);
	put("INBOX.mbox.idx", c->idx, c->nidx);
	put("account.info", c->info, c->ninfo);
	unlinkat(top, "INBOX.mbox.torn", 0);
}

/* A process that just ends: nothing is marked. */
static void
crash(struct acct *a)
{
	struct box *b;

	for (b = a->boxes; b != NULL; b = b->next)
		b->bad = true;
	acct_free(a);
}

/* --- appending --- */

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

	for (round = 0; round < 120 && next < 99000; round++) {
		assert_int_equal(pipe(fd), 0);
		if ((pid = fork()) == 0)
			edit_for_ever(next, fd[1]);
		close(fd[1]);
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

/* --- torn tails --- */

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

/* UIDs are never used twice, whatever ends how. */
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

	assert_int_equal(acct_init(a), 0);
	acct_free(a);
	a = account(false);
	b = inbox(a);
	for (i = 0; i < 600; i++) {
		deliver(b, i, "x\n");
		assert_true(info_init(&in, top, "account.info"));
		assert_true(info_get(&in, "INBOX", &bi));
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

/* --- mailboxes of other origins --- */

#define OLD "From ann Sat Nov 21 02:40:26 2026\n"

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
	    "From <a@b>(--------00000000-0000000006-000000000007) "
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
		{ "", 0 }, { "a", 3 }, { "a\n", 3 }, { "a\r\n", 3 },
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

/* --- editing --- */

static void
fill(int n)
{
	struct acct *a = account(false);
	struct box *b = inbox(a);
	char text[64];
	int i;

	for (i = 1; i <= n; i++) {
		snprintf(text, sizeof(text), "Subject: %d\n\n%d\n", i, i);
		deliver(b, i, text);
	}
	acct_free(a);
}

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
	deliver(b, 50, "again\n");
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
	deliver(b, 3, "again\n");
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 0);
	crash(a);
	a = account(false);
	b = inbox(a);
	deliver(b, 2, "again\n");
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
	deliver(b, 2, "again\n");
	crash(a);
	a = account(true);
	b = inbox(a);
	assert_uids(b, "3 5 ");
	deliver(b, 4, "again\n");
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
	assert_text(b, 2, "C: d\n\nno end\n");
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

/* --- damage --- */

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

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

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
		T(test_torn),
		T(test_torn_then_others),
		T(test_torn_batch),
		T(test_uids),
		T(test_reserved_before_use),
		T(test_origins),
		T(test_wire_sizes),
		T(test_uid_order),
		T(test_others_write),
		T(test_flags),
		T(test_flags_after_crash),
		T(test_expunge),
		T(test_expunge_all),
		T(test_compact),
		T(test_rewrite),
		T(test_expunge_foreign),
		T(test_damaged_index),
		T(test_planted),
		T(test_sparse),
		T(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
