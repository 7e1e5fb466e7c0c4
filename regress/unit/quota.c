/* What an account keeps: counted, limited, and found again after a kill. */
#include "store_test.h"

#include "append.h"
#include "buf.h"
#include "copy.h"
#include "dict.h"
#include "folder.h"
#include "from.h"
#include "quota.h"

/* By the files alone: From_ lines by their lengths. */
static void
truth_of(const char *file, struct quota_usage *u)
{
	struct from_line f;
	size_t len, off = 0, n;
	char *p = file_read(top, file, 1 << 28, &len), *lf;

	if (p == NULL)
		return;
	while (off < len) {
		lf = memchr(p + off, '\n', len - off);
		assert_non_null(lf);
		assert_true(from_parse(p + off, lf - (p + off), &f));
		n = lf + 1 - (p + off) + f.length + 1;
		/* A last line without its end has one here. */
		if (off + n < len && p[off + n] == '\n')
			n++;
		if (!(f.flags & MSG_EXPUNGED)) {
			u->bytes += n;
			u->messages++;
		}
		off += n;
	}
	free(p);
}

static struct quota_usage truth;

static int
add_truth(const char *path, const struct stat *st, int type, struct FTW *f)
{
	size_t len = strlen(path);

	if (type == FTW_F && strcmp(path + len - 5, ".mbox") == 0)
		truth_of(path + strlen(dir) + 1, &truth);
	return 0;
}

static void
check(struct acct *a)
{
	struct quota_usage u;

	/* A torn tail is cut off when it is asked. */
	assert_int_equal(quota_usage(a, &u), 0);
	memset(&truth, 0, sizeof(truth));
	assert_int_equal(nftw(dir, add_truth, 16, FTW_PHYS), 0);
	assert_int_equal(u.bytes, truth.bytes);
	assert_int_equal(u.messages, truth.messages);
}

static void
append_one(struct acct *a, const char *name, const char *text)
{
	struct box *b = box_open(a, name);
	struct append_to to = { .date = 1795228826 };

	assert_non_null(b);
	to.msg = append_begin(a, 0);
	assert_int_equal(append_write(to.msg, text, strlen(text)), 0);
	assert_int_equal(append_commit(b, &to, 1), 0);
	append_free(to.msg);
	box_close(b);
}

static int
truncate_box(const char *file, size_t len)
{
	int fd = openat(top, file, O_RDWR), ret = ftruncate(fd, len);

	close(fd);
	return ret;
}

static void
expunge(struct acct *a, const char *name, uint32_t uid)
{
	struct box *b = box_open(a, name);

	assert_non_null(b);
	assert_int_equal(box_expunge(b, &uid, 1), 0);
	box_close(b);
}

static void
fill_all(struct acct *a)
{
	int i;

	assert_int_equal(folder_create(a, "a", NULL), 0);
	assert_int_equal(folder_create(a, "b", NULL), 0);
	assert_int_equal(folder_create(a, "a/c", NULL), 0);
	for (i = 0; i < 5; i++) {
		append_one(a, "INBOX", "A: b\r\n\r\ntext\r\n");
		append_one(a, "a", "A: b\r\n\r\na longer text\r\n");
		append_one(a, "b", "A: b\r\n\r\nno end");
		append_one(a, "a/c", "A: b\r\n\r\n");
	}
}

/* Whatever happens the sum is what the files say. */
static void
test_sums(void **state)
{
	struct acct *a = account(true);
	struct box *b, *c;
	uint32_t uids[3] = { 1, 2, 3 }, out[3];

	check(a);
	fill_all(a);
	check(a);
	expunge(a, "INBOX", 2);
	check(a);
	expunge(a, "INBOX", 5);
	check(a);
	expunge(a, "b", 1);
	b = box_open(a, "a");
	c = box_open(a, "b");
	check(a);
	assert_int_equal(copy_messages(b, uids, 3, c, out), 0);
	check(a);
	box_close(c);
	check(a);
	deliver(b, 1, "A: delivered\n\ntext\n");
	check(a);
	assert_int_equal(folder_rename(a, "b", "d"), 0);
	assert_int_equal(folder_rename(a, "d", "b"), 0);
	check(a);
	assert_int_equal(folder_delete(a, "b"), 0);
	check(a);
	assert_int_equal(folder_delete(a, "a"), 0);
	box_close(b);
	check(a);
	assert_int_equal(folder_rename(a, "INBOX", "a"), 0);
	check(a);
	acct_free(a);
	a = account(false);
	check(a);
	acct_free(a);
}

