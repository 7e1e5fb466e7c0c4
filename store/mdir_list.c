/*
 * What lies in a .mdir mailbox's directory, and what a killed owner left
 * there: in delivery and in workers.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "log.h"
#include "mdir.h"

static int
add(struct mdir_list *l, const struct mdir_name *n, const char *file)
{
	char ours[MDIR_NAME];
	struct mdir_entry *v;

	if (l->n == l->cap) {
		l->cap = l->cap != 0 ? 2 * l->cap : 64;
		v = l->cap < UINT32_MAX ? reallocarray(l->v, l->cap,
		    sizeof(*v)) : NULL;
		if (v == NULL) {
			errno = ENOMEM;
			return -1;
		}
		l->v = v;
	}
	v = &l->v[l->n];
	v->n = *n;
	v->file = NULL;
	mdir_name_format(ours, n);
	if (strcmp(ours, file) != 0 && (v->file = strdup(file)) == NULL)
		return -1;
	l->n++;
	return 0;
}

/* Of two with one UID the one that is named by us comes first. */
static int
compare(const void *a, const void *b)
{
	const struct mdir_entry *x = a, *y = b;

	if (x->n.uid != y->n.uid)
		return x->n.uid < y->n.uid ? -1 : 1;
	if (x->file == NULL || y->file == NULL)
		return (x->file != NULL) - (y->file != NULL);
	return strcmp(x->file, y->file);
}

static bool
is_file(const struct box *b, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_REG;
	return fstatat(b->fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode);
}

/* UID.new, and nothing else. */
static bool
is_temp(const char *name)
{
	size_t n = strspn(name, "0123456789");

	return n > 0 && strcmp(name + n, ".new") == 0;
}

static int
each(struct box *b, int (*cb)(struct box *, const struct dirent *, void *),
    void *arg)
{
	int fd = openat(b->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd != -1 ? fdopendir(fd) : NULL;
	const struct dirent *e;
	int ret = 0, err;

	if (d == NULL) {
		err = errno;
		if (fd != -1)
			close(fd);
		errno = err;
		return -1;
	}
	errno = 0;
	while (ret == 0 && (e = readdir(d)) != NULL)
		ret = cb(b, e, arg);
	if (ret == 0 && errno != 0)
		ret = -1;
	err = errno;
	closedir(d);
	errno = err;
	return ret;
}

static int
list_one(struct box *b, const struct dirent *e, void *arg)
{
	struct mdir_name n;
	int ret = 0;

	if (mdir_name_parse(e->d_name, &n) && is_file(b, e))
		ret = add(arg, &n, e->d_name);
	if (ret == 0)
		errno = 0;
	return ret;
}

void
mdir_list_free(struct mdir_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->v[i].file);
	free(l->v);
	memset(l, 0, sizeof(*l));
}

int
mdir_list(struct box *b, struct mdir_list *l)
{
	int err;

	memset(l, 0, sizeof(*l));
	b->mdir->foreign = false;
	mdir_touched(b);
	if (each(b, list_one, l) == -1) {
		err = errno;
		mdir_list_free(l);
		b->mdir->foreign = true;
		errno = err;
		return -1;
	}
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(l->v[0]), compare);
	return 0;
}

/* --- counting --- */

static int
count_one(struct box *b, const struct dirent *e, void *arg)
{
	struct mdir *count = arg;
	struct mdir_name n;
	struct stat st;

	if (!mdir_name_parse(e->d_name, &n) ||
	    fstatat(b->fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    !S_ISREG(st.st_mode)) {
		errno = 0;
		return 0;
	}
	count->messages++;
	b->size += (uint64_t)st.st_size;
	return 0;
}

int
mdir_count(struct box *b)
{
	struct mdir *m = b->mdir;

	b->size = m->messages = 0;
	m->counted = false;
	/* Who has records must look at the names, too: the next worker. */
	if (!b->acct->worker) {
		if (m->foreign)
			b->idx.head->clean &= ~(uint32_t)IDX_CLEAN_FLAGS;
		m->foreign = false;
	}
	mdir_touched(b);
	if (each(b, count_one, m) == -1)
		return -1;
	m->counted = true;
	return 0;
}

/* --- after a kill --- */

static bool
is_there(const struct mdir_list *l, uint64_t uid)
{
	size_t lo = 0, hi = l->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (l->v[mid].n.uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < l->n && l->v[lo].n.uid == uid;
}

static int
sweep_one(struct box *b, const struct dirent *e, void *arg)
{
	if (is_temp(e->d_name) && unlinkat(b->fd, e->d_name, 0) == -1)
		log_warn("%s/%s", b->file, e->d_name);
	errno = 0;
	return 0;
}

/* Some of what was put together: none of them was told as there. */
static int
undo_put(struct box *b, const struct mdir_list *l, const struct slot *s)
{
	char ours[MDIR_NAME];
	size_t i;

	for (i = 0; i < l->n; i++) {
		const struct mdir_entry *e = &l->v[i];

		if (e->n.uid < s->old || e->n.uid > s->new || e->file != NULL)
			continue;
		mdir_name_format(ours, &e->n);
		if (unlinkat(b->fd, ours, 0) == -1 && errno != ENOENT)
			return -1;
	}
	return 0;
}

/*
 * A message is there under its name, whole, or not at all.  An index that may
 * be older than the directory is no reason to remove what was put.
 */
static int
settle(struct box *b, const struct mdir_list *l, bool sure)
{
	bool news = false;
	unsigned i;

	for (i = 0; i < IDX_SLOTS; i++) {
		struct slot *s = &b->idx.slots[i];

		if (s->state != SLOT_PENDING)
			continue;
		news = true;
		if (s->id == MDIR_PUT && sure && undo_put(b, l, s) == -1)
			return -1;
		if (s->id != MDIR_PUT && is_there(l, s->new))
			s->state = SLOT_DONE;
		else
			memset(s, 0, sizeof(*s));
	}
	return news ? idx_put_slots(&b->idx, 0, IDX_SLOTS) : 0;
}

int
mdir_recover(struct box *b, bool sure, uint32_t *lastuid)
{
	struct mdir_list l;
	int ret, err;

	if (each(b, sweep_one, NULL) == -1 || mdir_list(b, &l) == -1)
		return -1;
	if (l.n > 0)
		*lastuid = l.v[l.n - 1].n.uid;
	ret = settle(b, &l, sure);
	/* Named by somebody who died before the sync. */
	if (ret == 0)
		ret = mdir_sync(b);
	err = errno;
	mdir_list_free(&l);
	mdir_touched(b);
	errno = err;
	return ret;
}
