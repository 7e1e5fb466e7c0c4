/*
 * Which mailboxes an account has: what lies in its directory is the truth, so
 * mailboxes that somebody puts there are found.  In an account's worker.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "box.h"
#include "buf.h"
#include "dict.h"
#include "file.h"
#include "folder.h"
#include "folder_int.h"
#include "name.h"
#include "utf7.h"

enum {
	IS_BOX = 1 << 16,	/* while they are collected */
	MAX_FOLDERS = 1 << 20
};

struct walk {
	struct acct	*acct;
	struct folders	*to;
	size_t		 cap;
};

static int
add(struct walk *w, const char *name, unsigned flags)
{
	struct folders *f = w->to;
	struct folder *v;

	if (f->n == w->cap) {
		w->cap = w->cap != 0 ? 2 * w->cap : 64;
		v = f->n < MAX_FOLDERS ? reallocarray(f->v, w->cap,
		    sizeof(*v)) : NULL;
		if (v == NULL) {
			errno = ENOMEM;
			return -1;
		}
		f->v = v;
	}
	v = &f->v[f->n];
	if ((v->name = strdup(name)) == NULL)
		return -1;
	v->class = "";
	v->flags = flags;
	f->n++;
	return 0;
}

static bool
is_type(int dirfd, const struct dirent *e, unsigned char type, mode_t mode)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type == type;
	return fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (st.st_mode & S_IFMT) == mode;
}

/* Does it end so?  The length of what stands before, or 0. */
static size_t
before(const char *name, const char *ext)
{
	size_t len = strlen(name), n = strlen(ext);

	return len > n && strcmp(name + len - n, ext) == 0 ? len - n : 0;
}

/* Could it be told and opened?  Bytes that are no UTF-8 could not be told. */
static bool
usable(const char *name)
{
	struct buf wire;
	bool ok;

	buf_init(&wire, 0);
	ok = utf7_encode(&wire, str_make(name));
	buf_free(&wire);
	return ok && name_valid(name) && strcmp(name_canon(name), name) == 0;
}

static int	walk(struct walk *, const char *path, const char *prefix);

static int
see(struct walk *w, int fd, const struct dirent *e, const char *path,
    const char *prefix)
{
	char *name = NULL, *sub, *deeper;
	const struct box_format *fmt;
	unsigned flags = 0;
	size_t len;
	int ret = 0;

	if ((fmt = box_format_of(e->d_name, &len)) != NULL &&
	    is_type(fd, e, IFTODT(fmt->mode), fmt->mode))
		flags = IS_BOX;
	else if ((len = before(e->d_name, ".folder")) == 0 ||
	    !is_type(fd, e, DT_DIR, S_IFDIR))
		return 0;
	name = xasprintf("%s%.*s", prefix, (int)len, e->d_name);
	/* Nor a second INBOX. */
	if (usable(name))
		ret = add(w, name, flags);
	else
		flags = IS_BOX;
	if (ret == 0 && flags == 0) {
		sub = xasprintf("%s%s/", path, e->d_name);
		deeper = xasprintf("%s/", name);
		ret = walk(w, sub, deeper);
		free(sub);
		free(deeper);
	}
	free(name);
	return ret;
}

/* path: "" or "A.folder/"; prefix: "" or "A/". */
static int
walk(struct walk *w, const char *path, const char *prefix)
{
	const struct dirent *e;
	int fd, ret = 0;
	DIR *d;

	fd = file_open_beneath(w->acct->dirfd, path[0] != '\0' ? path : ".",
	    O_RDONLY | O_DIRECTORY, 0);
	if (fd == -1 || (d = fdopendir(fd)) == NULL) {
		ret = errno;
		if (fd != -1)
			close(fd);
		errno = ret;
		return -1;
	}
	while (ret == 0 && (e = readdir(d)) != NULL)
		ret = see(w, fd, e, path, prefix);
	closedir(d);
	return ret;
}

