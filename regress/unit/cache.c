/* Summaries of messages and the file that keeps them. */
#include "store_test.h"

#include "buf.h"
#include "cache.h"
#include "mime.h"

static char *
copy_of(struct str s)
{
	char *p = str_dup(s);

	assert_non_null(p);
	return p;
}

/* What it says is what the message says. */
static void
assert_true_summary(struct box *b, uint32_t i)
{
	struct rec *r = box_rec(b, i);
	struct summary s;
	struct mime m;
	struct buf t[4];
	char *text = text_of(b, i), *have;
	int k;

	assert_int_equal(box_summary(b, r, &s), 0);
	mime_init(&m);
	assert_int_equal(mime_scan_mem(&m, text, r->size), 0);
	for (k = 0; k < 4; k++)
		buf_init(&t[k], 0);
	assert_true(mime_envelope(&m, &t[0]));
	assert_true(mime_bodystructure(&m, &t[1], false));
	assert_true(mime_bodystructure(&m, &t[2], true));
	assert_true(mime_pack(&m, &t[3]));
	have = copy_of(s.envelope);
	assert_string_equal(have, t[0].p);
	free(have);
	have = copy_of(s.body);
	assert_string_equal(have, t[1].p);
	free(have);
	have = copy_of(s.bodystructure);
	assert_string_equal(have, t[2].p);
	free(have);
	assert_int_equal(s.parts.len, t[3].len);
	assert_memory_equal(s.parts.p, t[3].p, t[3].len);
	for (k = 0; k < 4; k++)
		buf_free(&t[k]);
	mime_free(&m);
	free(text);
}

static void
assert_all(struct box *b, uint32_t count)
{
	uint32_t i;

	assert_int_equal(box_count(b), count);
	for (i = 0; i < count; i++)
		assert_true_summary(b, i);
}

static uint32_t
known(struct box *b)
{
	uint32_t i, n = 0;

	for (i = 0; i < box_count(b); i++)
		n += box_summary_known(b, box_rec(b, i));
	return n;
}

static void
test_kept(void **state)
{
	struct acct *a;
	struct box *b;

	fill(300);
	a = account(true);
	b = inbox(a);
	assert_int_equal(known(b), 0);
	assert_all(b, 300);
	assert_int_equal(known(b), 300);
	cache_flush(b);
	assert_int_equal(known(b), 300);
	assert_all(b, 300);
	acct_free(a);
	a = account(true);
	b = inbox(a);
	assert_int_equal(known(b), 300);
	assert_all(b, 300);
	/* more come, some go */
	deliver(b, 1000, "Subject: new\n\nnew\n");
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(known(b), 300);
	assert_all(b, 301);
	assert_int_equal(box_expunge(b, (const uint32_t[]){ 1, 2, 17 }, 3), 0);
	assert_int_equal(known(b), 298);
	assert_all(b, 298);
	acct_free(a);
}

/* Compaction of the mailbox leaves them good; their own drops the dead. */
static void
test_compact(void **state)
{
	static char large[40000];
	struct acct *a;
	struct box *b;
	uint32_t uids[200], i;
	struct stat st;
	uint64_t size;

	memcpy(large, "Subject: ", 9);
	memset(large + 9, 'x', 20000);
	memcpy(large + 20009, "\n\nbody\n", 8);
	a = account(true);
	b = inbox(a);
	for (i = 0; i < 200; i++) {
		deliver(b, i + 1, large);
		uids[i] = i + 1;
	}
	assert_int_equal(box_refresh(b), 0);
	assert_all(b, 200);
	cache_flush(b);
	assert_int_equal(fstatat(top, "INBOX.mbox.dat", &st, 0), 0);
	size = st.st_size;
	assert_int_equal(box_expunge(b, uids + 10, 180), 0);
	box_tidy(b);
	assert_int_equal(fstatat(top, "INBOX.mbox.dat", &st, 0), 0);
	assert_true((uint64_t)st.st_size < size / 5);
	assert_int_equal(fstatat(top, "INBOX.mbox", &st, 0), 0);
	assert_true(st.st_size < 30 * 21000);
	assert_int_equal(known(b), 20);
	assert_all(b, 20);
	acct_free(a);
	a = account(true);
	b = inbox(a);
	assert_int_equal(known(b), 20);
	assert_all(b, 20);
	/* what nobody looked at is made when there is time */
	deliver(b, 1000, "Subject: new\n\nnew\n");
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(known(b), 20);
	box_tidy(b);
	assert_int_equal(known(b), 21);
	acct_free(a);
}

/* Where there is no room for it. */
static void
test_full(void **state)
{
	struct rlimit old, small;
	struct acct *a;
	struct box *b;

	fill(1000);
	a = account(true);
	b = inbox(a);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 100000;
	setrlimit(RLIMIT_FSIZE, &small);
	assert_all(b, 1000);
	cache_flush(b);
	assert_all(b, 1000);
	assert_int_equal(known(b), 0);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_all(b, 1000);
	acct_free(a);
	a = account(true);
	b = inbox(a);
	assert_all(b, 1000);
	cache_flush(b);
	assert_int_equal(known(b), 1000);
	acct_free(a);
}

/* Damage of any kind: right answers, and UIDs and flags stay. */
static void
assert_mailbox(uint32_t count)
{
	struct acct *a = account(true);
	struct box *b = inbox(a);
	uint32_t i;

	assert_int_equal(b->idx.head->uidvalidity, 4711);
	assert_all(b, count);
	for (i = 0; i < count; i++) {
		assert_int_equal(box_rec(b, i)->uid, i + 1);
		assert_int_equal(box_rec(b, i)->flags & MSG_FLAGS,
		    i % 3 == 0 ? MSG_SEEN : MSG_RECENT);
		assert_int_equal(box_rec(b, i)->keywords, i % 3 == 0 ? 2 : 0);
	}
	assert_true(b->idx.head->uidnext > count);
	acct_free(a);
}

