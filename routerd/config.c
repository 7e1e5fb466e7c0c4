/*
 * Settings/: one file a module.  Runs in routerd, which alone writes them.
 * Files and the pinned blocks of cgserver.conf are merged into the one
 * dictionary that every process gets (config_apply.c).  A change is on disk
 * before anybody is told of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "object.h"
#include "settings.h"

struct val	*merged;
static struct val *files;		/* module to dictionary */

static const char default_table[] =
    "<root> = postmaster\n"
    "localhost =\n"
    "mailhost =\n"
    "<blacklist-admin*@blacklisted> = postmaster\n";

static const char default_aliases[] =
    "<postmaster> = postmaster\n"
    "<abuse> = postmaster\n";

/*
 * Two names of one thing: all accounts' defaults are a part of the domains'
 * default settings (as the vendor has them), and stand in a file with them.
 */
static const struct {
	const char	*module;
	const char	*file;
	const char	*part;		/* of that file's dictionary */
} places[] = {
	{ "Domain", "DomainDefault", NULL },
	{ "Account", "DomainDefault", "AccountDefaults" },
	{ "Template", "DomainDefault", "AccountTemplate" }
};

static const char *
file_of(const char *module, const char **part)
{
	size_t i;

	*part = NULL;
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (strcmp(places[i].module, module) != 0)
			continue;
		*part = places[i].part;
		return places[i].file;
	}
	return module;
}

const char *
config_module(const char *name)
{
	size_t i;

	for (i = 0; i < settings_count; i++)
		if (strcasecmp(settings_table[i].module, name) == 0)
			return settings_table[i].module;
	return NULL;
}

const struct val *
config_file(const char *module)
{
	const char *part, *file = file_of(module, &part);
	const struct val *v = dict_get(files, file);

	if (part != NULL)
		v = dict_get(v, part);
	return v != NULL && val_type(v) == VAL_DICT ? v : NULL;
}

const struct val *
config_pinned(const char *module)
{
	const struct val *v = dict_get(dict_get(proc_conf()->conf, "Pinned"),
	    module);

	return v != NULL && val_type(v) == VAL_DICT ? v : NULL;
}

int
config_write(const char *path, const struct val *v)
{
	/* A template may have a password; a module, one for another server. */
	if (val_write_file_alone(proc_basefd(), path, 0600, v) == 0)
		return 0;
	log_warn("%s", path);
	return -1;
}

static int
write_module(const char *file, const struct val *v)
{
	char *path = xasprintf("Settings/%s.settings", file);
	int rv = config_write(path, v);

	free(path);
	return rv;
}

static void
load_file(const char *file)
{
	char *path = xasprintf("Settings/%s.settings", file);
	const char *err = NULL;
	struct val *v;

	if (dict_get(files, file) != NULL) {
		free(path);
		return;
	}
	v = val_read_file(proc_basefd(), path, &err);
	if (v != NULL && val_type(v) == VAL_DICT)
		dict_set(files, file, v);
	else if (v != NULL || errno != ENOENT) {
		/* Going on without it could open what it closed. */
		fatalx("%s: %s", path, v != NULL ? "not a dictionary" :
		    err != NULL ? err : strerror(errno));
	}
	free(path);
}

/* A new installation's Router: manual 27, and RFC 2142 for all domains. */
static void
new_installation(void)
{
	struct val *v;

	if (dict_get(files, "Router") != NULL)
		return;
	v = val_dict();
	dict_set(v, "Table", val_string(default_table));
	dict_set(v, "AllDomainAliases", val_string(default_aliases));
	write_module("Router", v);
	dict_set(files, "Router", v);
}

void
config_load(void)
{
	const char *part;
	size_t i;

	files = val_dict();
	for (i = 0; i < settings_count; i++)
		load_file(file_of(settings_table[i].module, &part));
	new_installation();
}

struct val *
config_update(const struct val *old, const struct val *changes)
{
	struct val *v = old != NULL ? val_copy(old) : val_dict();
	const struct val *c;
	size_t i;

	for (i = 0; i < val_count(changes); i++) {
		c = val_at(changes, i);
		dict_set(v, val_key(changes, i), settings_is_default(c) ?
		    NULL : val_copy(c));
	}
	return v;
}

