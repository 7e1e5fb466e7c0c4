/* What lasts a while: counters of names, and addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "flow.h"
#include "iptable.h"

static void
counts(void **state)
{
	struct flows *t = flows_new(100);
	uint32_t left = 0;
	bool first = false;

	assert_true(flows_take(t, "ann", 3, 5, 60, &left, &first));
	assert_false(flows_take(t, "ann", 3, 5, 60, &left, &first));
	assert_true(first && left > 0 && left <= 60);
	assert_false(flows_take(t, "ann", 3, 5, 60, &left, &first));
	assert_false(first);
	assert_true(flows_take(t, "ann", 2, 5, 60, &left, &first));
	assert_false(flows_take(t, "ann", 1, 5, 60, &left, &first));
	assert_true(flows_take(t, "bob", 5, 5, 60, &left, &first));
	assert_false(flows_take(t, "eve", 6, 5, 60, &left, &first));
	assert_false(flows_take(t, "eve", UINT32_MAX, 5, 60, &left, &first));
	assert_true(flows_take(t, "eve", 5, 5, 60, &left, &first));
	assert_int_equal(flows_count(t), 3);
	flows_free(t);
}

static void
begins_anew(void **state)
{
	struct flows *t = flows_new(100);
	uint32_t left;
	bool first;

	assert_true(flows_take(t, "ann", 1, 1, 1, &left, &first));
	assert_false(flows_take(t, "ann", 1, 1, 1, &left, &first));
	sleep(2);
	assert_true(flows_take(t, "ann", 1, 1, 1, &left, &first));
	assert_false(flows_take(t, "ann", 1, 1, 1, &left, &first));
	assert_true(first);
	/* A shorter time is so at once. */
	assert_true(flows_take(t, "bob", 1, 1, 1000, &left, &first));
	assert_true(flows_take(t, "bob", 1, 1, 10, &left, &first));
	flows_free(t);
}

static void
bounded(void **state)
{
	struct flows *t = flows_new(50);
	char name[16];
	uint32_t left;
	bool first;
	int i;

	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_true(flows_take(t, name, 1, 1, 60, &left, &first));
	}
	assert_int_equal(flows_count(t), 50);
	flows_free(t);
}

static int seen;

static void
see(const char *ip, uint32_t left, const char *why, void *arg)
{
	seen++;
	assert_true(left > 0 && left <= 100);
	assert_string_equal(why, arg);
}

static void
addresses(void **state)
{
	struct iptable *t = iptable_new(100);

	assert_int_equal(iptable_set(t, "192.0.2.1", 100, "w"), 0);
	assert_int_equal(iptable_set(t, "nonsense", 100, "w"), -1);
	assert_int_equal(iptable_set(t, "", 100, "w"), -1);
	assert_int_equal(iptable_left(t, "192.0.2.2"), 0);
	assert_in_range(iptable_left(t, "192.0.2.1"), 99, 100);
	assert_in_range(iptable_left(t, "::ffff:192.0.2.1"), 99, 100);
	assert_int_equal(iptable_set(t, "192.0.2.1", 5, "x"), 0);
	assert_in_range(iptable_left(t, "192.0.2.1"), 99, 100);
	/* A network of IPv6 is one. */
	assert_int_equal(iptable_set(t, "2001:db8::1", 100, "w"), 0);
	assert_true(iptable_left(t, "2001:db8:0:0:9::7") > 0);
	assert_int_equal(iptable_left(t, "2001:db8:0:1::1"), 0);
	assert_int_equal(iptable_count(t), 2);
	iptable_each(t, see, "w");
	assert_int_equal(seen, 2);
	assert_int_equal(iptable_set(t, "2001:db8::2", 0, ""), 0);
	assert_int_equal(iptable_left(t, "2001:db8::1"), 0);
	assert_int_equal(iptable_set(t, "10.0.0.1", 1, "w"), 0);
	sleep(2);
	assert_int_equal(iptable_left(t, "10.0.0.1"), 0);
	assert_int_equal(iptable_count(t), 1);
	iptable_free(t);
}

static void
address_room(void **state)
{
	struct iptable *t = iptable_new(10);
	char ip[20];
	int i;

	for (i = 0; i < 200; i++) {
		snprintf(ip, sizeof(ip), "10.0.0.%d", i);
		assert_int_equal(iptable_set(t, ip, 100 + i, ""), 0);
	}
	assert_int_equal(iptable_count(t), 10);
	assert_true(iptable_left(t, "10.0.0.199") > 0);
	assert_int_equal(iptable_left(t, "10.0.0.0"), 0);
	iptable_limit(t, 0);
	assert_int_equal(iptable_set(t, "10.0.0.1", 100, ""), -1);
	assert_int_equal(iptable_count(t), 0);
	iptable_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),
		cmocka_unit_test(begins_anew),
		cmocka_unit_test(bounded),
		cmocka_unit_test(addresses),
		cmocka_unit_test(address_room)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
