/*
 * Copying messages between mailboxes of one account: in its worker.  Their
 * bytes go as they are on disk; only the From_ line is written anew.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "box.h"
#include "buf.h"
#include "copy.h"
#include "keyword.h"
#include "mbox.h"
#include "quota.h"

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

/* The return-path stands in the old From_ line. */
static void
take_path(struct win *w, const struct rec *r, struct stored_msg *m)
{
	struct from_line f;

	if (mbox_from_at(w, r->offset, &f) == 0)
		return;
	if (f.path.len > FROM_PATHMAX)
		f.path.len = FROM_PATHMAX;
	memcpy(m->path, f.path.p, f.path.len);
}

static void
fill(struct box *from, struct win *w, const struct rec *r,
    struct stored_msg *m)
{
	take_path(w, r, m);
	m->fd = from->fd;
	m->offset = r->offset + r->fromlen;
	m->size = r->size;
	m->flags = (r->flags & MSG_FLAGS) | MSG_RECENT;
	m->keywords = r->keywords;
	m->date = r->date;
}

static int
copy_found(struct box *from, struct box *to, struct stored_msg *m, size_t n)
{
	uint32_t map[KEYWORD_MAX], used = 0;
	size_t i;

	for (i = 0; i < n; i++)
		used |= m[i].keywords;
	if (map_keywords(from, to, used, map) == -1)
		return -1;
	for (i = 0; i < n; i++)
		m[i].keywords = translate(m[i].keywords, map);
	return box_put(to, m, n);
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
	struct stored_msg *m = calloc(n > 0 ? n : 1, sizeof(*m));
	const struct rec *r;
	struct win w = { 0 };
	size_t i, found = 0;
	int ret = -1;

	if (m == NULL || box_refresh(from) == -1 ||
	    win_init(&w, from->fd, from->size) == -1)
		goto out;
	for (i = 0; i < n; i++) {
		newuids[i] = 0;
		if ((r = box_find(from, uids[i])) == NULL)
			continue;
		newuids[i] = 1;
		fill(from, &w, r, &m[found++]);
	}
	ret = copy_found(from, to, m, found);
	for (i = found = 0; i < n && ret == 0; i++)
		if (newuids[i] != 0)
			newuids[i] = m[found++].uid;
out:
	win_free(&w);
	free(m);
	return ret;
}
