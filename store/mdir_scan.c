/*
 * Bringing an index up to its .mdir mailbox: in workers only.  What the
 * directory has is the truth; what the index knows of it is kept.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "mdir.h"
#include "win.h"

/* A message without a record, and its file's name, if it is not ours. */
struct news {
	struct mdir_name n;
	char		*file;
	bool		 renumber;
};

struct scan {
	struct box	*b;
	struct mdir_list l;
	struct news	*news;
	size_t		 nnews;
	uint32_t	*gone;		/* UIDs of records to be dropped */
	size_t		 ngone;
	uint64_t	 modseq;	/* of what changed, or 0 */
	bool		 sizes;		/* may be others, too */
};

static uint64_t
change_modseq(struct scan *s)
{
	if (s->modseq == 0)
		s->modseq = box_modseq(s->b);
	return s->modseq;
}

static void
forget(struct box *b, const char *why)
{
	struct idx_head *h = b->idx.head;

	if (h->end != 0)
		log_msg(LOG_PROBLEM, "%s: index made anew: %s", b->file, why);
	h->count = 0;
	h->end = h->wire = 0;
	idx_renew(&b->idx);
}

static bool
records_good(const struct box *b)
{
	const struct idx_head *h = b->idx.head;
	uint64_t wire = 0;
	uint32_t i, uid = 0;
	const struct rec *r;

	for (i = 0; i < h->count; i++) {
		r = box_rec(b, i);
		if (!idx_sealed(&b->idx, r) || r->uid <= uid)
			return false;
		uid = r->uid;
		wire += r->wire;
	}
	return uid < h->uidnext && (h->count == 0 || uid < h->end) &&
	    wire == h->wire;
}

bool
mdir_complete(const struct box *b)
{
	return b->checked && b->mdir->counted && !b->mdir->foreign &&
	    b->mdir->messages == b->idx.head->count;
}

static int
record(struct box *b, const struct mdir_name *n, uint64_t size,
    uint64_t wire, bool open, uint64_t modseq)
{
	struct rec *r = idx_add(&b->idx);

	if (r == NULL)
		return -1;
	r->size = size;
	r->wire = wire;
	r->modseq = modseq;
	r->date = n->date;
	r->uid = n->uid;
	r->flags = (n->flags & MSG_FLAGS) | REC_OWNUID | REC_FIXED |
	    (open ? REC_OPENEND : 0);
	r->keywords = n->keywords;
	idx_seal(&b->idx, r);
	b->idx.head->wire += wire;
	b->idx.head->end = (uint64_t)n->uid + 1;
	return 0;
}

uint64_t
mdir_add_modseq(struct box *b)
{
	uint64_t flags = b->flagseq, modseq = box_modseq(b);

	/* What is added has no flags that anybody knew. */
	b->flagseq = flags;
	return modseq;
}

void
mdir_added(struct box *b, const struct mdir_name *n, uint64_t size,
    uint64_t wire, bool open, uint64_t modseq)
{
	b->size += size;
	b->mdir->messages++;
	if (modseq != 0 && record(b, n, size, wire, open, modseq) == -1)
		b->mdir->foreign = true;
}

/* --- what both know --- */

/* The name is ours from now on; never another message's. */
static int
rename_to(struct box *b, const char *file, const struct mdir_name *n)
{
	char ours[MDIR_NAME];

	mdir_name_format(ours, n);
	if (strcmp(file, ours) == 0)
		return 0;
	return renameat2(b->fd, file, b->fd, ours, RENAME_NOREPLACE);
}

/* Not ours to rename or read: that keeps nobody from the others. */
static bool
is_anothers(const struct box *b, const char *file)
{
	if (errno != EPERM && errno != EACCES && errno != ENOENT)
		return false;
	log_warn("%s/%s", b->file, file);
	return true;
}

static void
take_flags(struct scan *s, struct rec *r, const struct mdir_name *n)
{
	if ((r->flags & MSG_FLAGS) == n->flags && r->keywords == n->keywords &&
	    r->date == n->date)
		return;
	r->flags = (r->flags & ~(uint32_t)MSG_FLAGS) | n->flags;
	r->keywords = n->keywords;
	r->date = n->date;
	r->modseq = change_modseq(s);
	idx_seal(&s->b->idx, r);
}

static bool
size_holds(const struct box *b, const struct mdir_entry *e,
    const struct rec *r)
{
	char ours[MDIR_NAME];
	struct stat st;

	mdir_name_format(ours, &e->n);
	return fstatat(b->fd, e->file != NULL ? e->file : ours, &st,
	    AT_SYMLINK_NOFOLLOW) == 0 && (uint64_t)st.st_size == r->size;
}

static void
add_news(struct scan *s, struct mdir_entry *e, bool renumber)
{
	struct news *n = &s->news[s->nnews++];

	n->n = e->n;
	n->file = e->file;
	n->renumber = renumber;
}

/*
 * One file.  A UID that the index had seen and knows no more, one that comes
 * twice, or a message that was replaced: it gets a new UID, as clients may
 * remember that one.
 */
