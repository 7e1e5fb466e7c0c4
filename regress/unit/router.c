/*
 * The Router's core beside the manual's examples (those are route_table.c's):
 * the order of records, details, loops, nonsense; names; speed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "iplist.h"
#include "log.h"
#include "../../routerd/route.h"

static struct names	names;
static struct route_env	env = { .names = &names };

static void
add_accounts(const char *domain, const char *list)
{
	struct domain *d = names_domain(&names, domain);
	struct cur c = cur_str(list);
	struct str word;
	char name[64];

	if (d == NULL)
		d = names_add_domain(&names, domain);
	while (cur_left(&c) > 0) {
		cur_ws(&c);
		word = cur_until(&c, " ");
		assert_true(str_copy(word, name, sizeof(name)));
		assert_non_null(names_add(&names, d, name, "", name,
		    ACCOUNT_MULTI));
	}
	d->reroute[0] = xstrdup("spamtrap");
	d->reroute[1] = xstrdup("error");
}

static int
setup(void **state)
{
	log_init("TEST", -1, 0);
	log_set_level(1);
	names_init(&names, "mycompany.com");
	add_accounts("mycompany.com", "postmaster bill john support unified "
	    "sales-client1 sales.cl2 cl5-sales cl1 client client-jim public "
	    "j.smith info shop-info null2");
	add_accounts("client.com", "bill info john shop-info");
	add_accounts("client1.com", "john info j.smith");
	add_accounts("hq.client.com", "staff");
	add_accounts("company.com", "unknowns");
	add_accounts("dept1.xyz.com", "john");
	assert_int_equal(names_add_alias(&names, "mail.client.com",
	    names_domain(&names, "client.com")), 0);
	env.table = table_parse_lax("", "table");
	env.all_aliases = table_parse_lax("<abuse> = postmaster\n"
	    "<postmaster> = postmaster\n", "aliases");
	env.addresses = map_new();
	env.clients = iplist_parse("10.0.0.0/8\n", &(int){ 0 });
	env.add_domain = xstrdup("");
	env.direct_mailbox = true;
	env.detail = DETAIL_ON;
	env.relay_from = RELAY_CLIENTS;
	map_put(env.addresses, "192.0.2.1", 9, names.main);
	map_put(env.addresses, "192.0.2.2", 9,
	    names_domain(&names, "client.com"));
	return 0;
}

static void
set_table(const char *text)
{
	struct table_bad bad;

	table_free(env.table);
	env.table = table_parse(text, &bad);
	if (env.table == NULL)
		fail_msg("line %u of: %s: %s", bad.line, text, bad.why);
}

/* "LOCAL|john|" or "550 unknown user account"; a + at the end: may relay. */
static void
check(const char *address, const char *expect, bool access, const char *local)
{
	struct route_query q = { .address = address, .peer = "198.51.100.1",
		.local = local, .account = "", .access = access };
	struct route_answer a;
	char got[2048];

	route_address(&env, &q, &a);
	if (a.code != 0)
		snprintf(got, sizeof(got), "%d", a.smtp);
	else
		snprintf(got, sizeof(got), "%s|%s|%s%s", a.module, a.host,
		    a.address, a.relay ? " +" : "");
	if (strcmp(got, expect) != 0)
		fail_msg("%s: got \"%s\" (%s), not \"%s\"", address, got,
		    a.text, expect);
}

/* --- the order of records --- */

enum { NLINES = 60, NTABLES = 200, NASKED = 100 };

static const char *
pick(const char *const *words, size_t n)
{
	return words[(size_t)random() % n];
}
#define PICK(w) pick((w), sizeof(w) / sizeof((w)[0]))

