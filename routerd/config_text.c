/*
 * Settings that are texts of many lines: the Routing Table, lists of
 * addresses.  What is new in them must make sense, by whichever command it
 * comes; what somebody wrote into the file before stays his.  Runs in routerd.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "banned.h"
#include "iplist.h"
#include "router.h"

static bool
check_table(const char *text, char *why, size_t size)
{
	struct table_bad bad;
	struct table *t = table_parse(text, &bad);

	if (t == NULL)
		snprintf(why, size, "line %u: %s", bad.line, bad.why);
	table_free(t);
	return t != NULL;
}

static bool
check_addresses(const char *text, char *why, size_t size)
{
	int line = 0;
	struct iplist *l = iplist_parse(text, &line);

	if (l == NULL)
		snprintf(why, size, "line %d is not an address or a range",
		    line);
	iplist_free(l);
	return l != NULL;
}

static const struct {
	const char	*module, *name;
	bool		(*check)(const char *, char *, size_t);
} texts[] = {
	{ "Router", "Table",		check_table },
	{ "Router", "AllDomainAliases",	check_table },
	{ "Protection", "ClientIPs",	check_addresses },
	{ "Protection", "BlackListIPs",	check_addresses },
	{ "Protection", "WhiteHoleIPs",	check_addresses }
};

/* These are arrays of lines. */
static const char *
check_banned(const struct val *new)
{
	const char *err;

	banned_unref(banned_make(dict_get(new, "HeaderLines"),
	    dict_get(new, "BodyLines"), &err));
	return err;
}

const char *
config_check_texts(const char *module, const struct val *new)
{
	static char wrong[256];
	char why[160];
	const char *text, *old;
	size_t i;

	if (strcmp(module, "Banned") == 0)
		return check_banned(new);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strcmp(module, texts[i].module) != 0)
			continue;
		text = dict_str(new, texts[i].name, "");
		old = dict_str(config_file(module), texts[i].name, "");
		if (strcmp(text, old) == 0 || strcmp(text, "default") == 0 ||
		    texts[i].check(text, why, sizeof(why)))
			continue;
		snprintf(wrong, sizeof(wrong), "%s: %s", texts[i].name, why);
		return wrong;
	}
	return NULL;
}
