/*
 * The manual's own examples (chapters 27, 19, 29, 30, 07, 59) as a table, run
 * through the Router's core: an installation, an address, what comes out.
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

struct example {
	const char	*table;		/* NULL: as before */
	const char	*address;
	const char	*expect;
};

static void
run(const struct example *e)
{
	for (; e->address != NULL; e++) {
		if (e->table != NULL)
			set_table(e->table);
		check(e->address, e->expect, false, "");
	}
}

static void
test_domains(void **state)
{
	run((const struct example[]){
		{ "", "support@mycompany.com", "LOCAL|support| +" },
		{ NULL, "Support@MyCompany.COM", "LOCAL|support| +" },
		{ NULL, "<@mycompany.com:sales@gamma.com>",
		    "SMTP|gamma.com|sales@gamma.com" },
		{ NULL, "mycompany.com!gamma.com!sales",
		    "SMTP|gamma.com|sales@gamma.com" },
		{ NULL, "sales%gamma.com@mycompany.com",
		    "SMTP|gamma.com|sales@gamma.com" },
		{ NULL, "<@zzzz.com:xxxx@yyyyy.com>",
		    "SMTP|zzzz.com|xxxx%yyyyy.com@zzzz.com" },
		{ NULL, "john@client.com", "LOCAL|john@client.com| +" },
		{ NULL, "john@mail.client.com", "LOCAL|john@client.com| +" },
		{ NULL, "nobody@client.com", "550" },
		{ NULL, "nobody", "550" },
		{ NULL, "abuse@client.com", "LOCAL|postmaster| +" },
		{ NULL, "postmaster@client.com", "LOCAL|postmaster| +" },
		{ NULL, "postmaster", "LOCAL|postmaster| +" },
		{ "hq.stalker.com = twisted.stalker.com", "a@hq.stalker.com",
		    "SMTP|twisted.stalker.com|a@twisted.stalker.com +" },
		{ "hq.stalker.com = hq.stalker.com@relay.stalker.com",
		    "a@hq.stalker.com", "SMTP|relay.stalker.com|"
		    "a%hq.stalker.com@relay.stalker.com +" },
		{ "*.old_company.com = new_company.com",
		    "a@x.y.old_company.com",
		    "SMTP|new_company.com|a@new_company.com +" },
		{ "*.mycompany.com = mycompany.com",
		    "john@mail.mycompany.com", "LOCAL|john| +" },
		{ "*.old_company.com = *.new_company.com",
		    "a@host5.old_company.com",
		    "SMTP|host5.new_company.com|a@host5.new_company.com +" },
		{ "system-*.mycompany.com = uu*.uucp.org",
		    "a@system-abc.mycompany.com",
		    "SMTP|uuabc.uucp.org|a@uuabc.uucp.org +" },
		{ "localhost =\nmailhost =\n", "john@localhost",
		    "LOCAL|john| +" },
		{ "fax.mycompany.com = mycompany.com ; same domain\n"
		  "; just a comment line\n", "john@fax.mycompany.com",
		    "LOCAL|john| +" },
		{ "dept1.xyz.com = dept1.xyz.com.here\n"
		  "dept2.xyz.com = dept2.xyz.com.here\n"
		  "*.xyz.com = *.abc.com\n", "john@dept1.xyz.com",
		    "LOCAL|john@dept1.xyz.com| +" },
		{ NULL, "john@dept3.xyz.com",
		    "SMTP|dept3.abc.com|john@dept3.abc.com +" },
		{ NULL, "john@dept2.xyz.com", "550" },
		{ NULL, NULL, NULL } });
}

static void
test_aliases(void **state)
{
	run((const struct example[]){
		{ "<sales> = Bill", "sales@mycompany.com", "LOCAL|bill| +" },
		{ NULL, "SALES", "LOCAL|bill| +" },
		{ "<sales@mycompany.com> = Bill", "sales@mycompany.com",
		    "550" },
		{ "<sales> = Bill@thatcompany.com", "sales@mycompany.com",
		    "SMTP|thatcompany.com|Bill@thatcompany.com +" },
		{ "<dept-*> = postmaster@*-dept.mycompany.com",
		    "dept-sales@mycompany.com", "SMTP|"
		    "sales-dept.mycompany.com|"
		    "postmaster@sales-dept.mycompany.com +" },
		{ "<sales@client.com> = Bill@client.com", "sales@client.com",
		    "LOCAL|bill@client.com| +" },
		{ "<sales@client.com> = Bill", "sales@client.com",
		    "LOCAL|bill| +" },
		{ "<sales@clientx.com> = sales-client1\n"
		  "clientx.com = new.clientx.com\n", "sales@clientx.com",
		    "LOCAL|sales-client1| +" },
		{ NULL, "other@clientx.com",
		    "SMTP|new.clientx.com|other@new.clientx.com +" },
		{ "<*@client2.com> = *.cl2", "sales@client2.com",
		    "LOCAL|sales.cl2| +" },
		{ "<*@client5.com> = cl5-*\n<*@client7.com> = cl7-*\n",
		    "sales@client5.com", "LOCAL|cl5-sales| +" },
		{ NULL, "sales@client7.com", "550" },
		{ "<info@shop.client.com> = shop-info@client.com\n"
		  "<*@shop.client.com> = *@client.com\n",
		    "info@shop.client.com", "LOCAL|shop-info@client.com| +" },
		{ NULL, "john@shop.client.com", "LOCAL|john@client.com| +" },
		{ "<*@x.org> = john\n<info@x.org> = bill\n", "info@x.org",
		    "LOCAL|john| +" },
		{ "<sales> = sales#public", "sales", "LOCAL|public|sales# +" },
		{ "<support@client.com> = \"requests#staff\"@hq.client.com",
		    "support@client.com",
		    "LOCAL|staff@hq.client.com|requests# +" },
		{ "", "Box#john@client.com", "LOCAL|john@client.com|Box# +" },
		{ NULL, "john+lists@client.com", "LOCAL|john@client.com| +" },
		{ "<john+x> = bill", "john+x", "LOCAL|bill| +" },
		{ NULL, NULL, NULL } });
}

