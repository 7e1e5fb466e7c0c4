/*
 * Summaries of messages: from the cache, or made with lib/mime and put there.
 * In an account's worker.  An entry is used only if its sum is right and it
 * says that it is this message's, of this life of the index.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "cache.h"
#include "cache_int.h"
#include "file.h"

enum {
	MAGIC = 0x79724e45,
	FLUSH = 256 * 1024,
	TEXT = 256 * 1024,	/* larger messages are read in pieces */
	ENTRY_MAX = 64 * 1024 * 1024,
	FILL = 2000,		/* messages at a time */
	GARBAGE_MIN = 1024 * 1024
};

static bool
is_of(const struct entry *e, const struct box *b, const struct rec *r)
{
	uint64_t n = (uint64_t)e->n[0] + e->n[1] + e->n[2] + e->n[3];

	return e->magic == MAGIC && e->len >= sizeof(*e) &&
	    e->len <= ENTRY_MAX && e->len % CACHE_ALIGN == 0 &&
	    n <= e->len - sizeof(*e) &&
	    e->generation == b->idx.head->generation && e->uid == r->uid &&
	    e->size == r->size && e->wire == r->wire;
}

/* The entry of a message, its sum not yet looked at; NULL. */
static const struct entry *
find(struct box *b, struct cache *c, const struct rec *r)
{
	uint64_t off = (uint64_t)r->cache * CACHE_ALIGN;
	const struct entry *e;

	if (off < CACHE_HEAD ||
	    (e = (const void *)cache_at(c, off, sizeof(*e))) == NULL ||
	    !is_of(e, b, r))
		return NULL;
	return (const void *)cache_at(c, off, e->len);
}

static void
tell(const struct entry *e, struct summary *s)
{
	struct str *const texts[] = { &s->envelope, &s->body,
		&s->bodystructure, &s->parts };
	const char *p = (const char *)(e + 1);
	int i;

	for (i = 0; i < 4; i++) {
		texts[i]->p = p;
		texts[i]->len = e->n[i];
		p += e->n[i];
	}
}

struct source {
	struct box		*b;
	const struct rec	*r;
};

static ssize_t
read_more(void *arg, uint64_t off, void *p, size_t n)
{
	struct source *s = arg;

	return box_read(s->b, s->r, off, p, n);
}

static int
scan(struct box *b, struct cache *c, const struct rec *r)
{
	struct source s = { b, r };
	ssize_t n;

	if (r->size > TEXT)
		return mime_scan(&c->mime, read_more, &s, r->size);
	if (c->text == NULL && (c->text = malloc(TEXT)) == NULL)
		return -1;
	if ((n = box_read(b, r, 0, c->text, r->size)) == -1)
		return -1;
	if ((uint64_t)n < r->size) {
		errno = EIO;
		return -1;
	}
	return mime_scan_mem(&c->mime, c->text, n);
}

/* Its texts behind what is pending, then the head that binds them. */
static int
compose(struct box *b, struct cache *c, const struct rec *r)
{
	static const char pad[CACHE_ALIGN];
	struct buf *p = &c->pending;
	size_t start = p->len, at, len;
	struct entry e = { .magic = MAGIC, .size = r->size, .wire = r->wire,
		.generation = b->idx.head->generation, .uid = r->uid };
	int i;

	buf_add(p, &e, sizeof(e));
	for (i = 0; i < 4; i++) {
		at = p->len;
		if (i == 0)
			mime_envelope(&c->mime, p);
		else if (i < 3)
			mime_bodystructure(&c->mime, p, i == 2);
		else
			mime_pack(&c->mime, p);
		e.n[i] = p->len - at;
	}
	len = p->len - start;
	buf_add(p, pad, -len % CACHE_ALIGN);
	if (p->failed || p->len - start > ENTRY_MAX) {
		buf_free(p);
		buf_init(p, 0);
		errno = ENOMEM;
		return -1;
	}
	e.len = p->len - start;
	memcpy(p->p + start, &e, sizeof(e));
	e.sum = cache_sum((const void *)(p->p + start));
	memcpy(p->p + start, &e, sizeof(e));
	return 0;
}

