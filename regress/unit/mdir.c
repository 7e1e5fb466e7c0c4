/* .mdir mailboxes: names, what is stored, what others do there, and kills. */
#include "store_test.h"

#include <bsd/string.h>
#include <dirent.h>

#include "append.h"
#include "copy.h"
#include "folder.h"
#include "keyword.h"
#include "mdir_name.h"
#include "quota.h"

static struct acct *
mdir(bool worker)
{
	struct acct *a = account(worker);

	a->format = &format_mdir;
	return a;
}

static int
box_dir(const char *name)
{
	int fd = openat(top, name, O_RDONLY | O_DIRECTORY);

	assert_int_not_equal(fd, -1);
	return fd;
}

/* The names in it, in order, with spaces. */
static char *
names(const char *name)
{
	static char text[4096];
	struct dirent **v;
	char path[128];
	int i, n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	text[0] = '\0';
	n = scandir(path, &v, NULL, alphasort);
	for (i = 0; i < n; i++) {
		if (v[i]->d_name[0] != '.') {
			strlcat(text, v[i]->d_name, sizeof(text));
			strlcat(text, " ", sizeof(text));
		}
		free(v[i]);
	}
	free(v);
	return text;
}

static void
test_names(void **state)
{
	static const struct {
		const char	*name, *ours;	/* NULL: none */
	} cases[] = {
		{ "7-RA-20261121024026", NULL },
		{ "7-RAFDTSr-20261121024026", NULL },
		{ "7-R0000000A-20261121024026", NULL },
		{ "7-AFDDEADBEEF-20261121024026", NULL },
		{ "7--20261121024026", NULL },
		{ "4294967294-D-19700101000000", NULL },
		{ "0007-RA-20261121024026", "7-RA-20261121024026" },
		{ "7-AR-20261121024026-34", "7-RA-20261121024026" },
		{ "7-R-------20261121024026", "7-R-20261121024026" },
		{ "7-RxzN-20261121024026", "7-R-20261121024026" },
		{ "7-R-0", "7-R-19700101000000" },
		{ "0001-0000-1", "1--19700101000000" },
		{ "7-R-20269999999999", "7-R-19700101000000" },
		{ "4294967295-R-20261121024026", "0-R-20261121024026" },
		{ "99999999999999999999-R-20261121024026",
		    "0-R-20261121024026" },
	};
	static const char *const none[] = { "", "7", "7-", "7-R", "-R-1",
		"7.new", "x-R-20261121024026", "7-R-2026112102402x",
		"INBOX.mdir.idx", "account.info", "7-R-", "7-20261121024026" };
	struct mdir_name n;
	char out[MDIR_NAME];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!mdir_name_parse(cases[i].name, &n))
			fail_msg("%s", cases[i].name);
		mdir_name_format(out, &n);
		assert_string_equal(out, cases[i].ours != NULL ?
		    cases[i].ours : cases[i].name);
	}
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (mdir_name_parse(none[i], &n))
			fail_msg("%s is a message", none[i]);
	n = (struct mdir_name){ UINT32_MAX - 1, MSG_FLAGS, UINT32_MAX,
		INT64_MAX };
	mdir_name_format(out, &n);
	assert_true(mdir_name_parse(out, &n));
	n.date = INT64_MIN;
	mdir_name_format(out, &n);
	assert_string_equal(strrchr(out, '-'), "-19700101000000");
}

static void
assert_uids(struct box *b, const char *want)
{
	char text[256] = "";
	size_t n = 0;
	uint32_t i;

	for (i = 0; i < box_count(b); i++)
		n += snprintf(text + n, sizeof(text) - n, "%s%u",
		    i > 0 ? " " : "", box_rec(b, i)->uid);
	assert_string_equal(text, want);
}

static void
come(int n)
{
	fill_account(mdir(false), n);
}

#define TEXT(n) "Return-Path: <s@x>\nSubject: " #n "\n\n" #n "\n"

