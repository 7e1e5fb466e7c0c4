/*
 * Account aliases: names that mean an account of the same domain.  They move
 * with it when it is renamed, and go when it goes.  Runs in routerd.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "object.h"

static struct val *
alias_list(const struct domain *d, const char *account)
{
	const struct account **list;
	struct val *v = val_array();
	size_t n, i;

	list = object_list(d, NAME_ALIAS, &n);
	for (i = 0; i < n; i++)
		if (strcmp(names_more(list[i]), account) == 0)
			val_append(v, val_string(list[i]->name));
	free(list);
	return v;
}

/*
 * Adds one account's new aliases to the changes.  A name that is another's
 * alias is free if that one gives it up in the same change.
 */
static const char *
add_new(struct domain *d, struct val *changes, const char *account,
    const struct val *list)
{
	char name[NAME_MAXLEN + 1];
	const struct account *old;
	const char *text, *err;
	size_t i;

	for (i = 0; i < val_count(list); i++) {
		text = val_text(val_at(list, i));
		if (text == NULL ||
		    !name_lower(str_make(text), name, sizeof(name)))
			return "illegal alias name";
		old = names_find(d, name, strlen(name));
		text = dict_str(changes, name, NULL);
		if (text != NULL && *text != '\0' &&
		    strcmp(text, account) != 0)
			return "two accounts are given the same alias";
		if (old != NULL && names_kind(old) == NAME_ALIAS &&
		    text != NULL) {
			dict_set(changes, name, val_string(account));
			continue;
		}
		if (text == NULL && (err = object_new_name(d, name)) != NULL)
			return err;
		dict_set(changes, name, val_string(account));
	}
	return NULL;
}

/* All that these accounts (a dictionary's keys) have goes first. */
static struct val *
give_up(const struct domain *d, const struct val *accounts)
{
	const struct account **list;
	struct val *changes = val_dict();
	size_t n, i;

	list = object_list(d, NAME_ALIAS, &n);
	for (i = 0; i < n; i++)
		if (dict_get(accounts, names_more(list[i])) != NULL)
			dict_set(changes, list[i]->name, val_string(""));
	free(list);
	return changes;
}

/* Everybody's: account to array; all or none. */
static const char *
alias_set_many(struct domain *d, const struct val *all)
{
	struct val *changes = give_up(d, all);
	const char *name, *err = NULL;
	struct account *a;
	size_t i;

	for (i = 0; err == NULL && i < val_count(all); i++) {
		name = val_key(all, i);
		a = names_find(d, name, strlen(name));
		if (a == NULL || !names_is_account(a))
			err = "unknown user account";
		else
			err = add_new(d, changes, name, val_at(all, i));
	}
	if (err == NULL && pairs_change(d, NAME_ALIAS, changes) == -1)
		err = "the aliases cannot be written to the disk";
	val_free(changes);
	return err;
}

static const char *
alias_set(struct domain *d, const char *account, const struct val *list)
{
	struct val *all = val_dict();
	const char *err;

	dict_set(all, account, val_copy(list));
	err = alias_set_many(d, all);
	val_free(all);
	return err;
}

void
alias_follow(struct domain *d, const char *old, const char *new)
{
	struct val *changes, *gone;
	size_t i;

	if (d->naliases == 0)
		return;
	gone = val_dict();
	dict_set(gone, old, val_string(""));
	changes = give_up(d, gone);
	for (i = 0; i < val_count(changes); i++) {
		if (*new != '\0')
			dict_set(changes, val_key(changes, i),
			    val_string(new));
		else
			group_follow(d, val_key(changes, i), "");
	}
	if (pairs_change(d, NAME_ALIAS, changes) == -1)
		log_msg(LOG_CRASH, "%s@%s: its aliases are still those of "
		    "its old name", old, d->name);
	val_free(changes);
	val_free(gone);
}

/* --- from authd --- */

static const char *
read_list(struct ipc_pkt *pkt, const char *text, struct val **v)
{
	const char *err = NULL;
	int fd = ipc_take_fd(pkt);

	if (fd == -1)
		*v = val_parse_all(text, strlen(text), &err);
	else {
		*v = val_read_fd(fd, &err);
		close(fd);
	}
	return *v != NULL ? NULL : "the aliases cannot be read";
}

static const char *
set_one(const char *full, const struct val *list)
{
	char lower[NAME_MAXLEN + DOMAIN_MAXLEN + 2], *at;
	struct domain *d;

	if (!name_lower(str_make(full), lower, sizeof(lower)) ||
	    (at = strrchr(lower, '@')) == NULL)
		return "unknown user account";
	*at = '\0';
	if ((d = names_domain(&names, at + 1)) == NULL)
		return "unknown domain";
	return alias_set(d, lower, list);
}

void
on_name_aliases(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_name_aliases *m = pkt->m;
	struct msg_done r = { .text = "" };
	struct ipc_ref ref = ipc_ref(ipc, pkt);
	struct val *v = NULL;
	struct domain *d;
	const char *err;

	if ((err = read_list(pkt, m->aliases, &v)) == NULL) {
		if (*m->many == '\0')
			err = val_type(v) == VAL_ARRAY ? set_one(m->name, v) :
			    "not an array";
		else if ((d = names_domain(&names, m->many)) == NULL)
			err = "unknown domain";
		else
			err = val_type(v) == VAL_DICT ?
			    alias_set_many(d, v) : "not a dictionary";
	}
	val_free(v);
	if (err != NULL) {
		r.code = 1;
		r.text = err;
	}
	ipc_answer(ref, IPC_DONE, &r, -1);
}

/* --- commands --- */

/* The account that the first argument names; NULL: was answered. */
static const struct account *
find_account(struct command *c, struct domain **d)
{
	char name[NAME_MAXLEN + 1];
	const struct account *a;

	if ((*d = object_domain(c, 0, name, sizeof(name))) == NULL)
		return NULL;
	if ((a = names_account(*d, name, strlen(name))) == NULL)
		answer(c, may(&c->who, "Users") ? 500 : 501,
		    "unknown user account");
	return a;
}

static void
do_get(struct command *c)
{
	const struct account *a;
	struct domain *d;

	if ((a = find_account(c, &d)) != NULL)
		answer_val(c, alias_list(d, a->name));
}

const struct verb verbs_alias[] = {
	{ "GetAccountAliases", do_get },
	{ NULL, NULL }
};
