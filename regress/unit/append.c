/* Messages from clients: appended, copied, changed, with their keywords. */
#include "store_test.h"

#include "append.h"
#include "buf.h"
#include "copy.h"
#include "folder.h"
#include "keyword.h"

/* As it came, in pieces of that many bytes, and what is stored of it. */
static void
expect(struct acct *a, struct box *b, const char *sent, const char *stored,
    uint64_t wire)
{
	static const size_t pieces[] = { 1000, 1, 2, 3, 5, 7 };
	struct append_to to = { .date = 1795228826 };
	size_t i, off, n, len = strlen(sent);

	for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		to.msg = append_begin(a, i % 2 ? len : 0);
		for (off = 0; off < len; off += n) {
			n = len - off < pieces[i] ? len - off : pieces[i];
			assert_int_equal(append_write(to.msg, sent + off, n),
			    0);
		}
		assert_int_equal(append_commit(b, &to, 1), 0);
		append_free(to.msg);
		assert_int_equal(box_refresh(b), 0);
		assert_text(b, box_count(b) - 1, stored);
		assert_int_equal(box_rec(b, box_count(b) - 1)->uid, to.uid);
		assert_int_equal(box_rec(b, box_count(b) - 1)->wire, wire);
	}
}

static void
append_all(struct acct *a, struct box *b)
{
	expect(a, b, "A: b\r\n\r\nc\r\n", "A: b\n\nc\n", 11);
	expect(a, b, "A: b\r\n\r\nno end", "A: b\n\nno end", 14);
	expect(a, b, "", "", 0);
	expect(a, b, "\r\n", "\n", 2);
	expect(a, b, "x", "x", 1);
	expect(a, b, "a\nb\n", "a\nb\n", 6);
	expect(a, b, "a\rb\r\n", "a\rb\n", 5);
	expect(a, b, "a\r\r\nb\r\n", "a\r\r\nb\n", 7);
	expect(a, b, "a\r\n\r\r\nFrom b\r\n", "a\n\r\r\nFrom b\n", 14);
	expect(a, b, "a\r", "a\r", 2);
	expect(a, b, "\r\r\r", "\r\r\r", 3);
	expect(a, b, "a\r\n\r\nFrom b\r\n", "a\n\n>From b\n", 14);
	expect(a, b, "\r\nFrom b\r\n", "\n>From b\n", 11);
	expect(a, b, "From b\r\n\r\nFro\r\n\r\nFrom\r\n\r\nFrom",
	    "From b\n\nFro\n\nFrom\n\nFrom", 29);
	expect(a, b, "a\r\n\r\nFrom ", "a\n\n>From ", 11);
	expect(a, b, "a\r\n\r\nFr\rom x\r\n", "a\n\nFr\rom x\n", 14);
	expect(a, b, "a\r\n\r\n\r\n\r\nFrom x\r\n\r\n\r\n",
	    "a\n\n\n\n>From x\n\n\n", 22);
	expect(a, b, "a\r\n\nFrom x\n", "a\n\n>From x\n", 14);
}

static void
test_bytes(void **state)
{
	struct acct *a = account(true);
	struct box *b = inbox(a);
	uint32_t i, n, *uids;
	char **texts;

	append_all(a, b);
	n = box_count(b);
	texts = calloc(n, sizeof(*texts));
	uids = calloc(n, sizeof(*uids));
	for (i = 0; i < n; i++) {
		texts[i] = text_of(b, i);
		uids[i] = box_rec(b, i)->uid;
	}
	/* again from the file alone, and after it was copied as a whole */
	acct_free(a);
	unlinkat(top, "INBOX.mbox.idx", 0);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_count(b), n);
	for (i = 0; i < n; i++)
		assert_text(b, i, texts[i]);
	b->rewrite = true;
	box_tidy(b);
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), n);
	for (i = 0; i < n; i++) {
		assert_text(b, i, texts[i]);
		assert_int_equal(box_rec(b, i)->uid, uids[i]);
		free(texts[i]);
	}
	free(texts);
	free(uids);
	acct_free(a);
}

