/*
 * Copying messages between mailboxes of one account: in its worker.  Their
 * bytes go as they are on disk; only the From_ line is written anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "buf.h"
#include "copy.h"
#include "keyword.h"
#include "outside.h"
#include "quota.h"

struct copying {
	struct stored_msg *m;
	size_t		 nm;		/* messages that are there */
	uint32_t	*newuids;
	size_t		 n;
	int		 fd;		/* the source's, whatever becomes of it */
	struct box	*locked;	/* that one, up to the end; or NULL */
	struct putting	*put;		/* NULL: nothing to be done */
};

/* What each bit of one mailbox is in the other; made where it is used. */
static int
map_keywords(struct box *from, struct box *to, uint32_t used, uint32_t *map)
{
	const char *name;
	unsigned i;
	int bit;

	for (i = 0; i < KEYWORD_MAX; i++) {
		map[i] = 0;
		if (!(used & 1u << i))
			continue;
		if (from == to) {
			map[i] = 1u << i;
			continue;
		}
		if ((name = keyword_name(from, i)) == NULL)
			continue;
		bit = keyword_make(to, name, strlen(name));
		if (bit != -1)
			map[i] = 1u << bit;
		else if (errno != ENOSPC)
			return -1;
	}
	return 0;
}

static uint32_t
translate(uint32_t keywords, const uint32_t *map)
{
	uint32_t out = 0;

	for (; keywords != 0; keywords &= keywords - 1)
		out |= map[__builtin_ctz(keywords)];
	return out;
}

static int
fill(const struct copying *c, struct box *from, const struct rec *r,
    struct stored_msg *m)
{
	m->fd = c->fd;
	m->size = r->size;
	m->wire = r->wire;
	m->flags = (r->flags & MSG_FLAGS) | MSG_RECENT;
	m->keywords = r->keywords;
	m->date = r->date;
	return from->fmt->source(from, r, m);
}

static int
find(struct copying *c, struct box *from, const uint32_t *uids)
{
	const struct rec *r;
	size_t i;

	for (i = 0; i < c->n; i++) {
		c->newuids[i] = 0;
		if ((r = box_find(from, uids[i])) == NULL)
			continue;
		c->newuids[i] = 1;
		if (fill(c, from, r, &c->m[c->nm++]) == -1)
			return -1;
	}
	return 0;
}

static int
begin(struct copying *c, struct box *from, const uint32_t *uids,
    struct box *to)
{
	uint32_t map[KEYWORD_MAX], used = 0;
	size_t i;

	if (outside_lock(from) == -1)
		return -1;
	c->locked = from;
	if (c->m == NULL || box_refresh(from) == -1 ||
	    (c->fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 0)) == -1)
		return -1;
	if (find(c, from, uids) == -1)
		return -1;
	for (i = 0; i < c->nm; i++)
		used |= c->m[i].keywords;
	if (map_keywords(from, to, used, map) == -1)
		return -1;
	for (i = 0; i < c->nm; i++)
		c->m[i].keywords = translate(c->m[i].keywords, map);
	if (c->nm == 0)
		return 0;
	c->put = box_put_begin(to, c->m, c->nm, from);
	return c->put != NULL ? 0 : -1;
}

struct copying *
copy_begin(struct box *from, const uint32_t *uids, size_t n, struct box *to,
    uint32_t *newuids)
{
	struct copying *c = calloc(1, sizeof(*c));
	int err;

	if (c == NULL)
		return NULL;
	c->fd = -1;
	c->n = n;
	c->newuids = newuids;
	c->m = calloc(n > 0 ? n : 1, sizeof(*c->m));
	if (begin(c, from, uids, to) == 0)
		return c;
	err = errno;
	copy_end(c);
	errno = err;
	return NULL;
}

int
copy_more(struct copying *c)
{
	size_t i, k = 0;
	int ret = c->put != NULL ? box_put_more(c->put) : 0;

	for (i = 0; i < c->n && ret == 0; i++)
		if (c->newuids[i] != 0)
			c->newuids[i] = c->m[k++].uid;
	return ret;
}

void
copy_end(struct copying *c)
{
	size_t i;

	if (c->put != NULL)
		box_put_end(c->put);
	if (c->locked != NULL)
		outside_unlock(c->locked, false);
	if (c->fd != -1)
		close(c->fd);
	for (i = 0; i < c->nm; i++)
		free(c->m[i].name);
	free(c->m);
	free(c);
}

int
copy_fits(struct box *from, const uint32_t *uids, size_t n)
{
	uint64_t bytes = 0, messages = 0;
	const struct rec *r;
	size_t i;

	for (i = 0; i < n; i++)
		if ((r = box_find(from, uids[i])) != NULL) {
			bytes += r->fromlen + r->size + r->sep;
			messages++;
		}
	return quota_room(from->acct, bytes, messages);
}

int
copy_messages(struct box *from, const uint32_t *uids, size_t n,
    struct box *to, uint32_t *newuids)
{
	struct copying *c = copy_begin(from, uids, n, to, newuids);
	int ret, err;

	if (c == NULL)
		return -1;
	while ((ret = copy_more(c)) == 1)
		continue;
	err = errno;
	copy_end(c);
	errno = err;
	return ret;
}
