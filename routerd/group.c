/*
 * Groups (manual 21): a file of settings each, Settings/Groups/NAME.settings
 * of the domain, all of them in memory.  Members are kept as they were
 * written; who they are is found out when a message comes (expand.c).  Runs
 * in routerd.
 */
#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "addr.h"
#include "file.h"
#include "log.h"
#include "object.h"

static const char suffix[] = ".settings";

static char *
dir_of(const struct domain *d)
{
	return xasprintf("%s/Settings/Groups", d->dir);
}

static char *
path_of(const struct domain *d, const char *name)
{
	return xasprintf("%s/Settings/Groups/%s%s", d->dir, name, suffix);
}

const struct val *
group_get(const struct domain *d, const char *name)
{
	return map_get(d->groups, name, strlen(name));
}

/* --- what is on the disk --- */

bool
group_has_file(const struct domain *d, const char *name)
{
	char *path = path_of(d, name);
	struct stat st;
	bool there = fstatat(proc_basefd(), path, &st,
	    AT_SYMLINK_NOFOLLOW) == 0;

	free(path);
	return there;
}

static void
load_one(struct domain *d, const char *file)
{
	size_t len = strlen(file), n = sizeof(suffix) - 1;
	char name[NAME_MAXLEN + 1], *path;
	const char *err = NULL;
	struct val *v;

	if (len <= n || strcmp(file + len - n, suffix) != 0)
		return;
	path = xasprintf("%s/Settings/Groups/%s", d->dir, file);
	v = val_read_file(proc_basefd(), path, &err);
	if (v == NULL || val_type(v) != VAL_DICT) {
		d->incomplete = true;
		log_msg(LOG_CRASH, "%s: not a group's settings; mail for it "
		    "waits", path);
	} else if (!name_lower((struct str){ file, len - n }, name,
	    sizeof(name)) || !name_valid_account(name) ||
	    names_add(&names, d, name, "", name, NAME_GROUP) == NULL)
		log_msg(LOG_CRASH, "%s: there is another %s@%s, ignored",
		    path, file, d->name);
	else {
		map_put(d->groups, name, strlen(name), v);
		v = NULL;
	}
	val_free(v);
	free(path);
}