static void
test_refused(void **state)
{
	struct acct *a = account(true);
	struct box *b = inbox(a);
	struct append_to to = { .msg = append_begin(a, 0) };

	assert_int_equal(append_write(to.msg, "a\r\n", 3), 0);
	assert_int_equal(append_write(to.msg, "b\0c\r\n", 5), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(append_write(to.msg, "c\r\n", 3), -1);
	assert_int_equal(append_commit(b, &to, 1), -1);
	assert_int_equal(errno, EINVAL);
	append_free(to.msg);
	append_free(NULL);
	assert_int_equal(b->size, 0);
	acct_free(a);
}

/* Larger than what is kept in memory. */
static void
test_large(void **state)
{
	struct acct *a = account(true);
	struct box *b = inbox(a);
	struct append_to to = { .msg = append_begin(a, 0) };
	static const char line[] =
	    "0123456789 0123456789 0123456789 0123456789\r\n";
	size_t i, n = 100000;
	char *p;

	for (i = 0; i < n; i++)
		assert_int_equal(append_write(to.msg, line, sizeof(line) - 1),
		    0);
	assert_int_equal(append_write(to.msg, "end", 3), 0);
	assert_int_equal(append_commit(b, &to, 1), 0);
	append_free(to.msg);
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_rec(b, 0)->wire, n * (sizeof(line) - 1) + 3);
	p = text_of(b, 0);
	for (i = 0; i < n; i++)
		assert_memory_equal(p + i * (sizeof(line) - 2), line, 43);
	assert_string_equal(p + i * (sizeof(line) - 2), "end");
	free(p);
	assert_int_equal(faccessat(top, "append.tmp", F_OK, 0), -1);
	acct_free(a);
}

/* Several with one sync; all or none. */
static void
test_several(void **state)
{
	struct acct *a = account(true);
	struct box *b = inbox(a);
	struct append_to to[3] = { { .flags = MSG_SEEN },
		{ .flags = MSG_EXPUNGED | MSG_DRAFT, .keywords = 5 }, { 0 } };
	struct rlimit old, small;
	int i;

	for (i = 0; i < 3; i++) {
		to[i].msg = append_begin(a, 0);
		append_write(to[i].msg, "text\r\n", 6);
	}
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 20000;
	assert_int_equal(append_commit(b, to, 3), 0);
	assert_int_equal(to[0].uid, 1);
	assert_int_equal(to[2].uid, 3);
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 3);
	assert_int_equal(box_rec(b, 0)->flags & MSG_FLAGS,
	    MSG_SEEN | MSG_RECENT);
	assert_int_equal(box_rec(b, 1)->flags & MSG_FLAGS,
	    MSG_DRAFT | MSG_RECENT);
	assert_int_equal(box_rec(b, 1)->keywords, 5);
	for (i = 0; i < 2000; i++)
		append_write(to[2].msg, "more text\r\n", 11);
	setrlimit(RLIMIT_FSIZE, &small);
	assert_int_equal(append_commit(b, to, 3), -1);
	assert_int_equal(errno, EFBIG);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 3);
	assert_int_equal(append_commit(b, to, 1), 0);
	assert_true(to[0].uid > 3);
	for (i = 0; i < 3; i++)
		append_free(to[i].msg);
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 4);
	acct_free(a);
}

/* Killed in the middle of a commit: all of it or nothing. */
static void
test_cut(void **state)
{
	struct acct *a = account(true);
	struct box *b = inbox(a);
	struct append_to to[3] = { { 0 } };
	uint64_t before, after, at;
	struct copy c;
	char *mbox;
	int i;

	deliver(b, 1, "first\n");
	assert_int_equal(box_refresh(b), 0);
	for (i = 0; i < 3; i++) {
		to[i].msg = append_begin(a, 0);
		append_write(to[i].msg, "text\r\n", 6);
	}
	before = b->size;
	assert_int_equal(append_commit(b, to, 3), 0);
	after = b->size;
	for (i = 0; i < 3; i++)
		append_free(to[i].msg);
	/* what the disk held while it was under way */
	b->idx.slots[b->idx.next - 1].new = SLOT_NEVER;
	assert_int_equal(idx_put_slots(&b->idx, b->idx.next - 1, 1), 0);
	crash(a);
	c = save();
	mbox = c.mbox;
	for (at = before; at <= after; at += 7) {
		c.nmbox = at;
		restore(&c);
		a = account(true);
		b = inbox(a);
		assert_int_equal(box_count(b), 1);
		assert_text(b, 0, "Return-Path: <s@x>\nfirst\n");
		acct_free(a);
	}
	c.mbox = mbox;
	free_copy(&c);
}

