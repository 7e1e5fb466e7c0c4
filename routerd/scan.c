/*
 * What is on disk when the suite starts: domains, accounts, their settings.
 * Runs in routerd, once, inside the walls, before anybody asks.  It only
 * reads, but for leftovers of a domain that was being made.
 */
#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "object.h"

enum { MAXDEPTH = 8 };

static DIR *
open_dir(const char *path)
{
	return file_list(openat(proc_basefd(), path,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/* No links: who opens accounts follows none (manual 18: mount --bind). */
static bool
is_directory(DIR *dir, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_DIR;
	return fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode);
}

/* Should be a directory with accounts, or be one of an account. */
static bool
is_lost(const struct dirent *e)
{
	return path_ends(e->d_name, ".sub") || path_ends(e->d_name, ".macnt") ||
	    (path_ends(e->d_name, ".mdir") && e->d_type == DT_LNK);
}

/* Mail for a name that is not found waits, then. */
static void
lost(struct domain *d, const char *path, const char *name)
{
	log_msg(LOG_CRASH, "%s%s: not a directory that can be read; it is not "
	    "known which accounts %s has", path, name, d->name);
	d->incomplete = true;
}

static void
add_account(struct domain *d, const char *file, size_t len,
    const char *subdir, enum account_type type)
{
	char name[NAME_MAXLEN + 1], disk[NAME_MAXLEN + 1];
	struct str s = { file, len };

	if (!str_copy(s, disk, sizeof(disk)) ||
	    !name_lower(s, name, sizeof(name)) || !name_valid_account(name)) {
		log_msg(LOG_PROBLEM, "%s/%s%s: not an account's name, ignored",
		    d->dir, subdir, file);
		return;
	}
	if (names_add(&names, d, name, subdir, disk, type) == NULL)
		log_msg(LOG_PROBLEM, "%s/%s%s: there is another %s@%s, "
		    "ignored", d->dir, subdir, file, name, d->name);
}

bool
scan_account(struct domain *d, const char *path, const char *file)
{
	char subdir[1025];
	enum account_type type;
	size_t len;

	type = name_type(file, true, &len);
	if (type == ACCOUNT_NONE)
		type = name_type(file, false, &len);
	if (type == ACCOUNT_NONE || !str_copy((struct str){ path,
	    file - path }, subdir, sizeof(subdir)))
		return false;
	add_account(d, file, len, subdir, type);
	return true;
}

static void
scan_accounts(struct domain *d, const char *subdir, int depth)
{
	struct dirent *e;
	enum account_type type;
	char *path, *sub;
	size_t len;
	bool isdir;
	DIR *dir;

	path = xasprintf("%s/%s", d->dir, subdir);
	if ((dir = open_dir(path)) == NULL) {
		log_warn("%s", path);
		lost(d, path, "");
		free(path);
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.' || strcmp(e->d_name, "Settings") == 0)
			continue;
		isdir = is_directory(dir, e);
		len = strlen(e->d_name);
		if (isdir && len > 4 &&
		    strcmp(e->d_name + len - 4, ".sub") == 0) {
			if (depth < MAXDEPTH) {
				sub = xasprintf("%s%s/", subdir, e->d_name);
				scan_accounts(d, sub, depth + 1);
				free(sub);
			}
			continue;
		}
		type = name_type(e->d_name, isdir, &len);
		if (type != ACCOUNT_NONE)
			add_account(d, e->d_name, len, subdir, type);
		else if (!isdir && is_lost(e))
			lost(d, path, e->d_name);
	}
	closedir(dir);
	free(path);
}

/* What cannot be read is nothing, and is not written over. */
static struct val *
read_dict(const char *path, bool *spoiled)
{
	const char *err = NULL;
	struct val *v;

	v = val_read_file(proc_basefd(), path, &err);
	if (v != NULL && val_type(v) == VAL_DICT)
		return v;
	if (v != NULL || errno != ENOENT) {
		*spoiled = true;
		log_msg(LOG_CRASH, "%s: %s; nothing is changed in it", path,
		    v != NULL ? "not a dictionary" : err != NULL ? err :
		    strerror(errno));
	}
	val_free(v);
	return val_dict();
}

void
scan_domain_settings(struct domain *d)
{
	char *path;

	d->unruled = false;
	path = xasprintf("%s/Settings/Domain.settings", d->dir);
	val_free(d->settings);
	d->settings = read_dict(path, &d->unruled);
	free(path);
	d->spoiled = d->unruled;
	path = xasprintf("%s/Settings/Template.settings", d->dir);
	val_free(d->template);
	d->template = read_dict(path, &d->spoiled);
	free(path);
}

/* A domain that was being made or removed when the power went. */
static void
leftover(const char *name)
{
	char *path = xasprintf("Domains/%s", name);

	if (clean_is(name))
		clean_add(path);
	else if (domain_dir_remove(path) == 0)
		log_msg(LOG_PROBLEM, "%s: half made or removed, gone now",
		    path);
	free(path);
}

static void
scan_domain(struct domain *d)
{
	scan_domain_settings(d);
	if (!index_load(d))
		scan_accounts(d, "", 0);
	pairs_load(d, NAME_ALIAS);
	pairs_load(d, NAME_FORWARDER);
	group_load(d);
}

static void
scan_domains(void)
{
	char name[DOMAIN_MAXLEN + 1];
	struct dirent *e;
	struct domain *d;
	DIR *dir;

	if ((dir = open_dir("Domains")) == NULL) {
		if (errno != ENOENT)
			log_warn("Domains");
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0 || !is_directory(dir, e))
			continue;
		if (e->d_name[0] == '.') {
			leftover(e->d_name);
			continue;
		}
		if (!name_lower(str_make(e->d_name), name, sizeof(name)) ||
		    !name_valid_domain(name) ||
		    (d = names_add_domain(&names, name)) == NULL) {
			log_msg(LOG_PROBLEM, "Domains/%s: not a domain's "
			    "name, or there twice; ignored", e->d_name);
			continue;
		}
		if (strcmp(name, e->d_name) != 0) {
			free(d->dir);
			d->dir = xasprintf("Domains/%s", e->d_name);
		}
		scan_domain(d);
	}
	closedir(dir);
}

void
scan_all(void)
{
	scan_domain(names.main);
	scan_domains();
	domain_finish_rename();
	renames_finish();
	log_msg(LOG_MAJOR, "%zu accounts in %zu domains", names.naccounts,
	    names.ndomains);
}
