/*
 * Forwarders (manual 22): a name of a domain that stands for an address, as a
 * Relay: record of the Routing Table would.  Runs in routerd.
 */
#include <stdlib.h>
#include <string.h>

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
	{ "DeleteForwarder", do_delete },
	{ "GetForwarder", do_get },
	{ NULL, NULL }
};