bool
config_same(const struct val *a, const struct val *b)
{
	struct buf x, y;
	bool eq;

	if (a == NULL || b == NULL)
		return a == b;
	buf_init(&x, 0);
	buf_init(&y, 0);
	eq = val_write(&x, a, false) && val_write(&y, b, false) &&
	    x.len == y.len && memcmp(x.p, y.p, x.len) == 0;
	buf_free(&x);
	buf_free(&y);
	return eq;
}

/* What stands in its file as a part of it. */
static const char *
check_part(const char *module, const char *key, const struct val *v,
    const struct val *had)
{
	size_t i;

	if (strcmp(module, "Domain") != 0)
		return NULL;
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (places[i].part != NULL && strcmp(places[i].part, key) == 0)
			return val_type(v) != VAL_DICT ?
			    "a dictionary is wanted" :
			    config_check(places[i].module, v, had);
	return NULL;
}

/* Each is a dictionary of an account's settings. */
static const char *
check_classes(const struct val *v, const struct val *had)
{
	const char *wrong = NULL;
	size_t i;

	if (val_type(v) != VAL_DICT)
		return "a dictionary is wanted";
	for (i = 0; i < val_count(v) && wrong == NULL; i++)
		wrong = val_type(val_at(v, i)) != VAL_DICT ?
		    "a class is a dictionary" :
		    config_check("Account", val_at(v, i),
		    dict_get(had, val_key(v, i)));
	return wrong;
}

/* A template has settings of new accounts, too. */
static const struct setting *
find_setting(const char *module, const char *name)
{
	const struct setting *s = settings_find(module, name);

	return s != NULL || strcmp(module, "Template") != 0 ? s :
	    settings_find("Account", name);
}

static const char *
check_one(const char *module, const char *key, const struct val *v,
    const struct val *had)
{
	const struct setting *s = find_setting(module, key);

	if (settings_is_default(v) || config_same(v, had))
		return NULL;
	if (s == NULL)
		return check_part(module, key, v, had);
	if (strcmp(s->name, "ServiceClasses") == 0)
		return check_classes(v, had);
	return settings_check(s, v);
}

const char *
config_check(const char *module, const struct val *v, const struct val *had)
{
	static char text[512];
	const char *key, *wrong;
	size_t i;

	for (i = 0; i < val_count(v); i++) {
		key = val_key(v, i);
		wrong = check_one(module, key, val_at(v, i),
		    dict_get(had, key));
		if (wrong == NULL)
			continue;
		if (wrong != text)
			snprintf(text, sizeof(text), "%.64s: %s", key, wrong);
		return text;
	}
	return NULL;
}

/* Nobody may think that he changed what cgserver.conf holds fast. */
static const char *
check_pinned(const char *module, const struct val *v)
{
	static char text[256];
	const struct val *pins = config_pinned(module), *new;
	const char *key;
	size_t i;

	for (i = 0; pins != NULL && i < val_count(pins); i++) {
		key = val_key(pins, i);
		new = dict_get(v, key);
		if (new == NULL || config_same(new, val_at(pins, i)) ||
		    config_same(new, dict_get(config_file(module), key)))
			continue;
		snprintf(text, sizeof(text), "%.64s is pinned in "
		    "cgserver.conf; change it there", key);
		return text;
	}
	return NULL;
}

/* Files, with the pinned values over them. */
static struct val *
merge_module(const char *module)
{
	const struct val *v = config_file(module), *pins;
	struct val *all = v != NULL ? val_copy(v) : val_dict();
	size_t i;

	pins = config_pinned(module);
	for (i = 0; pins != NULL && i < val_count(pins); i++)
		dict_set(all, val_key(pins, i), val_copy(val_at(pins, i)));
	return all;
}

/*
 * What these settings of Main call the Main Domain; else it is the host's, and
 * false if they call it what no domain is called.
 */
static bool
main_name(const struct val *main, char *lower, size_t size)
{
	const char *name = dict_str(main, "DomainName", "");

	if (*name != '\0' && name_domain(str_make(name), lower, size) &&
	    name_valid_domain(lower))
		return true;
	name_lower(str_make(proc_conf()->hostname), lower, size);
	return *name == '\0';
}

/* The directory decides: two domains never get one name. */
static bool
is_secondary(const char *name)
{
	char *path = xasprintf("Domains/%s", name);
	bool yes = faccessat(proc_basefd(), path, F_OK, 0) == 0;

	free(path);
	return yes;
}

