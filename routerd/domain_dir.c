/*
 * The directory of a secondary domain and what routerd keeps in it: made
 * under a hidden name first, so that a domain is there whole or not at all.
 * Runs in routerd; accounts in it are authd's and are never touched.
 */
#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "object.h"
#include "settings.h"

enum { MAXDEPTH = 8 };

int
dir_sync(const char *path)
{
	int fd = openat(proc_basefd(), path,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rv;

	if (fd == -1)
		return -1;
	rv = fsync(fd);
	close(fd);
	return rv;
}

/*
 * Others make things in it, too; set-group and group are the parent's.  A
 * chmod would take the set-group bit away: we are not of that group.
 */
static int
dir_make_shared(const char *path)
{
	mode_t old = umask(0);
	int rv = mkdirat(proc_basefd(), path, 01771);

	umask(old);
	return rv;
}

/* Settings: its group is another directory's. */
static int
make_dir(const char *path, mode_t mode, const char *like)
{
	struct stat st;
	int fd, rv = -1;

	if (mkdirat(proc_basefd(), path, 0700) == -1 ||
	    fstatat(proc_basefd(), like, &st, 0) == -1)
		return -1;
	fd = openat(proc_basefd(), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if ((!proc_conf()->root || fchown(fd, -1, st.st_gid) == 0) &&
	    fchmod(fd, mode) == 0 && fsync(fd) == 0)
		rv = 0;
	close(fd);
	return rv;
}

/* Takes the descriptor.  What is others' stays. */
static void
empty_dir(int fd, int depth)
{
	struct dirent *e;
	DIR *dir = file_list(fd);
	int sub;

	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(dir), e->d_name, 0) == 0)
			continue;
		sub = depth == MAXDEPTH ? -1 : openat(dirfd(dir), e->d_name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub == -1)
			continue;
		empty_dir(sub, depth + 1);
		unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR);
	}
	closedir(dir);
}

/* Takes the descriptor. */
static bool
has_trees(int fd, int depth)
{
	struct dirent *e;
	bool yes = false;
	DIR *dir = file_list(fd);

	if (dir == NULL)
		return false;
	while (!yes && (e = readdir(dir)) != NULL) {
		if (path_ends(e->d_name, ".new") ||
		    path_ends(e->d_name, ".macnt") || path_ends(e->d_name, ".mdir"))
			yes = true;
		else if (path_ends(e->d_name, ".sub") && depth < MAXDEPTH)
			yes = has_trees(openat(dirfd(dir), e->d_name,
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC), depth + 1);
	}
	closedir(dir);
	return yes;
}

bool
domain_dir_in_use(const char *path)
{
	return has_trees(openat(proc_basefd(), path,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
}

int
domain_dir_remove(const char *path)
{
	empty_dir(openat(proc_basefd(), path, O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC), 0);
	return unlinkat(proc_basefd(), path, AT_REMOVEDIR);
}

int
domain_dir_make(const char *name, const struct val *settings)
{
	char *hidden = xasprintf("Domains/.%s", name);
	char *sub = xasprintf("%s/Settings", hidden);
	char *file = xasprintf("%s/Domain.settings", sub);
	char *path = xasprintf("Domains/%s", name);
	int rv = -1;

	domain_dir_remove(hidden);
	/* DECISIONS, Ownership. */
	if (dir_make_shared(hidden) == 0 &&
	    make_dir(sub, 01770, "Accounts/Settings") == 0 &&
	    config_write(file, settings) == 0 && dir_sync(hidden) == 0 &&
	    renameat(proc_basefd(), hidden, proc_basefd(), path) == 0 &&
	    dir_sync("Domains") == 0)
		rv = 0;
	else {
		log_warn("%s", path);
		domain_dir_remove(hidden);
	}
	free(path);
	free(file);
	free(sub);
	free(hidden);
	return rv;
}

int
domain_dir_move(const char *from, const char *to)
{
	if (renameat(proc_basefd(), from, proc_basefd(), to) == 0 &&
	    dir_sync("Domains") == 0)
		return 0;
	log_warn("%s", from);
	return -1;
}

/*
 * One directory.  Its group, whose members make accounts in it, is that of the
 * directory it is in, which has the set-group bit: we may not set it.
 */
static int
make_one(const char *path, const char *parent)
{
	struct stat st, up;

	if (fstatat(proc_basefd(), path, &st, 0) == -1) {
		if (errno != ENOENT || dir_make_shared(path) == -1 ||
		    dir_sync(parent) == -1 ||
		    fstatat(proc_basefd(), path, &st, 0) == -1)
			return -1;
	}
	if (fstatat(proc_basefd(), parent, &up, 0) == -1)
		return -1;
	errno = EPERM;
	return S_ISDIR(st.st_mode) && (st.st_gid == up.st_gid ||
	    !proc_conf()->root) ? 0 : -1;
}

const char *
folder_make(const struct domain *d, const char *name)
{
	static char sub[64];
	char *path, *parent, *slash;
	int rv = 0;

	folder_name(domain_text(d, "Foldering", settings_text(merged, "Domain",
	    "Foldering")), name, sub, sizeof(sub));
	path = xstrdup(d->dir);
	for (slash = strchr(sub, '/'); rv == 0 && slash != NULL;
	    slash = strchr(slash + 1, '/')) {
		parent = path;
		path = xasprintf("%s/%.*s", d->dir, (int)(slash - sub), sub);
		if ((rv = make_one(path, parent)) == -1)
			log_warn("%s: accounts are put beside it", path);
		free(parent);
	}
	free(path);
	return rv == 0 ? sub : "";
}
