/*
 * A mailbox under another name, with all that lies below it: in an account's
 * worker.  What account.info knows stands there under both names before the
 * first file moves, so that a kill loses no UIDs whichever name it has then.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "buf.h"
#include "copy.h"
#include "dict.h"
#include "folder.h"
#include "folder_int.h"
#include "log.h"
#include "name.h"
#include "quota.h"

/*
 * The name of what lies at (or, unless it goes alone, below) from, once it is
 * to; NULL: elsewhere.
 */
static char *
moved(const char *name, const char *from, const char *to, bool alone)
{
	size_t n = strlen(from);

	if (strncmp(name, from, n) != 0 || strchr("/", name[n]) == NULL ||
	    (alone && name[n] != '\0'))
		return NULL;
	return xasprintf("%s%s", to, name + n);
}

/* Enters what is known under from, under to as well. */
static int
double_entries(struct acct *a, const char *from, const char *to, bool alone)
{
	struct val *boxes = dict_get(info_root(&a->info), "Mailboxes");
	size_t i, n = boxes != NULL ? val_count(boxes) : 0, k, found = 0;
	struct { char *name; struct val *v; } *add;
	char *name;
	int ret = 0;

	if ((add = calloc(n + 1, sizeof(*add))) == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		name = moved(val_key(boxes, i), from, to, alone);
		if (name == NULL)
			continue;
		add[found].name = name;
		add[found++].v = val_copy(val_at(boxes, i));
	}
	/* What is left of an earlier mailbox of that name is not this one's. */
	if (boxes != NULL)
		(void)dict_set(boxes, to, NULL);
	for (k = 0; k < found; k++) {
		if (add[k].v == NULL ||
		    dict_set(boxes, add[k].name, add[k].v) == -1)
			ret = -1;
		free(add[k].name);
	}
	free(add);
	if (ret == -1) {
		errno = ENOMEM;
		return -1;
	}
	return found > 0 ? info_save(&a->info) : 0;
}

static int
drop_entries(struct acct *a, const char *from, bool alone)
{
	struct val *boxes = dict_get(info_root(&a->info), "Mailboxes");
	size_t i = boxes != NULL ? val_count(boxes) : 0;
	char *name;

	while (i-- > 0) {
		name = moved(val_key(boxes, i), from, "", alone);
		if (name == NULL)
			continue;
		free(name);
		name = xstrdup(val_key(boxes, i));
		(void)dict_set(boxes, name, NULL);
		free(name);
	}
	return boxes != NULL ? info_save(&a->info) : 0;
}

/* Open boxes go along: their files are the same ones. */
static void
rename_open(struct acct *a, const char *from, const char *to, bool alone)
{
	struct box *b;
	char *name;

	for (b = a->boxes; b != NULL; b = b->next) {
		if ((name = moved(b->name, from, to, alone)) == NULL)
			continue;
		free(b->name);
		b->name = name;
		free(b->file);
		b->file = folder_file(name, b->fmt, "");
		b->revision++;
	}
}

static int
rename_one(struct acct *a, const char *from, const char *to, const char *ext,
    bool needed)
{
	char *p = folder_path(from, ext), *q = folder_path(to, ext);
	int ret;

	if (!needed)
		(void)unlinkat(a->dirfd, q, 0);
	/* Never over another mailbox. */
	ret = renameat2(a->dirfd, p, a->dirfd, q, RENAME_NOREPLACE);
	if (ret == -1 && errno == ENOENT && !needed)
		ret = 0;
	free(p);
	free(q);
	return ret;
}

static int
rename_box(struct acct *a, const char *from, const char *to,
    const struct box_format *fmt)
{
	char *ext;
	size_t i;
	int ret = 0;

	for (i = 0; i < FOLDER_BESIDE && ret == 0; i++) {
		ext = xasprintf("%s%s", fmt->ext, folder_beside[i]);
		ret = rename_one(a, from, to, ext, false);
		free(ext);
	}
	return ret == 0 ? rename_one(a, from, to, fmt->ext, true) : -1;
}

/* fmt: NULL if there is only what is below it. */
static int
rename_files(struct acct *a, const char *from, const char *to,
    const struct box_format *fmt, bool bare)
{
	if (fmt != NULL && rename_box(a, from, to, fmt) == -1)
		return -1;
	if (bare && rename_one(a, from, to, ".folder", true) == -1)
		return -1;
	return 0;
}

/* All its messages into a new mailbox; itself stays, and so its children. */
static int
rename_inbox(struct acct *a, const char *to)
{
	uint32_t *uids = NULL, *newuids = NULL, i, n = 0;
	struct box *in = box_open(a, "INBOX"), *out = NULL;
	int ret = -1, err;

	if (in == NULL || box_refresh(in) == -1 ||
	    folder_create(a, to, NULL) == -1 || (out = box_open(a, to)) == NULL)
		goto done;
	n = box_count(in);
	uids = calloc(n + 1, sizeof(*uids));
	newuids = calloc(n + 1, sizeof(*newuids));
	if (uids == NULL || newuids == NULL)
		goto done;
	for (i = 0; i < n; i++)
		uids[i] = box_rec(in, i)->uid;
	ret = copy_messages(in, uids, n, out, newuids);
	if (ret == 0)
		ret = box_expunge(in, uids, n);
done:
	err = errno;
	if (out != NULL)
		box_close(out);
	if (in != NULL)
		box_close(in);
	free(uids);
	free(newuids);
	errno = err;
	return ret;
}

static int
check(struct acct *a, const char *from, const char *to, bool alone,
    const struct box_format **fmt, bool *bare)
{
	char *below;

	if (a->single != NULL)
		errno = EPERM;
	else if (!name_valid(from) || !name_valid(to))
		errno = EINVAL;
	else if ((below = moved(to, from, "", alone)) != NULL) {
		errno = below[0] == '\0' ? EEXIST : EINVAL;
		free(below);
	} else if (folder_exists(a, to))
		errno = EEXIST;
	else {
		*fmt = folder_format(a, from);
		*bare = !alone && folder_there(a, from, ".folder");
		if (*fmt == NULL && !*bare)
			errno = ENOENT;
		else if (*bare && folder_there(a, to, ".folder"))
			errno = EEXIST;
		else
			return 0;
	}
	return -1;
}

static int
rename_unlogged(struct acct *a, const char *from, const char *to, bool alone)
{
	const struct box_format *fmt;
	bool bare;
	int ret = -1;

	from = name_canon(from);
	quota_touch(a);
	quota_forget(a);
	if (check(a, from, to, alone, &fmt, &bare) == -1)
		return -1;
	if (strcmp(from, "INBOX") == 0)
		return rename_inbox(a, to);
	if (folder_make_parents(a, to) == 0 &&
	    double_entries(a, from, to, alone) == 0 &&
	    rename_files(a, from, to, fmt, bare) == 0 &&
	    folder_sync(a, to) == 0 && folder_sync(a, from) == 0)
		ret = 0;
	if (ret == -1)
		return -1;
	rename_open(a, from, to, alone);
	return drop_entries(a, from, alone);
}

static int
rename_folder(struct acct *a, const char *from, const char *to, bool alone)
{
	if (rename_unlogged(a, from, to, alone) == -1)
		return -1;
	log_as(LOG_LOW, "ACCOUNT", "mailbox %s renamed into %s", from, to);
	return 0;
}

int
folder_rename(struct acct *a, const char *from, const char *to)
{
	return rename_folder(a, from, to, false);
}

int
folder_rename_alone(struct acct *a, const char *from, const char *to)
{
	return rename_folder(a, from, to, true);
}
