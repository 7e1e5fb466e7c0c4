/*
 * The index file: head, slots, records.  Head and slots are copies in our
 * memory, written by pwrite: a kill leaves the old or the new, nothing
 * between.  A worker maps the records.  Everything read is checked: a sum over
 * each head, slot and record tells damage.
 */
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "index.h"

static const char magic[8] = "CGindex\n";

enum {
	SLOTBYTES = IDX_SLOTS * sizeof(struct slot),
	FIRSTRECS = 256,
	BOOT_SLACK = 60		/* seconds that clocks may be set by */
};

_Static_assert(sizeof(struct rec) == 64, "a record has 64 bytes");
_Static_assert(sizeof(struct slot) == 64, "a slot has 64 bytes");
_Static_assert(IDX_SLOTOFF + SLOTBYTES <= IDX_RECOFF, "slots fit");

/* Not a CRC: it has to be quick over thousands of records. */
static uint32_t
sum_of(uint64_t seed, const void *p, size_t len)
{
	uint64_t h = seed ^ 0x9e3779b97f4a7c15ULL, w;
	const char *s = p;

	for (; len >= 8; s += 8, len -= 8) {
		memcpy(&w, s, 8);
		h = (h ^ w) * 0xff51afd7ed558ccdULL;
		h ^= h >> 32;
	}
	if (len > 0) {
		w = 0;
		memcpy(&w, s, len);
		h = (h ^ w) * 0xff51afd7ed558ccdULL;
		h ^= h >> 32;
	}
	return (uint32_t)h;
}

#define SUM(x) sum_of(0, (x), sizeof(*(x)) - sizeof(uint32_t))

/* With the generation, so that another mailbox's record is none of ours. */
static uint32_t
sum_rec(const struct idx *ix, const struct rec *r)
{
	return sum_of(ix->head->generation, r, offsetof(struct rec, cache));
}

void
idx_seal(const struct idx *ix, struct rec *r)
{
	r->sum = sum_rec(ix, r);
}

bool
idx_sealed(const struct idx *ix, const struct rec *r)
{
	return r->sum == sum_rec(ix, r);
}

void
idx_renew(struct idx *ix)
{
	uint64_t *g = &ix->head->generation;

	if (getrandom(g, sizeof(*g), 0) != sizeof(*g))
		*g = *g * 6364136223846793005ULL + time(NULL);
}

int64_t
idx_boot(void)
{
	struct timespec now, up;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	return now.tv_sec - up.tv_sec;
}

bool
idx_same_boot(const struct idx_head *h)
{
	int64_t d = h->boot - idx_boot();

	return d > -BOOT_SLACK && d < BOOT_SLACK;
}

/* Of any version: heads were always the same. */
static bool
head_whole(const struct idx_head *h)
{
	return memcmp(h->magic, magic, sizeof(magic)) == 0 &&
	    h->sum == SUM(h);
}

static bool
head_good(const struct idx_head *h)
{
	return head_whole(h) && h->version == IDX_VERSION &&
	    h->recsize == sizeof(struct rec);
}

/* Numbers that were used, for the case that account.info is lost. */
static void
remember(struct idx *ix)
{
	const struct idx_head *h = ix->head;
	unsigned i;

	if (head_whole(h)) {
		ix->wasvalidity = h->uidvalidity;
		ix->wasnext = h->uidnext;
		ix->wasmodseq = h->modseq;
	}
	for (i = 0; i < IDX_SLOTS; i++)
		if (ix->slots[i].uid >= ix->wasnext &&
		    ix->slots[i].uid < UINT32_MAX)
			ix->wasnext = ix->slots[i].uid + 1;
}

void
idx_reset(struct idx *ix, uint64_t ino)
{
	struct idx_head *h = ix->head;

	memset(h, 0, sizeof(*h));
	memcpy(h->magic, magic, sizeof(magic));
	h->version = IDX_VERSION;
	h->recsize = sizeof(struct rec);
	h->ino = ino;
	idx_renew(ix);
	h->sum = SUM(h);
	ix->believed = true;
}

static uint32_t
capacity(const struct idx *ix)
{
	return (ix->maplen - IDX_RECOFF) / sizeof(struct rec);
}

/* Slots are kept each for itself; the newest has the highest UID. */
static void
slots_check(struct idx *ix)
{
	uint32_t uid = 0;
	unsigned i;

	ix->next = 0;
	for (i = 0; i < IDX_SLOTS; i++) {
		struct slot *s = &ix->slots[i];

		if (s->state == SLOT_FREE || s->state > SLOT_DONE ||
		    s->old > s->new || s->sum != SUM(s)) {
			memset(s, 0, sizeof(*s));
			continue;
		}
		if (s->uid >= uid) {
			uid = s->uid;
			ix->next = (i + 1) % IDX_SLOTS;
		}
	}
}

