/* The mailboxes of an account: made, listed, moved, removed. */
#include "store_test.h"

#include "append.h"
#include "buf.h"
#include "folder.h"

/* All as "name flags class\n". */
static char *
listing(struct acct *a, bool gone)
{
	struct folders f;
	struct buf b;
	size_t i;

	buf_init(&b, 0);
	assert_int_equal(folder_list(a, &f, gone), 0);
	for (i = 0; i < f.n; i++)
		buf_printf(&b, "%s%s%s%s%s%s%s\n", f.v[i].name,
		    f.v[i].flags & FOLDER_NOSELECT ? " noselect" : "",
		    f.v[i].flags & FOLDER_CHILDREN ? " children" : "",
		    f.v[i].flags & FOLDER_SUBSCRIBED ? " subscribed" : "",
		    f.v[i].flags & FOLDER_GONE ? " gone" : "",
		    f.v[i].class[0] != '\0' ? " " : "", f.v[i].class);
	folders_free(&f);
	return buf_steal(&b);
}

static void
assert_list(struct acct *a, const char *text)
{
	char *p = listing(a, true);

	assert_string_equal(p, text);
	free(p);
}

static void
assert_fails(int ret, int err)
{
	assert_int_equal(ret, -1);
	assert_int_equal(errno, err);
}

/* Appends a message of one line. */
static uint32_t
append(struct acct *a, const char *name, const char *text)
{
	struct box *b = box_open(a, name);
	struct append_to to = { .date = 1795228826 };

	if (b == NULL)
		fail_msg("%s: %s", name, strerror(errno));
	to.msg = append_begin(a, strlen(text));
	assert_non_null(to.msg);
	assert_int_equal(append_write(to.msg, text, strlen(text)), 0);
	assert_int_equal(append_commit(b, &to, 1), 0);
	append_free(to.msg);
	box_close(b);
	return to.uid;
}

static void
test_create(void **state)
{
	struct acct *a = account(true);

	assert_list(a, "INBOX\n");
	assert_int_equal(folder_create(a, "b", NULL), 0);
	assert_int_equal(folder_create(a, "a/x/y", "sent"), 0);
	assert_int_equal(folder_create(a, "INBOX/z", NULL), 0);
	assert_int_equal(folder_create(a, "bare/", NULL), 0);
	assert_int_equal(folder_create(a, "a b", NULL), 0);
	assert_int_equal(folder_create(a, "Gr\xc3\xbc\xc3\x9f" "e.mbox", NULL),
	    0);
	assert_list(a, "INBOX children\nINBOX/z\nGr\xc3\xbc\xc3\x9f" "e\n"
	    "a noselect children\na/x noselect children\na/x/y Sent\na b\n"
	    "b\nbare noselect\n");
	acct_free(a);
}

static void
test_order(void **state)
{
	struct acct *a = account(true);

	assert_int_equal(folder_create(a, "a", NULL), 0);
	assert_int_equal(folder_create(a, "a b", NULL), 0);
	assert_int_equal(folder_create(a, "a/b", NULL), 0);
	assert_int_equal(folder_create(a, "A", NULL), 0);
	assert_list(a, "INBOX\nA\na children\na/b\na b\n");
	acct_free(a);
}

static void
test_refused(void **state)
{
	static const char *const bad[] = { "", "/", "a//b", ".x", "a/../b",
		"../x", "~a", "#b", "a/.b", "a\nb", "/a" };
	struct acct *a = account(true);
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_fails(folder_create(a, bad[i], NULL),
		    EINVAL);
	assert_fails(folder_create(a, "inbox", NULL), EEXIST);
	assert_fails(folder_create(a, "x.mslc", NULL), ENOTSUP);
	assert_fails(folder_create(a, "x", "Nonsense"), ENOTSUP);
	assert_int_equal(folder_create(a, "x", NULL), 0);
	assert_fails(folder_create(a, "x", NULL), EEXIST);
	assert_int_equal(folder_create(a, "x/", NULL), 0);
	assert_fails(folder_create(a, "x/", NULL), EEXIST);
	assert_fails(folder_delete(a, "INBOX"), EPERM);
	assert_fails(folder_delete(a, "y"), ENOENT);
	assert_fails(folder_rename(a, "y", "z"), ENOENT);
	assert_fails(folder_rename(a, "x", "inbox"), EEXIST);
	assert_fails(folder_rename(a, "x", "x/y"), EINVAL);
	assert_fails(folder_rename(a, "x", "../y"), EINVAL);
	acct_free(a);
}

static void
test_delete(void **state)
{
	struct acct *a = account(true);
	uint32_t validity;
	struct box *b;

	assert_int_equal(folder_create(a, "a/b", NULL), 0);
	assert_int_equal(folder_create(a, "a", NULL), 0);
	append(a, "a", "x\r\n");
	b = box_open(a, "a");
	assert_int_equal(box_refresh(b), 0);
	validity = b->idx.head->uidvalidity;
	assert_int_equal(folder_delete(a, "a"), 0);
	assert_true(b->gone);
	assert_int_equal(box_count(b), 0);
	assert_null(box_find(b, 1));
	assert_fails(box_refresh(b), ENOENT);
	box_tidy(b);
	assert_list(a, "INBOX\na noselect children\na/b\n");
	assert_null(box_open(a, "a"));
	assert_fails(folder_delete(a, "a"), ENOTEMPTY);
	assert_int_equal(folder_create(a, "a", NULL), 0);
	box_close(b);
	b = box_open(a, "a");
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 0);
	assert_true(b->idx.head->uidvalidity > validity);
	assert_int_equal(b->idx.head->uidnext, 1);
	box_close(b);
	assert_int_equal(folder_delete(a, "a"), 0);
	assert_int_equal(folder_delete(a, "a/b"), 0);
	assert_int_equal(folder_delete(a, "a"), 0);
	assert_list(a, "INBOX\n");
	acct_free(a);
}

