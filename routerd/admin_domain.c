/*
 * Commands over domains: their settings, aliases, and what their accounts
 * start with.  Runs in routerd; admin_move.c makes, renames and removes them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "router.h"
#include "settings.h"

static const char denied[] = "you have no right to do that";

static bool
need_users(struct command *c)
{
	if (may_domains(&c->who))
		return true;
	answer(c, 501, denied);
	return false;
}

/*
 * A domain's settings have the defaults of its accounts among them, as the
 * vendor has them; Get and SetDomainSettings leave these alone.
 */

/* The n-th argument, or the caller's own; NULL: has been answered. */
struct domain *
admin_domain(struct command *c, size_t n)
{
	char name[DOMAIN_MAXLEN + 1];
	const char *text = arg_text(c, n);
	struct domain *d = NULL;

	if (*text == '\0' || strcmp(text, "*") == 0)
		text = c->who.domain;
	if (name_lower(str_make(text), name, sizeof(name)))
		d = names_domain(&names, name);
	if (d == NULL) {
		answer(c, 501, may(&c->who, "Users") ? "unknown domain" :
		    denied);
		return NULL;
	}
	if (may_domain(&c->who, d))
		return d;
	answer(c, 501, denied);
	return NULL;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp((*(struct account *const *)a)->name,
	    (*(struct account *const *)b)->name);
}

static void
do_list_accounts(struct command *c)
{
	struct domain *d = admin_domain(c, 0);
	struct account **list, *a;
	size_t n = 0, i = 0;
	struct val *v;

	if (d == NULL)
		return;
	list = xcalloc(d->accounts.used + 1, sizeof(*list));
	while ((a = names_next(d, &i)) != NULL)
		if (names_is_account(a) && !a->reserved)
			list[n++] = a;
	qsort(list, n, sizeof(*list), by_name);
	v = val_dict();
	for (i = 0; i < n; i++)
		dict_set(v, list[i]->name,
		    val_string(account_ext(list[i]->type) + 1));
	free(list);
	answer_val(c, v);
}

static void
do_account_location(struct command *c)
{
	char lower[NAME_MAXLEN + DOMAIN_MAXLEN + 2], path[1025], *at;
	const char *name = arg_text(c, 0);
	struct account *a = NULL;
	struct domain *d;

	if (strcmp(name, "*") == 0)
		name = c->who.account;
	if (!name_lower(str_make(name), lower, sizeof(lower)))
		lower[0] = '\0';
	if ((at = strrchr(lower, '@')) != NULL)
		*at = '\0';
	d = names_domain(&names, at != NULL ? at + 1 : c->who.domain);
	if (d == NULL ? !may_domains(&c->who) : !may_domain(&c->who, d)) {
		answer(c, 501, denied);
		return;
	}
	if (d != NULL)
		a = names_account(d, lower, strlen(lower));
	if (a == NULL || !names_path(d, a, path, sizeof(path)))
		answer(c, 500, "unknown user account");
	else
		answer_val(c, val_string(path + strlen(d->dir) + 1));
}

static void
do_list_domains(struct command *c)
{
	struct domain *d;
	struct val *v;

	if (!need_users(c))
		return;
	v = val_array();
	for (d = names.first; d != NULL; d = d->next)
		val_append(v, val_string(d->name));
	answer_val(c, v);
}

/* Those that say so, beside the domain itself. */
static void
do_list_administered(struct command *c)
{
	struct domain *by = admin_domain(c, 0), *d;
	struct val *v;

	if (by == NULL)
		return;
	v = val_array();
	for (d = names.first; d != NULL; d = d->next)
		if (d != by && administered_by(d, by->name))
			val_append(v, val_string(d->name));
	answer_val(c, v);
}

static void
do_main_domain(struct command *c)
{
	if (need_users(c))
		answer_val(c, val_string(names.main->name));
}

static void
do_get_settings(struct command *c)
{
	struct domain *d = admin_domain(c, 0);
	struct val *v;

	if (d == NULL)
		return;
	v = val_copy(d->settings);
	dict_set(v, "AccountDefaults", NULL);
	answer_val(c, v);
}

