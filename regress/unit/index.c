/* The index file by itself: head, slots in a ring, records that grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "index.h"

static char	dir[64];
static int	top;

static int
setup(void **state)
{
	strcpy(dir, "/tmp/cg-index.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	top = open(dir, O_RDONLY | O_DIRECTORY);
	return top == -1;
}

static int
teardown(void **state)
{
	unlinkat(top, "x.idx", 0);
	close(top);
	return rmdir(dir);
}

static void
test_head(void **state)
{
	struct idx ix;

	assert_int_equal(idx_open(&ix, top, "x.idx", false), 0);
	assert_false(ix.believed);
	idx_reset(&ix, 77);
	ix.head->uidnext = 5;
	assert_int_equal(idx_put_head(&ix), 0);
	idx_close(&ix);
	assert_int_equal(idx_open(&ix, top, "x.idx", true), 0);
	assert_true(ix.believed);
	assert_int_equal(ix.head->ino, 77);
	assert_int_equal(ix.head->uidnext, 5);
	ix.head->uidnext = 6;		/* not written */
	idx_close(&ix);
	assert_int_equal(idx_open(&ix, top, "x.idx", false), 0);
	assert_true(ix.believed);
	assert_int_equal(ix.head->uidnext, 5);
	idx_close(&ix);
}

enum { SIZE = 4096, TIME = 77 };

static struct slot *
known(struct idx *ix, uint64_t id, uint32_t rcpt)
{
	return idx_slot(ix, id, rcpt, SIZE, TIME);
}

static struct slot *
take(struct idx *ix, uint64_t id)
{
	struct slot *s = idx_slot_take(ix);

	s->id = id;
	s->size = SIZE;
	s->time = TIME;
	return s;
}

/* Written by one kind, read by the other, round the ring. */
static void
test_slots(void **state)
{
	struct idx ix;
	unsigned i, first;
	struct slot *s;

	assert_int_equal(idx_open(&ix, top, "x.idx", false), 0);
	idx_reset(&ix, 1);
	idx_put_head(&ix);
	for (i = 0; i < IDX_SLOTS + 30; i++) {
		first = ix.next;
		s = take(&ix, i);
		s->rcpt = i % 3;
		s->uid = i + 1;
		s->old = i * 10;
		s->new = i * 10 + 10;
		s->state = SLOT_PENDING;
		assert_int_equal(idx_put_slots(&ix, first, 1), 0);
	}
	idx_close(&ix);
	assert_int_equal(idx_open(&ix, top, "x.idx", true), 0);
	assert_int_equal(ix.next, 30);
	assert_null(known(&ix, 29, 29 % 3));
	assert_non_null(known(&ix, 30, 0));
	assert_null(known(&ix, 30, 1));
	/* another message, though its number is the same */
	assert_null(idx_slot(&ix, 30, 0, SIZE + 1, TIME));
	assert_null(idx_slot(&ix, 30, 0, SIZE, TIME + 1));
	assert_non_null(known(&ix, IDX_SLOTS + 29, (IDX_SLOTS + 29) % 3));
	/* all that the file reached are done, the others never were */
	assert_int_equal(idx_slots_settle(&ix, 1000), 0);
	assert_int_equal(known(&ix, 99, 0)->state, SLOT_DONE);
	assert_null(known(&ix, 100, 1));
	idx_close(&ix);
	assert_int_equal(idx_open(&ix, top, "x.idx", false), 0);
	assert_int_equal(known(&ix, 99, 0)->state, SLOT_DONE);
	assert_null(known(&ix, 100, 1));
	/* more at once than are left before the ring's end */
	first = ix.next = IDX_SLOTS - 2;
	for (i = 0; i < 5; i++) {
		s = take(&ix, 5000 + i);
		s->uid = 5000 + i;
		s->new = 1;
		s->state = SLOT_PENDING;
	}
	assert_int_equal(idx_put_slots(&ix, first, 5), 0);
	idx_close(&ix);
	assert_int_equal(idx_open(&ix, top, "x.idx", false), 0);
	for (i = 0; i < 5; i++)
		assert_non_null(known(&ix, 5000 + i, 0));
	assert_int_equal(ix.next, 3);
	idx_close(&ix);
}