/* Head and slots into memory of our own. */
static int
load_copy(struct idx *ix)
{
	char *p;

	if ((p = calloc(1, sizeof(*ix->head) + SLOTBYTES)) == NULL)
		return -1;
	ix->head = (struct idx_head *)p;
	ix->slots = (struct slot *)(p + sizeof(*ix->head));
	if (ix->fd == -1)
		return 0;
	if (file_pread(ix->fd, ix->head, sizeof(*ix->head), 0) == -1 ||
	    file_pread(ix->fd, ix->slots, SLOTBYTES, IDX_SLOTOFF) == -1)
		return -1;
	return 0;
}

static void
use_map(struct idx *ix, char *map, size_t len)
{
	ix->map = map;
	ix->maplen = len;
}

/* A map of the file, or where the disk is full, of plain memory. */
static int
load_map(struct idx *ix, size_t size)
{
	size_t want = IDX_RECOFF + FIRSTRECS * sizeof(struct rec);
	const struct idx_head *h = ix->head;
	char *map;
	int err;

	/* As many as the head says, if the file can have them. */
	if (!ix->anon && size > want && head_good(h) &&
	    h->count > FIRSTRECS &&
	    h->count <= (size - IDX_RECOFF) / sizeof(struct rec))
		want = IDX_RECOFF + h->count * sizeof(struct rec);
	if (!ix->anon && (err = posix_fallocate(ix->fd, 0, want)) != 0) {
		errno = err;
		return -1;
	}
	map = mmap(NULL, want, PROT_READ | PROT_WRITE,
	    ix->anon ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED,
	    ix->anon ? -1 : ix->fd, 0);
	if (map == MAP_FAILED)
		return -1;
	use_map(ix, map, want);
	return 0;
}

static int
open_file(int dirfd, const char *path, bool *fresh)
{
	int fd;

	*fresh = false;
	fd = file_open_beneath(dirfd, path, O_RDWR, 0);
	if (fd == -1 && errno == ENOENT) {
		*fresh = true;
		fd = file_open_beneath(dirfd, path,
		    O_RDWR | O_CREAT | O_EXCL, 0600);
	}
	return fd;
}

int
idx_open(struct idx *ix, int dirfd, const char *path, bool map)
{
	struct stat st;
	bool fresh;
	int err = 0;

	memset(ix, 0, sizeof(*ix));
	ix->fd = open_file(dirfd, path, &fresh);
	if (ix->fd == -1 && !(map && (errno == ENOSPC || errno == EDQUOT)))
		return -1;
	ix->anon = ix->fd == -1;
	st.st_size = 0;
	if (ix->fd != -1 && fstat(ix->fd, &st) == -1)
		goto fail;
	/* Slots must never find the disk full, nor a map its page missing. */
	if (ix->fd != -1 && st.st_size < IDX_RECOFF &&
	    (err = posix_fallocate(ix->fd, 0, IDX_RECOFF)) != 0 && !map) {
		errno = err;
		goto fail;
	}
	if (load_copy(ix) == -1)
		goto fail;
	if (map && load_map(ix, st.st_size) == -1) {
		/* A user with a full disk must still be able to delete. */
		if (errno != ENOSPC && errno != EDQUOT)
			goto fail;
		ix->anon = true;
		if (load_map(ix, 0) == -1)
			goto fail;
	}
	ix->believed = head_good(ix->head) &&
	    (!map || ix->head->count <= capacity(ix));
	slots_check(ix);
	remember(ix);
	return 0;
fail:
	err = errno;
	idx_close(ix);
	errno = err;
	return -1;
}

bool
idx_peek(int dirfd, const char *path, struct idx_head *h)
{
	int fd = file_open_beneath(dirfd, path, O_RDONLY, 0);
	ssize_t n;

	if (fd == -1)
		return false;
	n = file_pread(fd, h, sizeof(*h), 0);
	close(fd);
	return n == (ssize_t)sizeof(*h) && head_good(h);
}

void
idx_close(struct idx *ix)
{
	if (ix->map != NULL)
		munmap(ix->map, ix->maplen);
	free(ix->head);
	if (ix->fd != -1)
		close(ix->fd);
	memset(ix, 0, sizeof(*ix));
	ix->fd = -1;
}

/* Records that are in memory only are none on disk. */
static int
put_anon_head(struct idx *ix)
{
	struct idx_head h = *ix->head;

	h.count = 0;
	h.end = h.wire = h.garbage = h.junk = 0;
	h.clean &= ~(uint32_t)IDX_CLEAN_FLAGS;
	h.sum = SUM(&h);
	if (ix->fd != -1 && file_pwrite(ix->fd, &h, sizeof(h), 0) == -1 &&
	    errno != ENOSPC && errno != EDQUOT)
		return -1;
	return 0;
}

int
idx_put_head(struct idx *ix)
{
	if (ix->anon)
		return put_anon_head(ix);
	ix->head->sum = SUM(ix->head);
	return file_pwrite(ix->fd, ix->head, sizeof(*ix->head), 0);
}

static int
put_run(struct idx *ix, unsigned i, unsigned n)
{
	if (ix->fd == -1 || n == 0)
		return 0;
	return file_pwrite(ix->fd, &ix->slots[i], n * sizeof(struct slot),
	    IDX_SLOTOFF + i * sizeof(struct slot));
}