static void
do_get_effective(struct command *c)
{
	struct domain *d = admin_domain(c, 0);
	const struct val *x;
	struct val *v;
	size_t i;

	if (d == NULL)
		return;
	v = config_update(NULL, dict_get(merged, "Domain"));
	for (i = 0; i < settings_count; i++)
		if (strcmp(settings_table[i].module, "Domain") == 0 &&
		    (x = settings_value(merged, "Domain",
		    settings_table[i].name)) != NULL)
			dict_set(v, settings_table[i].name, val_copy(x));
	for (i = 0; i < val_count(d->settings); i++)
		dict_set(v, val_key(d->settings, i),
		    val_copy(val_at(d->settings, i)));
	dict_set(v, "AccountDefaults", NULL);
	answer_val(c, v);
}

/* Rights are spelt as in manual 04b, a few settings otherwise. */
static bool
has_right(const struct caller *who, const char *name)
{
	size_t i;

	if (strcasecmp(name, "FailedLoginFlow") == 0)
		name = "FailedLoginFlows";
	for (i = 0; who->rights != NULL && i < val_count(who->rights); i++)
		if (strcasecmp(val_key(who->rights, i), name) == 0)
			return dict_bool(who->rights, val_key(who->rights, i),
			    false);
	return false;
}

/* Of an account: those that have a right, and the basic ones. */
static bool
may_set(const struct caller *who, const char *module, const char *name)
{
	const char *other = settings_right(name);

	if (has_right(who, name))
		return true;
	if (strcmp(module, "Account") != 0)
		return false;
	if (other != NULL)
		return has_right(who, other);
	if (strncasecmp(name, "PSTN", 4) == 0)
		return has_right(who, "PSTNSettings");
	return has_right(who, "BasicSettings") &&
	    (strcmp(name, "Password") == 0 ||
	    settings_find("Account", name) == NULL);
}

/*
 * By the Main Domain's defaults a fellow could come to be let in as the
 * server's administrators, or keep them out.
 */
static bool
is_of_logins(const char *name)
{
	static const char *const settings[] = { "AccessModes",
		"UseAppPassword", "UseSysPassword", "OSUserName",
		"UseExtPassword", "UseCertificateAuth", "RequireAPOP",
		"FailedLoginFlow", "ServiceClass", "ServiceClasses" };
	size_t i;

	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (strcasecmp(settings[i], name) == 0)
			return true;
	return false;
}

/* Domain administrators change what they have the right for, not the rest. */
static struct val *
allowed(const struct command *c, const char *module,
    const struct val *changes)
{
	struct val *v = val_copy(changes);
	size_t i;

	for (i = val_count(v); i > 0 && !may(&c->who, "Users"); i--)
		if (!may_set(&c->who, module, val_key(v, i - 1)))
			dict_set(v, val_key(v, i - 1), NULL);
	return v;
}

/* A class has what it had, and what its maker may give to accounts. */
static struct val *
allowed_class(const struct command *c, const struct val *old,
    const struct val *given)
{
	struct val *v = allowed(c, "Account", given);
	size_t i;

	for (i = 0; i < val_count(old); i++)
		if (!may_set(&c->who, "Account", val_key(old, i)))
			dict_set(v, val_key(old, i), val_copy(val_at(old, i)));
	return v;
}

static struct val *
allowed_defaults(const struct command *c, const struct domain *d,
    const struct val *changes)
{
	const struct val *had = dict_get(dict_get(d->settings,
	    "AccountDefaults"), "ServiceClasses");
	struct val *v = allowed(c, "Account", changes), *classes;
	size_t i;

	if (may(&c->who, "Users"))
		return v;
	for (i = val_count(v); i > 0 && d->main; i--)
		if (is_of_logins(val_key(v, i - 1)))
			dict_set(v, val_key(v, i - 1), NULL);
	classes = dict_get(v, "ServiceClasses");
	for (i = 0; classes != NULL && val_type(classes) == VAL_DICT &&
	    i < val_count(classes); i++)
		dict_set(classes, val_key(classes, i), allowed_class(c,
		    dict_get(had, val_key(classes, i)), val_at(classes, i)));
	return v;
}

