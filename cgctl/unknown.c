/*
 * Settings of accounts, domains and modules may have names that the server
 * does not know, as city or Pager: it keeps them.  But a name that differs in
 * a letter or two from one that it does know is more often a slip of the pen,
 * so a note is made of it.
 */
#include <stdio.h>
#include <string.h>

#include "cgctl.h"
#include "cli.h"
#include "settings.h"

enum { NEAR = 2 };

/* NULL: the command's first argument says whose settings these are. */
static const struct {
	const char	*command, *module;
} owners[] = {
	{ "CreateAccount", "Account" },
	{ "UpdateAccountSettings", "Account" },
	{ "SetAccountSettings", "Account" },
	{ "UpdateAccountDefaults", "Account" },
	{ "SetAccountDefaults", "Account" },
	{ "UpdateAllAccountsDefaults", "Account" },
	{ "SetAllAccountsDefaults", "Account" },
	{ "UpdateServerAccountDefaults", "Account" },
	{ "SetServerAccountDefaults", "Account" },
	{ "CreateDomain", "Domain" },
	{ "UpdateDomainSettings", "Domain" },
	{ "SetDomainSettings", "Domain" },
	{ "UpdateDomainDefaults", "Domain" },
	{ "SetDomainDefaults", "Domain" },
	{ "UpdateModule", NULL },
	{ "SetModule", NULL },
	{ "UpdateRouterSettings", "Router" },
	{ "SetRouterSettings", "Router" },
	{ "UpdateLogSettings", "Log" }
};

/* What may have been meant; NULL if the name is known, or unlike all. */
static const char *
meant(const char *module, const char *name)
{
	const struct setting *s;
	const char *best = NULL;
	int far, least = NEAR + 1;
	size_t i;

	if (settings_find(module, name) != NULL)
		return NULL;
	if (strcmp(module, "Account") == 0) {
		best = "Password";	/* in no table */
		least = cli_distance(name, best);
	}
	for (i = 0; i < settings_count; i++) {
		s = &settings_table[i];
		if (strcmp(s->module, module) != 0 ||
		    (far = cli_distance(name, s->name)) >= least)
			continue;
		least = far;
		best = s->name;
	}
	return least <= NEAR && strcmp(name, best) != 0 ? best : NULL;
}

static void
note(const char *module, const struct val *given)
{
	const char *name;
	size_t i;

	for (i = 0; i < val_count(given); i++)
		if ((name = meant(module, val_key(given, i))) != NULL)
			fprintf(stderr, "cgctl: note: %s has no meaning to the "
			    "server; perhaps: %s\n", val_key(given, i), name);
}

void
note_unknown(const struct cli_cmd *cmd, const struct val *args)
{
	const char *module = NULL;
	size_t i;

	for (i = 0; i < sizeof(owners) / sizeof(owners[0]); i++)
		if (strcmp(owners[i].command, cmd->name) == 0)
			break;
	if (i == sizeof(owners) / sizeof(owners[0]) || val_count(args) == 0)
		return;
	module = owners[i].module != NULL ? owners[i].module :
	    val_text(val_at(args, 0));
	for (i = 0; module != NULL && i < val_count(args); i++)
		if (val_type(val_at(args, i)) == VAL_DICT)
			note(module, val_at(args, i));
}
