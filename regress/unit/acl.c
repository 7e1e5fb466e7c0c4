/*
 * Access control lists: who may do what, how names are compared, what a new
 * mailbox inherits, and that a list goes along with its mailbox alone.
 */
#include "store_test.h"

#include "acl.h"
#include "dict.h"
#include "folder.h"

#define OWNER	"boss@x.com"

static void
assert_rights(struct acct *a, const char *box, const char *who,
    const char *letters)
{
	char text[ACL_TEXT];

	acl_text(text, acl_rights(a, box, OWNER, who));
	if (strcmp(text, letters) != 0)
		fail_msg("%s in %s: %s, not %s", who, box, text, letters);
}

static void
set(struct acct *a, const char *box, const char *who, const char *change)
{
	const char *err = acl_set(a, box, OWNER, who, change);

	if (err != NULL)
		fail_msg("%s %s: %s", who, change, err);
}

static void
test_letters(void **state)
{
	unsigned rights;
	char text[ACL_TEXT];

	assert_true(acl_parse("", &rights));
	assert_int_equal(rights, 0);
	assert_true(acl_parse("adcpiwsrl", &rights));
	assert_int_equal(rights, ACL_ALL);
	acl_text(text, rights);
	assert_string_equal(text, "lrswipcda");
	assert_false(acl_parse("lrz", &rights));
	assert_false(acl_parse("L", &rights));
	assert_false(acl_parse("l r", &rights));
}

static void
test_who(void **state)
{
	struct acct *a = account(true);

	assert_rights(a, "INBOX", OWNER, "lrswipcda");
	assert_rights(a, "INBOX", "ann@x.com", "");
	set(a, "inbox", "anyone", "lr");
	set(a, "INBOX", "Ann@X.com", "sw");
	set(a, "INBOX", "ann@y.com", "d");
	assert_rights(a, "INBOX", "ann@x.com", "lrsw");
	assert_rights(a, "INBOX", "ann@y.com", "lrd");
	assert_rights(a, "INBOX", "ann", "lrsw");
	set(a, "INBOX", "-ann", "rw");
	assert_rights(a, "INBOX", "ann@x.com", "ls");
	assert_rights(a, "INBOX", "ann@y.com", "lrd");
	set(a, "INBOX", "-anyone", "l");
	assert_rights(a, "INBOX", "ann@x.com", "s");
	/* Who is called so is not "taken away from". */
	assert_rights(a, "INBOX", "-ann@x.com", "rw");
	acct_free(a);
}

static void
test_change(void **state)
{
	struct acct *a = account(true);

	set(a, "INBOX", "ann", "+lr");
	set(a, "INBOX", "ann", "+rs");
	assert_rights(a, "INBOX", "ann", "lrs");
	set(a, "INBOX", "ann", "-l");
	assert_rights(a, "INBOX", "ann", "rs");
	set(a, "INBOX", "ann", "d");
	assert_rights(a, "INBOX", "ann", "d");
	set(a, "INBOX", "ann", "-d");
	assert_null(acl_get(a, "INBOX"));
	assert_non_null(acl_set(a, "INBOX", OWNER, "ann", "z"));
	assert_non_null(acl_set(a, "INBOX", OWNER, "ann", "l+r"));
	assert_non_null(acl_set(a, "INBOX", OWNER, "", "l"));
	assert_non_null(acl_set(a, "INBOX", OWNER, "-", "l"));
	assert_non_null(acl_set(a, "INBOX", OWNER, "a b", "l"));
	assert_non_null(acl_set(a, "INBOX", OWNER, "a\nb", "l"));
	assert_null(acl_get(a, "INBOX"));
	acct_free(a);
}

static void
test_bounded(void **state)
{
	struct acct *a = account(true);
	char name[32];
	int i;

	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "u%d", i);
		set(a, "INBOX", name, "l");
	}
	assert_non_null(acl_set(a, "INBOX", OWNER, "one-more", "l"));
	set(a, "INBOX", "u7", "lr");
	acct_free(a);
}

static void
test_mailboxes(void **state)
{
	struct acct *a = account(true);

	assert_int_equal(folder_create(a, "a", NULL), 0);
	set(a, "a", "ann", "lr");
	assert_int_equal(info_save(&a->info), 0);
	assert_int_equal(folder_create(a, "a/b/c", NULL), 0);
	assert_rights(a, "a/b/c", "ann", "lr");
	assert_int_equal(folder_create(a, "ab", NULL), 0);
	assert_rights(a, "ab", "ann", "");
	set(a, "a", "ann", "d");
	assert_rights(a, "a/b/c", "ann", "lr");
	/* Alone: what is below stays where it is, and what it is. */
	assert_int_equal(folder_rename_alone(a, "a", "z"), 0);
	assert_rights(a, "z", "ann", "d");
	assert_rights(a, "a/b/c", "ann", "lr");
	assert_true(folder_exists(a, "a/b/c"));
	assert_false(folder_exists(a, "a"));
	assert_int_equal(folder_rename_alone(a, "z", "a"), 0);
	assert_int_equal(folder_rename(a, "a", "y"), 0);
	assert_rights(a, "y", "ann", "d");
	assert_rights(a, "y/b/c", "ann", "lr");
	/* Nothing of an earlier one. */
	assert_int_equal(folder_delete(a, "y/b/c"), 0);
	assert_int_equal(folder_delete(a, "y/b"), 0);
	assert_int_equal(folder_delete(a, "y"), 0);
	assert_int_equal(folder_create(a, "y", NULL), 0);
	assert_rights(a, "y", "ann", "");
	assert_int_equal(folder_rename_alone(a, "nothing", "x"), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(folder_rename_alone(a, "y", "y"), -1);
	assert_int_equal(errno, EEXIST);
	acct_free(a);
}

static void
test_damaged(void **state)
{
	struct acct *a = account(true);
	struct val *d = info_box(&a->info, "INBOX", true);

	assert_int_equal(dict_set(d, "ACL", val_string("nonsense")), 0);
	assert_rights(a, "INBOX", "ann", "");
	set(a, "INBOX", "ann", "l");
	assert_rights(a, "INBOX", "ann", "l");
	d = dict_get(info_box(&a->info, "INBOX", true), "ACL");
	assert_int_equal(dict_set(d, "ann", val_array()), 0);
	assert_rights(a, "INBOX", "ann", "");
	assert_int_equal(dict_set(d, "ann", val_string("lr?")), 0);
	assert_rights(a, "INBOX", "ann", "lr");
	acct_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_letters),
		cmocka_unit_test_setup_teardown(test_who, setup, teardown),
		cmocka_unit_test_setup_teardown(test_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mailboxes, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