static void
random_line(char *line, size_t size)
{
	static const char *const modes[] = { "", "", "", "Mail:", "Access:",
		"Signal:Mail:", "N:Access: " };
	static const char *const locals[] = { "x", "xy", "y", "x*", "*y", "*",
		"x*y", "xx*", "*xy", "\"x y\"", "y*x" };
	static const char *const domains[] = { "", "b", "a.b", "aa.b", "c.a.b",
		"c" };
	static const char *const stars[] = { "*", "*.b", "*b", "a*", "a*.b",
		"c.*", "*.a.b", "a*a.b" };

	switch (random() % 4) {
	case 0:
		snprintf(line, size, "%s%s = z", PICK(modes), PICK(stars));
		break;
	case 1:
		snprintf(line, size, "%s%s = z", PICK(modes),
		    pick(domains + 1, 5));
		break;
	default:
		snprintf(line, size, "%s<%s@%s> = z", PICK(modes),
		    PICK(locals), PICK(domains));
	}
}

/* As the manual has it: from top to bottom. */
static bool
fits(const struct record *r, enum route_mode mode, const char *local,
    const char *domain)
{
	const char *text = r->alias ? local : domain;
	const char *pattern = r->alias ? r->local : r->domain;
	size_t head, tail, len = strlen(text);

	if ((r->modes & mode) == 0 ||
	    (r->alias && strcmp(r->domain, domain) != 0))
		return false;
	if (r->star == NULL)
		return strcmp(pattern, text) == 0;
	head = strcspn(pattern, "*");
	tail = strlen(pattern) - head - 1;
	return (r->alias || len > 0) && len >= head + tail &&
	    strncmp(pattern, text, head) == 0 &&
	    strcmp(pattern + head + 1, text + len - tail) == 0;
}

static void
test_order(void **state)
{
	static const char *const locals[] = { "x", "y", "xy", "xxy", "xzy",
		"x y", "yx", "z" };
	static const char *const domains[] = { "", "b", "a.b", "aa.b", "c.a.b",
		"c", "c.c", "b.c", "aca.b" };
	char lines[NLINES][64], text[NLINES * 64];
	const struct record *r;
	struct table_bad bad;
	struct record *all[NLINES];
	const char *why, *local, *domain;
	enum route_mode mode;
	size_t i, n, at, len, star;
	struct table *t;

	srandom(4711);
	for (n = 0; n < NTABLES; n++) {
		for (i = 0, at = 0; i < NLINES; i++) {
			random_line(lines[i], sizeof(lines[i]));
			all[i] = record_parse(str_make(lines[i]), &why);
			assert_non_null(all[i]);
			at += snprintf(text + at, sizeof(text) - at, "%s\n",
			    lines[i]);
		}
		assert_non_null(t = table_parse(text, &bad));
		for (i = 0; i < NASKED; i++) {
			local = PICK(locals);
			domain = PICK(domains);
			mode = 1 << random() % 3;
			r = table_find(t, mode, str_make(local),
			    str_make(domain), &star, &len);
			for (at = 0; at < NLINES; at++)
				if (fits(all[at], mode, local, domain))
					break;
			if ((r == NULL ? 0 : r->line) !=
			    (at == NLINES ? 0 : at + 1))
				fail_msg("%s@%s, mode %d: line %u of\n%s",
				    local, domain, mode,
				    r == NULL ? 0 : r->line, text);
			if (r != NULL && r->star != NULL)
				assert_true(star + len <= strlen(r->alias ?
				    local : domain));
		}
		table_free(t);
		for (i = 0; i < NLINES; i++)
			record_free(all[i]);
	}
}

