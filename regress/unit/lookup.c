/*
 * Questions to the DNS by way of another process: who is told what, and when;
 * what is kept; how many may be open; an end for all that wait.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/lookup.c"

/* The sending role, as lookup.c sees it. */
static struct {
	size_t		 n;
	enum ipc_type	 type[2 * MAXOPEN];
	ipc_answer_cb	*cb[2 * MAXOPEN];
	void		*arg[2 * MAXOPEN];
	char		 name[256];	/* the last one's */
} asked;

struct ipc *
proc_peer(enum proc_id id)
{
	return NULL;
}

void
ipc_call(struct ipc *ipc, enum ipc_type type, uint32_t session,
    const void *m, int fd, int ms, ipc_answer_cb *cb, void *arg)
{
	const struct msg_dns_find *find = m;
	const struct msg_host_try *try = m;

	asked.type[asked.n] = type;
	asked.cb[asked.n] = cb;
	asked.arg[asked.n++] = arg;
	snprintf(asked.name, sizeof(asked.name), "%s",
	    type == IPC_HOST_TRY ? try->domain : find->name);
}

/* Answers the i-th question. */
static void
answer(size_t i, uint8_t code, const char *records, uint32_t ttl)
{
	struct msg_dns_found m = { .code = code, .records = records,
		.ttl = ttl };
	struct msg_done done = { .code = code, .text = "" };
	struct ipc_pkt pkt = { .m = asked.type[i] == IPC_HOST_TRY ?
		(void *)&done : (void *)&m };

	asked.cb[i](code == 255 ? NULL : &pkt, asked.arg[i]);
}

struct told {
	struct looks	 looks;
	unsigned int	 n;
	enum look_status status;
	char		 records[64];
	struct told	*cancel;	/* whose looks end with it */
};

static void
tell_me(enum look_status status, const char *records, void *arg)
{
	struct told *t = arg;

	t->n++;
	t->status = status;
	snprintf(t->records, sizeof(t->records), "%s", records);
	if (t->cancel != NULL)
		look_cancel(&t->cancel->looks);
}

static int
fresh(void **state)
{
	while (!TAILQ_EMPTY(&kept))
		forget(TAILQ_FIRST(&kept));
	memset(&asked, 0, sizeof(asked));
	return nopen == 0 && RB_EMPTY(&questions) ? 0 : -1;
}

static void
together(void **state)
{
	struct told a = { .n = 0 }, b = { .n = 0 }, c = { .n = 0 };

	look_up(&a.looks, "x.example", DNS_A, false, tell_me, &a);
	look_up(&b.looks, "X.Example", DNS_A, true, tell_me, &b);
	look_up(&c.looks, "x.example", DNS_MX, false, tell_me, &c);
	assert_int_equal(asked.n, 2);
	assert_int_equal(look_open(), 2);
	assert_int_equal(a.n + b.n + c.n, 0);
	answer(0, 0, "192.0.2.1\n", 60);
	assert_int_equal(a.n, 1);
	assert_int_equal(b.n, 1);
	assert_string_equal(b.records, "192.0.2.1\n");
	assert_int_equal(c.n, 0);
	answer(1, 3, "", 0);
	assert_int_equal(c.status, LOOK_EMPTY);
	/* Known: told at once, nobody is asked. */
	look_up(&a.looks, "x.example", DNS_A, false, tell_me, &a);
	look_up(&c.looks, "x.example", DNS_MX, false, tell_me, &c);
	assert_int_equal(a.n, 2);
	assert_int_equal(c.n, 2);
	assert_int_equal(asked.n, 2);
	assert_int_equal(look_open(), 0);
}

static void
ends(void **state)
{
	static const enum look_status meaning[] = { LOOK_FOUND, LOOK_NONE,
		LOOK_TROUBLE, LOOK_EMPTY, LOOK_TROUBLE };
	struct told t = { .n = 0 };
	char name[32];
	size_t i;

	for (i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "n%zu.example", i);
		look_up(&t.looks, name, DNS_A, true, tell_me, &t);
		answer(i, i == 5 ? 255 : i, "r\n", 60);
		assert_int_equal(t.n, i + 1);
		assert_int_equal(t.status, i == 5 ? LOOK_TROUBLE : meaning[i]);
	}
	look_up(&t.looks, "h.example", LOOK_HOST, false, tell_me, &t);
	assert_int_equal(asked.type[6], IPC_HOST_TRY);
	answer(6, 1, "", 0);
	assert_int_equal(t.status, LOOK_NONE);
	look_up(&t.looks, "i.example", LOOK_HOST, false, tell_me, &t);
	answer(7, 0, "", 0);
	assert_int_equal(t.status, LOOK_FOUND);
}

