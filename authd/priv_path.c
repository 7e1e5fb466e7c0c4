/*
 * Which programs the root helper may start: each directory on the way is
 * root's, nobody else can put another file there, and cgserver.conf lists
 * one of them.  Runs in authd-priv; without root, the suite's own user counts
 * as root.  It walks the path by descriptors and follows no link.
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "priv.h"
#include "proc.h"

/* Of /tmp/x others may not take x away: that is enough above the list. */
static bool
is_safe(const struct stat *st, bool strict)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return false;
	if (!(st->st_mode & (S_IWGRP | S_IWOTH)))
		return true;
	return !strict && S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX);
}

/* Does the path begin with one of the directories?  Its length. */
static size_t
listed(const char *path)
{
	const struct val *dirs = dict_get(proc_conf()->conf, "HelperDirs");
	const char *dir;
	size_t i, n;

	for (i = 0; i < val_count(dirs); i++) {
		if ((dir = val_text(val_at(dirs, i))) == NULL)
			continue;
		n = strlen(dir);
		while (n > 0 && dir[n - 1] == '/')
			n--;
		if (n > 0 && strncmp(path, dir, n) == 0 && path[n] == '/')
			return n;
	}
	return 0;
}

static const char *
step(int *dir, const char *name, bool last, bool strict)
{
	int fd = openat(*dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC |
	    (last ? 0 : O_DIRECTORY));
	struct stat st;

	close(*dir);
	if ((*dir = fd) == -1)
		return "there is no such program, or a link is on its way";
	if (fstat(fd, &st) == -1 || (last && (!S_ISREG(st.st_mode) ||
	    !(st.st_mode & S_IXUSR))))
		return "that is not a program";
	if (!is_safe(&st, strict))
		return "others may write to it, or to a directory on its way";
	return NULL;
}

const char *
priv_trusts(const char *path)
{
	struct cur c = cur_str(path);
	size_t from = listed(path);
	const char *why = NULL;
	char name[256];
	struct str part;
	int dir;

	if (from == 0)
		return "cgserver.conf does not list its directory in "
		    "helper-dirs";
	if ((dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		return "the root directory cannot be opened";
	while (why == NULL && cur_left(&c) > 0) {
		cur_span(&c, "/");
		part = cur_until(&c, "/");
		if (!str_copy(part, name, sizeof(name)) || part.len == 0 ||
		    strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			why = "its path is not a plain one";
		else
			why = step(&dir, name, cur_left(&c) == 0,
			    (size_t)(c.p - path) >= from);
	}
	if (dir != -1)
		close(dir);
	return why;
}