static const char *
write_of(const struct domain *d, const char *path, const struct val *new)
{
	if (d->spoiled)			/* it would lose what is in it */
		return "the domain's settings could not be read from the disk: "
		    "see the log";
	return config_write(path, new) == 0 ? NULL :
	    "the settings cannot be written to the disk";
}

/* Takes the new settings. */
static void
store_domain(struct command *c, struct domain *d, struct val *new)
{
	const char *err = config_check("Domain", new, d->settings);
	char *path = xasprintf("%s/Settings/Domain.settings", d->dir);

	if (err == NULL)
		err = config_check_texts("Domain", new, d->settings);
	if (err == NULL)
		err = own_check(d, new);
	if (err == NULL)
		err = write_of(d, path, new);
	if (err == NULL) {
		val_free(d->settings);
		d->settings = new;
		config_apply();
		log_msg(LOG_MAJOR, "domain %s changed by %s", d->name,
		    c->who.account);
	} else
		val_free(new);
	free(path);
	answer_err(c, err);
}

static void
do_update_settings(struct command *c)
{
	struct domain *d = admin_domain(c, 0);
	struct val *changes;

	if (d == NULL)
		return;
	changes = allowed(c, "Domain", arg_val(c, 1, VAL_DICT));
	store_domain(c, d, config_update(d->settings, changes));
	val_free(changes);
}

static void
do_set_settings(struct command *c)
{
	struct val *new, *had;
	struct domain *d;

	if (!need_users(c) || (d = admin_domain(c, 0)) == NULL)
		return;
	new = config_update(NULL, arg_val(c, 1, VAL_DICT));
	/* They have commands of their own. */
	if (dict_get(new, "AccountDefaults") == NULL &&
	    (had = dict_get(d->settings, "AccountDefaults")) != NULL)
		dict_set(new, "AccountDefaults", val_copy(had));
	store_domain(c, d, new);
}

/* A copy; with the password for those who give new ones to accounts. */
static struct val *
shown(const struct command *c, const struct val *settings)
{
	struct val *v = settings != NULL ? val_copy(settings) : val_dict();

	if (!may(&c->who, "Users") && !has_right(&c->who, "BasicSettings"))
		dict_set(v, "Password", NULL);
	return v;
}

static void
do_get_defaults(struct command *c)
{
	struct domain *d = admin_domain(c, 0);

	if (d != NULL)
		answer_val(c, shown(c, dict_get(d->settings,
		    "AccountDefaults")));
}

/* Takes the new defaults. */
static void
store_defaults(struct command *c, struct domain *d, struct val *new)
{
	const char *err = config_check("Account", new,
	    dict_get(d->settings, "AccountDefaults"));
	struct val *whole;

	if (err != NULL) {
		val_free(new);
		answer_err(c, err);
		return;
	}
	whole = val_copy(d->settings);
	dict_set(whole, "AccountDefaults", new);
	store_domain(c, d, whole);
}

static void
do_update_defaults(struct command *c)
{
	struct domain *d = admin_domain(c, 0);
	struct val *changes;

	if (d == NULL)
		return;
	changes = allowed_defaults(c, d, arg_val(c, 1, VAL_DICT));
	store_defaults(c, d, config_update(
	    dict_get(d->settings, "AccountDefaults"), changes));
	val_free(changes);
}

static void
do_set_defaults(struct command *c)
{
	struct domain *d;

	if (need_users(c) && (d = admin_domain(c, 0)) != NULL)
		store_defaults(c, d, config_update(NULL,
		    arg_val(c, 1, VAL_DICT)));
}

static void
do_get_template(struct command *c)
{
	struct domain *d = admin_domain(c, 0);

	if (d != NULL)
		answer_val(c, shown(c, d->template));
}

