/*
 * A personal web site's files (manual 24): the directory account.web, in the
 * account's worker.  Names are checked before they become paths; nothing here
 * follows a link.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "box.h"
#include "file.h"
#include "folder.h"
#include "log.h"
#include "name.h"
#include "rfc5322.h"
#include "worker_admin.h"

#define ROOT	"account.web"
#define TMP	".new"			/* no name of a file here begins so */

enum { FILE_MAX = 32 * 1024 * 1024, DEPTH_MAX = NAME_MAX_DEPTH + 1 };

struct total {
	uint64_t	 size;
	uint64_t	 files;		/* and folders */
};

/* Where a file is: its directory, and its name there. */
struct spot {
	int		 dir;
	char		*last;
};

static void
trouble(struct wadmin *w)
{
	static const struct wadmin_reason reasons[] = {
		{ ENOENT, "there is no such file" },
		{ EEXIST, "a file with this name already exists" },
		{ ENOTEMPTY, "the folder is not empty" },
		{ ENOTDIR, "that is a file, not a folder" },
		{ EISDIR, "that is a folder" },
		{ EINVAL, "illegal file name" },
		{ EFBIG, "the file is too large" },
		{ ENOSPC, "the disk is full" }
	};

	wadmin_because(w, reasons, sizeof(reasons) / sizeof(reasons[0]));
}

static bool
has_site(struct wadmin *w)
{
	if (w->acct->single == NULL)
		return true;
	wadmin_no(w, "an account of a single mailbox has no web site");
	return false;
}

/* --- directories --- */

static int
open_dir(int at, const char *name)
{
	return file_open_beneath(at, name, O_RDONLY | O_DIRECTORY, 0);
}

static int
make_dir(int at, const char *name)
{
	if (folder_mkdir(at, name) == -1)
		return errno == EEXIST ? 0 : -1;
	return fsync(at);
}

/* A folder of the site, "" for all of it.  -1 and errno. */
static int
web_dir(const struct wadmin *w, const char *path, bool make)
{
	char *copy = strdup(path), *p = copy, *part;
	int fd, next, err;

	if (copy == NULL || (make && make_dir(w->acct->dirfd, ROOT) == -1) ||
	    (fd = open_dir(w->acct->dirfd, ROOT)) == -1) {
		free(copy);
		return -1;
	}
	while (fd != -1 && (part = strsep(&p, "/")) != NULL && *part != '\0') {
		next = make && make_dir(fd, part) == -1 ? -1 :
		    open_dir(fd, part);
		err = errno;
		close(fd);
		errno = err;
		fd = next;
	}
	free(copy);
	return fd;
}

/* "/a/b" is a/b; NULL: no such name. */
static const char *
clean(const char *name)
{
	const char *last;

	if (*name == '/')
		name++;
	last = strrchr(name, '/');
	last = last != NULL ? last + 1 : name;
	/* Where the forms are that manage the site. */
	if (!name_valid(name) || strcasecmp(last, "index.html") == 0) {
		errno = EINVAL;
		return NULL;
	}
	return name;
}

static void
leave(struct spot *s)
{
	if (s->dir != -1)
		close(s->dir);
	free(s->last);
}

static bool
find(const struct wadmin *w, const char *name, bool make, struct spot *s)
{
	char *copy, *slash;

	s->dir = -1;
	s->last = NULL;
	if ((name = clean(name)) == NULL || (copy = strdup(name)) == NULL)
		return false;
	slash = strrchr(copy, '/');
	s->last = strdup(slash != NULL ? slash + 1 : copy);
	if (slash != NULL)
		*slash = '\0';
	s->dir = web_dir(w, slash != NULL ? copy : "", make);
	free(copy);
	return s->dir != -1 && s->last != NULL;
}

