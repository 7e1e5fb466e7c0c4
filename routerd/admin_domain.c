/*
 * Commands over domains: making and removing them, their settings, aliases,
 * and what their accounts start with.  Runs in routerd, which owns the
 * directories; accounts in them are authd's, who is asked to remove them.
 */
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "log.h"
#include "router.h"
#include "settings.h"

static const char denied[] = "you have no right to do that";

static bool
need_users(struct command *c)
{
	if (may(&c->who, "Users"))
		return true;
	answer(c, 501, denied);
	return false;
}

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
	if (d == NULL || !may_domain(&c->who, d)) {
		answer(c, 501, denied);
		return;
	}
	a = names_account(d, lower, strlen(lower));
	if (a == NULL || !names_path(d, a, path, sizeof(path)))
		answer(c, 501, "unknown user account");
	else
		answer_val(c, val_string(path + strlen(d->dir) + 1));
}

static void
do_list_domains(struct command *c)
{
	struct domain *d;
	struct val *v;

	if (!may(&c->who, "DomainsRead") && !need_users(c))
		return;
	v = val_array();
	for (d = names.first; d != NULL; d = d->next)
		val_append(v, val_string(d->name));
	answer_val(c, v);
}

static void
do_main_domain(struct command *c)
{
	if (may(&c->who, "DomainsRead") || need_users(c))
		answer_val(c, val_string(names.main->name));
}

/*
 * A directory that others may make things in: DECISIONS, Ownership.  Its
 * group is another directory's, or its parent's, by Domains' set-group bit.
 */