static void
test_rename(void **state)
{
	struct acct *a = account(true);
	uint32_t validity;
	struct box *b;
	int again;

	assert_int_equal(folder_create(a, "a/b", "Trash"), 0);
	assert_int_equal(folder_create(a, "a", NULL), 0);
	append(a, "a", "one\r\n");
	append(a, "a/b", "two\r\n");
	append(a, "a/b", "three\r\n");
	b = box_open(a, "a/b");
	assert_int_equal(box_refresh(b), 0);
	validity = b->idx.head->uidvalidity;
	assert_int_equal(folder_rename(a, "a", "n/m"), 0);
	assert_list(a, "INBOX\nn noselect children\nn/m children\n"
	    "n/m/b Trash\n");
	assert_string_equal(b->name, "n/m/b");
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(append(a, "n/m/b", "four\r\n"), 3);
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 3);
	box_close(b);
	for (again = 0; again < 2; again++) {
		b = box_open(a, "n/m/b");
		assert_int_equal(box_refresh(b), 0);
		assert_int_equal(b->idx.head->uidvalidity, validity);
		assert_int_equal(box_count(b), 3);
		assert_int_equal(box_rec(b, 2)->uid, 3);
		assert_text(b, 2, "four\n");
		box_close(b);
		acct_free(a);
		a = account(true);
	}
	/* into a bare folder's place, and back */
	assert_int_equal(folder_create(a, "p/q", NULL), 0);
	assert_int_equal(folder_rename(a, "n/m/b", "p"), 0);
	assert_fails(folder_rename(a, "n/m", "p"), EEXIST);
	assert_list(a, "INBOX\nn noselect children\nn/m\np children Trash\n"
	    "p/q\n");
	acct_free(a);
}

static void
test_rename_inbox(void **state)
{
	struct acct *a = account(true);
	struct box *b = inbox(a), *o;

	append(a, "", "one\r\n");
	append(a, "", "two\r\n");
	assert_int_equal(folder_create(a, "INBOX/x", NULL), 0);
	assert_int_equal(folder_rename(a, "inbox", "old"), 0);
	assert_list(a, "INBOX children\nINBOX/x\nold\n");
	assert_int_equal(box_refresh(b), 0);
	assert_int_equal(box_count(b), 0);
	o = box_open(a, "old");
	assert_int_equal(box_refresh(o), 0);
	assert_int_equal(box_count(o), 2);
	assert_text(o, 1, "two\n");
	box_close(o);
	assert_int_equal(append(a, "", "three\r\n"), 3);
	box_close(b);
	acct_free(a);
}

static void
test_subscribe(void **state)
{
	struct acct *a = account(true);

	assert_int_equal(folder_subscribe(a, "inbox", true), 0);
	assert_int_equal(folder_subscribe(a, "gone/x", true), 0);
	assert_int_equal(folder_subscribe(a, "~boss/INBOX", true), 0);
	assert_int_equal(folder_subscribe(a, "gone/x", true), 0);
	assert_fails(folder_subscribe(a, "a//b", true), EINVAL);
	acct_free(a);
	a = account(true);
	assert_list(a, "INBOX subscribed\ngone/x subscribed gone\n"
	    "~boss/INBOX subscribed gone\n");
	assert_int_equal(folder_subscribe(a, "gone/x", false), 0);
	assert_int_equal(folder_subscribe(a, "gone/x", false), 0);
	assert_int_equal(folder_subscribe(a, "~boss/INBOX", false), 0);
	assert_int_equal(folder_set_class(a, "INBOX", "ARCHIVE"), 0);
	assert_list(a, "INBOX subscribed Archive\n");
	assert_int_equal(folder_set_class(a, "INBOX", "IPF.Note"), 0);
	assert_list(a, "INBOX subscribed\n");
	assert_fails(folder_set_class(a, "INBOX", "a b"), EINVAL);
	assert_int_equal(folder_set_class(a, "INBOX", ""), 0);
	assert_fails(folder_set_class(a, "x", "Sent"), ENOENT);
	assert_list(a, "INBOX subscribed\n");
	acct_free(a);
}

/* What somebody put there is listed if it could be opened. */
static void
test_found(void **state)
{
	struct acct *a = account(true);

	put("old.mbox", OLD "a\n", strlen(OLD "a\n"));
	put("inbox.mbox", "", 0);
	put("no utf-8: \xfc.mbox", "", 0);
	put(".hidden.mbox", "", 0);
	put("x.mbox.idx", "", 0);
	mkdirat(top, "d.mbox", 0700);
	mkdirat(top, "e.folder", 0700);
	mkdirat(top, ".f.folder", 0700);
	put("g.folder", "", 0);
	assert_int_equal(symlinkat("/etc", top, "h.folder"), 0);
	assert_list(a, "INBOX\ne noselect\nold\n");
	acct_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_create),
		T(test_order),
		T(test_refused),
		T(test_delete),
		T(test_rename),
		T(test_rename_inbox),
		T(test_subscribe),
		T(test_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
