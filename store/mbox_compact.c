/*
 * Copying what is alive of a .mbox file into a new one, in workers only.
 * Every From_ line comes out in our width.  Order, which matters: both new
 * files synced, index renamed first (its slots are settled, so they are true
 * beside the old file too), then the mailbox, then the directory.  One that
 * lies elsewhere gets the new contents instead, and then its index: whoever dies
 * in between leaves one that does not fit, which is seen.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"
#include "log.h"
#include "mbox.h"
#include "outside.h"

struct copy {
	struct box	*b;
	struct win	 w;
	int		 fd;
	struct idx	 idx;
	char		*path, *ipath;
	uint64_t	 off;		/* of the new file, buffer too */
	struct buf	 out;
};

static int
drain(struct copy *c)
{
	if (c->out.failed) {
		errno = ENOMEM;
		return -1;
	}
	if (file_pwrite(c->fd, c->out.p, c->out.len, c->off - c->out.len) ==
	    -1)
		return -1;
	buf_reset(&c->out);
	return 0;
}

static int
put(struct copy *c, const char *p, size_t len)
{
	buf_add(&c->out, p, len);
	c->off += len;
	return c->out.len >= WIN_SIZE ? drain(c) : 0;
}

/* A fresh file of that name; a leftover of a killed one goes first. */
static int
open_new(struct box *b, const char *path)
{
	if (unlinkat(b->acct->dirfd, path, 0) == -1 && errno != ENOENT)
		return -1;
	return file_open_beneath(b->acct->dirfd, path,
	    O_RDWR | O_CREAT | O_EXCL, 0600);
}

static int
begin(struct copy *c, struct box *b)
{
	const struct idx_head *h = b->idx.head;
	struct stat st;

	memset(c, 0, sizeof(*c));
	c->b = b;
	c->idx.fd = -1;
	c->path = xasprintf("%s.new", b->file);
	c->ipath = xasprintf("%s.idx.new", b->file);
	buf_init(&c->out, 4 * WIN_SIZE);
	if ((c->fd = open_new(b, c->path)) == -1 ||
	    fstat(c->fd, &st) == -1)
		return -1;
	if (win_init(&c->w, b->fd, b->size) == -1)
		return -1;
	if (unlinkat(b->acct->dirfd, c->ipath, 0) == -1 && errno != ENOENT)
		return -1;
	if (idx_open(&c->idx, b->acct->dirfd, c->ipath, true) == -1)
		return -1;
	c->idx.believed = true;
	if (b->outside == NULL) {
		idx_reset(&c->idx, st.st_ino);
		c->idx.head->born = box_born(c->fd);
	} else {
		idx_reset(&c->idx, b->ino);
		c->idx.head->born = h->born;
	}
	/* The cache stays: UIDs and messages are the same. */
	c->idx.head->generation = h->generation;
	c->idx.head->uidvalidity = h->uidvalidity;
	c->idx.head->uidnext = h->uidnext;
	c->idx.head->modseq = h->modseq;
	c->idx.head->boot = h->boot;
	if (idx_slots_settle(&b->idx, b->size) == -1)
		return -1;
	memcpy(c->idx.slots, b->idx.slots, IDX_SLOTS * sizeof(struct slot));
	c->idx.next = b->idx.next;
	return 0;
}

static int
copy_bytes(struct copy *c, uint64_t off, uint64_t end)
{
	struct str s;

	for (; off < end; off += s.len) {
		s = win_at(&c->w, off,
		    end - off < WIN_SIZE ? end - off : WIN_SIZE);
		if (s.len > end - off)
			s.len = end - off;
		if (s.len == 0) {
			errno = EIO;
			return -1;
		}
		if (put(c, s.p, s.len) == -1)
			return -1;
	}
	return 0;
}

static int
copy_message(struct copy *c, const struct rec *r)
{
	uint64_t body = r->offset + r->fromlen;
	struct from_line f;
	char line[FROM_MAX];
	struct rec *n;

	if (mbox_from_at(&c->w, r->offset, &f) != r->fromlen) {
		errno = EIO;
		return -1;
	}
	f.flags = r->flags & MSG_FLAGS;
	f.keywords = r->keywords;
	f.uid = r->uid;
	f.length = r->size;
	if ((n = idx_add(&c->idx)) == NULL)
		return -1;
	*n = *r;
	n->offset = c->off;
	n->fromlen = from_format(line, &f);
	n->sep = r->flags & REC_OPENEND ? 2 : 1;
	n->flags |= REC_FIXED | REC_OWNUID;
	idx_seal(&c->idx, n);
	c->idx.head->wire += n->wire;
	if (put(c, line, n->fromlen) == -1 ||
	    copy_bytes(c, body, body + r->size) == -1)
		return -1;
	return put(c, "\n\n", n->sep);
}