/* In delivery, which has no records: known heads, then none at all. */
static void
test_delivery(void **state)
{
	static const char *const files[] = { "INBOX.mbox", "a.mbox",
		"b.mbox", "a.folder/c.mbox" };
	struct acct *a = account(true);
	struct box *b;
	size_t i;
	char idx[64];

	fill_all(a);
	expunge(a, "INBOX", 2);
	expunge(a, "a", 3);
	acct_free(a);
	a = account(false);
	check(a);
	b = inbox(a);
	check(a);
	deliver(b, 7, "A: b\n\ntext\n");
	check(a);
	deliver(b, 8, "A: b\n\ntext\n\nFrom me\n");
	check(a);
	box_close(b);
	check(a);
	acct_free(a);
	a = account(false);
	b = inbox(a);
	deliver(b, 9, "A: b\n\ntext\n");
	check(a);
	acct_free(a);
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(idx, sizeof(idx), "%s.idx", files[i]);
		unlinkat(top, idx, 0);
	}
	a = account(false);
	check(a);
	b = inbox(a);
	deliver(b, 10, "A: b\n\ntext\n");
	check(a);
	acct_free(a);
	a = account(true);
	check(a);
	acct_free(a);
}

/* Any byte of an index's head: the sum stays right. */
static void
test_damage(void **state)
{
	struct acct *a = account(true);
	char *good, bad;
	size_t len, i;

	fill_all(a);
	expunge(a, "a", 3);
	check(a);
	acct_free(a);
	good = whole("a.mbox.idx", &len);
	for (i = 0; i < sizeof(struct idx_head); i++) {
		int fd = openat(top, "a.mbox.idx", O_RDWR);

		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(file_pwrite(fd, good, len, 0), 0);
		bad = good[i] ^ 0x5a;
		assert_int_equal(file_pwrite(fd, &bad, 1, i), 0);
		close(fd);
		a = account(i % 2 == 0);
		check(a);
		acct_free(a);
	}
	free(good);
}

/* Cut by somebody else, where the index knows better. */
static void
test_cut(void **state)
{
	struct acct *a = account(true);
	char *p, *last;
	size_t len, at;
	int i;

	fill_all(a);
	expunge(a, "a", 2);
	acct_free(a);
	for (i = 0; i < 2; i++) {
		p = whole("a.mbox", &len);
		for (last = p, at = 1; at + 6 <= len; at++)
			if (memcmp(p + at - 1, "\nFrom ", 6) == 0)
				last = p + at;
		assert_int_equal(truncate_box("a.mbox", last - p), 0);
		free(p);
		a = account(i == 1);
		check(a);
		acct_free(a);
	}
	a = account(true);
	check(a);
	acct_free(a);
}

/* Killed at any moment: who comes next counts what is there. */
static void
work_until_killed(int ready)
{
	struct acct *a = account(true);
	struct box *b;
	uint64_t id = 1000;
	uint32_t last;

	quota_limit(a, "{Bytes=1G;}");
	for (;; id++) {
		append_one(a, "a", "A: b\r\n\r\nappended\r\n");
		b = inbox(a);
		deliver(b, id, "A: b\n\ndelivered\n");
		last = box_open(a, "a")->idx.head->uidnext - 2;
		if (id % 3 == 0)
			expunge(a, "a", last);
		box_close(b);
		if (id == 1010)
			(void)!write(ready, "x", 1);
	}
}

static void
test_kill(void **state)
{
	struct acct *a = account(true);
	int i, p[2], status;
	pid_t pid;
	char c;

	fill_all(a);
	acct_free(a);
	for (i = 0; i < 20; i++) {
		assert_int_equal(pipe(p), 0);
		if ((pid = fork()) == 0)
			work_until_killed(p[1]);
		assert_int_equal(read(p[0], &c, 1), 1);
		usleep(i * 137);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		close(p[0]);
		close(p[1]);
		a = account(i % 2);
		check(a);
		acct_free(a);
	}
}