int
idx_put_slots(struct idx *ix, unsigned i, unsigned n)
{
	unsigned k, first = n;

	for (k = 0; k < n; k++) {
		struct slot *s = &ix->slots[(i + k) % IDX_SLOTS];

		s->sum = SUM(s);
	}
	if (i + n > IDX_SLOTS)
		first = IDX_SLOTS - i;
	if (put_run(ix, i, first) == -1)
		return -1;
	return put_run(ix, 0, n - first);
}

struct slot *
idx_slot(struct idx *ix, uint64_t id, uint32_t rcpt, uint64_t size,
    int64_t time)
{
	struct slot *s;
	unsigned i;

	for (i = 0; i < IDX_SLOTS; i++) {
		s = &ix->slots[i];
		if (s->id == id && s->rcpt == rcpt && s->size == size &&
		    s->time == time && s->state != SLOT_FREE)
			return s;
	}
	return NULL;
}

struct slot *
idx_slot_take(struct idx *ix)
{
	struct slot *s = &ix->slots[ix->next];

	ix->next = (ix->next + 1) % IDX_SLOTS;
	memset(s, 0, sizeof(*s));
	return s;
}

void
idx_slots_claim(struct idx *ix, uint64_t ino)
{
	unsigned i;

	for (i = 0; i < IDX_SLOTS; i++)
		if (ix->slots[i].state == SLOT_PENDING &&
		    ix->slots[i].ino != ino)
			memset(&ix->slots[i], 0, sizeof(struct slot));
}

int
idx_slots_settle(struct idx *ix, uint64_t size)
{
	bool changed = false;
	unsigned i;

	for (i = 0; i < IDX_SLOTS; i++) {
		struct slot *s = &ix->slots[i];

		if (s->state != SLOT_PENDING)
			continue;
		changed = true;
		if (s->new <= size)
			s->state = SLOT_DONE;
		else
			memset(s, 0, sizeof(*s));
	}
	return changed ? idx_put_slots(ix, 0, IDX_SLOTS) : 0;
}

/* The disk is full: go on in memory; what is on disk stays valid. */
static int
leave_file(struct idx *ix, size_t len)
{
	char *map;

	map = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return -1;
	memcpy(map, ix->map, ix->maplen);
	munmap(ix->map, ix->maplen);
	ix->anon = true;
	use_map(ix, map, len);
	return 0;
}

static int
grow(struct idx *ix)
{
	size_t len = ix->maplen + (ix->maplen - IDX_RECOFF);
	char *map;

	if (capacity(ix) == 0)
		len = IDX_RECOFF + FIRSTRECS * sizeof(struct rec);
	if (ix->anon || posix_fallocate(ix->fd, 0, len) != 0)
		return leave_file(ix, len);
	map = mremap(ix->map, ix->maplen, len, MREMAP_MAYMOVE);
	if (map == MAP_FAILED)
		return -1;
	use_map(ix, map, len);
	return 0;
}

struct rec *
idx_add(struct idx *ix)
{
	struct rec *r;

	if (ix->head->count == UINT32_MAX) {
		errno = EFBIG;
		return NULL;
	}
	if (ix->head->count >= capacity(ix) && grow(ix) == -1)
		return NULL;
	r = idx_rec(ix, ix->head->count++);
	memset(r, 0, sizeof(*r));
	return r;
}

uint32_t
idx_lower(const struct idx *ix, uint32_t uid)
{
	uint32_t lo = 0, hi = ix->head->count, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (idx_rec(ix, mid)->uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct rec *
idx_find(const struct idx *ix, uint32_t uid)
{
	uint32_t i = idx_lower(ix, uid);

	if (i == ix->head->count || idx_rec(ix, i)->uid != uid)
		return NULL;
	return idx_rec(ix, i);
}

bool
uid_listed(const uint32_t *uids, size_t n, size_t *k, uint32_t uid)
{
	while (*k < n && uids[*k] < uid)
		++*k;
	return *k < n && uids[*k] == uid;
}

uint64_t
idx_drop(struct idx *ix, const uint32_t *uids, size_t n)
{
	struct idx_head was = *ix->head;
	struct idx_head *h = ix->head;
	uint64_t bytes = 0;
	uint32_t i, to = 0;
	struct rec *r;
	size_t k = 0;

	h->count = 0;
	h->end = h->wire = h->garbage = h->junk = 0;
	(void)idx_put_head(ix);
	for (i = 0; i < was.count; i++) {
		r = idx_rec(ix, i);
		if (uid_listed(uids, n, &k, r->uid)) {
			was.wire -= r->wire;
			bytes += r->fromlen + r->size + r->sep;
			continue;
		}
		if (to != i)
			*idx_rec(ix, to) = *r;
		to++;
	}
	h->count = to;
	h->end = was.end;
	h->wire = was.wire;
	h->garbage = was.garbage;
	h->junk = was.junk;
	return bytes;
}
