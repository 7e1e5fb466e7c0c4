/*
 * The file A.mbox.dat: a head, then entries, only ever appended to.  In an
 * account's worker.  Nothing of it is synced: each entry has a sum.  Where it
 * cannot be written the worker goes on without it.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "cache.h"
#include "cache_int.h"
#include "file.h"
#include "log.h"

static const char magic[8] = "CGcache\n";

enum { VERSION = 1 };

struct cache_head {
	char		magic[8];
	uint64_t	version;
	uint64_t	generation;
	char		unused[40];
};

_Static_assert(sizeof(struct cache_head) == CACHE_HEAD, "the head's size");
_Static_assert(sizeof(struct entry) == 64, "an entry's head has 64 bytes");

/* Four lanes, so that it is as quick as memory. */
uint64_t
cache_sum(const struct entry *e)
{
	static const uint64_t mul = 0xff51afd7ed558ccdULL;
	const char *p = (const char *)&e->generation;
	size_t len = e->len - offsetof(struct entry, generation), i;
	uint64_t h[4] = { 1, 2, 3, 4 }, w, sum = len;

	for (; len >= 32; p += 32, len -= 32)
		for (i = 0; i < 4; i++) {
			memcpy(&w, p + 8 * i, 8);
			h[i] = (h[i] ^ w) * mul;
			h[i] ^= h[i] >> 32;
		}
	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&w, p, 8);
		sum = (sum ^ w) * mul;
		sum ^= sum >> 32;
	}
	for (i = 0; i < 4; i++) {
		sum = (sum ^ h[i]) * mul;
		sum ^= sum >> 32;
	}
	return sum;
}

static int
write_head(const struct cache *c, int fd)
{
	struct cache_head h = { .version = VERSION,
		.generation = c->generation };

	memcpy(h.magic, magic, sizeof(magic));
	return file_pwrite(fd, &h, sizeof(h), 0);
}

static void
unmap(struct cache *c)
{
	if (c->map != NULL)
		munmap(c->map, c->maplen);
	c->map = NULL;
	c->maplen = 0;
}

/* Without a file: entries are made again and again. */
static void
give_up(struct box *b, struct cache *c, const char *what)
{
	unmap(c);
	if (c->fd != -1) {
		log_warn("%s.dat: %s", b->file, what);
		close(c->fd);
	}
	c->fd = -1;
	c->size = CACHE_HEAD;
	buf_reset(&c->pending);
}

/* Another index's, or none: from the beginning. */
static void
begin(struct box *b, struct cache *c)
{
	struct cache_head h;
	struct stat st;

	unmap(c);
	buf_reset(&c->pending);
	c->generation = b->idx.head->generation;
	c->size = CACHE_HEAD;
	if (c->fd == -1)
		return;
	if (fstat(c->fd, &st) == 0 && st.st_size >= CACHE_HEAD &&
	    file_pread(c->fd, &h, sizeof(h), 0) == sizeof(h) &&
	    memcmp(h.magic, magic, sizeof(magic)) == 0 &&
	    h.version == VERSION && h.generation == c->generation) {
		/* Behind what a kill left. */
		c->size = (st.st_size + CACHE_ALIGN - 1) &
		    ~(uint64_t)(CACHE_ALIGN - 1);
		return;
	}
	if (ftruncate(c->fd, 0) == -1 || write_head(c, c->fd) == -1)
		give_up(b, c, "making it anew");
}

static int
open_file(const struct box *b, const char *ext, int flags)
{
	char *path = xasprintf("%s.%s", b->file, ext);
	int fd;

	fd = file_open_beneath(b->acct->dirfd, path, O_RDWR | flags, 0600);
	free(path);
	return fd;
}

struct cache *
cache_get(struct box *b)
{
	struct cache *c = b->cache;

	if (c != NULL) {
		if (c->generation != b->idx.head->generation)
			begin(b, c);
		return c;
	}
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	b->cache = c;
	buf_init(&c->pending, 0);
	mime_init(&c->mime);
	c->fd = open_file(b, "dat", O_CREAT);
	if (c->fd == -1)
		log_warn("%s.dat", b->file);
	begin(b, c);
	return c;
}

/* More than is there now, so that not each flush needs another map. */
static bool
map(struct cache *c, uint64_t end)
{
	char *p;

	if (end <= c->maplen)
		return true;
	unmap(c);
	c->maplen = 2 * c->size + 1024 * 1024;
	p = mmap(NULL, c->maplen, PROT_READ, MAP_SHARED, c->fd, 0);
	if (p == MAP_FAILED) {
		c->maplen = 0;
		return false;
	}
	c->map = p;
	return true;
}

const char *
cache_at(struct cache *c, uint64_t off, size_t len)
{
	if (off >= c->size) {
		off -= c->size;
		return off <= c->pending.len && len <= c->pending.len - off ?
		    c->pending.p + off : NULL;
	}
	if (c->fd == -1 || len > c->size - off)
		return NULL;
	if (map(c, off + len))
		return c->map + off;
	free(c->copy);
	if ((c->copy = malloc(len)) == NULL ||
	    file_pread(c->fd, c->copy, len, off) != (ssize_t)len)
		return NULL;
	return c->copy;
}

void
cache_write(struct box *b, struct cache *c)
{
	if (c->pending.len == 0)
		return;
	if (c->fd == -1 ||
	    file_pwrite(c->fd, c->pending.p, c->pending.len, c->size) == -1) {
		if (c->fd != -1 && ftruncate(c->fd, c->size) == -1)
			log_warn("%s.dat", b->file);
		give_up(b, c, "not written");
		return;
	}
	c->size += c->pending.len;
	buf_reset(&c->pending);
}

int
cache_new_file(struct box *b, const struct cache *c)
{
	int fd = open_file(b, "dat.new", O_CREAT | O_TRUNC);

	if (fd != -1 && write_head(c, fd) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

int
cache_replace(struct box *b, struct cache *c, int fd, uint64_t size)
{
	int dirfd = b->acct->dirfd, ret;
	char *from = xasprintf("%s.dat.new", b->file);
	char *to = xasprintf("%s.dat", b->file);

	ret = renameat(dirfd, from, dirfd, to);
	free(from);
	free(to);
	if (ret == -1)
		return -1;
	unmap(c);
	close(c->fd);
	c->fd = fd;
	c->size = size;
	return 0;
}

void
cache_flush(struct box *b)
{
	if (b->cache != NULL)
		cache_write(b, b->cache);
}

void
cache_close(struct box *b)
{
	struct cache *c = b->cache;

	if (c == NULL)
		return;
	cache_write(b, c);
	unmap(c);
	if (c->fd != -1)
		close(c->fd);
	buf_free(&c->pending);
	mime_free(&c->mime);
	free(c->text);
	free(c->copy);
	free(c);
	b->cache = NULL;
}