/* Between messages: what is not an expunged one is kept aside. */
static int
save_junk(struct copy *c, uint64_t off, uint64_t end)
{
	struct from_line f;
	struct str s;
	size_t len;

	while (off < end) {
		len = mbox_from_at(&c->w, off, &f);
		if (len == 0 || !(f.flags & MSG_EXPUNGED) ||
		    f.length == FROM_NOLENGTH ||
		    off + len + f.length + 1 > end) {
			log_msg(LOG_PROBLEM, "%s: %llu bytes that belong to no "
			    "message to %s.torn", c->b->file,
			    (unsigned long long)(end - off), c->b->file);
			return mbox_put_aside(c->b, off, end);
		}
		off += len + f.length + 1;
		/* Of one whose last line had no end. */
		s = win_at(&c->w, off, 1);
		if (off < end && s.len > 0 && s.p[0] == '\n')
			off++;
	}
	return 0;
}

static int
copy_all(struct copy *c, const uint32_t *uids, size_t n)
{
	const struct idx_head *h = c->b->idx.head;
	uint64_t at = 0;
	uint32_t i;
	size_t k = 0;

	for (i = 0; i < h->count; i++) {
		const struct rec *r = box_rec(c->b, i);

		if (h->junk > 0 && save_junk(c, at, r->offset) == -1)
			return -1;
		at = r->offset + r->fromlen + r->size + r->sep;
		while (k < n && uids[k] < r->uid)
			k++;
		if (k < n && uids[k] == r->uid)
			continue;
		if (copy_message(c, r) == -1)
			return -1;
	}
	if (h->junk > 0 && save_junk(c, at, c->b->size) == -1)
		return -1;
	return drain(c);
}

/* Mailbox and index get their names, or the mailbox its contents. */
static int
put_in_place(struct copy *c, const char *index)
{
	int dirfd = c->b->acct->dirfd;

	if (c->b->outside != NULL) {
		if (outside_replace(c->b, c->fd, c->path, c->off) == -1)
			return -1;
		return renameat(dirfd, c->ipath, dirfd, index);
	}
	if (renameat(dirfd, c->ipath, dirfd, index) == -1)
		return -1;
	return renameat(dirfd, c->path, dirfd, c->b->file);
}

static int
publish(struct copy *c)
{
	char *index = xasprintf("%s.idx", c->b->file);
	int ret;

	/* A disk that has no room for these has none for a copy. */
	c->idx.head->end = c->off;
	ret = c->idx.fd != -1 && idx_put_head(&c->idx) == 0 &&
	    idx_put_slots(&c->idx, 0, IDX_SLOTS) == 0 ? 0 : -1;
	if (ret == 0)
		ret = fsync(c->fd);
	if (ret == 0)
		ret = fsync(c->idx.fd);
	if (ret == 0)
		ret = put_in_place(c, index);
	free(index);
	return ret == 0 ? box_sync_dir(c->b) : -1;
}

static void
clean_up(struct copy *c)
{
	int saved = errno;

	win_free(&c->w);
	buf_free(&c->out);
	free(c->path);
	free(c->ipath);
	errno = saved;
}

static void
give_up(struct copy *c)
{
	int saved = errno;

	if (c->fd != -1)
		close(c->fd);
	idx_close(&c->idx);
	unlinkat(c->b->acct->dirfd, c->path, 0);
	unlinkat(c->b->acct->dirfd, c->ipath, 0);
	/* A rename may have been done: look at it all again. */
	c->b->bad = true;
	errno = saved;
	clean_up(c);
}

int
mbox_compact(struct box *b, const uint32_t *uids, size_t n)
{
	struct stat st;
	struct copy c;

	if (mbox_cut_tail(b) == -1)
		return -1;
	if (begin(&c, b) == -1 || copy_all(&c, uids, n) == -1 ||
	    publish(&c) == -1 || fstat(c.fd, &st) == -1) {
		give_up(&c);
		return -1;
	}
	if (b->outside == NULL) {
		close(b->fd);
		b->fd = c.fd;
		b->ino = st.st_ino;
	} else
		close(c.fd);
	idx_close(&b->idx);
	b->idx = c.idx;
	b->size = c.off;
	b->rewrite = b->fresh = false;
	b->idx.head->clean |= IDX_DIRSYNCED;
	b->revision++;
	clean_up(&c);
	return 0;
}