static void
test_keywords(void **state)
{
	struct acct *a = account(true);
	struct box *b = inbox(a);
	struct flag_change all = { .kwset = 0x7fffffff };
	char name[32];
	uint32_t uid;
	int i;

	assert_int_equal(keyword_find(b, "$Junk", 5), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(keyword_make(b, "$Junk", 5), 0);
	assert_int_equal(keyword_make(b, "work", 4), 1);
	assert_int_equal(keyword_make(b, "$jUNK", 5), 0);
	assert_int_equal(keyword_make(b, "a b", 3), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(keyword_make(b, "\\Seen", 5), -1);
	acct_free(a);
	a = account(true);
	b = inbox(a);
	assert_int_equal(keyword_count(b), 2);
	assert_string_equal(keyword_name(b, 0), "$Junk");
	assert_int_equal(keyword_find(b, "WORK", 4), 1);
	deliver(b, 1, "a\n");
	assert_int_equal(box_refresh(b), 0);
	uid = box_rec(b, 0)->uid;
	assert_int_equal(box_change(b, &uid, 1, &all), 0);
	for (i = 2; i < KEYWORD_MAX; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		assert_int_equal(keyword_make(b, name, strlen(name)), i);
	}
	/* the last one is on no message */
	assert_int_equal(keyword_make(b, "new", 3), 31);
	all.kwset = 1u << 31;
	assert_int_equal(box_change(b, &uid, 1, &all), 0);
	assert_int_equal(keyword_make(b, "newer", 5), -1);
	assert_int_equal(errno, ENOSPC);
	acct_free(a);
	unlinkat(top, "INBOX.mbox.idx", 0);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_rec(b, 0)->keywords, 0xffffffff);
	assert_string_equal(keyword_name(b, 31), "new");
	acct_free(a);
}

static void
test_copy(void **state)
{
	struct acct *a = account(true);
	struct box *b, *o;
	uint32_t uids[4] = { 1, 2, 7, 9 }, fresh[4];
	struct flag_change c = { .set = MSG_FLAGGED, .kwset = 2 };

	fill(3);
	b = inbox(a);
	assert_int_equal(keyword_make(b, "zero", 4), 0);
	assert_int_equal(keyword_make(b, "one", 3), 1);
	assert_int_equal(box_change(b, uids, 4, &c), 0);
	assert_int_equal(folder_create(a, "o", NULL), 0);
	o = box_open(a, "o");
	assert_int_equal(box_refresh(o), 0);
	assert_int_equal(copy_messages(b, uids, 4, o, fresh), 0);
	assert_int_equal(fresh[0], 1);
	assert_int_equal(fresh[1], 2);
	assert_int_equal(fresh[2], 0);
	assert_int_equal(fresh[3], 0);
	assert_int_equal(box_refresh(o), 0);
	assert_int_equal(box_count(o), 2);
	assert_int_equal(box_rec(o, 0)->keywords, 1);
	assert_string_equal(keyword_name(o, 0), "one");
	assert_int_equal(box_rec(o, 0)->flags & MSG_FLAGS,
	    MSG_FLAGGED | MSG_RECENT);
	assert_int_equal(box_rec(o, 0)->date, box_rec(b, 0)->date);
	assert_text(o, 1, "Return-Path: <s@x>\nSubject: 2\n\n2\n");
	/* into itself */
	assert_int_equal(copy_messages(b, uids, 2, b, fresh), 0);
	assert_int_equal(fresh[1], 5);
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 5);
	assert_text(b, 4, "Return-Path: <s@x>\nSubject: 2\n\n2\n");
	box_close(o);
	acct_free(a);
}

/* n messages of 100 kB in INBOX, and an empty mailbox o. */
static struct box *
large(struct acct *a, uint32_t n, uint32_t *uids, struct box **o)
{
	char *text = calloc(1, 100001);
	struct stored_msg m = { .text = text, .fd = -1, .size = 100000,
		.date = 1 };
	struct box *b = inbox(a);
	uint32_t i;

	memset(text, 'x', 100000);
	memcpy(text, "Subject: x\n\n", 12);
	text[99999] = '\n';
	for (i = 0; i < n; i++) {
		assert_int_equal(box_put(b, &m, 1), 0);
		uids[i] = i + 1;
	}
	free(text);
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(folder_create(a, "o", NULL), 0);
	*o = box_open(a, "o");
	assert_non_null(*o);
	return b;
}

