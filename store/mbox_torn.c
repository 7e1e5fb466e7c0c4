/*
 * What a killed append leaves behind: a tail that is shorter than its own
 * length says.  Runs in whoever takes a mailbox over, before anything is
 * appended.  The tail is put aside; only where there is no room for that, and
 * a slot tells that it will be sent again, it is thrown away.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"
#include "log.h"
#include "mbox.h"

int
mbox_put_aside(struct box *b, uint64_t off, uint64_t end)
{
	char *path, *buf;
	struct stat st;
	int fd, ret = -1, saved;
	ssize_t n;

	path = xasprintf("%s.torn", b->file);
	fd = file_open_beneath(b->acct->dirfd, path,
	    O_WRONLY | O_CREAT | O_APPEND, 0600);
	free(path);
	if (fd == -1)
		return -1;
	st.st_size = -1;
	if ((buf = malloc(WIN_SIZE)) == NULL || fstat(fd, &st) == -1)
		goto out;
	for (; off < end; off += n) {
		n = end - off < WIN_SIZE ? end - off : WIN_SIZE;
		n = file_pread(b->fd, buf, n, off);
		if (n == 0)
			errno = EIO;
		if (n <= 0 || file_write(fd, buf, n) == -1)
			goto out;
	}
	/* It is about to be cut off there: have it here for good. */
	ret = fsync(fd);
out:
	saved = errno;
	/* Half of it would take the last room, and again at each try. */
	if (ret == -1 && st.st_size != -1 && ftruncate(fd, st.st_size) == -1)
		log_warn("%s.torn", b->file);
	free(buf);
	close(fd);
	errno = saved;
	return ret;
}

static bool
no_room(void)
{
	return errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
}

/* known: a slot tells of it, so it will be sent again. */
static int
cut(struct box *b, uint64_t off, bool known)
{
	if (off == b->size)
		return 0;
	log_msg(LOG_PROBLEM, "%s: torn message at %llu, %llu bytes to %s.torn",
	    b->file, (unsigned long long)off,
	    (unsigned long long)(b->size - off), b->file);
	if (mbox_put_aside(b, off, b->size) == -1) {
		if (!no_room() || (!known && !b->acct->worker))
			return -1;
		log_warn("%s.torn", b->file);
		if (!known) {
			/* Its owner must be able to read, and to delete. */
			b->tail = true;
			b->size = off;
			return 0;
		}
	}
	if (ftruncate(b->fd, off) == -1)
		return -1;
	b->size = off;
	return 0;
}

int
mbox_cut_tail(struct box *b)
{
	struct stat st;

	if (!b->tail)
		return 0;
	if (fstat(b->fd, &st) == -1 ||
	    mbox_put_aside(b, b->size, st.st_size) == -1 ||
	    ftruncate(b->fd, b->size) == -1)
		return -1;
	b->tail = false;
	return 0;
}

/* Where the first append began that the file does not have whole. */
static uint64_t
slot_cut(const struct box *b)
{
	uint64_t off = b->size;
	unsigned i;

	for (i = 0; i < IDX_SLOTS; i++) {
		const struct slot *s = &b->idx.slots[i];

		if (s->state == SLOT_PENDING && s->new > b->size &&
		    s->old < off)
			off = s->old;
	}
	return off;
}

/*
 * Does a slot say that the file ends with a message that is whole?  Its From_
 * line must say the same.  This spares looking for that line from behind,
 * which is not always to be had for little.
 */
