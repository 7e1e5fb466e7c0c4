/* Overwriting at many places: what is there afterwards, wherever it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "patch.h"

enum { SIZE = 6 * 1024 * 1024 + 5, MANY = 40 };

static const uint64_t places[] = {
	0, 4095, 2 * 1024 * 1024 - 16, 2 * 1024 * 1024 - 15,
	4 * 1024 * 1024 - 7, 4 * 1024 * 1024 - 1, 6 * 1024 * 1024 - 5,
	SIZE - 16
};

static void
everywhere(void **state)
{
	char name[] = "/tmp/cg-patch-XXXXXX", text[17], got[16];
	int fd = mkstemp(name);
	struct patch p;
	size_t i;

	assert_int_not_equal(fd, -1);
	unlink(name);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	patch_begin(&p, fd, SIZE, MANY, true);
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(text, sizeof(text), "%zu is the number", i % 10);
		assert_int_equal(patch_at(&p, places[i], text, 16), 0);
		assert_int_equal(pread(fd, got, 16, places[i]), 16);
		assert_memory_equal(got, text, 16);
	}
	patch_end(&p);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(everywhere) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