void
group_load(struct domain *d)
{
	char *path = dir_of(d);
	struct dirent *e;
	DIR *dir;

	dir = file_list(openat(proc_basefd(), path,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (dir == NULL && errno != ENOENT)
		log_warn("%s", path);
	while (dir != NULL && (e = readdir(dir)) != NULL)
		load_one(d, e->d_name);
	if (dir != NULL)
		closedir(dir);
	free(path);
}

/* The first group of a domain needs the directory. */
static int
make_dir(const struct domain *d)
{
	char *path = dir_of(d), *parent;
	int rv = mkdirat(proc_basefd(), path, 0700);

	if (rv == 0) {
		parent = xasprintf("%s/Settings", d->dir);
		rv = dir_sync(parent);
		free(parent);
	} else if (errno == EEXIST)
		rv = 0;
	free(path);
	return rv;
}

/* Takes the settings, in any case. */
static int
store(struct domain *d, const char *name, struct val *v)
{
	char *path = path_of(d, name);
	int rv = -1;

	if (make_dir(d) == 0 && config_write(path, v) == 0) {
		v = map_put(d->groups, name, strlen(name), v);
		rv = 0;
	}
	val_free(v);
	free(path);
	return rv;
}

/* --- members that follow --- */

/* "john" or "john@x.com" of that domain. */
static bool
is_member(const struct domain *d, const char *text, const char *name)
{
	size_t len = strlen(name);

	if (text == NULL || strncasecmp(text, name, len) != 0)
		return false;
	return text[len] == '\0' || (text[len] == '@' &&
	    strcasecmp(text + len + 1, d->name) == 0);
}

/* A copy with that member replaced or left out; NULL: it is none. */
static struct val *
replaced(const struct domain *d, const struct val *group, const char *old,
    const char *new)
{
	const struct val *list = dict_get(group, "Members");
	struct val *v, *members;
	const char *text;
	size_t i, n = 0;

	if (list == NULL || val_type(list) != VAL_ARRAY)
		return NULL;
	for (i = 0; i < val_count(list); i++)
		n += is_member(d, val_text(val_at(list, i)), old);
	if (n == 0)
		return NULL;
	members = val_array();
	for (i = 0; i < val_count(list); i++) {
		text = val_text(val_at(list, i));
		if (!is_member(d, text, old))
			val_append(members, val_copy(val_at(list, i)));
		else if (*new != '\0')
			val_append(members, val_string(new));
	}
	v = val_copy(group);
	dict_set(v, "Members", members);
	return v;
}

void
group_follow(struct domain *d, const char *old, const char *new)
{
	const struct account **list;
	struct val *v;
	size_t n, i;

	if (map_count(d->groups) == 0)
		return;
	list = object_list(d, NAME_GROUP, &n);
	for (i = 0; i < n; i++) {
		v = replaced(d, group_get(d, list[i]->name), old, new);
		if (v != NULL && store(d, list[i]->name, v) == -1)
			log_msg(LOG_CRASH, "group %s@%s: %s is still a "
			    "member", list[i]->name, d->name, old);
	}
	free(list);
}

void
group_follow_domain(struct domain *d, const char *old)
{
	const struct account **list;
	const struct val *members;
	const char *text, *at;
	struct val *v, *new;
	size_t n, i, j;
	bool had;

	list = object_list(d, NAME_GROUP, &n);
	for (i = 0; i < n; i++) {
		members = dict_get(group_get(d, list[i]->name), "Members");
		new = val_array();
		had = false;
		for (j = 0; members != NULL && j < val_count(members); j++) {
			text = val_text(val_at(members, j));
			at = text != NULL ? strrchr(text, '@') : NULL;
			if (at != NULL && strcasecmp(at + 1, old) == 0) {
				/* A name alone is one of this domain. */
				val_append(new, val_bytes(text, at - text));
				had = true;
			} else
				val_append(new, val_copy(val_at(members, j)));
		}
		v = val_copy(group_get(d, list[i]->name));
		dict_set(v, "Members", new);
		if (!had)
			val_free(v);
		else if (store(d, list[i]->name, v) == -1)
			log_msg(LOG_CRASH, "group %s@%s: members are still "
			    "called @%s", list[i]->name, d->name, old);
	}
	free(list);
}

/* --- settings --- */

static const char *
check_member(const struct val *v)
{
	const char *text = val_text(v), *p;
	struct buf local, domain;
	int rv;

	if (text == NULL || *text == '\0' || strlen(text) > ADDR_MAX)
		return "a member is not an address";
	for (p = text; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return "a member is not an address";
	buf_init(&local, 0);
	buf_init(&domain, 0);
	rv = addr_route_parse(str_make(text), &local, &domain);
	buf_free(&local);
	buf_free(&domain);
	return rv == 0 ? NULL : "a member is not an address";
}

static bool
is_switch(const struct val *v)
{
	static const char *const words[] = { "YES", "NO", "true", "false",
		"1", "0" };
	const char *text = val_text(v);
	size_t i;

	for (i = 0; text != NULL && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	return false;
}

/* NULL, or what is wrong with these settings. */
static const char *
group_check(const struct val *group)
{
	static const char *const switches[] = { "Expand", "FinalDelivery",
		"SetReplyTo", "RemoveAuthor", "RemoveToAndCc" };
	const struct val *v;
	const char *err;
	size_t i;

	for (i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
		if ((v = dict_get(group, switches[i])) != NULL &&
		    !is_switch(v))
			return "an option must be YES or NO";
	if ((v = dict_get(group, "RealName")) != NULL && val_text(v) == NULL)
		return "RealName must be a string";
	if ((v = dict_get(group, "Members")) == NULL)
		return NULL;
	if (val_type(v) != VAL_ARRAY)
		return "Members must be an array";
	for (i = 0; i < val_count(v); i++)
		if ((err = check_member(val_at(v, i))) != NULL)
			return err;
	return NULL;
}

/* --- commands --- */

static void
do_list(struct command *c)
{
	answer_names(c, NAME_GROUP);
}

static void
do_create(struct command *c)
{
	const struct val *settings = arg_val(c, 1, VAL_DICT);
	char name[NAME_MAXLEN + 1];
	struct domain *d;
	const char *err;

	if ((d = object_domain(c, 0, name, sizeof(name))) == NULL ||
	    !object_may(c, d, "CanCreateGroups"))
		return;
	if ((err = object_new_name(d, name)) == NULL &&
	    (err = group_check(settings)) == NULL) {
		if (store(d, name, val_copy(settings)) == -1)
			err = "the group cannot be written to the disk";
		else if (names_add(&names, d, name, "", name, NAME_GROUP) ==
		    NULL)
			err = "out of memory";
	}
	if (err == NULL)
		log_msg(LOG_MAJOR, "group %s@%s created by %s", name, d->name,
		    c->who.account);
	answer_err(c, err);
}

static int
move_file(const struct domain *d, const char *name, const struct domain *to,
    const char *newname)
{
	char *from = path_of(d, name), *path = path_of(to, newname);
	char *dir = dir_of(d), *newdir = dir_of(to);
	int rv = -1;

	if (make_dir(to) == 0 && renameat(proc_basefd(), from, proc_basefd(),
	    path) == 0)
		rv = dir_sync(newdir) == -1 || dir_sync(dir) == -1 ? -1 : 0;
	if (rv == -1)
		log_warn("%s", from);
	free(newdir);
	free(dir);
	free(path);
	free(from);
	return rv;
}

static void
do_rename(struct command *c)
{
	char name[NAME_MAXLEN + 1], newname[NAME_MAXLEN + 1];
	char full[NAME_MAXLEN + DOMAIN_MAXLEN + 2];
	struct domain *d, *to;
	struct account *a;
	const char *err;

	if ((a = object_find(c, NAME_GROUP, &d)) == NULL ||
	    !object_may(c, d, "CanCreateGroups") ||
	    (to = object_domain(c, 1, newname, sizeof(newname))) == NULL ||
	    !object_may(c, to, "CanCreateGroups"))
		return;
	str_copy(str_make(a->name), name, sizeof(name));
	if ((err = object_new_name(to, newname)) == NULL &&
	    move_file(d, name, to, newname) == -1)
		err = "the group cannot be renamed on the disk";
	if (err == NULL) {
		map_put(to->groups, newname, strlen(newname),
		    map_del(d->groups, name, strlen(name)));
		names_del(&names, d, name);
		names_add(&names, to, newname, "", newname, NAME_GROUP);
		snprintf(full, sizeof(full), "%s@%s", newname, to->name);
		group_follow(d, name, d == to ? newname : full);
		log_msg(LOG_MAJOR, "group %s@%s renamed into %s@%s by %s",
		    name, d->name, newname, to->name, c->who.account);
	}
	answer_err(c, err);
}

static void
do_delete(struct command *c)
{
	char name[NAME_MAXLEN + 1], *path, *dir;
	struct account *a;
	struct domain *d;
	const char *err = NULL;

	if ((a = object_find(c, NAME_GROUP, &d)) == NULL ||
	    !object_may(c, d, "CanCreateGroups"))
		return;
	str_copy(str_make(a->name), name, sizeof(name));
	path = path_of(d, name);
	dir = dir_of(d);
	if ((unlinkat(proc_basefd(), path, 0) == -1 && errno != ENOENT) ||
	    dir_sync(dir) == -1) {
		log_warn("%s", path);
		err = "the group cannot be removed from the disk";
	} else {
		val_free(map_del(d->groups, name, strlen(name)));
		names_del(&names, d, name);
		group_follow(d, name, "");
		log_msg(LOG_MAJOR, "group %s@%s removed by %s", name, d->name,
		    c->who.account);
	}
	free(dir);
	free(path);
	answer_err(c, err);
}

static void
do_get(struct command *c)
{
	struct account *a;
	struct domain *d;

	if ((a = object_find(c, NAME_GROUP, &d)) != NULL)
		answer_val(c, val_copy(group_get(d, a->name)));
}

static void
do_set(struct command *c)
{
	const struct val *settings = arg_val(c, 1, VAL_DICT);
	struct account *a;
	struct domain *d;
	const char *err;

	if ((a = object_find(c, NAME_GROUP, &d)) == NULL ||
	    !object_may(c, d, "CanCreateGroups"))
		return;
	if ((err = group_check(settings)) == NULL &&
	    store(d, a->name, val_copy(settings)) == -1)
		err = "the group cannot be written to the disk";
	answer_err(c, err);
}

const struct verb verbs_group[] = {
	{ "ListGroups", do_list },
	{ "CreateGroup", do_create },
	{ "RenameGroup", do_rename },
	{ "DeleteGroup", do_delete },
	{ "GetGroup", do_get },
	{ "SetGroup", do_set },
	{ NULL, NULL }
};