static bool
ends_whole(const struct box *b, bool power_lost, uint32_t *lastuid)
{
	struct from_line f;
	char line[FROM_MAX];
	const char *lf;
	uint64_t end;
	ssize_t n;
	unsigned i;

	for (i = 0; i < IDX_SLOTS; i++) {
		const struct slot *s = &b->idx.slots[i];

		if (s->state == SLOT_FREE || s->ino != b->ino ||
		    s->new != b->size ||
		    (s->state == SLOT_PENDING && power_lost) ||
		    (n = file_pread(b->fd, line, sizeof(line), s->old)) <= 0 ||
		    (lf = memchr(line, '\n', n)) == NULL ||
		    !from_parse(line, lf - line, &f) || !f.fixed ||
		    f.uid != s->uid || f.length < 0)
			continue;
		/* An empty line follows, or a last line's end and that. */
		end = s->old + (lf - line) + 1 + f.length;
		if (end + 1 != s->new && end + 2 != s->new)
			continue;
		*lastuid = f.uid;
		return true;
	}
	return false;
}

/* Does an empty line, or the file's beginning, stand before p? */
static bool
after_empty(const char *buf, const char *p, bool atstart)
{
	size_t n = p - buf;

	if (n == 0)
		return atstart;
	if (p[-1] != '\n')
		return false;
	if (n >= 2 && p[-2] == '\n')
		return true;
	if (n >= 3 && p[-2] == '\r' && p[-3] == '\n')
		return true;
	return atstart && (n == 1 || (n == 2 && p[-2] == '\r'));
}

/* The last whole From_ line of a piece of the file; its offset there or -1. */
static ssize_t
last_from(const char *buf, size_t len, bool atstart, struct from_line *f,
    size_t *fromlen)
{
	const char *p, *lf;
	size_t n;

	for (p = buf + len; p > buf;) {
		if ((p = memrchr(buf, 'F', p - buf)) == NULL)
			break;
		if (buf + len - p < 6 || memcmp(p, "From ", 5) != 0 ||
		    !after_empty(buf, p, atstart) ||
		    (lf = memchr(p, '\n', buf + len - p)) == NULL)
			continue;
		n = lf - p;
		if (n > 0 && lf[-1] == '\r')
			n--;
		if (!from_parse(p, n, f))
			continue;
		*fromlen = lf - p + 1;
		return p - buf;
	}
	return -1;
}

/* Is the rest the beginning of a From_ line and nothing more? */
static bool
broken_from(const char *p, size_t len)
{
	if (len == 0 || len >= FROM_MAX || memchr(p, '\n', len) != NULL)
		return false;
	return memcmp(p, "From <", len < 6 ? len : 6) == 0;
}

/* Judges by the last From_ line in buf, which is the file's end. */
static int
judge(struct box *b, const char *buf, size_t len, ssize_t at,
    const struct from_line *f, size_t fromlen)
{
	uint64_t base = b->size - len, end;

	if (at == -1)
		return base == 0 && broken_from(buf, len) ? cut(b, 0, false)
							  : 0;
	/* Only of our own lines a length is a promise. */
	if (!f->fixed)
		return 0;
	end = base + at + fromlen + f->length + 1;
	if (end == b->size + 1)		/* all but the empty line is there */
		return 0;
	if (end > b->size)
		return cut(b, base + at, false);
	if (broken_from(buf + (end - base), b->size - end))
		return cut(b, end, false);
	return 0;
}

/* The last message against its own length and the file's end. */
static int
check_last(struct box *b, uint32_t *lastuid)
{
	size_t want = 65536, len, fromlen = 0;
	struct from_line f;
	ssize_t at = -1, n;
	char *buf = NULL;
	int ret;

	for (;; want *= 32) {
		len = want < b->size ? want : b->size;
		free(buf);
		if ((buf = malloc(len + 1)) == NULL)
			return -1;
		if ((n = file_pread(b->fd, buf, len, b->size - len)) == -1 ||
		    (size_t)n != len) {
			free(buf);
			errno = EIO;
			return -1;
		}
		at = last_from(buf, len, len == b->size, &f, &fromlen);
		if (at != -1 || len == b->size || want >= BACK_MAX)
			break;
	}
	if (at != -1)
		*lastuid = f.uid;
	ret = judge(b, buf, len, at, &f, fromlen);
	if (at == -1 && len != b->size && !b->acct->worker &&
	    b->idx.head->end == 0) {
		log_warnx("%s: no message begins in its last %zu bytes",
		    b->file, len);
		errno = EFBIG;
		ret = -1;
	}
	free(buf);
	return ret;
}

