/*
 * Groups as somebody may have written them into their files: a dictionary of
 * groups, and whom a message came from; what comes out is lines of addresses.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dict.h"
#include "log.h"
#include "../../routerd/members.h"

static struct names	names;
static struct domain   *domain;

static void
start(void)
{
	log_init("FUZZ", -1, 0);
	log_set_level(0);
	names_init(&names, "main.example");
	domain = names.main;
	names_add(&names, domain, "john", "", "john", ACCOUNT_MULTI);
	names_add(&names, domain, "jj", "", "john", NAME_ALIAS);
	names_add(&names, domain, "f", "", "jj", NAME_FORWARDER);
}

static void
check(const struct val *all)
{
	struct members m;
	size_t i, lines = 0;

	members_init(&m, &names);
	members_leave_out(&m, dict_get(all, "Author"));
	for (i = 0; i < val_count(all); i++)
		members_add_group(&m, domain, val_key(all, i),
		    val_at(all, i));
	for (i = 0; i < m.list.len; i++) {
		if (m.list.p[i] == '\r')
			abort();
		lines += m.list.p[i] == '\n';
	}
	if (lines != m.count || m.depth != 0)
		abort();
	members_free(&m);
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char name[NAME_MAXLEN + 1];
	const char *err;
	struct val *v;
	size_t i;

	if (domain == NULL)
		start();
	v = val_parse_all((const char *)data, len, &err);
	if (v == NULL || val_type(v) != VAL_DICT) {
		val_free(v);
		return 0;
	}
	for (i = 0; i < val_count(v); i++)
		if (name_lower(str_make(val_key(v, i)), name, sizeof(name)) &&
		    names_add(&names, domain, name, "", name, NAME_GROUP) !=
		    NULL)
			val_free(map_put(domain->groups, name, strlen(name),
			    val_copy(val_at(v, i))));
	check(v);
	for (i = 0; i < val_count(v); i++)
		if (name_lower(str_make(val_key(v, i)), name, sizeof(name)) &&
		    map_get(domain->groups, name, strlen(name)) != NULL) {
			val_free(map_del(domain->groups, name,
			    strlen(name)));
			names_del(&names, domain, name);
		}
	val_free(v);
	return 0;
}
