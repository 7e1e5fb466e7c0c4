/*
 * Names of domains: accounts, aliases, forwarders and groups in one table,
 * domains that are renamed, who is in a group, and where new accounts are put.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dict.h"
#include "log.h"
#include "../../routerd/members.h"

static struct names	names;

static struct names kept[16];
static size_t nkept;

static struct domain *
main_domain(void)
{
	/* The Router never forgets its names; the last test's stay, too. */
	assert_true(nkept < sizeof(kept) / sizeof(kept[0]));
	kept[nkept++] = names;
	names_init(&names, "main.example");
	return names.main;
}

static void
add(struct domain *d, const char *name, enum account_type kind,
    const char *more)
{
	assert_non_null(names_add(&names, d, name, "", more, kind));
}

static void
group(struct domain *d, const char *name, const char *text)
{
	const char *err;
	struct val *v = val_parse_all(text, strlen(text), &err);

	assert_non_null(v);
	add(d, name, NAME_GROUP, name);
	assert_null(map_put(d->groups, name, strlen(name), v));
}

static const char *
account(struct domain *d, const char *name)
{
	struct account *a = names_account(d, name, strlen(name));

	return a == NULL ? "" : a->name;
}

static void
test_kinds(void **state)
{
	struct domain *d = main_domain();

	add(d, "john", ACCOUNT_MULTI, "john");
	add(d, "mary", ACCOUNT_MBOX, "Mary");
	add(d, "jj", NAME_ALIAS, "john");
	add(d, "gone", NAME_ALIAS, "nobody");
	add(d, "fwd", NAME_FORWARDER, "john@far.example");
	add(d, "team", NAME_GROUP, "team");
	assert_string_equal(account(d, "john"), "john");
	assert_string_equal(account(d, "jj"), "john");
	assert_string_equal(account(d, "gone"), "");
	assert_string_equal(account(d, "fwd"), "");
	assert_string_equal(account(d, "team"), "");
	assert_string_equal(names_more(names_find(d, "mary", 4)), "Mary");
	assert_int_equal(names_kind(names_find(d, "mary", 4)), ACCOUNT_MBOX);
	assert_string_equal(names_more(names_find(d, "fwd", 3)),
	    "john@far.example");
	assert_int_equal(d->naccounts, 2);
	assert_int_equal(d->naliases, 2);
	assert_int_equal(names.naccounts, 2);
	/* One name, one thing. */
	assert_null(names_add(&names, d, "jj", "", "jj", ACCOUNT_MULTI));
	names_find(d, "john", 4)->reserved = true;
	assert_string_equal(account(d, "jj"), "");
	assert_true(names_del(&names, d, "jj"));
	assert_true(names_del(&names, d, "mary"));
	assert_int_equal(d->naccounts, 1);
	assert_int_equal(d->naliases, 1);
}

static void
test_rename(void **state)
{
	struct domain *d, *b, *c;
	char name[32], path[256];
	struct account *a;
	int i;

	main_domain();
	b = names_add_domain(&names, "b.example");
	c = names_add_domain(&names, "c.example");
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "user%d", i);
		assert_non_null(names_add(&names, b, name, "us.sub/", name,
		    ACCOUNT_MULTI));
	}
	assert_int_equal(names_add_alias(&names, "alias.example", b), 0);
	names_rename_domain(&names, b, "z.example", "Domains/z.example");
	assert_null(names_domain(&names, "b.example"));
	assert_ptr_equal(names_domain(&names, "z.example"), b);
	assert_ptr_equal(names_domain(&names, "alias.example"), b);
	d = names.first;
	assert_ptr_equal(d->next, c);
	assert_ptr_equal(c->next, b);
	assert_null(b->next);
	assert_int_equal(names.ndomains, 3);
	a = names_find(b, "user999", 7);
	assert_true(names_path(b, a, path, sizeof(path)));
	assert_string_equal(path, "Domains/z.example/us.sub/user999.macnt");
	names_del_domain(&names, b);
	assert_int_equal(names.naccounts, 0);
	assert_int_equal(names.ndomains, 2);
}

/* The lines, as one text; the sender is left out. */
static void
expect(struct domain *d, const char *name, const char *sender,
    const char *want)
{
	struct members m;

	members_init(&m, &names);
	members_leave_out_one(&m, sender);
	members_add_group(&m, d, name, map_get(d->groups, name,
	    strlen(name)));
	assert_string_equal(m.list.len == 0 ? "" : m.list.p, want);
	members_free(&m);
}