static const struct entry *
make(struct box *b, struct cache *c, const struct rec *r)
{
	uint64_t off;
	struct rec *own;

	if (c->pending.len >= FLUSH)
		cache_write(b, c);
	/* There is nowhere to put them: one at a time. */
	if (c->fd == -1)
		buf_reset(&c->pending);
	off = c->size + c->pending.len;
	if (scan(b, c, r) == -1 || compose(b, c, r) == -1)
		return NULL;
	own = box_find(b, r->uid);
	if (own != NULL && c->fd != -1 && off / CACHE_ALIGN <= UINT32_MAX)
		own->cache = off / CACHE_ALIGN;
	return (const void *)(c->pending.p + (off - c->size));
}

static struct cache *
usable(struct box *b)
{
	if (b->gone || b->idx.head == NULL) {
		errno = b->gone ? ENOENT : EIO;
		return NULL;
	}
	return cache_get(b);
}

int
box_summary(struct box *b, const struct rec *r, struct summary *s)
{
	const struct entry *e;
	struct cache *c;

	if ((c = usable(b)) == NULL)
		return -1;
	e = find(b, c, r);
	if ((e == NULL || e->sum != cache_sum(e)) &&
	    (e = make(b, c, r)) == NULL)
		return -1;
	tell(e, s);
	return 0;
}

bool
box_summary_known(struct box *b, const struct rec *r)
{
	struct cache *c = usable(b);

	return c != NULL && find(b, c, r) != NULL;
}

/* The newest ones that nobody has looked at yet. */
static void
fill(struct box *b)
{
	uint32_t i = box_count(b), n = 0;
	struct summary s;

	while (i-- > 0 && n < FILL)
		if (!box_summary_known(b, box_rec(b, i))) {
			if (box_summary(b, box_rec(b, i), &s) == -1)
				return;
			n++;
		}
	cache_flush(b);
}

/* Those of living messages to the new file; where each is then. */
static int
copy_living(struct box *b, struct cache *c, int fd, uint32_t *where,
    uint64_t *off)
{
	const struct entry *e;
	struct buf out;
	uint32_t i;
	int ret = 0;

	buf_init(&out, 0);
	for (i = 0; i < box_count(b) && ret == 0; i++) {
		if ((e = find(b, c, box_rec(b, i))) == NULL)
			continue;
		where[i] = *off / CACHE_ALIGN;
		*off += e->len;
		buf_add(&out, e, e->len);
		if (out.len < FLUSH)
			continue;
		if (out.failed ||
		    file_pwrite(fd, out.p, out.len, *off - out.len) == -1)
			ret = -1;
		buf_reset(&out);
	}
	if (ret == 0 && out.len > 0)
		ret = file_pwrite(fd, out.p, out.len, *off - out.len);
	buf_free(&out);
	return ret;
}

static void
compact(struct box *b, struct cache *c)
{
	uint32_t *where = calloc(box_count(b) + 1, sizeof(*where)), i;
	uint64_t off = CACHE_HEAD;
	int fd = where != NULL ? cache_new_file(b, c) : -1;

	if (fd != -1 && copy_living(b, c, fd, where, &off) == 0 &&
	    cache_replace(b, c, fd, off) == 0)
		for (i = 0; i < box_count(b); i++)
			box_rec(b, i)->cache = where[i];
	else if (fd != -1)
		close(fd);
	free(where);
}

void
cache_tidy(struct box *b)
{
	struct cache *c = b->cache;
	const struct entry *e;
	uint64_t living = 0;
	uint32_t i;

	if (c == NULL || b->bad || usable(b) == NULL)
		return;
	fill(b);
	if (c->fd == -1 || c->size < GARBAGE_MIN)
		return;
	for (i = 0; i < box_count(b); i++)
		if ((e = find(b, c, box_rec(b, i))) != NULL)
			living += e->len;
	if (c->size > 2 * living + GARBAGE_MIN)
		compact(b, c);
}