/* Calls for each entry until one is not 0; takes fd. */
static int
each(int fd, int (*fn)(int, const char *, const struct stat *, void *),
    void *arg)
{
	const struct dirent *e;
	struct stat st;
	int ret = 0, err;
	DIR *d;

	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return -1;
	}
	while (ret == 0 && (e = readdir(d)) != NULL)
		if (name_valid(e->d_name) && fstatat(fd, e->d_name, &st,
		    AT_SYMLINK_NOFOLLOW) == 0 &&
		    (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
			ret = fn(fd, e->d_name, &st, arg);
	err = errno;
	closedir(d);
	errno = err;
	return ret;
}

struct sum {
	struct total	 total;
	int		 depth;
};

static int
add_up(int at, const char *name, const struct stat *st, void *arg)
{
	struct sum *s = arg;
	int fd, ret;

	s->total.files++;
	if (!S_ISDIR(st->st_mode)) {
		s->total.size += st->st_size;
		return 0;
	}
	if (s->depth >= DEPTH_MAX)
		return 0;
	if ((fd = open_dir(at, name)) == -1)
		return -1;
	s->depth++;
	ret = each(fd, add_up, s);
	s->depth--;
	return ret;
}

static int
sum_up(const struct wadmin *w, struct total *t)
{
	struct sum s = { .depth = 0 };
	int fd = web_dir(w, "", false), ret;

	if (fd == -1)
		ret = errno == ENOENT ? 0 : -1;
	else
		ret = each(fd, add_up, &s);
	*t = s.total;
	return ret;
}

/* --- the commands --- */

/* As ACAP has it: yyyymmddhhmmss. */
static void
put_time(char *out, size_t size, time_t when)
{
	struct tm tm;

	if (gmtime_r(&when, &tm) == NULL ||
	    strftime(out, size, "%Y%m%d%H%M%S", &tm) == 0)
		*out = '\0';
}

static void
get(struct wadmin *w)
{
	struct buf b;
	struct spot s;
	struct stat st;
	char when[32], *p = NULL;
	size_t len;
	int fd = -1;

	if (!has_site(w))
		return;
	buf_init(&b, 0);
	if (!find(w, wadmin_text(w, 1), false, &s) ||
	    (fd = file_open_beneath(s.dir, s.last, O_RDONLY, 0)) == -1 ||
	    fstat(fd, &st) == -1 ||
	    (p = file_read_fd(fd, FILE_MAX, &len)) == NULL)
		trouble(w);
	else if (!base64_encode(&b, p, len) || (w->data = val_array()) == NULL)
		wadmin_no(w, "out of memory");
	else {
		put_time(when, sizeof(when), st.st_mtime);
		val_append(w->data, val_bytes(b.len > 0 ? b.p : "", b.len));
		val_append(w->data, val_string(when));
	}
	if (fd != -1)
		close(fd);
	free(p);
	leave(&s);
	buf_free(&b);
}

static int64_t
limit(const struct wadmin *w, const char *name)
{
	const struct val *v = dict_get(w->limits, name);
	int64_t n;

	return v != NULL && val_int(v, &n) ? n : -1;
}

static bool
over(const struct wadmin *w, const char *name, uint64_t n)
{
	int64_t max = limit(w, name);

	return max >= 0 && n > (uint64_t)max;
}

/* Is there room for one more, instead of what may be there? */
static bool
room(struct wadmin *w, const struct spot *s, size_t len)
{
	struct total t;
	struct stat st;

	if (sum_up(w, &t) == -1) {
		trouble(w);
		return false;
	}
	if (fstatat(s->dir, s->last, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		t.size -= S_ISREG(st.st_mode) ? st.st_size : 0;
		t.files--;
	}
	if (over(w, "MaxFileSize", len))
		wadmin_no(w, "the file is larger than this account may have");
	else if (over(w, "MaxWebSize", t.size + len))
		wadmin_no(w, "the web site's size limit is reached");
	else if (over(w, "MaxWebFiles", t.files + 1))
		wadmin_no(w, "the web site's limit of files is reached");
	else
		return true;
	return false;
}

/* Clients break lines in it; those of later servers give it as [block]. */
static bool
decode(struct buf *out, const char *text)
{
	size_t len = strlen(text), i = 0;
	struct buf b;
	bool ok;

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		i++;
		len--;
	}
	buf_init(&b, 0);
	for (; i < len; i++)
		if (strchr(" \t\r\n", text[i]) == NULL)
			buf_putc(&b, text[i]);
	ok = !b.failed && base64_decode(out,
	    (struct str){ b.len > 0 ? b.p : "", b.len }) == 0;
	buf_free(&b);
	return ok;
}

static void
put(struct wadmin *w)
{
	const char *name = wadmin_text(w, 1);
	struct buf b;
	struct spot s = { .dir = -1 };

	if (!has_site(w))
		return;
	buf_init(&b, 0);
	if (clean(name) == NULL)
		trouble(w);
	else if (!decode(&b, wadmin_text(w, 2)))
		wadmin_no(w, "the data is not base64");
	else if (!find(w, name, true, &s))
		trouble(w);
	else if (room(w, &s, b.len) && file_replace_by(s.dir, TMP, s.last,
	    0600, b.len > 0 ? b.p : "", b.len) == -1)
		trouble(w);
	leave(&s);
	buf_free(&b);
}

static void
rename_it(struct wadmin *w)
{
	struct spot from, to = { .dir = -1 };
	struct stat st;

	if (!has_site(w))
		return;
	if (!find(w, wadmin_text(w, 1), false, &from) ||
	    fstatat(from.dir, from.last, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    !find(w, wadmin_text(w, 2), true, &to) ||
	    renameat2(from.dir, from.last, to.dir, to.last,
	    RENAME_NOREPLACE) == -1 ||
	    fsync(to.dir) == -1 || fsync(from.dir) == -1)
		trouble(w);
	leave(&from);
	leave(&to);
}

/* A folder must be empty. */
static void
delete(struct wadmin *w)
{
	struct spot s;
	struct stat st;

	if (!has_site(w))
		return;
	if (!find(w, wadmin_text(w, 1), false, &s) ||
	    fstatat(s.dir, s.last, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    unlinkat(s.dir, s.last, S_ISDIR(st.st_mode) ? AT_REMOVEDIR :
	    0) == -1 || fsync(s.dir) == -1)
		trouble(w);
	leave(&s);
}

static int
add_file(int at, const char *name, const struct stat *st, void *arg)
{
	struct val *all = arg, *d;
	char when[32];

	if (S_ISDIR(st->st_mode))
		return dict_set(all, name, val_array());
	if ((d = val_dict()) == NULL)
		return -1;
	put_time(when, sizeof(when), st->st_mtime);
	if (dict_setf(d, "Size", "%llu",
	    (unsigned long long)st->st_size) == -1 ||
	    dict_set(d, "Modified", val_string(when)) == -1) {
		val_free(d);
		return -1;
	}
	return dict_set(all, name, d);
}

static void
list(struct wadmin *w)
{
	const char *path = wadmin_text(w, 1);
	int fd;

	if (!has_site(w))
		return;
	if (*path == '/')
		path++;
	if (*path != '\0' && !name_valid(path)) {
		wadmin_no(w, "illegal file name");
		return;
	}
	fd = web_dir(w, path, false);
	if (fd == -1 && (errno != ENOENT || *path != '\0')) {
		trouble(w);
		return;
	}
	w->data = val_dict();
	if (fd != -1 && each(fd, add_file, w->data) == -1)
		trouble(w);
}

static void
info(struct wadmin *w)
{
	struct total t;
	char text[32];

	if (!has_site(w))
		return;
	if (sum_up(w, &t) == -1 || (w->data = val_array()) == NULL) {
		trouble(w);
		return;
	}
	snprintf(text, sizeof(text), "%llu", (unsigned long long)t.size);
	val_append(w->data, val_string(text));
	snprintf(text, sizeof(text), "%llu", (unsigned long long)t.files);
	val_append(w->data, val_string(text));
}

const struct wadmin_verb wadmin_web[] = {
	{ "GetWebFile", get },
	{ "PutWebFile", put },
	{ "RenameWebFile", rename_it },
	{ "DeleteWebFile", delete },
	{ "ListWebFiles", list },
	{ "GetWebFilesInfo", info },
	{ NULL, NULL }
};