static void
test_special(void **state)
{
	run((const struct example[]){
		{ "bad.company.com = null\n<junk> = null\n<err> = error\n"
		  "worse.com = error\n<misterX> = spamtrap\n"
		  "<x> = blacklisted\n", "a@bad.company.com",
		    "SYSTEM|NULL| +" },
		{ NULL, "junk@mycompany.com", "SYSTEM|NULL| +" },
		{ NULL, "MAILER-DAEMON", "SYSTEM|NULL| +" },
		{ NULL, "null", "SYSTEM|NULL| +" },
		{ NULL, "err", "550" },
		{ NULL, "a@worse.com", "550" },
		{ NULL, "misterx@mycompany.com", "550" },
		{ NULL, "spamtrap", "550" },
		{ NULL, "x", "591" },
		{ "<blacklist-admin*@blacklisted> = postmaster",
		    "blacklist-admin%somehost@blacklisted",
		    "LOCAL|postmaster| +" },
		{ NULL, "user%somehost@blacklisted", "591" },
		{ "<a> = b\n<b> = a\n", "a", "554" },
		{ "loop.com = loop.com\n", "a@loop.com", "554" },
		{ NULL, NULL, NULL } });
}

static void
test_suffixes(void **state)
{
	run((const struct example[]){
		{ "test.com = Unified.local\nclient1.org = Cl1.local\n",
		    "abcdef@test.com", "LOCAL|unified|abcdef +" },
		{ NULL, "xyz@client1.org", "LOCAL|cl1|xyz +" },
		{ NULL, "xyz@nowhere.local", "550" },
		{ NULL, "abcdef%staff@hq.client.com.domain",
		    "LOCAL|staff@hq.client.com|abcdef +" },
		{ "<jim@client.org> = client-jim\n"
		  "<*@client.org> = *@client.local\n", "jim@client.org",
		    "LOCAL|client-jim| +" },
		{ NULL, "Bob@client.org", "LOCAL|client|Bob +" },
		{ "sales.company.org = sales.company.org.smtp\n"
		  "*.company.org = mycompany.com\n", "a@sales.company.org",
		    "SMTP|sales.company.org|a@sales.company.org +" },
		{ NULL, "john@x.company.org", "LOCAL|john| +" },
		{ "client9.com = client9.com@relay\n"
		  "relay = host.com.smtp\n", "user@client9.com",
		    "SMTP|host.com|user@client9.com +" },
		{ "client9.com = client9.com@relay\n"
		  "relay = host.com\n", "user@client9.com",
		    "SMTP|host.com|user%client9.com@host.com +" },
		{ "secret.stalker.com = mail.stalker.com.26.smtp",
		    "a@secret.stalker.com",
		    "SMTP|mail.stalker.com:26|a@mail.stalker.com +" },
		{ "other-port = 127.0.0.1.26.smtp\n"
		  "Relay: client57.com = client57.com@other-port\n",
		    "a@client57.com", "SMTP|127.0.0.1:26|a@client57.com +" },
		{ NULL, NULL, NULL } });
}

static void
test_addresses(void **state)
{
	run((const struct example[]){
		{ "", "john@192.0.2.1", "LOCAL|john| +" },
		{ NULL, "john@[192.0.2.1]", "LOCAL|john| +" },
		{ NULL, "john@[192.0.2.2]", "LOCAL|john@client.com| +" },
		{ NULL, "john@10.34.45.67",
		    "SMTP|[10.34.45.67]|john@[10.34.45.67]" },
		{ "[198.51.100.7] = mycompany.com", "john@198.51.100.7",
		    "LOCAL|john| +" },
		{ "local.com = [192.0.0.5:26]", "a@local.com",
		    "SMTP|[192.0.0.5]:26|a@[192.0.0.5] +" },
		{ "target.domain.org = target.domain.org@[11.22.33.44]",
		    "a@target.domain.org",
		    "SMTP|[11.22.33.44]|a@target.domain.org +" },
		{ "", "a@someserver", "550" },
		{ NULL, NULL, NULL } });
	free(env.add_domain);
	env.add_domain = xstrdup("myorg.org");
	check("a@someserver", "SMTP|someserver.myorg.org|"
	    "a@someserver.myorg.org", false, "");
	free(env.add_domain);
	env.add_domain = xstrdup("");
}