static int
make_dir(const char *path, mode_t mode, const char *like)
{
	struct stat st;
	int fd, rv = -1;

	if (mkdirat(proc_basefd(), path, 0700) == -1 ||
	    (like != NULL && fstatat(proc_basefd(), like, &st, 0) == -1))
		return -1;
	fd = openat(proc_basefd(), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if ((!proc_conf()->root || like == NULL ||
	    fchown(fd, -1, st.st_gid) == 0) &&
	    fchmod(fd, mode) == 0 && fsync(fd) == 0)
		rv = 0;
	close(fd);
	return rv;
}

static int
sync_dir(const char *path)
{
	int fd = openat(proc_basefd(), path,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rv;

	if (fd == -1)
		return -1;
	rv = fsync(fd);
	close(fd);
	return rv;
}

static void
remove_dir(const char *path)
{
	static const char *const files[] = { "Domain.settings",
		"Template.settings", "Access.settings" };
	char *p;
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		p = xasprintf("%s/Settings/%s", path, files[i]);
		unlinkat(proc_basefd(), p, 0);
		free(p);
	}
	p = xasprintf("%s/Settings", path);
	unlinkat(proc_basefd(), p, AT_REMOVEDIR);
	free(p);
	unlinkat(proc_basefd(), path, AT_REMOVEDIR);
}

/* Under a hidden name first: a domain is there whole, or not at all. */
static int
make_domain(const char *name, const struct val *settings)
{
	char *hidden = xasprintf("Domains/.%s", name);
	char *sub = xasprintf("%s/Settings", hidden);
	char *file = xasprintf("%s/Domain.settings", sub);
	char *path = xasprintf("Domains/%s", name);
	int rv = -1;

	remove_dir(hidden);
	if (make_dir(hidden, 01771, NULL) == 0 &&
	    make_dir(sub, 01770, "Accounts/Settings") == 0 &&
	    config_write(file, settings) == 0 && sync_dir(hidden) == 0 &&
	    renameat(proc_basefd(), hidden, proc_basefd(), path) == 0 &&
	    sync_dir("Domains") == 0)
		rv = 0;
	else {
		log_warn("%s", path);
		remove_dir(hidden);
	}
	free(path);
	free(file);
	free(sub);
	free(hidden);
	return rv;
}

static void
do_create_domain(struct command *c)
{
	char name[DOMAIN_MAXLEN + 1];
	const struct val *settings = arg_val(c, 1, VAL_DICT);
	const char *err = NULL;
	struct domain *d;

	if (!need_users(c))
		return;
	if (!name_lower(str_make(arg_text(c, 0)), name, sizeof(name)) ||
	    !name_valid_domain(name))
		err = "illegal domain name";
	else if (names_domain(&names, name) != NULL)
		err = "domain with this name already exists";
	else if ((err = config_check("Domain", settings)) == NULL &&
	    make_domain(name, settings) == -1)
		err = "the domain cannot be made on the disk";
	if (err == NULL && (d = names_add_domain(&names, name)) != NULL) {
		scan_domain_settings(d);
		config_apply();
		log_msg(LOG_MAJOR, "domain %s created by %s", name,
		    c->who.account);
	}
	answer_err(c, err);
}

/* Removes the domain's aliases, its directory and its name. */
static const char *
remove_domain(struct domain *d)
{
	char *path = xstrdup(d->dir);
	char *hidden = xasprintf("Domains/.%s", d->name);
	struct val *aliases = config_aliases();
	const char *err = NULL;
	bool had = false;
	size_t i;

	for (i = val_count(aliases); i > 0; i--) {
		if (strcasecmp(dict_str(aliases, val_key(aliases, i - 1), ""),
		    d->name) != 0)
			continue;
		dict_set(aliases, val_key(aliases, i - 1), NULL);
		had = true;
	}
	if ((had && config_set_aliases(aliases) == -1) ||
	    renameat(proc_basefd(), path, proc_basefd(), hidden) == -1 ||
	    sync_dir("Domains") == -1) {
		log_warn("%s", path);
		err = "the domain cannot be removed from the disk";
	} else {
		remove_dir(hidden);
		log_msg(LOG_MAJOR, "domain %s removed", d->name);
		names_del_domain(&names, d);
		config_apply();
	}
	val_free(aliases);
	free(hidden);
	free(path);
	return err;
}

/* A domain that goes with its accounts: authd removes them one by one. */
struct removal {
	struct command	 cmd;
	char		*name;
	char		*last;		/* the account asked for last */
};

static void	remove_next(struct removal *);

static void
removal_end(struct removal *r, const char *err)
{
	answer_err(&r->cmd, err);
	free(r->last);
	free(r->name);
	free(r);
}

static void
on_removed(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_admined *m = pkt != NULL ? pkt->m : NULL;
	struct removal *r = arg;

	if (m == NULL)
		removal_end(r, "temporary failure, try again");
	else if (m->code != 0 && m->code != 200)
		removal_end(r, m->text);
	else
		remove_next(r);
}

static void
remove_next(struct removal *r)
{
	struct domain *d = names_domain(&names, r->name);
	struct msg_admin m = { .verb = "DeleteAccount",
		.ticket = { r->cmd.ticket, sizeof(r->cmd.ticket) } };
	struct account *a;
	struct val *args;
	struct buf b;
	size_t i = 0;

	if (d == NULL || (a = names_next(d, &i)) == NULL) {
		removal_end(r, d == NULL ? "unknown domain" :
					   remove_domain(d));
		return;
	}
	if (r->last != NULL && strcmp(r->last, a->name) == 0) {
		removal_end(r, "an account cannot be removed");
		return;
	}
	free(r->last);
	r->last = xstrdup(a->name);
	args = val_array();
	buf_init(&b, 0);
	buf_printf(&b, "%s@%s", a->name, d->name);
	val_append(args, val_bytes(b.p, b.len));
	buf_reset(&b);
	val_write(&b, args, false);
	m.args = b.p;
	ipc_call(proc_peer(PROC_AUTHD), IPC_ADMIN, 0, &m, -1, IPC_TIMEOUT,
	    on_removed, r);
	buf_free(&b);
	val_free(args);
}

static void
do_delete_domain(struct command *c)
{
	struct removal *r;
	struct domain *d;

	if (!need_users(c) || (d = admin_domain(c, 0)) == NULL)
		return;
	if (d->main)
		answer(c, 501, "the Main Domain cannot be removed");
	else if (*arg_text(c, 1) == '\0')
		answer_err(c, d->naccounts > 0 ?
		    "the domain is not empty" : remove_domain(d));
	else {
		r = xcalloc(1, sizeof(*r));
		r->cmd.ref = c->ref;
		memcpy(r->cmd.ticket, c->ticket, sizeof(c->ticket));
		r->name = xstrdup(d->name);
		remove_next(r);
	}
}

static void
do_get_settings(struct command *c)
{
	struct domain *d = admin_domain(c, 0);

	if (d != NULL)
		answer_val(c, val_copy(d->settings));
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
	dict_set(v, "AccountDefaults", NULL);
	for (i = 0; i < settings_count; i++)
		if (strcmp(settings_table[i].module, "Domain") == 0 &&
		    (x = settings_value(merged, "Domain",
		    settings_table[i].name)) != NULL)
			dict_set(v, settings_table[i].name, val_copy(x));
	for (i = 0; i < val_count(d->settings); i++)
		dict_set(v, val_key(d->settings, i),
		    val_copy(val_at(d->settings, i)));
	answer_val(c, v);
}

/* Domain administrators change what they have the right of that name for. */
static struct val *
allowed(const struct command *c, const struct val *changes)
{
	struct val *v = val_copy(changes);
	size_t i;

	for (i = val_count(v); i > 0 && !may(&c->who, "Users"); i--)
		if (!may(&c->who, val_key(v, i - 1)))
			dict_set(v, val_key(v, i - 1), NULL);
	return v;
}

/* Takes the new settings. */
static void
store_domain(struct command *c, struct domain *d, struct val *new)
{
	const char *err = config_check("Domain", new);
	char *path = xasprintf("%s/Settings/Domain.settings", d->dir);

	if (err == NULL && config_write(path, new) == -1)
		err = "the settings cannot be written to the disk";
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
	changes = allowed(c, arg_val(c, 1, VAL_DICT));
	store_domain(c, d, config_update(d->settings, changes));
	val_free(changes);
}

static void
do_set_settings(struct command *c)
{
	struct domain *d;

	if (need_users(c) && (d = admin_domain(c, 0)) != NULL)
		store_domain(c, d, config_update(NULL,
		    arg_val(c, 1, VAL_DICT)));
}

static void
do_get_defaults(struct command *c)
{
	struct domain *d = admin_domain(c, 0);
	const struct val *v;

	if (d == NULL)
		return;
	v = dict_get(d->settings, "AccountDefaults");
	answer_val(c, v != NULL ? val_copy(v) : val_dict());
}

/* Takes the new defaults. */
static void
store_defaults(struct command *c, struct domain *d, struct val *new)
{
	const char *err = config_check("Account", new);
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
	changes = allowed(c, arg_val(c, 1, VAL_DICT));
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
		answer_val(c, val_copy(d->template));
}

/* Takes the new template. */
static void
store_template(struct command *c, struct domain *d, struct val *new)
{
	const char *err = config_check("Account", new);
	char *path = xasprintf("%s/Settings/Template.settings", d->dir);

	if (err == NULL && config_write(path, new) == -1)
		err = "the settings cannot be written to the disk";
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
	changes = allowed(c, arg_val(c, 1, VAL_DICT));
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
		    !name_lower(str_make(text), alias, sizeof(alias)) ||
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

	if (need_users(c) && (d = admin_domain(c, 0)) != NULL)
		answer_err(c, put_aliases(d, arg_val(c, 1, VAL_ARRAY)));
}

const struct verb verbs_domain[] = {
	{ "ListAccounts", do_list_accounts },
	{ "GetAccountLocation", do_account_location },
	{ "ListDomains", do_list_domains },
	{ "MainDomainName", do_main_domain },
	{ "CreateDomain", do_create_domain },
	{ "DeleteDomain", do_delete_domain },
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
