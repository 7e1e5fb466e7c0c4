/*
 * Where new accounts are put (manual 18, Foldering): in the domain's directory
 * or in its .sub directories, which are made here.  Runs in routerd.  Accounts
 * that exist stay where they are: names remember that (names.h).
 */
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "object.h"
#include "settings.h"

enum { LETTERS = 26 };

/* Bytes of the n-th letter, which may be UTF-8. */
static size_t
letter(const char *name, size_t n, size_t *len)
{
	size_t at = 0, i;

	for (i = 0;; i++) {
		*len = name[at] != '\0';
		while (((unsigned char)name[at + *len] & 0xc0) == 0x80)
			(*len)++;
		if (i == n)
			return at;
		at += *len;
	}
}

static void
by_letters(const char *name, bool levels, char *out, size_t size)
{
	size_t one, two;

	letter(name, 0, &one);
	letter(name, 1, &two);
	if (levels && two > 0)
		snprintf(out, size, "%.*s.sub/%.*s.sub/", (int)one, name,
		    (int)two, name + one);
	else
		snprintf(out, size, "%.*s.sub/", (int)(one + two), name);
}

static void
by_hash(const char *name, bool levels, char *out, size_t size)
{
	uint32_t h = name_hash(name, strlen(name));
	char a = 'a' + h % LETTERS, b = 'a' + h / LETTERS % LETTERS;
	char c = 'a' + h / LETTERS / LETTERS % LETTERS;

	if (levels)
		snprintf(out, size, "%c%c.sub/%c.sub/", a, b, c);
	else
		snprintf(out, size, "%c%c.sub/", a, b);
}

void
folder_name(const char *method, const char *name, char *out, size_t size)
{
	static const struct {
		const char	*method;
		void		(*fn)(const char *, bool, char *, size_t);
		bool		 levels;
	} methods[] = {
		{ "2 Letters 1 Level", by_letters, false },
		{ "2 Letters 2 Levels", by_letters, true },
		{ "Hashed 1 Level", by_hash, false },
		{ "Hashed 2 Levels", by_hash, true }
	};
	size_t i;

	out[0] = '\0';
	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcasecmp(method, methods[i].method) == 0)
			methods[i].fn(name, methods[i].levels, out, size);
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
