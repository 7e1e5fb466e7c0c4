/*
 * Aliases.data and Forwarders.data of a domain's Settings (manual 25): one
 * dictionary each, from a name to what it stands for.  Runs in routerd, their
 * only writer.  A change is on the disk before anybody can meet it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "object.h"

static const char *
file_of(enum account_type kind)
{
	return kind == NAME_ALIAS ? "Aliases" : "Forwarders";
}

static char *
path_of(const struct domain *d, enum account_type kind)
{
	return xasprintf("%s/Settings/%s.data", d->dir, file_of(kind));
}

static void
load_pair(struct domain *d, enum account_type kind, const char *key,
    const char *text)
{
	char name[NAME_MAXLEN + 1];

	if (text == NULL || *text == '\0' ||
	    !name_lower(str_make(key), name, sizeof(name)) ||
	    !name_valid_account(name) ||
	    names_add(&names, d, name, "", text, kind) == NULL)
		log_msg(LOG_PROBLEM, "%s: %s.data: %s: not a name, or taken; "
		    "ignored", d->name, file_of(kind), key);
}

void
pairs_load(struct domain *d, enum account_type kind)
{
	char *path = path_of(d, kind);
	const char *err = NULL;
	struct val *v;
	size_t i;

	v = val_read_file(proc_basefd(), path, &err);
	if (v != NULL && val_type(v) == VAL_DICT) {
		for (i = 0; i < val_count(v); i++)
			load_pair(d, kind, val_key(v, i),
			    val_text(val_at(v, i)));
	} else if (v != NULL || errno != ENOENT) {
		d->unreadable = d->incomplete = true;
		log_msg(LOG_CRASH, "%s: %s; nothing is changed in it", path,
		    v != NULL ? "not a dictionary" : err != NULL ? err :
		    strerror(errno));
	}
	val_free(v);
	free(path);
}

/* What is in memory with the changes in it, in the order of the names. */
static struct val *
changed(const struct domain *d, enum account_type kind,
    const struct val *changes)
{
	const struct account **list;
	struct val *v = val_dict();
	const char *text;
	size_t n, i;

	list = object_list(d, kind, &n);
	for (i = 0; i < n; i++)
		if (dict_get(changes, list[i]->name) == NULL)
			dict_set(v, list[i]->name,
			    val_string(names_more(list[i])));
	free(list);
	for (i = 0; i < val_count(changes); i++) {
		text = val_text(val_at(changes, i));
		if (*text != '\0')
			dict_set(v, val_key(changes, i), val_string(text));
	}
	return v;
}

int
pairs_change(struct domain *d, enum account_type kind,
    const struct val *changes)
{
	struct val *v;
	const char *name, *text;
	char *path;
	size_t i;
	int rv;

	if (val_count(changes) == 0)
		return 0;
	if (d->unreadable)		/* it would lose what is in it */
		return -1;
	v = changed(d, kind, changes);
	path = path_of(d, kind);
	rv = config_write(path, v);
	free(path);
	val_free(v);
	if (rv == -1)
		return -1;
	for (i = 0; i < val_count(changes); i++) {
		name = val_key(changes, i);
		text = val_text(val_at(changes, i));
		names_del(&names, d, name);
		if (*text != '\0' &&
		    names_add(&names, d, name, "", text, kind) == NULL)
			log_msg(LOG_PROBLEM, "%s@%s: out of memory", name,
			    d->name);
	}
	return 0;
}