static uint32_t
some_uid(struct box *b)
{
	if (box_refresh(b) == -1 || box_count(b) == 0)
		return 0;
	return box_rec(b, rand() % box_count(b))->uid;
}

static void
copy_some(struct acct *a, const char *from, const char *to)
{
	struct box *b = box_open(a, from), *c = box_open(a, to);
	uint32_t uid = b != NULL ? some_uid(b) : 0, out;

	if (uid != 0 && c != NULL)
		assert_int_equal(copy_messages(b, &uid, 1, c, &out), 0);
	if (b != NULL)
		box_close(b);
	if (c != NULL)
		box_close(c);
}

/* Boxes that stay open for a while. */
static struct box *held[1500];
static size_t nheld;

/* One step in a worker. */
static void
step(struct acct *a, uint64_t id)
{
	static const char *const names[] = { "INBOX", "a", "b", "a/c" };
	static const char line[] = "A: b\r\n\r\nFrom x\r\n";
	const char *name = names[rand() % 4], *other = names[rand() % 4];
	struct box *b;
	uint32_t uid;

	switch (rand() % 8) {
	case 0:
		(void)folder_create(a, name, NULL);
		return;
	case 1:
		(void)folder_delete(a, name);
		return;
	case 2:
		(void)folder_rename(a, name, other);
		return;
	case 3:
		copy_some(a, name, other);
		return;
	default:
		break;
	}
	if ((b = box_open(a, name)) == NULL)
		return;
	if (id % 3 == 0)
		deliver(b, id, "A: delivered\n\ntext\n");
	else if (id % 3 == 1)
		append_one(a, name, line + rand() % 6);
	else if ((uid = some_uid(b)) != 0)
		assert_int_equal(box_expunge(b, &uid, 1), 0);
	if (rand() % 5 == 0) {
		b->rewrite = true;
		box_tidy(b);
	}
	if (rand() % 4 != 0)
		box_close(b);
	else
		held[nheld++] = b;
}

static void
let_go(void)
{
	while (nheld > 0)
		box_close(held[--nheld]);
}

static void
test_random(void **state)
{
	struct acct *a = account(true);
	struct box *b;
	uint64_t id;

	srand(4711);
	fill_all(a);
	for (id = 1; id < 1500; id++) {
		step(a, id);
		if (rand() % 3 == 0)
			check(a);
		if (rand() % 20 != 0)
			continue;
		let_go();
		acct_free(a);
		a = account(false);
		if (rand() % 2 == 0)
			check(a);
		if ((b = box_open(a, rand() % 2 ? "" : "a")) != NULL)
			deliver(b, id + 100000, "A: b\n\ntext\n");
		check(a);
		acct_free(a);
		a = account(true);
	}
	check(a);
	let_go();
	acct_free(a);
}

/* What one holder leaves the next believes, unless somebody was there. */
static void
test_sizes(void **state)
{
	struct acct *a = account(true);
	struct quota_usage u, v;
	struct box *b;
	size_t len;
	char *p;

	fill_all(a);
	check(a);
	acct_free(a);
	p = whole("account.sizes", &len);
	a = account(false);
	check(a);
	assert_int_equal(faccessat(top, "account.sizes", F_OK, 0), -1);
	b = inbox(a);
	deliver(b, 1, "A: b\n\ntext\n");
	check(a);
	acct_free(a);
	free(p);
	/* INBOX alone may change beside it */
	p = whole("account.sizes", &len);
	a = account(false);
	b = inbox(a);
	deliver(b, 2, "A: b\n\ntext\n");
	acct_free(a);
	a = account(true);
	check(a);
	acct_free(a);
	/* others may not */
	a = account(false);
	deliver(box_open(a, "a"), 3, "A: b\n\ntext\n");
	assert_int_equal(faccessat(top, "account.sizes", F_OK, 0), -1);
	acct_free(a);
	a = account(true);
	check(a);
	assert_int_equal(quota_usage(a, &u), 0);
	assert_int_equal(folder_delete(a, "b"), 0);
	check(a);
	acct_free(a);
	a = account(true);
	check(a);
	assert_int_equal(quota_usage(a, &v), 0);
	assert_int_equal(v.mailboxes, u.mailboxes - 1);
	assert_true(v.bytes < u.bytes);
	acct_free(a);
	a = account(true);
	assert_int_equal(folder_delete(a, "a"), 0);
	check(a);
	acct_free(a);
	/* damaged */
	put("account.sizes", p, len - 1);
	a = account(false);
	check(a);
	acct_free(a);
	put("account.sizes", "", 0);
	a = account(false);
	check(a);
	acct_free(a);
	free(p);
}