/* A marker, once set, stays; clients need none. */
static void
test_relay(void **state)
{
	struct route_query q = { .address = "a@far.org", .peer = "10.1.2.3",
		.local = "", .account = "" };
	struct route_answer a;

	set_table("");
	route_address(&env, &q, &a);
	assert_true(a.relay);
	q.peer = "127.0.0.1";
	route_address(&env, &q, &a);
	assert_false(a.relay);
	q.account = "john@mycompany.com";
	route_address(&env, &q, &a);
	assert_true(a.relay);
	check("a@far.org", "SMTP|far.org|a@far.org", false, "");
	env.relay_from = RELAY_EVERYBODY;
	check("a@far.org", "SMTP|far.org|a@far.org +", false, "");
	env.relay_from = RELAY_NOBODY;
	route_address(&env, &q, &a);
	assert_false(a.relay);
	env.relay_from = RELAY_CLIENTS;
	/* To a host that is a client: anybody, if no route is in it. */
	check("a@[10.0.0.9]", "SMTP|[10.0.0.9]|a@[10.0.0.9]", false, "");
	env.relay_to = RELAY_TO_SIMPLE;
	check("a@[10.0.0.9]", "SMTP|[10.0.0.9]|a@[10.0.0.9] +", false, "");
	check("a@[10.0.0.9:26]", "SMTP|[10.0.0.9]:26|a@[10.0.0.9] +", false,
	    "");
	check("a@[192.0.2.200]", "SMTP|[192.0.2.200]|a@[192.0.2.200]", false,
	    "");
	check("a%b.org@[10.0.0.9]", "SMTP|[10.0.0.9]|a@b.org", false, "");
	check("\"a%b.org\"@[10.0.0.9]",
	    "SMTP|[10.0.0.9]|\"a%b.org\"@[10.0.0.9]", false, "");
	env.relay_to = RELAY_TO_ALL;
	check("a%b.org@[10.0.0.9]", "SMTP|[10.0.0.9]|a@b.org +", false, "");
	env.relay_to = RELAY_TO_NO;
}

/* account+detail in each of its settings */
static void
test_detail(void **state)
{
	set_table("<john+x> = bill\n");
	check("john+lists", "LOCAL|john| +", false, "");
	check("john+x", "LOCAL|bill| +", false, "");
	check("john+x", "LOCAL|bill| +", true, "");
	check("nobody+x", "550", false, "");
	check("\"john+a b\"@client.com", "LOCAL|john@client.com| +", false, "");
	env.detail = DETAIL_MAILBOX;
	check("John+Lists", "LOCAL|john|Lists# +", false, "");
	check("\"john+a b\"@client.com", "LOCAL|john@client.com|a b# +",
	    false, "");
	check("john+", "LOCAL|john| +", false, "");
	env.direct_mailbox = false;
	check("john+lists", "LOCAL|john| +", false, "");
	check("Box#john", "550", false, "");
	env.direct_mailbox = true;
	env.detail = DETAIL_OFF;
	check("john+lists", "550", false, "");
	check("Box#john", "LOCAL|john|Box# +", false, "");
	check("\"My Box#john\"", "LOCAL|john|My Box# +", false, "");
	env.detail = DETAIL_ON;
}

/* A loop ends, whatever it is made of. */
static void
test_loops(void **state)
{
	static const char *const tables[] = {
		"<a> = b\n<b> = a\n", "<a> = a\n",
		"<a> = a@loop.com\nloop.com = mycompany.com\n",
		"<a*> = ba*\n<b*> = *\n"
	};
	struct domain *d = names_domain(&names, "company.com");
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		set_table(tables[i]);
		check("a@mycompany.com", "554", false, "");
		check("a", "554", true, "");
	}
	set_table("loop.com = loop.com\n");
	check("a@loop.com", "554", false, "");
	set_table("");
	d->unknown[0] = UNKNOWN_REROUTE;
	free(d->reroute[0]);
	d->reroute[0] = xstrdup("*@company.com");
	check("x@company.com", "554", false, "");
	d->unknown[0] = UNKNOWN_REJECT;
}

static void
test_bad(void **state)
{
	struct table_bad bad;
	char far[4096];

	memset(far, 'a', sizeof(far));
	memcpy(far + 1100, "@x.com", 7);
	check(far, "501", false, "");
	check("a@b@", "501", false, "");
	set_table("<*> = *********@x.com\n<y*@z.org> = *@z.org\n");
	assert_null(table_parse("a = b\nnonsense\n", &bad));
	assert_int_equal(bad.line, 2);
	assert_null(table_parse("<a*b*> = c\n", &bad));
	assert_null(table_parse("<a@*.com> = c\n", &bad));
	/* Grows with each step until it does not fit. */
	set_table("<a*> = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa*\n");
	check("ab", "501", false, "");
}

