/* What a front keeps of an idle session: opened by who sealed it, for whom it
 * was sealed, unchanged; nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stored/seal.h"

static const char text[] = "\0IMAP\0ann@test.example\0\0state of a session";
static const struct seal_id own = { 7, "Accounts/ann.macnt", 8, 1, 4711 };

static void
sealed(struct buf *b)
{
	buf_init(b, 4096);
	assert_int_equal(seal_close(&own, text, sizeof(text), b), 0);
	assert_int_equal(b->len, sizeof(text) + SEAL_EXTRA);
}

static int
opens(const struct seal_id *id, const void *p, size_t len)
{
	struct buf out;
	int ret;

	buf_init(&out, 4096);
	ret = seal_open(id, p, len, &out);
	if (ret == 0) {
		assert_int_equal(out.len, sizeof(text));
		assert_memory_equal(out.p, text, sizeof(text));
	} else
		assert_int_equal(out.len, 0);
	buf_free(&out);
	return ret;
}

static void
round_trip(void **state)
{
	struct buf b;

	sealed(&b);
	assert_null(memmem(b.p, b.len, "IMAP", 4));
	assert_int_equal(opens(&own, b.p, b.len), 0);
	buf_free(&b);
}

/* Another front, another session, another account, another time. */
static void
of_others(void **state)
{
	struct seal_id id;
	struct buf b;

	sealed(&b);
	id = own, id.serial++;
	assert_int_equal(opens(&id, b.p, b.len), -1);
	id = own, id.path = "Accounts/bob.macnt";
	assert_int_equal(opens(&id, b.p, b.len), -1);
	id = own, id.front++;
	assert_int_equal(opens(&id, b.p, b.len), -1);
	id = own, id.instance++;
	assert_int_equal(opens(&id, b.p, b.len), -1);
	id = own, id.number++;
	assert_int_equal(opens(&id, b.p, b.len), -1);
	buf_free(&b);
}

static void
changed(void **state)
{
	struct buf b;
	size_t i;

	sealed(&b);
	for (i = 0; i < b.len; i++) {
		b.p[i] ^= 1;
		assert_int_equal(opens(&own, b.p, b.len), -1);
		b.p[i] ^= 1;
		assert_int_equal(opens(&own, b.p, i), -1);
	}
	assert_int_equal(opens(&own, b.p, b.len), 0);
	buf_free(&b);
}

static void
key_lost(void **state)
{
	struct buf b;

	sealed(&b);
	seal_start();
	assert_int_equal(opens(&own, b.p, b.len), -1);
	buf_free(&b);
}

static int
start(void **state)
{
	seal_start();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(of_others),
		cmocka_unit_test(changed),
		cmocka_unit_test(key_lost),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