/* A copy in pieces: nobody sees half of it, whatever he does meanwhile. */
static void
test_copy_pieces(void **state)
{
	enum { N = 60 };
	struct stored_msg one = { .text = "Subject: y\n\ny\n", .fd = -1,
		.size = 14, .date = 1 };
	struct flag_change flag = { .set = MSG_FLAGGED };
	struct acct *a = account(true);
	uint32_t uids[N], fresh[N], back[N];
	struct copying *c, *d;
	struct box *o, *b = large(a, N, uids, &o);

	/* Given up in the middle: nothing is there. */
	assert_non_null(c = copy_begin(b, uids, N, o, fresh));
	assert_int_equal(copy_more(c), 1);
	copy_end(c);
	assert_int_equal(box_refresh(o), 0);
	assert_int_equal(box_count(o), 0);
	/* Somebody looks there, and has all of it. */
	assert_non_null(c = copy_begin(b, uids, N, o, fresh));
	assert_int_equal(copy_more(c), 1);
	assert_int_equal(box_count(o), 0);
	assert_int_equal(box_refresh(o), 0);
	assert_int_equal(box_count(o), N);
	assert_int_equal(copy_more(c), 0);
	copy_end(c);
	assert_true(fresh[0] > 0 && fresh[N - 1] == fresh[0] + N - 1);
	/* Others add to it, or begin another. */
	assert_non_null(c = copy_begin(b, uids, N, o, back));
	assert_int_equal(copy_more(c), 1);
	assert_int_equal(box_put(o, &one, 1), 0);
	assert_int_equal(copy_more(c), 0);
	assert_int_equal(one.uid, back[N - 1] + 1);
	copy_end(c);
	assert_non_null(c = copy_begin(b, uids, N, o, back));
	assert_int_equal(copy_more(c), 1);
	assert_non_null(d = copy_begin(o, fresh, 1, b, fresh));
	assert_int_equal(copy_more(c), 0);
	assert_int_equal(copy_more(d), 0);
	copy_end(d);
	copy_end(c);
	/* The source may change, or be written anew: it is copied as it was. */
	assert_non_null(c = copy_begin(b, uids, N, o, back));
	assert_int_equal(copy_more(c), 1);
	assert_int_equal(box_change(b, uids, N, &flag), 0);
	assert_int_equal(copy_more(c), 0);
	copy_end(c);
	assert_non_null(c = copy_begin(b, uids + 1, N - 1, o, back));
	assert_int_equal(copy_more(c), 1);
	assert_int_equal(box_expunge(b, uids, N - 1), 0);
	box_tidy(b);
	while (copy_more(c) == 1)
		continue;
	copy_end(c);
	assert_int_equal(box_refresh(o), 0);
	assert_int_equal(box_count(o), 4 * N + N - 1 + 1);
	assert_int_equal(box_rec(o, 4 * N)->flags & MSG_FLAGGED, 0);
	assert_int_equal(box_rec(o, 4 * N + 1)->flags & MSG_FLAGGED,
	    MSG_FLAGGED);
	assert_int_equal(box_rec(o, 5 * N - 1)->size, 100000);
	box_close(o);
	box_close(b);
	acct_free(a);
}

static void
test_change(void **state)
{
	struct flag_change c = { .set = MSG_SEEN, .clear = MSG_RECENT };
	struct acct *a;
	struct box *b;
	uint32_t uids[600], i, n = 500;
	uint64_t modseq;

	fill(n);
	a = account(true);
	b = inbox(a);
	for (i = 0; i < 600; i++)
		uids[i] = 2 * i + 1;
	modseq = box_highest_modseq(b);
	assert_int_equal(box_change(b, uids, 600, &c), 0);
	assert_int_equal(box_highest_modseq(b), modseq + 1);
	for (i = 0; i < n; i++) {
		assert_int_equal(box_rec(b, i)->flags & MSG_FLAGS,
		    i % 2 ? MSG_RECENT : MSG_SEEN);
		assert_true((box_rec(b, i)->modseq > modseq) == (i % 2 == 0));
	}
	/* nothing new is no change */
	assert_int_equal(box_change(b, uids, 600, &c), 0);
	assert_int_equal(box_highest_modseq(b), modseq + 1);
	acct_free(a);
	unlinkat(top, "INBOX.mbox.idx", 0);
	a = account(true);
	b = inbox(a);
	for (i = 0; i < n; i++)
		assert_int_equal(box_rec(b, i)->flags & MSG_FLAGS,
		    i % 2 ? MSG_RECENT : MSG_SEEN);
	assert_int_equal(box_expunge(b, uids, 600), 0);
	assert_int_equal(box_count(b), n / 2);
	acct_free(a);
	unlinkat(top, "INBOX.mbox.idx", 0);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_count(b), n / 2);
	for (i = 0; i < n / 2; i++)
		assert_int_equal(box_rec(b, i)->uid, 2 * i + 2);
	acct_free(a);
}

/* Where a line has no room for news it gets some. */
static void
test_change_foreign(void **state)
{
	static const char text[] = OLD "a\n\n" OLD "b\n\n" OLD "c\n";
	struct flag_change c = { .set = MSG_SEEN, .kwset = 9 };
	struct acct *a;
	struct box *b;
	uint32_t uid;

	put("INBOX.mbox", text, strlen(text));
	a = account(true);
	b = inbox(a);
	uid = box_rec(b, 1)->uid;
	assert_int_equal(box_change(b, &uid, 1, &c), 0);
	crash(a);
	unlinkat(top, "INBOX.mbox.idx", 0);
	a = account(true);
	b = inbox(a);
	assert_int_equal(box_count(b), 3);
	assert_int_equal(box_rec(b, 1)->uid, uid);
	assert_int_equal(box_rec(b, 1)->flags & MSG_FLAGS, MSG_SEEN);
	assert_int_equal(box_rec(b, 1)->keywords, 9);
	acct_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_bytes),
		T(test_refused),
		T(test_large),
		T(test_several),
		T(test_cut),
		T(test_keywords),
		T(test_copy), T(test_copy_pieces),
		T(test_change),
		T(test_change_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