static void
test_members(void **state)
{
	struct domain *d = main_domain(), *o;

	o = names_add_domain(&names, "other.example");
	add(d, "john", ACCOUNT_MULTI, "john");
	add(d, "mary", ACCOUNT_MULTI, "mary");
	add(o, "john", ACCOUNT_MULTI, "john");
	add(d, "jj", NAME_ALIAS, "john");
	add(d, "f", NAME_FORWARDER, "MARY");
	add(d, "f1", NAME_FORWARDER, "f2");
	add(d, "f2", NAME_FORWARDER, "f1");
	group(d, "flat", "{Members=(john,\"x@far.example\",jj,"
	    "\"john@other.example\",\"X@FAR.example\",f,mary,f1);}");
	expect(d, "flat", "", "john@main.example\nx@far.example\n"
	    "john@other.example\nf@main.example\nf1@main.example\n");
	expect(d, "flat", "JJ+list@main.example", "x@far.example\n"
	    "john@other.example\nf@main.example\nf1@main.example\n");
	expect(d, "flat", "mary", "john@main.example\nx@far.example\n"
	    "john@other.example\nf1@main.example\n");
	/* Groups of this domain only, and only if it wants that. */
	group(d, "a", "{Members=(b,flat);Expand=YES;}");
	group(d, "b", "{Members=(\"a@main.example\",c,mary);Expand=YES;}");
	group(d, "c", "{Members=(a,b,\"c\",\"g@other.example\");}");
	group(o, "g", "{Members=(john);}");
	expect(d, "a", "x@far.example", "g@other.example\nmary@main.example\n"
	    "john@main.example\njohn@other.example\nf1@main.example\n");
	expect(d, "c", "", "a@main.example\nb@main.example\n"
	    "g@other.example\n");
	group(d, "odd", "{Members=(\"two\\nlines\",(x),\"a b\",\"\");}");
	expect(d, "odd", "", "");
	group(d, "none", "{Members=john;}");
	expect(d, "none", "", "");
}

/* One in another in another: it ends, and nobody is forgotten. */
static void
test_deep(void **state)
{
	struct domain *d = main_domain();
	char name[16], text[96];
	struct members m;
	int i;

	for (i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		snprintf(text, sizeof(text),
		    "{Members=(u%d,g%d);Expand=YES;}", i, (i + 1) % 3000);
		group(d, name, text);
	}
	members_init(&m, &names);
	members_add_group(&m, d, "g0", map_get(d->groups, "g0", 2));
	assert_int_equal(m.count, 101);
	assert_non_null(strstr(m.list.p, "g100@main.example\n"));
	members_free(&m);
}

static void
test_reply_to(void **state)
{
	static const struct {
		const char	*real, *want;
	} cases[] = {
		{ "", "<g@x.example>" },
		{ "Sales team", "\"Sales team\" <g@x.example>" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\" <g@x.example>" },
		{ "\303\234", "=?UTF-8?B?w5w=?= <g@x.example>" },
		{ "a\nBcc: x", "=?UTF-8?B?YQpCY2M6IHg=?= <g@x.example>" }
	};
	struct buf b;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_init(&b, 0);
		members_reply_to(&b, cases[i].real, "g", "x.example");
		assert_string_equal(b.p, cases[i].want);
		buf_free(&b);
	}
}

static void
test_folders(void **state)
{
	static const struct {
		const char	*method, *name, *want;
	} cases[] = {
		{ "flat", "jsmith", "" },
		{ "2 Letters 1 Level", "jsmith", "js.sub/" },
		{ "2 Letters 1 Level", "j", "j.sub/" },
		{ "2 letters 2 levels", "jsmith", "j.sub/s.sub/" },
		{ "2 Letters 2 Levels", "j", "j.sub/" },
		{ "2 Letters 2 Levels", "\303\274\303\266x",
		    "\303\274.sub/\303\266.sub/" },
		{ "something else", "jsmith", "" }
	};
	char out[64], again[64];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		folder_name(cases[i].method, cases[i].name, out, sizeof(out));
		assert_string_equal(out, cases[i].want);
	}
	folder_name("Hashed 1 Level", "jsmith", out, sizeof(out));
	assert_int_equal(strlen(out), 7);
	assert_string_equal(out + 2, ".sub/");
	folder_name("Hashed 2 Levels", "jsmith", again, sizeof(again));
	assert_int_equal(strlen(again), 13);
	assert_memory_equal(out, again, 7);
	assert_string_equal(again + 8, ".sub/");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_rename),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_reply_to),
		cmocka_unit_test(test_folders),
	};

	log_init("TEST", -1, 0);
	log_set_level(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