static void
test_relay(void **state)
{
	struct route_query q = { .address = "a@far.org", .peer = "10.1.2.3",
		.local = "", .account = "" };
	struct route_answer a;

	run((const struct example[]){
		{ "NoRelay:<user> = user@other.host.org\n", "user",
		    "SMTP|other.host.org|user@other.host.org" },
		{ "N:<user> = user@other.host.org\n", "user",
		    "SMTP|other.host.org|user@other.host.org" },
		{ "R:<user> = user@other.host.org\n", "user",
		    "SMTP|other.host.org|user@other.host.org +" },
		{ "Relay:clienthost.com = client1.org\n",
		    "a%b.com@clienthost.com",
		    "SMTP|client1.org|a%b.com@client1.org" },
		{ "RelayAll:clienthost.com = client1.org\n",
		    "a%b.com@clienthost.com",
		    "SMTP|client1.org|a%b.com@client1.org +" },
		{ "<joe> = joe5@bigprovider.com\nNoRelay:bigprovider.com = "
		  "bigprovider.com@relay3.com.smtp\n", "joe@mycompany.com",
		    "SMTP|relay3.com|joe5@bigprovider.com +" },
		{ NULL, "x@bigprovider.com",
		    "SMTP|relay3.com|x@bigprovider.com" },
		{ NULL, NULL, NULL } });
	route_address(&env, &q, &a);
	assert_true(a.relay);
	q.peer = "127.0.0.1";
	route_address(&env, &q, &a);
	assert_false(a.relay);
	q.account = "john@mycompany.com";
	route_address(&env, &q, &a);
	assert_true(a.relay);
}

static void
test_unknown(void **state)
{
	struct domain *d = names_domain(&names, "company.com");

	set_table("");
	d->unknown[0] = UNKNOWN_DISCARD;
	check("x@company.com", "SYSTEM|NULL| +", false, "");
	d->unknown[0] = UNKNOWN_ACCEPT;
	check("x@company.com", "LOCAL|x@company.com| +", false, "");
	d->unknown[0] = UNKNOWN_REROUTE;
	free(d->reroute[0]);
	d->reroute[0] = xstrdup("Bad-*@support.company.net");
	check("jjones@company.com", "SMTP|support.company.net|"
	    "Bad-jjones@support.company.net +", false, "");
	free(d->reroute[0]);
	d->reroute[0] = xstrdup("*%Unknowns@company.com.domain");
	check("jjones@company.com", "LOCAL|unknowns@company.com|jjones +",
	    false, "");
	free(d->reroute[0]);
	d->reroute[0] = xstrdup("*%domain.dom@otherserver.dom.smtp");
	check("aname@company.com", "SMTP|otherserver.dom|aname@domain.dom +",
	    false, "");
	check("aname@company.com", "550", true, "");
	d->unknown[0] = UNKNOWN_REJECT;
}

static void
test_access(void **state)
{
	set_table("<John> = j.smith@client1.com\n");
	check("john%client.com", "LOCAL|john@client.com| +", true, "");
	check("john@client.com", "LOCAL|john@client.com| +", true, "");
	check("info", "LOCAL|info| +", true, "192.0.2.1");
	check("info", "LOCAL|info@client.com| +", true, "192.0.2.2");
	check("info", "LOCAL|info| +", true, "192.0.2.9");
	check("John", "LOCAL|j.smith@client1.com| +", true, "192.0.2.1");
	check("john@mycompany.com", "LOCAL|j.smith@client1.com| +", true, "");
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
test_speed(void **state)
{
	struct route_query q = { .address = "john@mail.client.com",
		.peer = "198.51.100.1", .local = "192.0.2.1", .account = "" };
	struct route_answer a;
	struct timespec t0, t1;
	double s;
	int i, n = 200000;

	set_table("<root> = postmaster\nlocalhost =\nmailhost =\n"
	    "<blacklist-admin*@blacklisted> = postmaster\n");
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (i = 0; i < n; i++)
		route_address(&env, &q, &a);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	s = t1.tv_sec - t0.tv_sec + (t1.tv_nsec - t0.tv_nsec) / 1e9;
	print_message("%.0f routes a second\n", n / s);
	assert_true(n / s > 20000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_special),
		cmocka_unit_test(test_suffixes),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_relay),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_speed),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
