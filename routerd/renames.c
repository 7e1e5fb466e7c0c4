/*
 * Accounts that are being renamed: authd moves the files, then aliases and
 * members of groups must follow.  A note in Settings/ makes sure that they do,
 * whichever of us dies in between.  Runs in routerd; nothing is written where
 * there are neither aliases nor groups.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "object.h"

static const char note_file[] = "Settings/AccountsRenamed.data";

/* john@x.com = (new@x.com, Domains/x.com/new.macnt); */
static struct val *pending;

static int
write_note(void)
{
	if (val_count(pending) > 0)
		return config_write(note_file, pending);
	/* What is found there once more will do no harm. */
	return unlinkat(proc_basefd(), note_file, 0);
}

static const char *
part(const struct val *v, size_t n)
{
	const char *text = v != NULL && val_type(v) == VAL_ARRAY &&
	    val_count(v) == 2 ? val_text(val_at(v, n)) : NULL;

	return text != NULL ? text : "";
}

int
renames_begin(const struct domain *d, const char *old, const char *new,
    const char *path)
{
	struct val *v;

	if (d->naliases == 0 && map_count(d->groups) == 0)
		return 0;
	if (pending == NULL)
		pending = val_dict();
	v = val_array();
	val_append(v, val_string(new));
	val_append(v, val_string(path));
	dict_set(pending, old, v);
	return write_note();
}

static void
drop(const char *old)
{
	if (dict_get(pending, old) == NULL)
		return;
	dict_set(pending, old, NULL);
	write_note();
}

void
renames_end(const char *old)
{
	char *key = xstrdup(old);	/* it may be the entry's own */

	drop(key);
	free(key);
}

const char *
renames_old(const char *new)
{
	size_t i;

	for (i = 0; pending != NULL && i < val_count(pending); i++)
		if (strcmp(part(val_at(pending, i), 0), new) == 0)
			return val_key(pending, i);
	return NULL;
}

const char *
renames_new(const char *old)
{
	const struct val *v = dict_get(pending, old);

	return v != NULL && faccessat(proc_basefd(), part(v, 1), F_OK, 0) == 0 ?
	    part(v, 0) : NULL;
}

/* After the scan: what is there under the new name alone was renamed. */
void
renames_finish(void)
{
	const char *err, *old, *new;
	char *key;

	pending = val_read_file(proc_basefd(), note_file, &err);
	while (pending != NULL && val_type(pending) == VAL_DICT &&
	    val_count(pending) > 0) {
		old = val_key(pending, 0);
		new = renames_new(old);
		if (new != NULL && !object_account_exists(old) &&
		    object_account_exists(new))
			object_follow(old, new);
		key = xstrdup(old);
		drop(key);
		free(key);
	}
	val_free(pending);
	pending = NULL;
}