static void
prepare(int count, const char *what)
{
	struct flag_change c = { .set = MSG_SEEN, .clear = MSG_RECENT,
		.kwset = 2 };
	struct box_info bi = { 4711, 257, 65537 };
	uint32_t uids[1000];
	char text[256];
	struct acct *a = account(true);
	struct box *b;
	int i;

	assert_int_equal(info_put(&a->info, "INBOX", &bi), 0);
	b = inbox(a);
	b->idx.head->uidnext = 1;
	for (i = 0; i < count; i++) {
		snprintf(text, sizeof(text),
		    "Subject: %s %04d\nFrom: a@b\n\n%s\n", what, i, what);
		deliver(b, i + 1, text);
		uids[i / 3] = i / 3 * 3 + 1;
	}
	assert_int_equal(box_change(b, uids, (count + 2) / 3, &c), 0);
	assert_all(b, count);
	acct_free(a);
}

static void
damage(const char *name, const char *whole_text, size_t len, size_t off,
    size_t n, uint8_t how)
{
	char *p = malloc(len + 1);
	size_t i;

	memcpy(p, whole_text, len);
	for (i = off; i < off + n && i < len; i++)
		p[i] = how == 0 ? 0 : how == 1 ? (char)0xff :
		    (char)(p[i] ^ (1 << (i % 8)));
	put(name, p, len);
	free(p);
}

static void
test_damage(void **state)
{
	static const char *const names[] = { "INBOX.mbox.idx",
		"INBOX.mbox.dat" };
	size_t len[2], off, k, step, n;
	char *text[2];
	int how;

	prepare(20, "one");
	for (k = 0; k < 2; k++)
		text[k] = whole(names[k], &len[k]);
	for (k = 0; k < 2; k++) {
		/* Slots and unused space stand for a lot of bytes. */
		step = 97;
		for (off = 0; off < len[k]; off += step)
			for (how = 0; how < 3; how++) {
				n = how == 0 ? 1000 : how == 1 ? 8 : 1;
				put(names[!k], text[!k], len[!k]);
				damage(names[k], text[k], len[k], off, n, how);
				assert_mailbox(20);
			}
		for (off = 0; off < len[k]; off += step) {
			put(names[!k], text[!k], len[!k]);
			put(names[k], text[k], off);
			assert_mailbox(20);
		}
	}
	for (k = 0; k < 2; k++)
		free(text[k]);
}

/* Whole, and pieces, of another mailbox's that looks quite the same. */
static void
test_swapped(void **state)
{
	static const char *const names[] = { "INBOX.mbox.idx",
		"INBOX.mbox.dat" };
	size_t len[2], olen[2], off, n, k;
	char *text[2], *other[2], *p;

	prepare(20, "two");
	for (k = 0; k < 2; k++)
		other[k] = whole(names[k], &olen[k]);
	unlinkat(top, "INBOX.mbox", 0);
	unlinkat(top, "INBOX.mbox.idx", 0);
	unlinkat(top, "INBOX.mbox.dat", 0);
	unlinkat(top, "account.info", 0);
	prepare(20, "one");
	for (k = 0; k < 2; k++)
		text[k] = whole(names[k], &len[k]);
	for (k = 0; k < 3; k++) {
		put(names[0], k == 1 ? text[0] : other[0],
		    k == 1 ? len[0] : olen[0]);
		put(names[1], k == 0 ? text[1] : other[1],
		    k == 0 ? len[1] : olen[1]);
		assert_mailbox(20);
	}
	for (k = 0; k < 2; k++) {
		assert_int_equal(len[k], olen[k]);
		p = malloc(len[k]);
		for (off = 0; off < len[k]; off += 64)
			for (n = 64; n <= 4096; n *= 4) {
				memcpy(p, text[k], len[k]);
				memcpy(p + off, other[k] + off,
				    n < len[k] - off ? n : len[k] - off);
				put(names[!k], text[!k], len[!k]);
				put(names[k], p, len[k]);
				assert_mailbox(20);
			}
		free(p);
	}
	for (k = 0; k < 2; k++) {
		free(text[k]);
		free(other[k]);
	}
}

/* The mailbox itself, cut anywhere: all whole messages are there. */
static void
test_mailbox_cut(void **state)
{
	size_t len, nidx, ndat, off, at;
	char *mbox, *idx, *dat, *p;
	struct acct *a;
	uint32_t n;

	prepare(6, "one");
	mbox = whole("INBOX.mbox", &len);
	idx = whole("INBOX.mbox.idx", &nidx);
	dat = whole("INBOX.mbox.dat", &ndat);
	for (off = 0; off <= len; off++) {
		put("INBOX.mbox", mbox, off);
		put("INBOX.mbox.idx", idx, nidx);
		put("INBOX.mbox.dat", dat, ndat);
		unlinkat(top, "INBOX.mbox.torn", 0);
		for (n = 0, at = 0; (p = memmem(mbox + at + 1, len - at - 1,
			"\n\nFrom <", 8)) != NULL; at = p + 2 - mbox)
			n += p + 1 - mbox <= (ssize_t)off;
		n += off >= len - 1;
		a = account(true);
		acct_free(a);
		assert_mailbox(n);
	}
	free(mbox);
	free(idx);
	free(dat);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_kept),
		T(test_compact),
		T(test_full),
		T(test_damage),
		T(test_swapped),
		T(test_mailbox_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