static void
test_room(void **state)
{
	struct acct *a = account(true);
	struct quota_usage u;
	char text[64];

	assert_int_equal(quota_room(a, UINT64_MAX / 2, 1), 0);
	assert_int_equal(quota_mailbox_room(a), 0);
	fill_all(a);
	assert_int_equal(quota_usage(a, &u), 0);
	assert_int_equal(u.messages, 20);
	assert_int_equal(u.mailboxes, 4);
	snprintf(text, sizeof(text), "{Bytes=%llu;Mailboxes=4;Text=\"x y\";}",
	    (unsigned long long)u.bytes + 10);
	quota_limit(a, text);
	assert_string_equal(quota_limits(a)->text, "x y");
	assert_int_equal(quota_room(a, 10, 1), 0);
	assert_int_equal(quota_room(a, 11, 1), -1);
	assert_int_equal(errno, EDQUOT);
	assert_int_equal(folder_create(a, "e", NULL), -1);
	assert_int_equal(errno, EDQUOT);
	assert_int_equal(folder_create(a, "e/", NULL), 0);
	assert_int_equal(folder_delete(a, "b"), 0);
	assert_true(quota_freed(a));
	assert_false(quota_freed(a));
	assert_int_equal(folder_create(a, "b", NULL), 0);
	quota_limit(a, "{Messages=16;}");
	assert_int_equal(quota_room(a, 1, 1), 0);
	assert_int_equal(quota_room(a, 1, 2), -1);
	assert_int_equal(quota_percent(a), 93);
	quota_limit(a, "");
	assert_int_equal(quota_room(a, 1, 2), 0);
	assert_int_equal(quota_percent(a), 0);
	acct_free(a);
}

static void
expect(struct box *b, uint64_t id, int code, const char *esc)
{
	struct delivery d = job(id, "A: b\n\ntext\n");

	box_deliver(b, &d, 1);
	close(d.fd);
	assert_int_equal(d.code, code);
	assert_string_equal(d.esc, esc);
}

static void
test_admit(void **state)
{
	struct acct *a = account(false);
	struct box *b = inbox(a);
	struct delivery d[3] = { job(10, "A: b\n\ntext\n"),
		job(11, "A: b\n\ntext\n"), job(12, "A: b\n\ntext\n") };
	struct quota_usage u, one;
	char text[64];
	int i;

	expect(b, 1, 0, "2.0.0");
	assert_int_equal(quota_usage(a, &one), 0);
	snprintf(text, sizeof(text), "{Bytes=%llu;}",
	    (unsigned long long)one.bytes * 4 + 1);
	quota_limit(a, text);
	expect(b, 2, 0, "2.0.0");
	/* two of three fit; what was stored before is stored */
	box_deliver(b, d, 3);
	for (i = 0; i < 3; i++) {
		assert_int_equal(d[i].code, i < 2 ? 0 : 1);
		close(d[i].fd);
	}
	assert_string_equal(d[2].esc, "5.2.2");
	assert_int_equal(quota_usage(a, &u), 0);
	assert_int_equal(u.bytes, one.bytes * 4);
	expect(b, 2, 0, "2.0.0");
	expect(b, 3, 1, "5.2.2");
	quota_limit(a, "{Messages=5;Suspend=80;}");
	expect(b, 4, 2, "4.2.2");
	quota_limit(a, "{Messages=6;Suspend=80;}");
	expect(b, 4, 0, "2.0.0");
	expect(b, 5, 2, "4.2.2");
	quota_limit(a, "{Size=10;}");
	expect(b, 5, 1, "5.2.3");
	quota_limit(a, "{Size=11;Messages=5;}");
	expect(b, 5, 1, "5.2.2");
	quota_limit(a, "{Size=11;}");
	expect(b, 5, 0, "2.0.0");
	quota_limit(a, "");
	expect(b, 6, 0, "2.0.0");
	check(a);
	acct_free(a);
}