/* --- in a file that others change, too --- */

/* Does a From_ line stand there, even in the middle of a line? */
static bool
from_between(struct win *w, uint64_t off, uint64_t end)
{
	struct from_line f;
	const char *hit;
	struct str s;

	while (off + 5 < end) {
		s = win_at(w, off, WIN_SIZE);
		if (s.len <= 5)
			break;
		if ((hit = memmem(s.p, s.len, "From ", 5)) == NULL)
			off += s.len - 4;
		else if (mbox_from_at(w, off + (hit - s.p), &f) != 0)
			return true;
		else
			off += (hit - s.p) + 1;
	}
	return false;
}

/* From off to the end nothing but ours, of that UID and those after it? */
static bool
only_ours(struct box *b, struct win *w, uint64_t off, uint32_t uid)
{
	struct from_line f;
	uint64_t end;
	unsigned sep;
	struct str s;
	size_t len;

	for (; off < b->size; off = end + sep) {
		if ((len = mbox_from_at(w, off, &f)) == 0) {
			s = win_at(w, off, FROM_MAX);
			return broken_from(s.p, b->size - off);
		}
		if (!f.fixed || f.uid != uid++)
			return false;
		end = mbox_end(w, off + len, &f, &sep);
		/* Torn: others begin wherever it ended. */
		if (end != off + len + f.length)
			return !from_between(w, off + len, b->size);
	}
	return true;
}

static bool
landed(const struct box *b, struct win *w, const struct slot *s)
{
	struct from_line f;
	size_t len = mbox_from_at(w, s->old, &f);
	uint64_t end = s->old + len + f.length;
	unsigned sep;

	return len != 0 && f.fixed && f.uid == s->uid &&
	    f.length >= 0 && end <= b->size &&
	    mbox_end(w, s->old + len, &f, &sep) == end;
}

/*
 * Sizes prove nothing there: an append is done if it stands where it should.
 * What is half done goes, if nobody has written behind it; it will be sent
 * again.
 */
static int
repair_outside(struct box *b)
{
	uint64_t off = b->size;
	struct slot *s;
	struct win w;
	unsigned i;
	int ret = 0;

	if (win_init(&w, b->fd, b->size) == -1)
		return -1;
	for (i = 0; i < IDX_SLOTS && ret == 0; i++) {
		s = &b->idx.slots[i];
		if (s->state != SLOT_PENDING || s->ino != b->ino ||
		    (s->new != SLOT_NEVER && landed(b, &w, s)))
			continue;
		if (s->old < off && only_ours(b, &w, s->old, s->uid))
			off = s->old;
		memset(s, 0, sizeof(*s));
		ret = idx_put_slots(&b->idx, i, 1);
	}
	win_free(&w);
	if (ret == -1 || off == b->size)
		return ret;
	/* Where there is no room to keep it aside it stays: it harms nobody. */
	if (mbox_put_aside(b, off, b->size) == -1)
		return no_room() ? 0 : -1;
	log_msg(LOG_PROBLEM, "%s: torn message at %llu to %s.torn", b->file,
	    (unsigned long long)off, b->file);
	if (ftruncate(b->fd, off) == -1)
		return -1;
	b->size = off;
	return 0;
}

int
mbox_repair(struct box *b, bool power_lost, uint32_t *lastuid)
{
	if (b->outside != NULL)
		return repair_outside(b);
	if (cut(b, slot_cut(b), true) == -1)
		return -1;
	if (b->size == 0 || ends_whole(b, power_lost, lastuid))
		return 0;
	return check_last(b, lastuid);
}
