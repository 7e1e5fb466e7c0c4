/*
 * Files and directories of another server's get their owners and modes.  Runs
 * in cgserver --adopt, as root, on what others may have planted: each step is
 * one name in an open directory, no link is followed, and what has other
 * names elsewhere is left as it is.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adopt.h"
#include "file.h"
#include "log.h"

void
adopt_odd(const char *where, const char *name, const char *why)
{
	char *text;

	/* All is below the base: no need to say so. */
	if (strncmp(where, "./", 2) == 0)
		where += 2;
	else if (strcmp(where, ".") == 0 && *name != '\0') {
		where = name;
		name = "";
	}
	text = xasprintf("%s%s%s: %s", where, *name != '\0' ? "/" : "", name,
	    why);
	val_append(adopt_found.odd, val_string(text));
	free(text);
}

static const char *
what_it_is(const struct stat *st)
{
	return S_ISLNK(st->st_mode) ? "a symbolic link" :
	    S_ISREG(st->st_mode) ? "a file with several names" :
	    "neither a file nor a directory";
}

int
adopt_open(int dir, const char *where, const char *name, struct stat *st)
{
	struct stat then;
	int fd;

	/* A device or a FIFO is not even opened. */
	if (fstatat(dir, name, &then, AT_SYMLINK_NOFOLLOW) == -1) {
		adopt_odd(where, name, strerror(errno));
		adopt_found.failures++;
		return -1;
	}
	if (!S_ISDIR(then.st_mode) && (!S_ISREG(then.st_mode) ||
	    (then.st_nlink != 1 && !adopt_is_message(where, name)))) {
		adopt_odd(where, name, what_it_is(&then));
		return -1;
	}
	fd = S_ISDIR(then.st_mode) || then.st_nlink == 1 ?
	    file_open_beneath(dir, name, O_RDONLY |
		(S_ISDIR(then.st_mode) ? O_DIRECTORY : 0), 0) :
	    openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd != -1 && fstat(fd, st) == 0 && st->st_ino == then.st_ino &&
	    st->st_dev == then.st_dev)
		return fd;
	adopt_odd(where, name, fd == -1 ? strerror(errno) :
	    "it is being changed");
	adopt_found.failures++;
	if (fd != -1)
		close(fd);
	return -1;
}

bool
adopt_give(int fd, const struct stat *st, const char *path,
    const struct adopt_owner *o)
{
	mode_t mode = S_ISDIR(st->st_mode) ? o->dir : o->file;
	uid_t uid = conf_user_of(&conf, o->user)->uid;
	gid_t gid = conf_user_of(&conf, o->group)->gid;

	adopt_found.files++;
	if (S_ISREG(st->st_mode) && st->st_nlink != 1) {
		if (!adopt_last_link(st, path))
			return true;
		mode = 0400;
	}
	if (geteuid() == 0 && (st->st_uid != uid || st->st_gid != gid) &&
	    fchown(fd, uid, gid) == -1)
		goto failed;
	/* A change of owner may have changed it. */
	if (fchmod(fd, mode) == 0)
		return true;
failed:
	adopt_odd(path, "", strerror(errno));
	adopt_found.failures++;
	return false;
}

void
adopt_each(int dir, const char *where,
    void (*each)(int dir, const char *where, const char *name, void *),
    void *arg)
{
	DIR *d = file_list(openat(dir, ".",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *e;
	struct val *names = val_array();
	size_t i;

	if (d == NULL) {
		adopt_odd(where, "", strerror(errno));
		adopt_found.failures++;
	} else {
		/* All names first: some are changed on the way. */
		while ((e = readdir(d)) != NULL)
			if (strcmp(e->d_name, ".") != 0 &&
			    strcmp(e->d_name, "..") != 0)
				val_append(names, val_string(e->d_name));
		closedir(d);
	}
	for (i = 0; i < val_count(names); i++)
		each(dir, where, val_text(val_at(names, i)), arg);
	val_free(names);
}

struct all {
	const struct adopt_owner *owner;
	int			  depth;
};

/* Formats of mailboxes that the suite does not have yet. */
static void
note_format(const char *where, const char *name)
{
	static const char *const others[] = { ".mslc", ".mb4" };
	const char *dot = strrchr(name, '.');
	size_t i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (dot != NULL && strcmp(dot, others[i]) == 0)
			adopt_odd(where, name, "kept, but mailboxes of that "
			    "format are not served yet");
}

static void
one_of_all(int dir, const char *where, const char *name, void *arg)
{
	struct all *a = arg, below = { a->owner, a->depth + 1 };
	struct stat st;
	char *path;
	int fd;

	if (a->depth > ADOPT_DEPTH) {
		adopt_odd(where, name, "too deep");
		return;
	}
	if ((fd = adopt_open(dir, where, name, &st)) == -1)
		return;
	note_format(where, name);
	path = xasprintf("%s/%s", where, name);
	/* From within to without: nobody of the suite's comes between. */
	if (S_ISDIR(st.st_mode))
		adopt_each(fd, path, one_of_all, &below);
	adopt_give(fd, &st, path, a->owner);
	close(fd);
	free(path);
}

void
adopt_all(int dir, const char *where, const char *name,
    const struct adopt_owner *owner)
{
	struct all a = { owner, 0 };

	one_of_all(dir, where, name, &a);
}
