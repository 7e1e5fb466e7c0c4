/*
 * What aliases, forwarders and groups have in common: names that must be
 * free, and who may make them.  Runs in routerd.
 */
#include <stdlib.h>
#include <string.h>

#include "idn.h"
#include "log.h"
#include "object.h"

/* Virtual ones of mail to all must not be hidden by real ones. */
static bool
is_taken_by_all(const struct domain *d, const char *name)
{
	return d->toall != TOALL_NOBODY && (strcmp(name, "all") == 0 ||
	    (d->main && strcmp(name, "alldomains") == 0));
}

const char *
object_new_name(const struct domain *d, const char *name)
{
	if (!name_valid_account(name) || !utf8_valid(str_make(name)))
		return "illegal object name";
	if (d->moving)
		return "the domain is being renamed or removed";
	if (is_taken_by_all(d, name))
		return "this name is for mail to all accounts";
	if (names_find(d, name, strlen(name)) != NULL)
		return "an object with this name already exists";
	if (group_has_file(d, name))
		return "a group of this name is there, but could not be read: "
		    "see the log";
	return NULL;
}

bool
object_may(struct command *c, const struct domain *d, const char *right)
{
	if (may_domains(&c->who) || (may_domain(&c->who, d) &&
	    (right == NULL || may(&c->who, right))))
		return true;
	answer(c, 501, "you have no right to do that");
	return false;
}

struct domain *
object_domain(struct command *c, size_t n, char *name, size_t size)
{
	char lower[NAME_MAXLEN + DOMAIN_MAXLEN + 2], *at;
	struct domain *d;

	if (!name_lower(str_make(arg_text(c, n)), lower, sizeof(lower))) {
		answer(c, 501, "illegal object name");
		return NULL;
	}
	if ((at = strrchr(lower, '@')) != NULL)
		*at = '\0';
	if (!str_copy(str_make(lower), name, size)) {
		answer(c, 501, "illegal object name");
		return NULL;
	}
	d = names_domain(&names, at != NULL && at[1] != '\0' ? at + 1 :
	    c->who.domain);
	if (d != NULL && may_domain(&c->who, d))
		return d;
	answer(c, 501, d == NULL && may(&c->who, "Users") ?
	    "unknown domain" : "you have no right to do that");
	return NULL;
}

struct account *
object_find(struct command *c, enum account_type kind, struct domain **d)
{
	char name[NAME_MAXLEN + 1];
	struct account *a;

	if ((*d = object_domain(c, 0, name, sizeof(name))) == NULL)
		return NULL;
	a = names_find(*d, name, strlen(name));
	if (a != NULL && names_kind(a) == kind)
		return a;
	answer(c, 501, kind == NAME_GROUP ? "unknown group" :
	    "unknown forwarder");
	return NULL;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp((*(const struct account *const *)a)->name,
	    (*(const struct account *const *)b)->name);
}

const struct account **
object_list(const struct domain *d, enum account_type kind, size_t *n)
{
	const struct account **list, *a;
	size_t i = 0;

	*n = 0;
	list = xcalloc(d->accounts.used - d->naccounts + 1, sizeof(*list));
	while ((a = names_next(d, &i)) != NULL)
		if (names_kind(a) == kind)
			list[(*n)++] = a;
	qsort(list, *n, sizeof(*list), by_name);
	return list;
}

void
answer_names(struct command *c, enum account_type kind)
{
	struct domain *d = admin_domain(c, 0);
	const struct account **list;
	struct val *v;
	size_t n, i;

	if (d == NULL)
		return;
	v = val_array();
	list = object_list(d, kind, &n);
	for (i = 0; i < n; i++)
		val_append(v, val_string(list[i]->name));
	free(list);
	answer_val(c, v);
}

/* "john@x.com", or "john" of the Main Domain. */
struct domain *
object_split(const char *full, char *name, size_t size)
{
	char lower[NAME_MAXLEN + DOMAIN_MAXLEN + 2], *at;

	if (!name_lower(str_make(full), lower, sizeof(lower)))
		return NULL;
	if ((at = strrchr(lower, '@')) != NULL)
		*at = '\0';
	if (!str_copy(str_make(lower), name, size))
		return NULL;
	return at == NULL || at[1] == '\0' ? names.main :
					     names_domain(&names, at + 1);
}

bool
object_account_exists(const char *full)
{
	char name[NAME_MAXLEN + 1];
	const struct domain *d = object_split(full, name, sizeof(name));
	const struct account *a = d == NULL ? NULL :
	    names_find(d, name, strlen(name));

	return a != NULL && names_is_account(a) && !a->reserved;
}

/*
 * Aliases go along within a domain; in another one they would be strangers'
 * names.  Members of groups are who they were, wherever they went.
 */
void
object_follow(const char *old, const char *new)
{
	char from[NAME_MAXLEN + 1], to[NAME_MAXLEN + 1];
	struct domain *was = object_split(old, from, sizeof(from));
	const struct domain *d = object_split(new, to, sizeof(to));

	if (was == NULL)
		return;
	alias_follow(was, from, d == was ? to : "");
	group_follow(was, from, d == was ? to : new);
}
