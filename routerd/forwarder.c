/*
 * Forwarders (manual 22): a name of a domain that stands for an address, as a
 * Relay: record of the Routing Table would.  Runs in routerd.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "addr.h"
#include "log.h"
#include "object.h"

/* What the Router can take as an address, and Forwarders.data can hold. */
static const char *
check_address(const char *text)
{
	struct buf local, domain;
	const char *err = NULL, *p;

	if (*text == '\0' || strlen(text) > ADDR_MAX)
		return "illegal address";
	for (p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return "illegal address";
	buf_init(&local, 0);
	buf_init(&domain, 0);
	if (addr_route_parse(str_make(text), &local, &domain) == -1)
		err = "illegal address";
	buf_free(&local);
	buf_free(&domain);
	return err;
}

static const char *
change(struct domain *d, const char *name, const char *address)
{
	struct val *changes = val_dict();
	int rv;

	dict_set(changes, name, val_string(address));
	rv = pairs_change(d, NAME_FORWARDER, changes);
	val_free(changes);
	return rv == 0 ? NULL : "the forwarder cannot be written to the disk";
}

static void
do_list(struct command *c)
{
	answer_names(c, NAME_FORWARDER);
}

static void
do_create(struct command *c)
{
	char name[NAME_MAXLEN + 1];
	struct domain *d;
	const char *err;

	if ((d = object_domain(c, 0, name, sizeof(name))) == NULL ||
	    !object_may(c, d, "CanCreateForwarders"))
		return;
	if ((err = object_new_name(d, name)) == NULL &&
	    (err = check_address(arg_text(c, 1))) == NULL &&
	    (err = change(d, name, arg_text(c, 1))) == NULL)
		log_msg(LOG_MAJOR, "forwarder %s@%s created by %s", name,
		    d->name, c->who.account);
	answer_err(c, err);
}

/* In another domain it is there first: for a moment twice, never not at all. */
static const char *
move(struct domain *d, const char *name, struct domain *to,
    const char *newname, const char *address)
{
	struct val *changes;
	const char *err;

	if (d != to)
		return (err = change(to, newname, address)) != NULL ? err :
		    change(d, name, "");
	changes = val_dict();
	dict_set(changes, name, val_string(""));
	dict_set(changes, newname, val_string(address));
	err = pairs_change(d, NAME_FORWARDER, changes) == 0 ? NULL :
	    "the forwarder cannot be written to the disk";
	val_free(changes);
	return err;
}

static void
do_rename(struct command *c)
{
	char name[NAME_MAXLEN + 1], newname[NAME_MAXLEN + 1], *address, *full;
	struct domain *d, *to;
	struct account *a;
	const char *err;

	if ((a = object_find(c, NAME_FORWARDER, &d)) == NULL ||
	    !object_may(c, d, "CanCreateForwarders") ||
	    (to = object_domain(c, 1, newname, sizeof(newname))) == NULL ||
	    !object_may(c, to, "CanCreateForwarders"))
		return;
	str_copy(str_make(a->name), name, sizeof(name));
	address = xstrdup(names_more(a));
	if ((err = object_new_name(to, newname)) == NULL &&
	    (err = move(d, name, to, newname, address)) == NULL) {
		full = xasprintf("%s@%s", newname, to->name);
		group_follow(d, name, d == to ? newname : full);
		log_msg(LOG_MAJOR, "forwarder %s@%s renamed into %s by %s",
		    name, d->name, full, c->who.account);
		free(full);
	}
	free(address);
	answer_err(c, err);
}

/* Those of a domain that lead to an address. */
static void
do_find(struct command *c)
{
	struct domain *d = admin_domain(c, 0);
	const struct account **list;
	struct val *v;
	size_t n, i;

	if (d == NULL)
		return;
	v = val_array();
	list = object_list(d, NAME_FORWARDER, &n);
	for (i = 0; i < n; i++)
		if (strcasecmp(names_more(list[i]), arg_text(c, 1)) == 0)
			val_append(v, val_string(list[i]->name));
	free(list);
	answer_val(c, v);
}

static void
do_delete(struct command *c)
{
	char name[NAME_MAXLEN + 1];
	struct account *a;
	struct domain *d;
	const char *err;

	if ((a = object_find(c, NAME_FORWARDER, &d)) == NULL ||
	    !object_may(c, d, "CanCreateForwarders"))
		return;
	str_copy(str_make(a->name), name, sizeof(name));
	if ((err = change(d, name, "")) == NULL) {
		group_follow(d, name, "");
		log_msg(LOG_MAJOR, "forwarder %s@%s removed by %s", name,
		    d->name, c->who.account);
	}
	answer_err(c, err);
}

static void
do_get(struct command *c)
{
	struct account *a;
	struct domain *d;

	if ((a = object_find(c, NAME_FORWARDER, &d)) != NULL)
		answer_val(c, val_string(names_more(a)));
}

const struct verb verbs_forwarder[] = {
	{ "ListForwarders", do_list },
	{ "CreateForwarder", do_create },
	{ "RenameForwarder", do_rename },
	{ "DeleteForwarder", do_delete },
	{ "FindForwarders", do_find },
	{ "GetForwarder", do_get },
	{ NULL, NULL }
};