/* Takes the new template. */
static void
store_template(struct command *c, struct domain *d, struct val *new)
{
	const char *err = config_check("Template", new, d->template);
	char *path = xasprintf("%s/Settings/Template.settings", d->dir);

	if (err == NULL)
		err = write_of(d, path, new);
	if (err == NULL) {
		val_free(d->template);
		d->template = new;
		config_apply();
	} else
		val_free(new);
	free(path);
	answer_err(c, err);
}

static void
do_update_template(struct command *c)
{
	struct domain *d = admin_domain(c, 0);
	struct val *changes;

	if (d == NULL)
		return;
	changes = allowed(c, "Account", arg_val(c, 1, VAL_DICT));
	store_template(c, d, config_update(d->template, changes));
	val_free(changes);
}

static void
do_set_template(struct command *c)
{
	struct domain *d;

	if (need_users(c) && (d = admin_domain(c, 0)) != NULL)
		store_template(c, d, config_update(NULL,
		    arg_val(c, 1, VAL_DICT)));
}

static void
do_get_aliases(struct command *c)
{
	struct domain *d = admin_domain(c, 0);
	struct val *all, *v;
	size_t i;

	if (d == NULL)
		return;
	all = config_aliases();
	v = val_array();
	for (i = 0; i < val_count(all); i++)
		if (strcasecmp(dict_str(all, val_key(all, i), ""),
		    d->main ? "" : d->name) == 0)
			val_append(v, val_string(val_key(all, i)));
	val_free(all);
	answer_val(c, v);
}

/* The Main Domain stands as "" in the file: its name may change. */
static const char *
put_aliases(struct domain *d, const struct val *list)
{
	const char *own = d->main ? "" : d->name, *err = NULL, *text;
	char alias[DOMAIN_MAXLEN + 1];
	struct val *all = config_aliases();
	struct domain *other;
	size_t i;

	for (i = val_count(all); i > 0; i--)
		if (strcasecmp(dict_str(all, val_key(all, i - 1), ""),
		    own) == 0)
			dict_set(all, val_key(all, i - 1), NULL);
	for (i = 0; err == NULL && i < val_count(list); i++) {
		text = val_text(val_at(list, i));
		if (text == NULL ||
		    !name_domain(str_make(text), alias, sizeof(alias)) ||
		    !name_valid_domain(alias)) {
			err = "illegal domain name";
			break;
		}
		other = names_domain(&names, alias);
		if (other != NULL && (other != d ||
		    strcmp(other->name, alias) == 0))
			err = "domain with this name already exists";
		dict_set(all, alias, val_string(own));
	}
	if (err == NULL && config_set_aliases(all) == -1)
		err = "the aliases cannot be written to the disk";
	val_free(all);
	return err;
}

static void
do_set_aliases(struct command *c)
{
	struct domain *d;
	const char *err;

	if (!need_users(c) || (d = admin_domain(c, 0)) == NULL)
		return;
	if ((err = put_aliases(d, arg_val(c, 1, VAL_ARRAY))) == NULL)
		config_apply();
	answer_err(c, err);
}

const struct verb verbs_domain[] = {
	{ "ListAccounts", do_list_accounts },
	{ "GetAccountLocation", do_account_location },
	{ "ListDomains", do_list_domains },
	{ "ListAdminDomains", do_list_administered },
	{ "MainDomainName", do_main_domain },
	{ "GetDomainSettings", do_get_settings },
	{ "GetDomainEffectiveSettings", do_get_effective },
	{ "UpdateDomainSettings", do_update_settings },
	{ "SetDomainSettings", do_set_settings },
	{ "GetAccountDefaults", do_get_defaults },
	{ "UpdateAccountDefaults", do_update_defaults },
	{ "SetAccountDefaults", do_set_defaults },
	{ "GetAccountTemplate", do_get_template },
	{ "UpdateAccountTemplate", do_update_template },
	{ "SetAccountTemplate", do_set_template },
	{ "GetDomainAliases", do_get_aliases },
	{ "SetDomainAliases", do_set_aliases },
	{ NULL, NULL }
};
