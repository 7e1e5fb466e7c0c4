/*
 * A new account's first mailboxes, subscription, aliases and web page: see
 * template.h.  Runs in delivery; the account has no sessions and no mail yet.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "box.h"
#include "buf.h"
#include "dict.h"
#include "file.h"
#include "folder.h"
#include "folder_int.h"
#include "name.h"
#include "rfc5322.h"
#include "template.h"

enum { MAILBOXES_MAX = 1000 };

static const char web_dir[] = "account.web", web_page[] = "default.html";

/* Names that clients make by themselves when they look for such a mailbox. */
static const struct {
	const char	*name, *class;
} known[] = {
	{ "Sent Items",		"Sent" },
	{ "Sent Messages",	"Sent" },
	{ "Deleted Items",	"Trash" },
	{ "Deleted Messages",	"Trash" },
	{ "Spam",		"Junk" }
};

const char *
template_class(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcasecmp(name, known[i].name) == 0)
			return known[i].class;
	return folder_class(name);
}

/* Nothing is in it: no block of UIDs needs to be reserved. */
static int
enter(struct acct *a, const char *name, uint32_t validity)
{
	struct val *d = info_box(&a->info, name, true);
	const char *class = template_class(name);

	if (d == NULL || dict_setf(d, "UIDValidity", "%u", validity) == -1 ||
	    dict_setf(d, "UIDNext", "1") == -1 ||
	    dict_setf(d, "ModSeq", "1") == -1 ||
	    (class[0] != '\0' && dict_setf(d, "Class", "%s", class) == -1)) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

static int
make_file(struct acct *a, const char *name)
{
	char *path;
	int ret;

	if (strchr(name, '/') != NULL && folder_make_parents(a, name) == -1)
		return -1;
	path = folder_file(name, a->format, "");
	ret = a->format->make(a->dirfd, path);
	free(path);
	if (ret == -1)
		return -1;
	return strchr(name, '/') != NULL ? folder_sync(a, name) : 0;
}

static int
make_mailboxes(struct acct *a, const struct val *names)
{
	struct val *root = info_root(&a->info);
	uint32_t validity = (uint32_t)time(NULL);
	const char *name;
	size_t i;

	if (root == NULL)
		return -1;
	for (i = 0; i < val_count(names) && i < MAILBOXES_MAX; i++) {
		name = val_text(val_at(names, i));
		if (name == NULL || !name_valid(name) ||
		    strcmp(name_canon(name), "INBOX") == 0)
			continue;
		/* INBOX has the first. */
		if (enter(a, name, validity + 1 + i) == -1 ||
		    (make_file(a, name) == -1 && errno != EEXIST))
			return -1;
	}
	return i == 0 ? 0 : dict_setf(root, "UIDValidity", "%u",
	    (unsigned)(validity + i));
}

/* A copy under our key, if it is of that type and says anything. */
static int
keep(struct acct *a, const char *key, const struct val *v, enum val_type type)
{
	struct val *root = info_root(&a->info);

	if (v == NULL || val_type(v) != type || val_count(v) == 0)
		return 0;
	if (root != NULL && dict_set(root, key, val_copy(v)) == 0)
		return 0;
	errno = ENOMEM;
	return -1;
}

static int
make_page(struct acct *a, const char *text)
{
	int dir, fd, ret = -1;

	if (folder_mkdir(a->dirfd, web_dir) == -1 && errno != EEXIST)
		return -1;
	dir = file_open_beneath(a->dirfd, web_dir, O_RDONLY | O_DIRECTORY, 0);
	if (dir == -1)
		return -1;
	fd = file_open_beneath(dir, web_page, O_WRONLY | O_CREAT | O_TRUNC,
	    0600);
	if (fd != -1) {
		ret = file_write(fd, text, strlen(text));
		if (ret == 0 && !a->info.lazy)
			ret = fsync(fd) == -1 ? -1 : fsync(dir);
		close(fd);
	}
	close(dir);
	return ret;
}

/* Administrators' scripts ask for it, to spare accounts that are new. */
static int
put_created(struct acct *a)
{
	struct val *root = info_root(&a->info);
	char when[32];

	date_queue(when, sizeof(when), time(NULL));
	return root != NULL ? dict_setf(root, "#Created", "%s", when) : -1;
}

int
template_apply(struct acct *a, const struct val *t)
{
	const char *page = dict_str(t, "InitialWebPage", "");

	if (put_created(a) == -1 ||
	    keep(a, "Subscription", dict_get(t, "InitialSubscription"),
		VAL_ARRAY) == -1 ||
	    keep(a, "Aliases", dict_get(t, "InitialMailboxAliases"),
		VAL_DICT) == -1)
		return -1;
	if (a->single != NULL)
		return 0;
	if (make_mailboxes(a, dict_get(t, "InitialMailboxes")) == -1)
		return -1;
	return *page != '\0' ? make_page(a, page) : 0;
}
