/*
 * Making, moving and removing mailboxes: in an account's worker.  Below the
 * account's directory nothing else has its hands in them meanwhile.
 *
 * account.info goes first where something comes, last where it goes: what it
 * knows of a mailbox that is not there does no harm, as a new one of that name
 * gets a UIDVALIDITY that was never used in the account.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "acl.h"
#include "box.h"
#include "buf.h"
#include "dict.h"
#include "file.h"
#include "folder.h"
#include "folder_int.h"
#include "log.h"
#include "name.h"
#include "quota.h"

const char *const folder_beside[FOLDER_BESIDE] = { ".idx", ".dat", ".torn" };

#define CLASS_CHARS	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" \
			"0123456789.-_"
enum { CLASS_MAX = 64 };

static const char *const classes[] = { "All", "Archive", "Drafts", "Flagged",
	"Junk", "Sent", "Trash" };

const char *
folder_class(const char *class)
{
	size_t i;

	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (strcasecmp(class, classes[i]) == 0)
			return classes[i];
	return "";
}

/* --- paths --- */

char *
folder_path(const char *name, const char *ext)
{
	struct buf b;

	buf_init(&b, 0);
	if (!name_path(&b, name) || !buf_puts(&b, ext))
		fatalx("out of memory");
	return buf_steal(&b);
}