/* Letters that are there, by the file alone. */
static unsigned
notices(void)
{
	static const char subject[] = "mail storage is used\n";
	struct from_line f;
	size_t len, off = 0, n;
	char *p = file_read(top, "INBOX.mbox", 1 << 20, &len), *lf;
	unsigned found = 0;

	assert_non_null(p);
	while (off < len) {
		lf = memchr(p + off, '\n', len - off);
		assert_non_null(lf);
		assert_true(from_parse(p + off, lf - (p + off), &f));
		n = lf + 1 - (p + off) + f.length + 1;
		if (!(f.flags & MSG_EXPUNGED) && memmem(p + off, n, subject,
		    sizeof(subject) - 1) != NULL)
			found++;
		off += n;
		if (off < len && p[off] == '\n')
			off++;
	}
	free(p);
	return found;
}

static const char much[] = "{Messages=10;Notice=50;Suspend=0;"
    "Name=\"ann@example.com\";Text=\"empty it\";}";

/* At the fifth of ten; once, for whoever holds the account. */
static void
test_notice(void **state)
{
	struct acct *a = account(false);
	struct box *b = inbox(a);
	struct delivery d[3];
	uint32_t uids[6] = { 1, 2, 3, 4, 5, 6 };
	int i;

	quota_limit(a, much);
	for (i = 1; i <= 4; i++)
		expect(b, i, 0, "2.0.0");
	assert_int_equal(notices(), 0);
	expect(b, 5, 0, "2.0.0");
	assert_int_equal(notices(), 1);
	expect(b, 6, 0, "2.0.0");
	assert_false(quota_notice(a));
	assert_int_equal(notices(), 1);
	acct_free(a);
	/* its next holder */
	a = account(true);
	quota_limit(a, much);
	assert_false(quota_notice(a));
	assert_int_equal(notices(), 1);
	b = inbox(a);
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_expunge(b, uids, 6), 0);
	assert_false(quota_notice(a));
	box_close(b);
	acct_free(a);
	a = account(false);
	b = inbox(a);
	quota_limit(a, much);
	/* many at once: one letter */
	for (i = 0; i < 3; i++)
		d[i] = job(20 + i, "A: b\n\ntext\n");
	box_deliver(b, d, 3);
	for (i = 0; i < 3; i++)
		close(d[i].fd);
	expect(b, 30, 0, "2.0.0");
	assert_int_equal(notices(), 1);
	check(a);
	acct_free(a);
}

/* On its way when its writer was killed: written once, in any case. */
static void
test_notice_killed(void **state)
{
	struct acct *a = account(false);
	struct box *b = inbox(a);
	int i;

	quota_limit(a, much);
	for (i = 1; i <= 5; i++)
		expect(b, i, 0, "2.0.0");
	assert_int_equal(notices(), 1);
	/* as if it had not been noted that it was written */
	assert_int_equal(dict_setf(info_root(&a->info), "#QuotaNotice", "W%s",
	    dict_str(info_root(&a->info), "#QuotaNotice", "") + 1), 0);
	assert_int_equal(info_save(&a->info), 0);
	acct_free(a);
	a = account(false);
	quota_limit(a, much);
	assert_true(quota_notice(a));
	assert_int_equal(notices(), 1);
	/* and as if it had been noted only that it is to be written */
	assert_int_equal(dict_setf(info_root(&a->info), "#QuotaNotice",
	    "W1795228000"), 0);
	assert_int_equal(info_save(&a->info), 0);
	acct_free(a);
	a = account(false);
	quota_limit(a, much);
	assert_true(quota_notice(a));
	assert_int_equal(notices(), 2);
	assert_false(quota_notice(a));
	check(a);
	acct_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sums, setup, teardown),
		cmocka_unit_test_setup_teardown(test_delivery, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_admit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_notice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_notice_killed, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
