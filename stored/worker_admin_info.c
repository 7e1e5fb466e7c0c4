/*
 * What account.info knows beside mailboxes: subscription, aliases of
 * mailboxes, # elements, statistics.  In the account's worker.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "box.h"
#include "name.h"
#include "quota.h"
#include "rfc5322.h"
#include "stat.h"
#include "worker.h"
#include "worker_admin.h"

enum { MAX_NAMES = 10000 };

/* One's own, or another account's: "~boss/INBOX". */
static bool
reachable(const char *name)
{
	return name != NULL && name_valid(name[0] == '~' && name[1] != '\0' ?
	    name + 1 : name);
}

/* A copy of what stands at a key, or an empty one. */
static void
get(struct wadmin *w, const char *key, enum val_type type)
{
	struct val *root = wadmin_info(w);
	const struct val *v = dict_get(root, key);

	if (root == NULL)
		return;
	if (v != NULL && val_type(v) == type)
		w->data = val_copy(v);
	else
		w->data = type == VAL_DICT ? val_dict() : val_array();
}

static void
set(struct wadmin *w, const char *key, const struct val *v)
{
	struct val *root = wadmin_info(w);

	if (root == NULL)
		return;
	if (dict_set(root, key, val_count(v) > 0 ? val_copy(v) : NULL) == -1)
		wadmin_errno(w);
	else
		wadmin_save(w);
}

static void
get_subscription(struct wadmin *w)
{
	get(w, "Subscription", VAL_ARRAY);
}

static void
set_subscription(struct wadmin *w)
{
	const struct val *v = wadmin_val(w, 1, VAL_ARRAY);
	size_t i;

	if (v == NULL || val_count(v) > MAX_NAMES) {
		wadmin_no(w, "not a list of mailboxes");
		return;
	}
	for (i = 0; i < val_count(v); i++)
		if (!reachable(val_text(val_at(v, i)))) {
			wadmin_no(w, "illegal mailbox name");
			return;
		}
	set(w, "Subscription", v);
}

static void
get_aliases(struct wadmin *w)
{
	get(w, "Aliases", VAL_DICT);
}

static void
set_aliases(struct wadmin *w)
{
	const struct val *v = wadmin_val(w, 1, VAL_DICT);
	size_t i;

	if (v == NULL || val_count(v) > MAX_NAMES) {
		wadmin_no(w, "not a dictionary of names");
		return;
	}
	for (i = 0; i < val_count(v); i++)
		if (!name_valid(val_key(v, i)) ||
		    !reachable(val_text(val_at(v, i)))) {
			wadmin_no(w, "illegal mailbox name");
			return;
		}
	set(w, "Aliases", v);
}

/*
 * Elements other than mailboxes' have a # before their names in the file.  One
 * is not in it, as it would be out of date.
 */
static struct val *
elements(struct wadmin *w)
{
	const struct val *root = wadmin_info(w);
	struct quota_usage u;
	struct val *d;
	size_t i;

	if (root == NULL || (d = val_dict()) == NULL)
		return NULL;
	for (i = 0; i < val_count(root); i++)
		if (val_key(root, i)[0] == '#')
			dict_set(d, val_key(root, i) + 1,
			    val_copy(val_at(root, i)));
	if (quota_usage(w->acct, &u) == 0)
		dict_setf(d, "StorageUsed", "%llu",
		    (unsigned long long)u.bytes);
	return d;
}

/* One, some, or all. */
static void
get_info(struct wadmin *w)
{
	const struct val *keys = wadmin_val(w, 2, VAL_ARRAY), *v;
	const char *key = wadmin_text(w, 1);
	struct val *all;
	size_t i;

	login_noted(w->acct);
	if ((all = elements(w)) == NULL)
		return;
	if (*key != '\0') {
		v = dict_get(all, key);
		w->data = v != NULL ? val_copy(v) : val_string("");
	} else if (keys != NULL && val_count(keys) > 0) {
		w->data = val_dict();
		for (i = 0; i < val_count(keys); i++)
			if ((key = val_text(val_at(keys, i))) != NULL &&
			    (v = dict_get(all, key)) != NULL)
				dict_set(w->data, key, val_copy(v));
	} else
		w->data = val_copy(all);
	val_free(all);
}

static void
get_stat(struct wadmin *w)
{
	struct val *root = wadmin_info(w);
	const char *key = wadmin_text(w, 1);
	const struct val *stat, *v;

	if (root == NULL)
		return;
	(void)stat_note(w->acct);
	stat = dict_get(root, "#Stat");
	if (*key == '\0')
		w->data = stat != NULL ? val_copy(stat) : val_dict();
	else {
		v = dict_get(stat, key);
		w->data = v != NULL ? val_copy(v) : val_string("");
	}
}

static void
reset_stat(struct wadmin *w)
{
	struct val *root = wadmin_info(w), *stat;
	const char *key = wadmin_text(w, 1);
	char when[32];
	int ret = 0;

	if (root == NULL || stat_note(w->acct) == -1)
		return;
	stat = dict_get(root, "#Stat");
	if (*key == '\0') {
		date_queue(when, sizeof(when), time(NULL));
		ret = dict_set(root, "#Stat", val_dict());
		if (ret == 0)
			ret = dict_setf(dict_get(root, "#Stat"), "StatReset",
			    "%s", when);
	} else if (stat != NULL)
		ret = dict_set(stat, key, NULL);
	if (ret == -1)
		wadmin_no(w, "out of memory");
	else
		wadmin_save(w);
}

const struct wadmin_verb wadmin_info_verbs[] = {
	{ "GetAccountSubscription", get_subscription },
	{ "SetAccountSubscription", set_subscription },
	{ "GetMailboxAliases", get_aliases },
	{ "SetMailboxAliases", set_aliases },
	{ "GetAccountInfo", get_info },
	{ "GetAccountStat", get_stat },
	{ "ResetAccountStat", reset_stat },
	{ NULL, NULL }
};