void
config_name_main(void)
{
	char lower[DOMAIN_MAXLEN + 1];
	struct val *main = merge_module("Main");

	(void)main_name(main, lower, sizeof(lower));
	val_free(main);
	if (!is_secondary(lower))
		names_rename_main(&names, lower);
}

/*
 * authd gives rights by the domain's name: were the Main Domain told to be
 * called like another, that one's accounts would have the server's rights.
 */
static const char *
check_main_name(const char *module, const struct val *v)
{
	static char text[DOMAIN_MAXLEN + 64];
	char lower[DOMAIN_MAXLEN + 1];
	struct domain *d;

	if (strcmp(module, "Main") != 0 ||
	    dict_get(config_pinned(module), "DomainName") != NULL ||
	    config_same(dict_get(v, "DomainName"),
		dict_get(config_file(module), "DomainName")))
		return NULL;
	if (!main_name(v, lower, sizeof(lower)))
		return "DomainName: illegal domain name";
	d = names_domain(&names, lower);
	if (d == NULL || strcmp(names.main->name, lower) == 0)
		return NULL;
	snprintf(text, sizeof(text), "DomainName: %s is a domain's name "
	    "already", lower);
	return text;
}

static const char *
check_module(const char *module, const struct val *v)
{
	const struct val *had = config_file(module);
	const char *wrong;

	if ((wrong = check_pinned(module, v)) == NULL &&
	    (wrong = config_check(module, v, had)) == NULL &&
	    (wrong = config_check_texts(module, v, had)) == NULL &&
	    (wrong = check_main_name(module, v)) == NULL &&
	    strcmp(module, "Domain") == 0)
		wrong = own_check_defaults(v, had);
	return wrong;
}

/* Replacing domains' defaults leaves those of accounts as they are. */
static void
keep_parts(const char *file, struct val *v)
{
	const struct val *old = dict_get(files, file), *had;
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (places[i].part != NULL &&
		    strcmp(places[i].file, file) == 0 &&
		    dict_get(v, places[i].part) == NULL &&
		    (had = dict_get(old, places[i].part)) != NULL)
			dict_set(v, places[i].part, val_copy(had));
}

/* Takes the settings; what is set to its default is not among them. */
static const char *
store_module(const char *module, struct val *v)
{
	const char *part, *file = file_of(module, &part), *wrong;
	struct val *whole = v;

	if ((wrong = check_module(module, v)) != NULL) {
		val_free(v);
		return wrong;
	}
	if (part == NULL)
		keep_parts(file, v);
	else {
		whole = dict_get(files, file) != NULL ?
		    val_copy(dict_get(files, file)) : val_dict();
		dict_set(whole, part, v);
	}
	if (write_module(file, whole) == -1) {
		val_free(whole);
		return "the settings cannot be written to the disk";
	}
	dict_set(files, file, whole);
	config_apply();
	return NULL;
}

const char *
config_store(const char *module, const struct val *new)
{
	return store_module(module, config_update(NULL, new));
}

/* What each domain has set for itself; for authd above all. */
static struct val *
merge_domains(void)
{
	struct val *all = val_dict(), *v;
	struct domain *d;

	for (d = names.first; d != NULL; d = d->next) {
		if (val_count(d->settings) + val_count(d->template) == 0)
			continue;
		v = val_copy(d->settings);
		if (val_count(d->template) > 0)
			dict_set(v, "AccountTemplate", val_copy(d->template));
		dict_set(all, d->name, v);
	}
	return all;
}

void
config_merge(void)
{
	const char *module;
	char lower[DOMAIN_MAXLEN + 1];
	struct val *all = val_dict(), *main;
	size_t i;

	for (i = 0; i < settings_count; i++) {
		module = settings_table[i].module;
		if (dict_get(all, module) == NULL)
			dict_set(all, module, merge_module(module));
	}
	if ((main = dict_get(all, "Main")) == NULL)
		dict_set(all, "Main", main = val_dict());
	main_name(main, lower, sizeof(lower));
	names_rename_main(&names, lower);
	/* Everybody is told what it is, not what was wished. */
	dict_set(main, "DomainName", val_string(names.main->name));
	dict_set(all, "Domains", merge_domains());
	val_free(merged);
	merged = all;
	config_merge_aliases();
}