/* INBOX first; children right behind their parent. */
int
folder_order(const char *a, const char *b)
{
	bool ia = strncmp(a, "INBOX", 5) == 0 && strchr("/", a[5]) != NULL;
	bool ib = strncmp(b, "INBOX", 5) == 0 && strchr("/", b[5]) != NULL;
	int ca, cb;

	if (ia != ib)
		return ia ? -1 : 1;
	while (*a == *b && *a != '\0') {
		a++;
		b++;
	}
	ca = *a == '/' ? 1 : (unsigned char)*a;
	cb = *b == '/' ? 1 : (unsigned char)*b;
	return ca - cb;
}

static int
compare(const void *a, const void *b)
{
	return folder_order(((const struct folder *)a)->name,
	    ((const struct folder *)b)->name);
}

static void
sort(struct folders *f)
{
	if (f->n > 1)
		qsort(f->v, f->n, sizeof(f->v[0]), compare);
}

static bool
is_child(const char *name, const char *of)
{
	size_t n = strlen(of);

	return strncmp(name, of, n) == 0 && name[n] == '/';
}

/* A mailbox and its folder were found each for itself. */
static void
merge(struct folders *f)
{
	size_t i, to = 0;

	for (i = 0; i < f->n; i++) {
		if (to > 0 && strcmp(f->v[to - 1].name, f->v[i].name) == 0) {
			f->v[to - 1].flags |= f->v[i].flags;
			free(f->v[i].name);
			continue;
		}
		f->v[to++] = f->v[i];
	}
	f->n = to;
	for (i = 0; i < f->n; i++) {
		struct folder *v = &f->v[i];

		v->flags = v->flags & IS_BOX ? 0 : FOLDER_NOSELECT;
		if (i + 1 < f->n && is_child(f->v[i + 1].name, v->name))
			v->flags |= FOLDER_CHILDREN;
	}
}

static struct folder *
find(struct folders *f, size_t n, const char *name)
{
	struct folder key = { .name = (char *)(uintptr_t)name };

	return n > 0 ? bsearch(&key, f->v, n, sizeof(key), compare) : NULL;
}

static int
mark_subscribed(struct walk *w, bool gone)
{
	const struct val *v = dict_get(info_root(&w->acct->info),
	    "Subscription");
	struct folders *f = w->to;
	size_t i, known = f->n;
	struct folder *hit;
	const char *name;

	if (v == NULL || val_type(v) != VAL_ARRAY)
		return 0;
	for (i = 0; i < val_count(v); i++) {
		if ((name = val_text(val_at(v, i))) == NULL)
			continue;
		if ((hit = find(f, known, name)) != NULL)
			hit->flags |= FOLDER_SUBSCRIBED;
		else if (gone && add(w, name, FOLDER_SUBSCRIBED |
			FOLDER_GONE) == -1)
			return -1;
	}
	if (f->n > known)
		sort(f);
	return 0;
}

static void
set_classes(struct walk *w)
{
	const struct val *v = dict_get(info_root(&w->acct->info),
	    "Mailboxes");
	struct folder *hit;
	const char *class;
	size_t i;

	if (v == NULL || val_type(v) != VAL_DICT)
		return;
	for (i = 0; i < val_count(v); i++) {
		class = dict_str(val_at(v, i), "Class", "");
		hit = class[0] != '\0' ? find(w->to, w->to->n, val_key(v, i))
				       : NULL;
		if (hit != NULL && !(hit->flags & FOLDER_GONE))
			hit->class = folder_class(class);
	}
}

/* INBOX is there, even before its file is. */
static int
collect(struct walk *w, bool gone)
{
	if (add(w, "INBOX", IS_BOX) == -1 ||
	    (w->acct->single == NULL && walk(w, "", "") == -1))
		return -1;
	sort(w->to);
	merge(w->to);
	if (mark_subscribed(w, gone) == -1)
		return -1;
	set_classes(w);
	return 0;
}

int
folder_list(struct acct *a, struct folders *f, bool gone)
{
	struct walk w = { .acct = a, .to = f };
	int err;

	memset(f, 0, sizeof(*f));
	if (collect(&w, gone) == 0)
		return 0;
	err = errno;
	folders_free(f);
	errno = err;
	return -1;
}

void
folders_free(struct folders *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		free(f->v[i].name);
	free(f->v);
	memset(f, 0, sizeof(*f));
}