static void
test_delivery(void **state)
{
	struct acct *a;
	struct box *b;
	struct stat st;
	int way, fd;

	come(3);
	assert_string_equal(names("INBOX.mdir"), "1-r-20261121024026 "
	    "2-r-20261121024026 3-r-20261121024026 ");
	fd = box_dir("INBOX.mdir");
	assert_int_equal(fstatat(fd, "1-r-20261121024026", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
	close(fd);
	for (way = 0; way < 3; way++) {
		if (way == 1)
			unlinkat(top, "INBOX.mdir.idx", 0);
		a = mdir(true);
		b = inbox(a);
		assert_uids(b, "1 2 3");
		assert_text(b, 1, TEXT(2));
		assert_int_equal(box_rec(b, 1)->wire,
		    strlen(TEXT(2)) + 4);
		assert_int_equal(box_rec(b, 1)->date, 1795228826);
		/* One that comes to a worker. */
		if (way == 2) {
			deliver(b, 4, "Subject: 4\n\n4\n");
			assert_int_equal(box_refresh(b), 0);
			assert_int_equal(box_count(b), 4);
			assert_text(b, 3, TEXT(4));
			/* Known already. */
			deliver(b, 4, "Subject: 4\n\n4\n");
			assert_int_equal(box_refresh(b), 0);
			assert_int_equal(box_count(b), 4);
		}
		way == 1 ? crash(a) : acct_free(a);
	}
}

static void
test_long(void **state)
{
	size_t len = 3 * 1024 * 1024 + 17;
	struct delivery d[DELIVER_BATCH];
	char *text = malloc(len + 1), *p;
	struct acct *a;
	struct box *b;
	int i;

	memset(text, 'x', len);
	memcpy(text, "A: b\n\n", 6);
	text[len] = '\0';
	a = mdir(false);
	b = inbox(a);
	deliver(b, 1, text);
	for (i = 0; i < DELIVER_BATCH; i++)
		d[i] = job(2 + i, "A: b\n\nc\n");
	box_deliver(b, d, DELIVER_BATCH);
	for (i = 0; i < DELIVER_BATCH; i++) {
		assert_int_equal(d[i].code, 0);
		close(d[i].fd);
	}
	acct_free(a);
	a = mdir(true);
	b = inbox(a);
	assert_int_equal(box_count(b), 1 + DELIVER_BATCH);
	p = text_of(b, 0);
	assert_memory_equal(p, "Return-Path: <s@x>\n", 19);
	assert_memory_equal(p + 19, text, len);
	assert_string_equal(p + 19 + len, "\n");
	free(p);
	free(text);
	acct_free(a);
}

static void
test_flags(void **state)
{
	struct flag_change c = { .set = MSG_FLAGGED, .clear = MSG_RECENT };
	const uint32_t two[] = { 1, 3 };
	struct acct *a;
	struct box *b;
	int way, bit;

	come(3);
	a = mdir(true);
	b = inbox(a);
	assert_int_equal(box_flags(b, box_rec(b, 1), MSG_SEEN, MSG_RECENT),
	    0);
	bit = keyword_make(b, "Work", 4);
	assert_true(bit >= 0);
	c.kwset = 1u << bit;
	assert_int_equal(box_change(b, two, 2, &c), 0);
	assert_text(b, 2, TEXT(3));
	assert_string_equal(names("INBOX.mdir"),
	    "1-F00000001-20261121024026 2-R-20261121024026 "
	    "3-F00000001-20261121024026 ");
	acct_free(a);
	for (way = 0; way < 3; way++) {
		if (way == 1)
			unlinkat(top, "INBOX.mdir.idx", 0);
		a = mdir(true);
		b = inbox(a);
		assert_int_equal(box_rec(b, 0)->flags & MSG_FLAGS,
		    MSG_FLAGGED);
		assert_int_equal(box_rec(b, 2)->keywords, c.kwset);
		assert_int_equal(box_rec(b, 1)->flags & MSG_FLAGS, MSG_SEEN);
		crash(a);
	}
}

static void
test_expunge(void **state)
{
	const uint32_t some[] = { 1, 3, 9 };
	uint64_t bytes, n;
	struct acct *a;
	struct box *b;

	come(4);
	a = mdir(true);
	b = inbox(a);
	assert_int_equal(box_expunge(b, some, 3), 0);
	assert_uids(b, "2 4");
	assert_text(b, 1, TEXT(4));
	assert_int_equal(b->fmt->live(b, &bytes, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(bytes, 2 * strlen(TEXT(1)));
	crash(a);
	come(0);
	a = mdir(true);
	b = inbox(a);
	assert_uids(b, "2 4");
	deliver(b, 77, "A: b\n\nc\n");
	assert_int_equal(box_refresh(b), 0);
	assert_true(box_rec(b, 2)->uid > 4);
	acct_free(a);
}

/* One message for several accounts is one file; unless somebody changed it. */
static void
test_shared(void **state)
{
	static const char text[] = "Subject: all\n\nall\n";
	struct acct *a[4];
	struct box *b[4];
	char name[128];
	struct stat st[4];
	int i, fd;

	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "acct%d", i);
		assert_int_equal(mkdirat(top, name, 0700), 0);
		a[i] = acct_new(openat(top, name, O_RDONLY | O_DIRECTORY),
		    NULL, false);
		a[i]->format = &format_mdir;
		b[i] = inbox(a[i]);
		/* The third finds another file there. */
		if (i == 2) {
			fd = box_dir("acct0/INBOX.mdir");
			assert_int_equal(unlinkat(fd, "1-r-20261121024026",
			    0), 0);
			put("acct0/INBOX.mdir/1-r-20261121024026",
			    "Return-Path: <s@x>\nSubject: bad\n\nbad\n", 37);
			assert_int_equal(fchmodat(fd, "1-r-20261121024026",
			    0400, 0), 0);
			close(fd);
		}
		deliver(b[i], i < 3 ? 77 : 78, text);
		snprintf(name, sizeof(name),
		    "acct%d/INBOX.mdir/1-r-20261121024026", i);
		assert_int_equal(fstatat(top, name, &st[i], 0), 0);
		acct_free(a[i]);
	}
	assert_int_equal(st[1].st_nlink, 2);
	assert_int_equal(st[0].st_ino, st[1].st_ino);
	assert_int_equal(st[2].st_nlink, 1);
	assert_int_equal(st[3].st_nlink, 1);
	for (i = 1; i < 4; i++) {
		snprintf(name, sizeof(name), "acct%d", i);
		a[i] = acct_new(openat(top, name, O_RDONLY | O_DIRECTORY),
		    NULL, true);
		b[i] = inbox(a[i]);
		assert_text(b[i], 0,
		    "Return-Path: <s@x>\nSubject: all\n\nall\n");
		acct_free(a[i]);
	}
}

/* --- from one format to the other --- */

static uint32_t
add(struct acct *a, struct box *b, const char *text)
{
	struct append_to to = { .msg = append_begin(a, 0),
		.flags = MSG_SEEN, .date = 1795228826 };

	append_for(to.msg, b->name);
	assert_int_equal(append_write(to.msg, text, strlen(text)), 0);
	assert_int_equal(append_commit(b, &to, 1), 0);
	append_free(to.msg);
	return to.uid;
}

#define FROMS "\nFrom one\n\r\nFrom two\nFrom three\n\n>From four\n\nFrom"

static void
test_copies(void **state)
{
	struct acct *a = mdir(true);
	struct box *in = inbox(a), *text, *other;
	const uint32_t all[3] = { 1, 2, 3 };
	uint32_t uids[3] = { 1, 2, 4 }, new[3];
	char name[] = "4--20261121024026";
	struct stat st;
	int fd;

	(void)add(a, in, "Return-Path: <p@q>\r\nA: b\r\n\r\nc\r\n");
	assert_int_equal(add(a, in, "A: b\r\n\r\nFrom d\r\n"), 2);
	assert_text(in, 1, "A: b\n\nFrom d\n");
	assert_int_equal(box_expunge(in, &uids[1], 1), 0);
	uids[1] = add(a, in, "A: b\r\n\r\nno end");
	fd = box_dir("INBOX.mdir");
	put("INBOX.mdir/4--20261121024026", FROMS, strlen(FROMS));
	assert_int_equal(box_refresh(in), 0);
	assert_int_equal(box_count(in), 3);
	assert_int_equal(folder_create(a, "text.mbox", NULL), 0);
	assert_int_equal(folder_create(a, "other", NULL), 0);
	assert_non_null(text = box_open(a, "text"));
	assert_non_null(other = box_open(a, "other"));
	assert_string_equal(text->file, "text.mbox");
	assert_string_equal(other->file, "other.mdir");
	assert_int_equal(copy_messages(in, uids, 3, other, new), 0);
	assert_int_equal(copy_messages(in, uids, 3, text, new), 0);
	assert_int_equal(box_refresh(other), 0);
	assert_int_equal(box_refresh(text), 0);
	assert_text(other, 2, FROMS);
	assert_int_equal(fstatat(fd, name, &st, 0), 0);
	assert_int_equal(st.st_nlink, 2);
	assert_text(text, 0, "Return-Path: <p@q>\nA: b\n\nc\n");
	assert_text(text, 1, "A: b\n\nno end");
	assert_text(text, 2,
	    "\n>From one\n\r\n>From two\nFrom three\n\n>From four\n\nFrom");
	assert_int_equal(box_rec(text, 0)->flags & MSG_SEEN, MSG_SEEN);
	/* And back; what was linked goes on alone. */
	assert_int_equal(box_expunge(in, uids, 3), 0);
	assert_text(other, 2, FROMS);
	assert_int_equal(copy_messages(text, all, 3, in, new), 0);
	assert_int_equal(box_refresh(in), 0);
	assert_uids(in, "5 6 7");
	assert_text(in, 1, "A: b\n\nno end");
	assert_int_equal(box_rec(in, 1)->wire, strlen("A: b..no end") + 2);
	close(fd);
	acct_free(a);
	a = mdir(true);
	unlinkat(top, "text.mbox.idx", 0);
	assert_non_null(text = box_open(a, "text"));
	assert_int_equal(box_refresh(text), 0);
	assert_int_equal(box_count(text), 3);
	acct_free(a);
}

/* Many, in pieces, and a name that goes on its way. */
static void
test_many(void **state)
{
	enum { N = 700 };
	struct acct *a = mdir(true);
	struct box *in = inbox(a), *to;
	struct stored_msg *m = calloc(N, sizeof(*m));
	uint32_t uids[N], new[N];
	struct copying *c;
	int i;

	for (i = 0; i < N; i++) {
		m[i].text = "A: b\n\nc\n";
		m[i].size = 8;
		m[i].date = 1795228826;
		uids[i] = i + 1;
	}
	assert_int_equal(box_put(in, m, N), 0);
	assert_int_equal(box_refresh(in), 0);
	assert_int_equal(box_count(in), N);
	assert_int_equal(folder_create(a, "to", NULL), 0);
	assert_non_null(to = box_open(a, "to"));
	assert_non_null(c = copy_begin(in, uids, N, to, new));
	assert_int_equal(copy_more(c), 1);
	/* Given up: none of them is there. */
	copy_end(c);
	assert_int_equal(box_refresh(to), 0);
	assert_int_equal(box_count(to), 0);
	assert_string_equal(names("to.mdir"), "");
	assert_non_null(c = copy_begin(in, uids, N, to, new));
	assert_int_equal(copy_more(c), 1);
	/* Needs them as they are: it is brought to its end. */
	assert_int_equal(box_expunge(in, uids, N), 0);
	while (copy_more(c) == 1)
		continue;
	copy_end(c);
	assert_int_equal(box_refresh(to), 0);
	assert_int_equal(box_count(to), N);
	assert_text(to, N - 1, "A: b\n\nc\n");
	free(m);
	acct_free(a);
}

/* --- what others do --- */

static void
test_strangers(void **state)
{
	struct acct *a;
	struct box *b;
	uint32_t next;
	int fd, live;

	/* Found at the next start, and while it is open. */
	for (live = 0; live < 2; live++) {
		unlinkat(top, "INBOX.mdir.idx", 0);
		come(4);
		fd = box_dir("INBOX.mdir");
		a = mdir(true);
		b = inbox(a);
		next = b->idx.head->uidnext;
		if (!live) {
			acct_free(a);
			b = NULL;
		}
		/* Replaced, gone, a restored one, two of one UID, others. */
		unlinkat(fd, "1-r-20261121024026", 0);
		put("INBOX.mdir/1-r-20261121024026", "A: x\n\nlonger\n", 13);
		unlinkat(fd, "2-r-20261121024026", 0);
		assert_int_equal(renameat(fd, "3-r-20261121024026", fd,
		    "0003-R-20261121024026-9"), 0);
		put("INBOX.mdir/4-D-20261121024026", "A: y\n\n", 6);
		put("INBOX.mdir/900-F-20261121024026", "A: z\n\n", 6);
		put("INBOX.mdir/notes.txt", "n\n", 2);
		mkdirat(fd, "5-R-20261121024026", 0700);
		if (!live) {
			a = mdir(true);
			b = inbox(a);
		}
		assert_int_equal(box_refresh(b), 0);
		assert_int_equal(box_count(b), 5);
		assert_int_equal(box_rec(b, 0)->uid, 3);
		assert_int_equal(box_rec(b, 0)->flags & MSG_FLAGS, MSG_SEEN);
		assert_text(b, 0, TEXT(3));
		assert_int_equal(box_rec(b, 1)->uid, 4);
		assert_int_equal(box_rec(b, 2)->uid, 900);
		assert_text(b, 2, "A: z\n\n");
		assert_true(box_rec(b, 3)->uid > 900);
		assert_true(next <= 900);
		assert_int_equal(box_rec(b, 4)->uid, box_rec(b, 3)->uid + 1);
		assert_int_equal(b->idx.head->uidnext,
		    box_rec(b, 4)->uid + 1);
		acct_free(a);
		close(fd);
		nftw(dir, drop, 16, FTW_DEPTH | FTW_PHYS);
		assert_int_equal(mkdir(dir, 0700), 0);
		close(top);
		top = open(dir, O_RDONLY | O_DIRECTORY);
	}
}

/* Counting is not looking. */
static void
test_counted(void **state)
{
	struct quota_usage u;
	struct acct *a;
	struct box *b;
	int fd;

	come(3);
	a = mdir(true);
	b = inbox(a);
	fd = box_dir("INBOX.mdir");
	assert_int_equal(renameat(fd, "2-r-20261121024026", fd,
	    "70-R-20261121024026"), 0);
	assert_int_equal(quota_usage(a, &u), 0);
	assert_int_equal(u.messages, 3);
	assert_int_equal(box_refresh(b), 0);
	assert_uids(b, "1 3 70");
	close(fd);
	acct_free(a);
}

/* Changed between a look and a read: an error then, and found after it. */
static void
test_vanished(void **state)
{
	struct acct *a;
	struct box *b;
	char c[8];
	int fd;

	come(3);
	a = mdir(true);
	b = inbox(a);
	fd = box_dir("INBOX.mdir");
	unlinkat(fd, "2-r-20261121024026", 0);
	assert_int_equal(box_read(b, box_rec(b, 1), 0, c, 8), -1);
	assert_int_equal(box_refresh(b), 0);
	assert_uids(b, "1 3");
	/* The whole mailbox is another. */
	close(fd);
	assert_int_equal(renameat(top, "INBOX.mdir", top, "old"), 0);
	assert_int_equal(mkdirat(top, "INBOX.mdir", 0700), 0);
	put("INBOX.mdir/1-R-20261121024026", "A: n\n\n", 6);
	assert_int_equal(box_refresh(b), 0);
	assert_uids(b, "1");
	assert_text(b, 0, "A: n\n\n");
	acct_free(a);
}

static void
test_index_damaged(void **state)
{
	struct acct *a;
	struct box *b;
	size_t len, i;
	char *p;

	come(5);
	a = mdir(true);
	(void)inbox(a);
	acct_free(a);
	p = whole("INBOX.mdir.idx", &len);
	for (i = 0; i < len; i += i < 256 ? 8 : i < IDX_RECOFF ? 997 : 16) {
		p[i] ^= 0x55;
		put("INBOX.mdir.idx", p, len);
		p[i] ^= 0x55;
		a = mdir(true);
		b = inbox(a);
		assert_uids(b, "1 2 3 4 5");
		assert_text(b, 4, TEXT(5));
		assert_true(b->idx.head->uidnext > 5);
		crash(a);
	}
	free(p);
}

/* --- kills --- */

/* What is on disk at each step of a delivery that is killed there. */
static void
test_half_delivered(void **state)
{
	struct acct *a;
	struct box *b;
	int fd;

	come(1);
	/* Written, not yet named. */
	put("INBOX.mdir/2.new", "half", 4);
	a = mdir(false);
	b = inbox(a);
	b->bad = true;		/* no orderly end */
	deliver(b, 2, "Subject: 2\n\n2\n");
	crash(a);
	assert_null(strstr(names("INBOX.mdir"), "new"));
	/* There, but nobody was told: not twice. */
	a = mdir(false);
	b = inbox(a);
	deliver(b, 2, "Subject: 2\n\n2\n");
	crash(a);
	a = mdir(true);
	b = inbox(a);
	assert_int_equal(box_count(b), 2);
	/* Noted, but not there: again. */
	deliver(b, 3, "Subject: 3\n\n3\n");
	assert_int_equal(box_refresh(b), 0);
	fd = box_dir("INBOX.mdir");
	char name[64];
	snprintf(name, sizeof(name), "%u-r-20261121024026",
	    box_rec(b, 2)->uid);
	assert_int_equal(unlinkat(fd, name, 0), 0);
	crash(a);
	close(fd);
	a = mdir(true);
	b = inbox(a);
	assert_int_equal(box_count(b), 2);
	deliver(b, 3, "Subject: 3\n\n3\n");
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 3);
	/* An orderly end is no reason to forget. */
	acct_free(a);
	a = mdir(true);
	b = inbox(a);
	deliver(b, 3, "Subject: 3\n\n3\n");
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 3);
	acct_free(a);
}

