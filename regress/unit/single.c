/*
 * Files of single-mailbox accounts: lent and taken back, stopped at every
 * step of it; what a worker leaves in the wrong places; moved and removed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "file.h"
#include "log.h"
#include "single.h"

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
	strcpy(dir, "/tmp/cg-single.XXXXXX");
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

static void
put(int at, const char *name, const char *text)
{
	assert_int_equal(file_replace(at, name, 0600, text, strlen(text)), 0);
}

static bool
there(int at, const char *name)
{
	return faccessat(at, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
is(int at, const char *name, const char *text)
{
	char *p = file_read(at, name, 1000, NULL);

	assert_non_null(p);
	assert_string_equal(p, text);
	free(p);
}

static void
make(void)
{
	put(top, "j.mbox", "box");
	put(top, "j.info", "info");
	put(top, "j.mbox.idx", "index");
}

/* All in its place, and nothing more. */
static void
whole(const char *box, const char *info)
{
	struct stat st;

	is(top, "j.mbox", box);
	is(top, "j.info", info);
	is(top, "j.mbox.idx", "index");
	assert_false(there(top, "j.work"));
	assert_int_equal(fstatat(top, "j.mbox", &st, 0), 0);
	assert_int_equal(st.st_nlink, 1);
}

static void
lend(void **state)
{
	int fd;

	make();
	assert_int_equal(single_return(top, "j.mbox"), 0);
	whole("box", "info");
	assert_true((fd = single_lend(top, "j.mbox")) != -1);
	is(top, "j.mbox", "box");
	is(fd, "j.mbox", "box");
	is(fd, "j.info", "info");
	assert_false(there(top, "j.info"));
	assert_int_equal(single_return(top, "j.mbox"), 0);
	close(fd);
	whole("box", "info");
	/* compacted, and with a torn tail */
	assert_true((fd = single_lend(top, "j.mbox")) != -1);
	put(fd, "j.mbox", "compacted");
	put(fd, "j.info", "news");
	put(fd, "j.mbox.torn", "torn");
	assert_int_equal(single_return(top, "j.mbox"), 0);
	close(fd);
	whole("compacted", "news");
	is(top, "j.mbox.torn", "torn");
	assert_int_equal(single_lend(top, "nobody.mbox"), -1);
	assert_false(there(top, "nobody.work"));
}

/* Some renames of lending or of taking back were done, then a kill. */
static void
stopped(void **state)
{
	static const char *const names[] = { "j.info", "j.mbox.idx" };
	unsigned mask, i;
	int fd, compact;

	for (mask = 0; mask < 4; mask++)
		for (compact = 0; compact < 3; compact++) {
			make();
			assert_true((fd = single_lend(top, "j.mbox")) != -1);
			if (compact == 1)
				put(fd, "j.mbox", "compacted");
			if (compact == 2)
				assert_int_equal(unlinkat(fd, "j.mbox", 0), 0);
			for (i = 0; i < 2; i++)
				if (mask & 1u << i)
					assert_int_equal(renameat(fd, names[i],
					    top, names[i]), 0);
			close(fd);
			assert_int_equal(single_return(top, "j.mbox"), 0);
			whole(compact == 1 ? "compacted" : "box", "info");
		}
}

static void
planted(void **state)
{
	int fd;

	make();
	put(top, "k.mbox", "another's");
	put(top, "k.settings", "another's");
	assert_true((fd = single_lend(top, "j.mbox")) != -1);
	put(fd, "k.mbox", "evil");
	put(fd, "k.settings", "evil");
	put(fd, "j.settings", "evil");
	assert_int_equal(linkat(fd, "j.mbox", fd, "j.mbox.dat", 0), 0);
	assert_int_equal(symlinkat("../k.mbox", fd, "j.mbox.torn"), 0);
	assert_int_equal(mkdirat(fd, "j.info.bad", 0700), 0);
	assert_int_equal(mkdirat(fd, "j.info.bad/x", 0700), 0);
	assert_int_equal(linkat(fd, "j.mbox", fd, "j.info.bad/x/y", 0), 0);
	assert_int_equal(single_return(top, "j.mbox"), 0);
	close(fd);
	whole("box", "info");
	is(top, "k.mbox", "another's");
	is(top, "k.settings", "another's");
	assert_false(there(top, "j.settings"));
	assert_false(there(top, "j.mbox.torn"));
	/* a mailbox that is none: the last one counts */
	assert_true((fd = single_lend(top, "j.mbox")) != -1);
	assert_int_equal(unlinkat(fd, "j.mbox", 0), 0);
	assert_int_equal(symlinkat("../k.mbox", fd, "j.mbox"), 0);
	assert_int_equal(single_return(top, "j.mbox"), 0);
	close(fd);
	whole("box", "info");
	is(top, "k.mbox", "another's");
}

static void
move(void **state)
{
	make();
	put(top, "j.mbox.torn", "torn");
	put(top, "old.info", "of an earlier life");
	put(top, "old.mbox.dat", "of an earlier life");
	put(top, "k.mbox", "another's");
	put(top, "k.info", "another's");
	assert_int_equal(single_move(top, "j.mbox", top, "k.mbox"), -1);
	assert_int_equal(errno, EEXIST);
	whole("box", "info");
	is(top, "k.mbox", "another's");
	is(top, "k.info", "another's");
	assert_int_equal(single_move(top, "j.mbox", top, "old.mbox"), 0);
	is(top, "old.mbox", "box");
	is(top, "old.info", "info");
	is(top, "old.mbox.idx", "index");
	is(top, "old.mbox.torn", "torn");
	assert_false(there(top, "old.mbox.dat"));
	assert_false(there(top, "j.mbox") || there(top, "j.info") ||
	    there(top, "j.mbox.idx") || there(top, "j.mbox.torn"));
	assert_int_equal(single_move(top, "j.mbox", top, "x.mbox"), -1);
	assert_int_equal(single_remove(top, "old.mbox"), 0);
	assert_int_equal(single_remove(top, "old.mbox"), 0);
	assert_false(there(top, "old.mbox") || there(top, "old.info"));
	is(top, "k.info", "another's");
}

/* Delivery does not make an account by appending to it. */
static void
made_once(void **state)
{
	struct acct *a = acct_new(dup(top), "j.mbox", false);
	struct delivery d = { .id = 1, .sender = "s@x", .header = "",
		.fd = file_memfd("m", "a: b\n\nx\n", 8), .size = 8 };
	const char *esc, *text;
	struct box *b;

	assert_null(box_open(a, ""));
	assert_int_equal(box_why(&esc, &text), 2);
	assert_string_equal(esc, "4.1.6");
	assert_int_equal(acct_init(a, NULL), 0);
	assert_int_equal(acct_init(a, NULL), -1);
	assert_null(box_open(a, "Other"));
	assert_int_equal(box_why(&esc, &text), 1);
	assert_non_null(b = box_open(a, "INBOX"));
	box_deliver(b, &d, 1);
	assert_int_equal(d.code, 0);
	box_close(b);
	close(d.fd);
	acct_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lend, setup, teardown),
		cmocka_unit_test_setup_teardown(stopped, setup, teardown),
		cmocka_unit_test_setup_teardown(planted, setup, teardown),
		cmocka_unit_test_setup_teardown(move, setup, teardown),
		cmocka_unit_test_setup_teardown(made_once, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
