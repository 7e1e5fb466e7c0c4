/*
 * What an account keeps.  Every mailbox has an entry.  An open one's numbers
 * are asked of itself each time, so that nothing that changes a mailbox need
 * know of limits; a closed one's stand in its entry.  In delivery and in
 * workers.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "buf.h"
#include "folder.h"
#include "log.h"
#include "quota_int.h"

void
quota_forget(struct acct *a)
{
	struct quota *q = a->quota;
	size_t i;

	if (q == NULL)
		return;
	for (i = 0; i < q->n; i++)
		free(q->v[i].name);
	free(q->v);
	q->v = NULL;
	q->n = q->cap = 0;
	q->bytes = q->messages = 0;
	q->known = false;
}

/* --- entries --- */

static struct quota_entry *
find(struct quota *q, const char *name)
{
	size_t i;

	for (i = 0; i < q->n; i++)
		if (strcmp(q->v[i].name, name) == 0)
			return &q->v[i];
	return NULL;
}

struct quota_entry *
quota_enter(struct quota *q, const char *name)
{
	struct quota_entry *v;

	if (q->n == q->cap) {
		q->cap = q->cap != 0 ? 2 * q->cap : 16;
		if ((v = reallocarray(q->v, q->cap, sizeof(*v))) == NULL)
			panic("out of memory");
		q->v = v;
	}
	v = &q->v[q->n++];
	memset(v, 0, sizeof(*v));
	v->name = xstrdup(name);
	return v;
}

static void
set_open(struct quota *q, struct quota_entry *e)
{
	if (e->open)
		return;
	e->open = true;
	q->bytes -= e->bytes;
	q->messages -= e->messages;
}

void
quota_set_closed(struct quota *q, struct quota_entry *e, uint64_t bytes,
    uint64_t messages)
{
	e->open = false;
	e->bytes = bytes;
	e->messages = messages;
	q->bytes += bytes;
	q->messages += messages;
}

void
quota_opened(struct box *b)
{
	struct quota *q = b->acct->quota;
	struct quota_entry *e;

	if (q == NULL || !q->known)
		return;
	if ((e = find(q, b->name)) == NULL)
		e = quota_enter(q, b->name);
	set_open(q, e);
}

void
quota_closing(struct box *b)
{
	struct quota *q = b->acct->quota;
	uint64_t bytes, messages;
	struct quota_entry *e;

	if (q == NULL || !q->known)
		return;
	e = find(q, b->name);
	if (e == NULL || !e->open ||
	    b->fmt->live(b, &bytes, &messages) == -1)
		quota_forget(b->acct);
	else
		quota_set_closed(q, e, bytes, messages);
}

void
quota_removed(struct acct *a, const char *name)
{
	struct quota *q = a->quota;
	struct quota_entry *e;

	if (q == NULL)
		return;
	q->freed = true;
	if (!q->known || (e = find(q, name)) == NULL)
		return;
	set_open(q, e);
	free(e->name);
	*e = q->v[--q->n];
}

void
quota_expunged(struct acct *a)
{
	if (a->quota != NULL)
		a->quota->freed = true;
}

bool
quota_freed(struct acct *a)
{
	bool yes = a->quota != NULL && a->quota->freed;

	if (yes)
		a->quota->freed = false;
	return yes;
}

/* --- usage --- */

/* By what the last one who closed it in order has written. */
static bool
peek(const struct box *b, uint64_t *bytes, uint64_t *messages)
{
	int dirfd = b->acct->dirfd;
	struct idx_head h;
	struct statx st;
	char *path;
	bool good;

	if (statx(dirfd, box_place(b), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS |
	    STATX_BTIME, &st) == -1 || (st.stx_mode & S_IFMT) != b->fmt->mode)
		return false;
	path = xasprintf("%s.idx", b->file);
	good = idx_peek(dirfd, path, &h);
	free(path);
	return good && h.ino == st.stx_ino && h.born == box_birth(&st) &&
	    h.clean & IDX_CLEAN_TAIL && idx_same_boot(&h) &&
	    b->fmt->peek(&h, &st, bytes, messages);
}

/* Opened, it is repaired and counted; closed, it has a head to peek at. */
static int
count_opened(struct acct *a, const char *name, uint64_t *bytes,
    uint64_t *messages)
{
	struct box *b = box_open(a, name);
	int ret, err;

	if (b == NULL)
		return -1;
	ret = b->fmt->live(b, bytes, messages);
	err = errno;
	box_close(b);
	errno = err;
	return ret;
}

static int
count_one(struct acct *a, const char *name)
{
	struct box b = { .acct = a };	/* not opened */
	uint64_t bytes = 0, messages = 0;
	struct quota *q = a->quota;
	int ret = 0;

	if (box_find_open(a, name) != NULL) {
		quota_enter(q, name)->open = true;
		return 0;
	}
	b.fmt = box_locate(a, name, &b.file);
	if (b.fmt == NULL && errno != ENOENT)
		return -1;
	/* One that lies elsewhere may be another than we left. */
	if (a->outside != NULL && strcmp(name, "INBOX") == 0)
		ret = count_opened(a, name, &bytes, &messages);
	else if (b.fmt != NULL && !peek(&b, &bytes, &messages))
		ret = count_opened(a, name, &bytes, &messages);
	free(b.file);
	if (ret == 0)
		quota_set_closed(q, quota_enter(q, name), bytes, messages);
	return ret;
}

static int
count_all(struct acct *a)
{
	struct folders f;
	size_t i;
	int ret = 0, err;

	if (folder_list(a, &f, false) == -1)
		return -1;
	for (i = 0; i < f.n && ret == 0; i++)
		if (!(f.v[i].flags & (FOLDER_NOSELECT | FOLDER_GONE)))
			ret = count_one(a, f.v[i].name);
	err = errno;
	folders_free(&f);
	errno = err;
	return ret;
}

/* Those that the last holder left, and INBOX, which he does not tell of. */
static int
take_over(struct acct *a)
{
	struct quota *q = a->quota;
	size_t i;

	for (i = 0; i < q->n; i++)
		if (box_find_open(a, q->v[i].name) != NULL)
			set_open(q, &q->v[i]);
	return count_one(a, "INBOX");
}

static int
recount(struct acct *a)
{
	int ret, err;

	quota_forget(a);
	ret = quota_load(a) ? take_over(a) : count_all(a);
	err = errno;
	if (ret == -1)
		quota_forget(a);
	a->quota->known = ret == 0;
	errno = err;
	return ret;
}

static int
add_up(struct acct *a, struct quota_usage *u)
{
	struct quota *q = a->quota;
	uint64_t bytes, messages;
	struct box *b;

	u->bytes = q->bytes;
	u->messages = q->messages;
	u->mailboxes = q->n;
	for (b = a->boxes; b != NULL; b = b->next) {
		if (b->fmt->live(b, &bytes, &messages) == -1)
			return -1;
		u->bytes += bytes;
		u->messages += messages;
	}
	return 0;
}

int
quota_usage(struct acct *a, struct quota_usage *u)
{
	struct quota *q = quota_get(a);
	struct box *b;

	/* What is half copied counts, too. */
	for (b = a->boxes; b != NULL && a->putting != NULL; b = b->next)
		box_put_settle(b, false);
	if (!q->known && recount(a) == -1)
		return -1;
	return add_up(a, u);
}