bool
folder_there(struct acct *a, const char *name, const char *ext)
{
	char *path = folder_path(name, ext);
	bool yes = faccessat(a->dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;

	free(path);
	return yes;
}

char *
folder_file(const char *name, const struct box_format *fmt,
    const char *beside)
{
	char *ext = xasprintf("%s%s", fmt->ext, beside);
	char *path = folder_path(name, ext);

	free(ext);
	return path;
}

const struct box_format *
folder_format(struct acct *a, const char *name)
{
	const struct box_format *fmt;
	char *file;

	if ((fmt = box_locate(a, name, &file)) != NULL)
		free(file);
	return fmt;
}

/* Makes the names in a directory durable: "" is the account's own. */
static int
sync_dir(struct acct *a, const char *path)
{
	int fd, ret;

	fd = file_open_beneath(a->dirfd, path[0] != '\0' ? path : ".",
	    O_RDONLY | O_DIRECTORY, 0);
	if (fd == -1)
		return -1;
	ret = fsync(fd);
	close(fd);
	return ret;
}

/* The directory that a mailbox lies in. */
int
folder_sync(struct acct *a, const char *name)
{
	char *path = folder_path(name, ""), *slash = strrchr(path, '/');
	int ret;

	if (slash != NULL)
		*slash = '\0';
	ret = sync_dir(a, slash != NULL ? path : "");
	free(path);
	return ret;
}

/* For the group, too: authd removes it with its account. */
int
folder_mkdir(int dirfd, const char *path)
{
	mode_t old = umask(007);
	int ret = mkdirat(dirfd, path, 0770);

	umask(old);
	return ret;
}

/* The folders that a name lies in; each durable before the next. */
int
folder_make_parents(struct acct *a, const char *name)
{
	char *path = folder_path(name, ""), *slash, *last;
	int ret = 0;

	for (slash = strchr(path, '/'); slash != NULL && ret == 0;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		ret = folder_mkdir(a->dirfd, path);
		if (ret == 0) {
			last = strrchr(path, '/');
			if (last != NULL)
				*last = '\0';
			ret = sync_dir(a, last != NULL ? path : "");
			if (last != NULL)
				*last = '/';
		} else if (errno == EEXIST)
			ret = 0;
		*slash = '/';
	}
	free(path);
	return ret;
}

/* --- account.info --- */

/* One that no mailbox of the account ever had. */
static uint32_t
new_uidvalidity(struct val *root)
{
	uint64_t last = dict_int(root, "UIDValidity", 0), now = time(NULL);
	const struct val *boxes = dict_get(root, "Mailboxes");
	size_t i, n = boxes != NULL ? val_count(boxes) : 0;

	for (i = 0; i < n; i++) {
		int64_t v = dict_int(val_at(boxes, i), "UIDValidity", 0);

		if (v > 0 && (uint64_t)v > last)
			last = v;
	}
	if (last >= UINT32_MAX - 1)
		last = 0;
	return last >= now ? last + 1 : now;
}

static int
enter(struct acct *a, const char *name, const char *class)
{
	struct val *root = info_root(&a->info), *d;
	uint32_t v;

	if (root == NULL) {
		errno = EIO;
		return -1;
	}
	v = new_uidvalidity(root);
	/* Nothing of an earlier mailbox of that name. */
	if ((d = info_box(&a->info, name, true)) == NULL ||
	    dict_set(dict_get(root, "Mailboxes"), name, val_dict()) == -1 ||
	    (d = info_box(&a->info, name, true)) == NULL ||
	    dict_setf(root, "UIDValidity", "%u", v) == -1 ||
	    dict_setf(d, "UIDValidity", "%u", v) == -1 ||
	    dict_setf(d, "UIDNext", "%u", 1 + INFO_UIDBLOCK) == -1 ||
	    dict_setf(d, "ModSeq", "%u", 1 + INFO_MODBLOCK) == -1 ||
	    (class[0] != '\0' && dict_setf(d, "Class", "%s", class) == -1) ||
	    acl_inherit(a, name) == -1) {
		errno = ENOMEM;
		return -1;
	}
	return info_save(&a->info);
}

/* --- create --- */

bool
folder_exists(struct acct *a, const char *name)
{
	name = name_canon(name);
	if (strcmp(name, "INBOX") == 0)
		return true;
	return a->single == NULL && name_valid(name) &&
	    folder_format(a, name) != NULL;
}

static int
make_file(struct acct *a, const char *name, const struct box_format *fmt)
{
	char *path;
	size_t i;
	int ret;

	for (i = 0; i < FOLDER_BESIDE; i++) {
		path = folder_file(name, fmt, folder_beside[i]);
		(void)unlinkat(a->dirfd, path, 0);
		free(path);
	}
	path = folder_file(name, fmt, "");
	ret = fmt->make(a->dirfd, path);
	free(path);
	return ret;
}

static int
make_box(struct acct *a, const char *name, const struct box_format *fmt,
    const char *class)
{
	struct box *b;

	if (folder_make_parents(a, name) == -1 || enter(a, name, class) == -1)
		return -1;
	if (make_file(a, name, fmt) == -1 || folder_sync(a, name) == -1 ||
	    (b = box_open(a, name)) == NULL)
		return -1;
	/* Nothing was used yet of what was just reserved. */
	b->idx.head->uidnext = 1;
	b->idx.head->modseq = 1;
	box_close(b);
	return 0;
}

static int
make_bare(struct acct *a, const char *name)
{
	char *path;
	int ret;

	if (folder_make_parents(a, name) == -1)
		return -1;
	path = folder_path(name, ".folder");
	ret = folder_mkdir(a->dirfd, path);
	free(path);
	return ret == 0 ? folder_sync(a, name) : -1;
}

/* A format of another server that we do not have. */
static bool
unknown_format(const char *name)
{
	static const char *const others[] = { ".mslc", ".mb4" };
	const char *dot = strrchr(name, '.');
	size_t i;

	for (i = 0; dot != NULL && i < sizeof(others) / sizeof(others[0]); i++)
		if (dot > name && strcmp(dot, others[i]) == 0)
			return true;
	return false;
}

/*
 * "A/" is a folder, "A.mbox" a format, which stays the account's where none is
 * told.  A name to be freed, or NULL.
 */
static char *
plain_name(const char *given, bool *bare, const struct box_format **fmt)
{
	const struct box_format *told;
	size_t len = strlen(given);
	char *name = strdup(given);

	if (name == NULL)
		return NULL;
	*bare = len > 1 && name[len - 1] == '/';
	if (*bare)
		name[--len] = '\0';
	else if ((told = box_format_of(name, &len)) != NULL) {
		*fmt = told;
		name[len] = '\0';
	}
	if (unknown_format(name)) {
		errno = ENOTSUP;
		free(name);
		return NULL;
	}
	if (name_valid(name))
		return name;
	errno = EINVAL;
	free(name);
	return NULL;
}

int
folder_create(struct acct *a, const char *given, const char *class)
{
	const struct box_format *fmt = a->format;
	char *name;
	bool bare;
	int ret = -1, err;

	if (class == NULL)
		class = "";
	if (a->single != NULL) {
		errno = EPERM;
		return -1;
	}
	if (class[0] != '\0' && folder_class(class)[0] == '\0') {
		errno = ENOTSUP;
		return -1;
	}
	if ((name = plain_name(given, &bare, &fmt)) == NULL)
		return -1;
	if (!bare && folder_exists(a, name))
		errno = EEXIST;
	else if (bare || quota_mailbox_room(a) == 0)
		ret = bare ? make_bare(a, name)
			   : make_box(a, name, fmt, folder_class(class));
	err = errno;
	if (ret == 0)
		log_as(LOG_LOW, "ACCOUNT", "mailbox %s created", given);
	free(name);
	errno = err;
	return ret;
}

/* --- delete --- */

static int
check_name(struct acct *a, const char *name)
{
	if (!name_valid(name))
		errno = EINVAL;
	else if (a->single != NULL || strcmp(name_canon(name), "INBOX") == 0)
		errno = EPERM;
	else
		return 0;
	return -1;
}

static int
remove_bare(struct acct *a, const char *name)
{
	char *path = folder_path(name, ".folder");
	int ret = unlinkat(a->dirfd, path, AT_REMOVEDIR);

	free(path);
	return ret == 0 ? folder_sync(a, name) : -1;
}

/* Itself last. */
static int
remove_files(struct acct *a, const char *name, const struct box_format *fmt)
{
	char *path;
	size_t i;
	int ret = 0;

	for (i = 0; i < FOLDER_BESIDE && ret == 0; i++) {
		path = folder_file(name, fmt, folder_beside[i]);
		ret = unlinkat(a->dirfd, path, 0);
		if (ret == -1 && errno == ENOENT)
			ret = 0;
		free(path);
	}
	if (ret == -1)
		return -1;
	path = folder_file(name, fmt, "");
	ret = fmt->remove(a->dirfd, path);
	free(path);
	return ret;
}

int
folder_delete(struct acct *a, const char *name)
{
	const struct box_format *fmt;
	struct val *boxes;
	struct box *b;
	char *path;

	if (check_name(a, name) == -1)
		return -1;
	if ((fmt = folder_format(a, name)) == NULL)
		return remove_bare(a, name);
	quota_touch(a);
	if ((b = box_find_open(a, name)) != NULL)
		box_forsake(b);
	if (remove_files(a, name, fmt) == -1 || folder_sync(a, name) == -1)
		return -1;
	path = folder_path(name, ".folder");
	(void)unlinkat(a->dirfd, path, AT_REMOVEDIR);
	free(path);
	quota_removed(a, name);
	/* On disk when something else is written there. */
	boxes = dict_get(info_root(&a->info), "Mailboxes");
	if (boxes != NULL)
		(void)dict_set(boxes, name, NULL);
	log_as(LOG_LOW, "ACCOUNT", "mailbox %s removed", name);
	return 0;
}

/* --- subscription and class --- */

static int
subscribe(struct val *root, const char *name, bool on)
{
	const struct val *old = dict_get(root, "Subscription");
	size_t i, n = old != NULL && val_type(old) == VAL_ARRAY ?
	    val_count(old) : 0;
	struct val *v = val_array();
	bool failed = v == NULL;
	const char *s;

	for (i = 0; i < n && !failed; i++)
		if ((s = val_text(val_at(old, i))) != NULL &&
		    strcmp(s, name) != 0)
			failed = val_append(v, val_string(s)) == -1;
	if (!failed && on)
		failed = val_append(v, val_string(name)) == -1;
	if (failed || dict_set(root, "Subscription", v) == -1) {
		if (failed)
			val_free(v);
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

static bool
subscribed(const struct val *root, const char *name)
{
	const struct val *v = dict_get(root, "Subscription");
	size_t i;

	if (v == NULL || val_type(v) != VAL_ARRAY)
		return false;
	for (i = 0; i < val_count(v); i++)
		if (val_text(val_at(v, i)) != NULL &&
		    strcmp(val_text(val_at(v, i)), name) == 0)
			return true;
	return false;
}

int
folder_subscribe(struct acct *a, const char *name, bool on)
{
	struct val *root = info_root(&a->info);

	name = name_canon(name);
	/* Of others: ~account/name. */
	if (!name_valid(name[0] == '~' && name[1] != '\0' ? name + 1 : name)) {
		errno = EINVAL;
		return -1;
	}
	if (root == NULL) {
		errno = EIO;
		return -1;
	}
	if (subscribed(root, name) == on)
		return 0;
	if (subscribe(root, name, on) == -1)
		return -1;
	return info_save(&a->info);
}

int
folder_set_class(struct acct *a, const char *name, const char *class)
{
	const char *known = folder_class(class);
	size_t n = strspn(class, CLASS_CHARS);
	struct val *d;

	name = name_canon(name);
	if (n > CLASS_MAX || class[n] != '\0') {
		errno = EINVAL;
		return -1;
	}
	if (!folder_exists(a, name)) {
		errno = ENOENT;
		return -1;
	}
	if ((d = info_box(&a->info, name, true)) == NULL ||
	    (class[0] != '\0' ?
		dict_setf(d, "Class", "%s", known[0] != '\0' ? known : class) :
		dict_set(d, "Class", NULL)) == -1) {
		errno = ENOMEM;
		return -1;
	}
	return info_save(&a->info);
}
