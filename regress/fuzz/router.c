/*
 * The Router: a line of a Routing Table, then an address, from the same bytes.
 * Whatever they are, an answer comes, within the limits of its fields.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "iplist.h"
#include "log.h"
#include "../../routerd/route.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct names	names;
static struct route_env	env = { .names = &names };

static void
setup(void)
{
	struct domain *d;
	int line;

	log_init("FUZZ", -1, 0);
	log_set_level(1);
	names_init(&names, "main.org");
	d = names_add_domain(&names, "x.com");
	names_add(&names, names.main, "john", "", "john", ACCOUNT_MULTI);
	names_add(&names, d, "ann", "a.sub/", "Ann", ACCOUNT_MBOX);
	names_add(&names, d, "anna", "", "ann", NAME_ALIAS);
	names_add(&names, d, "far", "", "x%y@far.org", NAME_FORWARDER);
	names_add(&names, names.main, "all", "", "", NAME_GROUP);
	names_add_alias(&names, "y.com", d);
	d->unknown[0] = UNKNOWN_REROUTE;
	d->reroute[0] = xstrdup("*%john@main.org");
	d->reroute[1] = xstrdup("error");
	names.main->reroute[0] = xstrdup("error");
	names.main->reroute[1] = xstrdup("error");
	env.all_aliases = table_parse_lax("<abuse> = john\n<a*> = *@x.com\n",
	    "aliases");
	env.addresses = map_new();
	env.clients = iplist_parse("10.0.0.0/8\n", &line);
	env.add_domain = xstrdup("org");
	env.direct_mailbox = true;
	env.detail = DETAIL_MAILBOX;
	map_put(env.addresses, "192.0.2.1", 9, d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
	size_t left = nul != NULL ? (size_t)(nul - data) : 0;
	struct route_query q = { .peer = "", .local = "192.0.2.1",
		.account = "" };
	struct route_answer a;
	char *table, *address;
	struct table_bad bad;
	struct table *strict;
	size_t skip = nul != NULL ? left + 1 : 0;

	if (!ready)
		setup();
	ready = true;
	if (size - skip > 1024)
		return 0;
	table = xcalloc(1, left + 1);
	memcpy(table, data, left);
	address = xcalloc(1, size - skip + 1);
	memcpy(address, data + skip, size - skip);
	env.table = table_parse_lax(table, "table");
	strict = table_parse(table, &bad);
	if ((strict == NULL) != (table_bad(env.table)->line != 0))
		abort();
	table_free(strict);
	q.address = address;
	for (int i = 0; i < 3; i++) {
		q.access = i == 1;
		q.signal = i == 2;
		route_address(&env, &q, &a);
		if (a.code == 0 && a.module[0] == '\0')
			abort();
		if (strlen(a.host) > 512 || strlen(a.address) > 1024)
			abort();
	}
	table_free(env.table);
	free(address);
	free(table);
	return 0;
}