/* Disk full, and files that get too large: all or nothing. */
static void
test_no_room(void **state)
{
	static const char small[] = "A: b\n\nc\n";
	struct rlimit old, lim;
	struct delivery d[3];
	char *text = calloc(1, 100001);
	struct acct *a = mdir(false);
	struct box *b = inbox(a);
	int i;

	memset(text, 'x', 100000);
	d[0] = job(1, small);
	d[1] = job(2, text);
	d[2] = job(3, small);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	lim = old;
	lim.rlim_cur = 50000;
	setrlimit(RLIMIT_FSIZE, &lim);
	box_deliver(b, d, 3);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(d[0].code, 0);
	assert_int_equal(d[1].code, 2);
	assert_string_equal(d[1].esc, "4.3.1");
	assert_int_equal(d[2].code, 0);
	for (i = 0; i < 3; i++)
		close(d[i].fd);
	assert_null(strstr(names("INBOX.mdir"), "new"));
	acct_free(a);
	a = mdir(true);
	b = inbox(a);
	assert_int_equal(box_count(b), 2);
	acct_free(a);
	free(text);
}

/* --- accounts --- */

static void
test_folders(void **state)
{
	struct acct *a = mdir(true);
	struct quota_usage u;
	struct folders f;
	struct box *b;

	a->format = &format_mbox;
	(void)inbox(a);
	assert_int_equal(folder_create(a, "A/B.mdir", "Sent"), 0);
	assert_int_equal(folder_create(a, "A/B", NULL), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(folder_create(a, "C.mslc", NULL), -1);
	assert_int_equal(errno, ENOTSUP);
	assert_non_null(b = box_open(a, "A/B"));
	assert_string_equal(b->file, "A.folder/B.mdir");
	assert_int_equal(add(a, b, "A: b\r\n\r\nc\r\n"), 1);
	assert_int_equal(folder_rename(a, "A/B", "D"), 0);
	assert_string_equal(b->file, "D.mdir");
	assert_int_equal(add(a, b, "A: b\r\n\r\nd\r\n"), 2);
	assert_text(b, 0, "A: b\n\nc\n");
	box_close(b);
	assert_int_equal(folder_list(a, &f, false), 0);
	assert_int_equal(f.n, 3);
	assert_string_equal(f.v[2].name, "D");
	assert_string_equal(f.v[2].class, "Sent");
	assert_int_equal(f.v[2].flags, 0);
	folders_free(&f);
	assert_int_equal(quota_usage(a, &u), 0);
	assert_int_equal(u.messages, 2);
	assert_int_equal(u.bytes, 16);
	acct_free(a);
	/* By what stands in the head of its index. */
	a = mdir(false);
	assert_int_equal(quota_usage(a, &u), 0);
	assert_int_equal(u.messages, 2);
	assert_int_equal(u.bytes, 16);
	acct_free(a);
	a = mdir(true);
	assert_int_equal(folder_delete(a, "D"), 0);
	assert_int_equal(folder_exists(a, "D"), false);
	assert_int_equal(faccessat(top, "D.mdir.idx", F_OK, 0), -1);
	assert_int_equal(quota_usage(a, &u), 0);
	assert_int_equal(u.messages, 0);
	acct_free(a);
}

/* The account's directory is the mailbox. */
static void
test_single(void **state)
{
	struct acct *a = acct_new(dup(top), "INBOX.mdir", false);
	struct quota_usage u;
	struct folders f;
	struct box *b;

	assert_int_equal(acct_init(a, NULL), 0);
	b = inbox(a);
	deliver(b, 1, "Subject: 1\n\n1\n");
	acct_free(a);
	assert_string_equal(names("."), "1-r-20261121024026 INBOX.mdir.idx "
	    "account.info ");
	a = acct_new(dup(top), "INBOX.mdir", true);
	b = inbox(a);
	assert_uids(b, "1");
	assert_text(b, 0, TEXT(1));
	assert_int_equal(folder_create(a, "other", NULL), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(folder_list(a, &f, false), 0);
	assert_int_equal(f.n, 1);
	folders_free(&f);
	assert_int_equal(add(a, b, "A: b\r\n\r\nc\r\n"), 2);
	acct_free(a);
	a = acct_new(dup(top), "INBOX.mdir", false);
	assert_int_equal(quota_usage(a, &u), 0);
	assert_int_equal(u.messages, 2);
	acct_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_delivery),
		T(test_long),
		T(test_flags),
		T(test_expunge),
		T(test_shared),
		T(test_copies),
		T(test_many),
		T(test_strangers),
		T(test_counted),
		T(test_vanished),
		T(test_index_damaged),
		T(test_half_delivered),
		T(test_no_room),
		T(test_folders),
		T(test_single),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
