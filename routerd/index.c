/*
 * Index.data of a domain (manual 18, Generate Index): where its accounts are,
 * read at start instead of all its directories.  Runs in routerd.  It is
 * written when we are stopped, and is not believed after any other end: while
 * we run it says, durably, that it is dirty.
 *
 *	index clean
 *	john macnt js.sub/john.macnt
 *	...
 *	end 1
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "object.h"

enum { MAXSIZE = 512 * 1024 * 1024 };

static const char head_clean[] = "index clean\n";
static const char head_dirty[] = "index dirty\n";

/*
 * In Index/, if an administrator made that.  In Accounts/ our walls let us
 * write in Settings/ only.
 */
static char *
path_of(const struct domain *d)
{
	char *sub, *path;

	if (d->main)
		return xasprintf("%s/Settings/Index.data", d->dir);
	sub = xasprintf("%s/Index", d->dir);
	path = xasprintf("%s%s/Index.data", d->dir,
	    faccessat(proc_basefd(), sub, F_OK, 0) == 0 ? "/Index" : "");
	free(sub);
	return path;
}

static bool
put_account(struct domain *d, struct str line)
{
	struct cur c = cur_make(line.p, line.len);
	char path[1025], *slash;

	cur_until(&c, " ");
	cur_skip(&c, 1);
	cur_until(&c, " ");
	cur_skip(&c, 1);
	if (!str_copy((struct str){ c.p, cur_left(&c) }, path,
	    sizeof(path)) || *path == '\0' || *path == '/' ||
	    strstr(path, "..") != NULL)
		return false;
	slash = strrchr(path, '/');
	return scan_account(d, path, slash == NULL ? path : slash + 1);
}

static bool
parse(struct domain *d, const char *text, size_t len)
{
	struct cur c = cur_make(text, len);
	struct str line;
	uint64_t n = 0, want;

	if (!cur_lit(&c, head_clean))
		return false;
	while (cur_line(&c, &line)) {
		struct cur end = cur_make(line.p, line.len);

		if (cur_lit(&end, "end "))
			return cur_u64(&end, &want, UINT64_MAX) && want == n;
		if (!put_account(d, line))
			return false;
		n++;
	}
	return false;
}

static int
mark_dirty(const char *path)
{
	int fd, rv;

	fd = openat(proc_basefd(), path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -1;
	rv = file_pwrite(fd, head_dirty, sizeof(head_dirty) - 1, 0) == 0 ?
	    fsync(fd) : -1;
	close(fd);
	return rv;
}

bool
index_load(struct domain *d)
{
	char *path = path_of(d), *text;
	bool ok = false;
	size_t len;

	text = file_read(proc_basefd(), path, MAXSIZE, &len);
	if (text != NULL) {
		d->indexed = true;
		ok = parse(d, text, len) && mark_dirty(path) == 0;
		if (!ok)
			names_clear(&names, d);
		log_msg(LOG_MAJOR, ok ? "%s: read" : "%s: not to be relied "
		    "on; the directories are read", path);
	} else if (errno != ENOENT)
		log_warn("%s", path);
	free(text);
	free(path);
	return ok;
}

/* Clean: we go, and nobody is making an account that it would not know. */
static int
write_index(struct domain *d, bool clean)
{
	char *path = path_of(d), file[1025];
	const struct account *a;
	size_t i = 0, n = 0, skip = strlen(d->dir) + 1;
	struct buf b;
	int rv;

	buf_init(&b, MAXSIZE);
	buf_puts(&b, clean ? head_clean : head_dirty);
	while ((a = names_next(d, &i)) != NULL) {
		if (!names_is_account(a) ||
		    !names_path(d, a, file, sizeof(file)))
			continue;
		if (a->reserved) {
			if (clean)
				break;
			continue;
		}
		buf_printf(&b, "%s %s %s\n", a->name,
		    account_ext(a->type) + 1, file + skip);
		n++;
	}
	buf_printf(&b, "end %zu\n", n);
	rv = a != NULL ? 0 : b.failed ? -1 :
	    file_replace(proc_basefd(), path, 0640, b.p, b.len);
	if (rv == -1)
		log_warn("%s", path);
	buf_free(&b);
	free(path);
	return rv;
}

void
index_save(void)
{
	struct domain *d;

	for (d = names.first; d != NULL; d = d->next)
		if (d->indexed)
			write_index(d, true);
}

/* Settings have changed: one comes, or is not wanted any more. */
void
index_apply(void)
{
	struct domain *d;
	bool want;
	char *path;

	for (d = names.first; d != NULL; d = d->next) {
		want = domain_bool(d, "FolderIndex");
		if (want && !d->indexed)
			d->indexed = write_index(d, false) == 0;
		if (want || !d->indexed)
			continue;
		path = path_of(d);
		unlinkat(proc_basefd(), path, 0);
		free(path);
		d->indexed = false;
	}
}
