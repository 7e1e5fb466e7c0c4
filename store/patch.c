/*
 * Many small overwrites of a mailbox file: in an account's worker alone.  Who
 * maps a file dies if another program cuts it.
 */
#include <sys/mman.h>
#include <sys/statvfs.h>

#include <fcntl.h>
#include <string.h>

#include "file.h"
#include "patch.h"

enum {
	MANY = 32,		/* fewer are written one by one */
	WINDOW = 2 * 1024 * 1024
};

/*
 * A file system that writes each page to a new place has no way to tell a
 * map's writer that it is full: it kills it.  So not where little is left.
 */
static bool
room(int fd, size_t count)
{
	struct statvfs st;

	return fstatvfs(fd, &st) == 0 && st.f_bavail > 2 * count + 4096;
}

void
patch_begin(struct patch *p, int fd, uint64_t size, size_t count, bool alone)
{
	memset(p, 0, sizeof(*p));
	p->fd = fd;
	p->size = size;
	p->mapped = alone && count >= MANY && room(fd, count);
}

void
patch_end(struct patch *p)
{
	if (p->map == NULL)
		return;
	munmap(p->map, p->len);
	/* The disk begins with it while the next window is changed. */
	(void)sync_file_range(p->fd, p->off, p->len, SYNC_FILE_RANGE_WRITE);
	p->map = NULL;
}

/* Moves the window there; false: no map to be had. */
static bool
move(struct patch *p, uint64_t off)
{
	char *map;

	patch_end(p);
	p->off = off & ~(uint64_t)(WINDOW - 1);
	p->len = p->size - p->off < WINDOW ? p->size - p->off : WINDOW;
	map = mmap(NULL, p->len, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd,
	    p->off);
	if (map == MAP_FAILED) {
		p->mapped = false;
		return false;
	}
	p->map = map;
	return true;
}

int
patch_at(struct patch *p, uint64_t off, const void *data, size_t len)
{
	if (!p->mapped || off + len > p->size)
		return file_pwrite(p->fd, data, len, off);
	if (p->map == NULL || off < p->off || off + len > p->off + p->len)
		/* What lies across two windows is in neither. */
		if (!move(p, off) || off + len > p->off + p->len)
			return file_pwrite(p->fd, data, len, off);
	memcpy(p->map + (off - p->off), data, len);
	return 0;
}
