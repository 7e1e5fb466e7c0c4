/* New accounts' first mailboxes, by store/template.h. */
#include <sys/stat.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "box.h"
#include "dict.h"
#include "template.h"

static struct val *
parse(const char *text)
{
	const char *err;
	struct val *v = val_parse_all(text, strlen(text), &err);

	assert_non_null(v);
	return v;
}

static int
new_dir(void)
{
	char name[] = "/tmp/template.XXXXXX";
	int fd;

	assert_non_null(mkdtemp(name));
	assert_int_not_equal(fd = open(name, O_RDONLY | O_DIRECTORY), -1);
	return fd;
}

static bool
there(int dir, const char *path)
{
	return faccessat(dir, path, F_OK, 0) == 0;
}

static struct val *
info_of(int dir, const char *file)
{
	const char *err;

	return val_read_file(dir, file, &err);
}

static void
classes(void **state)
{
	assert_string_equal(template_class("Sent"), "Sent");
	assert_string_equal(template_class("sent items"), "Sent");
	assert_string_equal(template_class("Deleted Items"), "Trash");
	assert_string_equal(template_class("Lists"), "");
}

static void
whole(void **state)
{
	struct val *t = parse("{InitialMailboxes=(Sent,\"a/b\",INBOX,\"../x\","
	    "\"\",(x),Sent);InitialSubscription=(INBOX,\"~b/c\");"
	    "InitialMailboxAliases={c=\"~b/c\";};InitialWebPage=\"<p>\";}");
	int dir = new_dir();
	struct acct *a = acct_new(dup(dir), NULL, false);
	struct val *info, *boxes;

	assert_int_equal(acct_init(a, t), 0);
	acct_free(a);
	assert_true(there(dir, "INBOX.mbox") && there(dir, "Sent.mbox") &&
	    there(dir, "a.folder/b.mbox") &&
	    there(dir, "account.web/default.html"));
	info = info_of(dir, "account.info");
	boxes = dict_get(info, "Mailboxes");
	assert_int_equal(val_count(boxes), 3);
	assert_string_equal(dict_str(dict_get(boxes, "Sent"), "Class", ""),
	    "Sent");
	assert_string_not_equal(
	    dict_str(dict_get(boxes, "Sent"), "UIDValidity", ""),
	    dict_str(dict_get(boxes, "INBOX"), "UIDValidity", ""));
	assert_int_equal(val_count(dict_get(info, "Subscription")), 2);
	assert_string_equal(dict_str(dict_get(info, "Aliases"), "c", ""),
	    "~b/c");
	val_free(info);
	val_free(t);
	close(dir);
}

static void
single(void **state)
{
	struct val *t = parse("{InitialMailboxes=(Sent);"
	    "InitialSubscription=(INBOX);InitialWebPage=x;}");
	int dir = new_dir();
	struct acct *a = acct_new(dup(dir), "john.mbox", false);
	struct val *info;

	assert_int_equal(acct_init(a, t), 0);
	acct_free(a);
	assert_true(there(dir, "john.mbox") && !there(dir, "Sent.mbox") &&
	    !there(dir, "account.web"));
	info = info_of(dir, "john.info");
	assert_int_equal(val_count(dict_get(info, "Mailboxes")), 1);
	val_free(info);
	val_free(t);
	close(dir);
}

/* Without syncs the same is there. */
static void
lazy(void **state)
{
	struct val *t = parse("{InitialMailboxes=(Sent,Drafts);}");
	int dir = new_dir();
	struct acct *a = acct_new(dup(dir), NULL, false);
	struct val *info;

	a->info.lazy = true;
	assert_int_equal(acct_init(a, t), 0);
	acct_free(a);
	info = info_of(dir, "account.info");
	assert_int_equal(val_count(dict_get(info, "Mailboxes")), 3);
	assert_false(there(dir, "account.info.new"));
	val_free(info);
	val_free(t);
	close(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes),
		cmocka_unit_test(whole),
		cmocka_unit_test(single),
		cmocka_unit_test(lazy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