static void
cancels(void **state)
{
	struct told a = { .n = 0 }, b = { .n = 0 }, c = { .n = 0 };

	look_up(&a.looks, "x.example", DNS_A, false, tell_me, &a);
	look_up(&b.looks, "x.example", DNS_A, false, tell_me, &b);
	look_cancel(&a.looks);
	answer(0, 0, "1\n", 60);
	assert_int_equal(a.n, 0);
	assert_int_equal(b.n, 1);
	/* Whoever is told may end another that waits for the same. */
	look_up(&a.looks, "y.example", DNS_A, false, tell_me, &a);
	look_up(&c.looks, "y.example", DNS_A, false, tell_me, &c);
	look_up(&b.looks, "y.example", DNS_A, false, tell_me, &b);
	a.cancel = &c;
	b.cancel = &c;
	answer(1, 0, "1\n", 60);
	assert_int_equal(a.n, 1);
	assert_int_equal(b.n, 2);
	assert_true(c.n <= 1);
	assert_true(LIST_EMPTY(&c.looks));
}

/* One too many is told so at once. */
static void
fill(bool quick, size_t most)
{
	static struct told t[MAXOPEN + 1];
	char name[40];
	size_t i;

	memset(t, 0, sizeof(t));
	asked.n = 0;
	for (i = 0; i <= most; i++) {
		snprintf(name, sizeof(name), "n%zu.%d.example", i, quick);
		look_up(&t[i].looks, name, DNS_A, quick, tell_me, &t[i]);
	}
	assert_int_equal(asked.n, most);
	assert_int_equal(t[most].n, 1);
	assert_int_equal(t[most].status, LOOK_TROUBLE);
	for (i = 0; i < most; i++)
		answer(i, 1, "", 0);
	assert_int_equal(look_open(), 0);
	for (i = 0; i < most; i++)
		assert_int_equal(t[i].n, 1);
}

static void
bounds(void **state)
{
	struct told one = { .n = 0 };
	char name[300];

	/* What strangers choose leaves room for the lists. */
	fill(false, MAXSTRANGE);
	fill(true, MAXOPEN);
	/* So is what cannot be a name. */
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	look_up(&one.looks, name, DNS_A, false, tell_me, &one);
	assert_int_equal(one.status, LOOK_TROUBLE);
	assert_int_equal(asked.n, MAXOPEN);
}

static void
memory(void **state)
{
	static char big[MAXRECORDS + 2];
	struct told t = { .n = 0 };
	char name[32];
	size_t i;

	for (i = 0; i < MAXKEPT + 100; i++) {
		asked.n = 0;
		snprintf(name, sizeof(name), "n%zu.example", i);
		look_up(&t.looks, name, DNS_A, false, tell_me, &t);
		answer(0, 0, "r\n", 60);
	}
	assert_int_equal(nkept, MAXKEPT);
	asked.n = 0;
	look_up(&t.looks, "n0.example", DNS_A, false, tell_me, &t);
	assert_int_equal(asked.n, 1);
	/* A very long answer is told, not kept. */
	memset(big, 'x', sizeof(big) - 1);
	answer(0, 0, big, 60);
	assert_int_equal(t.status, LOOK_FOUND);
	assert_int_equal(t.records[0], 'x');
	look_up(&t.looks, "n0.example", DNS_A, false, tell_me, &t);
	assert_int_equal(asked.n, 2);
	answer(1, 0, "r\n", 60);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(together, fresh),
		cmocka_unit_test_setup(ends, fresh),
		cmocka_unit_test_setup(cancels, fresh),
		cmocka_unit_test_setup(bounds, fresh),
		cmocka_unit_test_setup(memory, fresh)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