static int
meet(struct scan *s, struct mdir_entry *e, uint32_t *i, uint32_t *last)
{
	struct box *b = s->b;
	struct rec *r;

	while (*i < box_count(b) && box_rec(b, *i)->uid < e->n.uid)
		s->gone[s->ngone++] = box_rec(b, (*i)++)->uid;
	if (*i == box_count(b) || (r = box_rec(b, *i))->uid != e->n.uid) {
		add_news(s, e, e->n.uid == 0 || e->n.uid == *last ||
		    e->n.uid < b->idx.head->end);
		*last = e->n.uid;
		return 0;
	}
	++*i;
	*last = e->n.uid;
	if (s->sizes && !size_holds(b, e, r)) {
		s->gone[s->ngone++] = r->uid;
		add_news(s, e, true);
		return 0;
	}
	if (e->file != NULL && rename_to(b, e->file, &e->n) == -1) {
		s->gone[s->ngone++] = r->uid;
		return is_anothers(b, e->file) ? 0 : -1;
	}
	take_flags(s, r, &e->n);
	return 0;
}

static int
meet_all(struct scan *s)
{
	uint32_t i = 0, last = 0;
	size_t k;

	for (k = 0; k < s->l.n; k++)
		if (meet(s, &s->l.v[k], &i, &last) == -1)
			return -1;
	while (i < box_count(s->b))
		s->gone[s->ngone++] = box_rec(s->b, i++)->uid;
	return 0;
}

/* --- what is new --- */

static int
measure(struct box *b, const struct mdir_name *n, uint64_t modseq)
{
	char ours[MDIR_NAME];
	uint64_t size, wire;
	struct stat st;
	struct win w;
	bool open;
	int fd;

	mdir_name_format(ours, n);
	fd = openat(b->fd, ours, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
	if (fd == -1)
		return is_anothers(b, ours) ? 0 : -1;
	if (fstat(fd, &st) == -1 || win_init(&w, fd, st.st_size) == -1) {
		close(fd);
		return -1;
	}
	size = (uint64_t)st.st_size;
	wire = win_measure(&w, 0, size, &open);
	win_free(&w);
	close(fd);
	return record(b, n, size, wire, open, modseq);
}

static int
enter(struct scan *s, const struct news *e)
{
	struct idx_head *h = s->b->idx.head;
	struct mdir_name n = e->n;
	char ours[MDIR_NAME];

	mdir_name_format(ours, &n);
	if (e->renumber)
		n.uid = h->uidnext++;
	else if (n.uid >= h->uidnext)
		h->uidnext = n.uid + 1;
	if (rename_to(s->b, e->file != NULL ? e->file : ours, &n) == -1)
		return is_anothers(s->b, ours) ? 0 : -1;
	return measure(s->b, &n, s->modseq);
}

/* In their order, then those with new UIDs, which are higher. */
static int
enter_all(struct scan *s)
{
	size_t i, renumbered = 0;

	if (s->nnews == 0)
		return 0;
	if (s->modseq == 0 && s->b->idx.head->end > 0)
		s->modseq = mdir_add_modseq(s->b);
	else
		(void)change_modseq(s);
	for (i = 0; i < s->nnews; i++) {
		if (!s->news[i].renumber && enter(s, &s->news[i]) == -1)
			return -1;
		renumbered += s->news[i].renumber;
	}
	if (renumbered > 0 && box_reserve(s->b, renumbered) == -1)
		return -1;
	for (i = 0; i < s->nnews; i++)
		if (s->news[i].renumber && enter(s, &s->news[i]) == -1)
			return -1;
	return 0;
}

/* --- all of it --- */

static int
drop(struct scan *s)
{
	if (s->ngone == 0)
		return 0;
	(void)change_modseq(s);
	(void)idx_drop(&s->b->idx, s->gone, s->ngone);
	return idx_put_head(&s->b->idx);
}

static void
add_up(struct box *b)
{
	struct idx_head *h = b->idx.head;
	uint32_t i;

	b->size = 0;
	for (i = 0; i < h->count; i++)
		b->size += box_rec(b, i)->size;
	b->mdir->messages = h->count;
	b->mdir->counted = true;
	h->end = h->uidnext;
	mdir_touched(b);
}

static int
reconcile(struct box *b)
{
	struct scan s = { .b = b, .sizes = b->mdir->foreign };
	int ret = -1, err;

	if (mdir_list(b, &s.l) == -1)
		return -1;
	s.news = calloc(s.l.n + 1, sizeof(*s.news));
	s.gone = calloc(box_count(b) + 1, sizeof(*s.gone));
	if (s.news != NULL && s.gone != NULL && meet_all(&s) == 0 &&
	    drop(&s) == 0 && enter_all(&s) == 0) {
		add_up(b);
		if (s.modseq != 0)
			b->revision++;
		ret = idx_put_head(&b->idx);
	}
	err = errno;
	free(s.news);
	free(s.gone);
	mdir_list_free(&s.l);
	errno = err;
	return ret;
}

int
mdir_refresh(struct box *b)
{
	struct idx_head *h = b->idx.head;

	if (!b->checked) {
		if (!records_good(b))
			forget(b, "it was damaged");
		/* Without a clean end names may tell other flags. */
		if (!(h->clean & IDX_CLEAN_FLAGS))
			b->mdir->foreign = true;
		h->clean &= ~(uint32_t)IDX_CLEAN_FLAGS;
		if (idx_put_head(&b->idx) == -1)
			return -1;
		b->checked = true;
	}
	mdir_touching(b);
	if (mdir_complete(b))
		return 0;
	if (reconcile(b) == 0)
		return 0;
	/* Half an index is none. */
	forget(b, "it could not be extended");
	b->checked = false;
	(void)idx_put_head(&b->idx);
	return -1;
}
