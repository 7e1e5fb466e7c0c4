/*
 * Settings that are texts with a form of their own: the Routing Table, lists
 * of addresses.  What is new in them must make sense, by whichever command it
 * comes; what somebody wrote into the file before stays his.  Runs in routerd.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "banned.h"
#include "iplist.h"
#include "rbl.h"
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

static bool
check_reroute(const char *text, char *why, size_t size)
{
	struct buf local, domain;
	bool ok;

	buf_init(&local, 0);
	buf_init(&domain, 0);
	ok = addr_route_parse(str_make(text), &local, &domain) == 0;
	buf_free(&local);
	buf_free(&domain);
	if (!ok)
		snprintf(why, size, "this is not an address");
	return ok;
}

static const struct {
	const char	*module, *name;
	bool		(*check)(const char *, char *, size_t);
} texts[] = {
	{ "Domain", "MailRerouteAddress",   check_reroute },
	{ "Domain", "AccessRerouteAddress", check_reroute },
	{ "Router", "Table",		check_table },
	{ "Router", "AllDomainAliases",	check_table },
	{ "Protection", "ClientIPs",	check_addresses },
	{ "Protection", "BlackListIPs",	check_addresses },
	{ "Protection", "WhiteHoleIPs",	check_addresses }
};

/* These are arrays of lines. */
static const char *
check_banned(const struct val *new, const struct val *had)
{
	const char *err;

	if (config_same(dict_get(new, "HeaderLines"), dict_get(had,
	    "HeaderLines")) && config_same(dict_get(new, "BodyLines"),
	    dict_get(had, "BodyLines")))
		return NULL;
	banned_unref(banned_make(dict_get(new, "HeaderLines"),
	    dict_get(new, "BodyLines"), &err));
	return err;
}

struct rows {
	char	*wrong;			/* "", or what is wrong */
	size_t	 size, n;
};

static void
check_rbl(struct str row, void *arg)
{
	struct rows *rows = arg;
	struct rbl r;

	rows->n++;
	if (*rows->wrong != '\0')
		return;
	if (rows->n > RBL_MAX)
		snprintf(rows->wrong, rows->size, "RBLServers: not more than "
		    "%d", RBL_MAX);
	else if (rbl_parse(&r, row))
		rbl_free(&r);
	else
		snprintf(rows->wrong, rows->size, "RBLServers: \"%.*s\" is no "
		    "domain with addresses or ranges behind it",
		    row.len < 80 ? (int)row.len : 80, row.p);
}

static const char *
check_rbls(const struct val *new)
{
	static char wrong[256];
	struct rows rows = { .wrong = wrong, .size = sizeof(wrong) };
	const struct val *v = dict_get(new, "RBLServers");
	const char *text = v != NULL ? val_text(v) : NULL;

	*wrong = '\0';
	if (!config_same(v, dict_get(config_file("Protection"), "RBLServers")) &&
	    (text == NULL || strcmp(text, "default") != 0))
		rows_each(v, check_rbl, &rows);
	return *wrong != '\0' ? wrong : NULL;
}

const char *
config_check_texts(const char *module, const struct val *new,
    const struct val *had)
{
	static char wrong[256];
	char why[160];
	const char *text, *old;
	size_t i;

	if (strcmp(module, "Banned") == 0)
		return check_banned(new, had);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strcmp(module, texts[i].module) != 0)
			continue;
		text = dict_str(new, texts[i].name, "");
		old = dict_str(had, texts[i].name, "");
		if (strcmp(text, old) == 0 || strcmp(text, "default") == 0 ||
		    texts[i].check(text, why, sizeof(why)))
			continue;
		snprintf(wrong, sizeof(wrong), "%s: %s", texts[i].name, why);
		return wrong;
	}
	return strcmp(module, "Protection") == 0 ? check_rbls(new) : NULL;
}