static void
test_names(void **state)
{
	static struct names n;		/* never freed, as in routerd */
	struct domain *d;
	char name[32], path[128];
	size_t i, count = 0, at = 0;

	names_init(&n, "big.com");
	d = n.main;
	for (i = 0; i < 50000; i++) {
		snprintf(name, sizeof(name), "user%zu", i);
		assert_non_null(names_add(&n, d, name, "us.sub/", name,
		    ACCOUNT_MULTI));
	}
	for (i = 0; i < 50000; i += 2) {
		snprintf(name, sizeof(name), "user%zu", i);
		assert_true(names_del(&n, d, name));
	}
	for (i = 0; i < 50000; i++) {
		snprintf(name, sizeof(name), "user%zu", i);
		assert_int_equal(names_find(d, name, strlen(name)) != NULL,
		    i % 2);
	}
	while (names_next(d, &at) != NULL)
		count++;
	assert_int_equal(count, 25000);
	assert_true(names_path(d, names_find(d, "user1", 5), path,
	    sizeof(path)));
	assert_string_equal(path, "Accounts/us.sub/user1.macnt");
	names_add(&n, d, "old", "", "Old", ACCOUNT_MBOX);
	names_path(d, names_find(d, "old", 3), path, sizeof(path));
	assert_string_equal(path, "Accounts/Old.mbox");
	assert_false(name_valid_account("../x"));
	assert_false(name_valid_account("a/b"));
	assert_false(name_valid_account(".hidden"));
	assert_false(name_valid_domain("a..b"));
	assert_false(name_valid_domain("-a.com"));
	assert_true(name_valid_domain("x-y.com"));
}

/* A goal, not a proof: printed, and only a gross miss fails. */
static void
speed(const char *what, const char *address, const char *expect)
{
	struct route_query q = { .address = address, .peer = "198.51.100.1",
		.local = "192.0.2.1", .account = "" };
	struct route_answer a;
	struct timespec t0, t1;
	double s;
	int i, n = 50000;

	check(address, expect, false, "");
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (i = 0; i < n; i++)
		route_address(&env, &q, &a);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	s = t1.tv_sec - t0.tv_sec + (t1.tv_nsec - t0.tv_nsec) / 1e9;
	print_message("%s: %.0f routes a second\n", what, n / s);
	assert_true(n / s > 10000);
}

static void
test_speed(void **state)
{
	enum { N = 5000 };
	struct buf b;
	int i;

	set_table("<root> = postmaster\nlocalhost =\nmailhost =\n"
	    "<blacklist-admin*@blacklisted> = postmaster\n");
	speed("default table", "john@mail.client.com",
	    "LOCAL|john@client.com| +");
	buf_init(&b, 0);
	for (i = 0; i < N; i++)
		buf_printf(&b, "<a%d> = john\nd%d.org = client.com\n", i, i);
	set_table(b.p);
	speed("10000 exact records", "a4999@mycompany.com", "LOCAL|john| +");
	speed("10000 exact records", "john@d4999.org",
	    "LOCAL|john@client.com| +");
	buf_reset(&b);
	for (i = 0; i < N; i++)
		buf_printf(&b, "<a%d-*> = *\n*.d%d.org = client.com\n", i, i);
	set_table(b.p);
	speed("10000 asterisks", "a4999-john@mycompany.com", "LOCAL|john| +");
	speed("10000 asterisks", "john@x.d4999.org",
	    "LOCAL|john@client.com| +");
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_relay),
		cmocka_unit_test(test_detail),
		cmocka_unit_test(test_loops),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_speed),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