/* A broken slot is no slot; its neighbours stand, whatever the head says. */
static void
test_slot_damage(void **state)
{
	struct idx ix;
	struct slot *s;
	int fd, i;

	assert_int_equal(idx_open(&ix, top, "x.idx", false), 0);
	for (i = 0; i < 3; i++) {
		s = take(&ix, 10 + i);
		s->state = SLOT_DONE;
	}
	assert_int_equal(idx_put_slots(&ix, 0, 3), 0);
	idx_close(&ix);
	fd = openat(top, "x.idx", O_WRONLY);
	assert_int_equal(file_pwrite(fd, "rubbish", 7, 0), 0);
	assert_int_equal(file_pwrite(fd, "x", 1,
	    IDX_SLOTOFF + sizeof(struct slot) + 9), 0);
	close(fd);
	assert_int_equal(idx_open(&ix, top, "x.idx", false), 0);
	assert_false(ix.believed);
	assert_non_null(known(&ix, 10, 0));
	assert_null(known(&ix, 11, 0));
	assert_non_null(known(&ix, 12, 0));
	idx_close(&ix);
}

static void
test_records(void **state)
{
	struct stat st;
	struct idx ix;
	struct rec *r;
	uint32_t i;

	assert_int_equal(idx_open(&ix, top, "x.idx", true), 0);
	idx_reset(&ix, 1);
	for (i = 0; i < 5000; i++) {
		r = idx_add(&ix);
		assert_non_null(r);
		r->uid = 10 + 3 * i;
		r->offset = i;
		idx_seal(&ix, r);
	}
	assert_int_equal(idx_put_head(&ix), 0);
	idx_close(&ix);
	/* every page is there: a map of a hole may fault on a full disk */
	assert_int_equal(fstatat(top, "x.idx", &st, 0), 0);
	assert_true(st.st_blocks * 512 >= IDX_RECOFF + 5000 * 64);
	assert_int_equal(idx_open(&ix, top, "x.idx", true), 0);
	assert_true(ix.believed);
	assert_int_equal(ix.head->count, 5000);
	for (i = 0; i < 5000; i++)
		assert_true(idx_sealed(&ix, idx_rec(&ix, i)));
	assert_int_equal(idx_find(&ix, 10)->offset, 0);
	assert_int_equal(idx_find(&ix, 10 + 3 * 4999)->offset, 4999);
	assert_int_equal(idx_find(&ix, 3010)->offset, 1000);
	assert_null(idx_find(&ix, 3011));
	assert_null(idx_find(&ix, 1));
	assert_null(idx_find(&ix, UINT32_MAX));
	assert_int_equal(idx_lower(&ix, 3011), 1001);
	idx_rec(&ix, 7)->flags ^= 1;
	assert_false(idx_sealed(&ix, idx_rec(&ix, 7)));
	idx_close(&ix);
}

/* A head that claims more records than the file has is not believed. */
static void
test_cut(void **state)
{
	struct idx ix;
	struct rec *r;
	uint32_t i;
	int fd;

	assert_int_equal(idx_open(&ix, top, "x.idx", true), 0);
	idx_reset(&ix, 1);
	for (i = 0; i < 1000; i++) {
		r = idx_add(&ix);
		r->uid = i + 1;
		idx_seal(&ix, r);
	}
	idx_put_head(&ix);
	idx_close(&ix);
	fd = openat(top, "x.idx", O_WRONLY);
	assert_int_equal(ftruncate(fd, IDX_RECOFF + 64 * 900), 0);
	close(fd);
	assert_int_equal(idx_open(&ix, top, "x.idx", true), 0);
	assert_false(ix.believed);
	idx_close(&ix);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_head),
		T(test_slots),
		T(test_slot_damage),
		T(test_records),
		T(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
