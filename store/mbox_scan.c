/*
 * Bringing an index up to its mailbox, in workers only: records of an earlier
 * life are checked, what lies behind them is scanned.  The file is the truth.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "buf.h"
#include "log.h"
#include "mbox.h"
#include "outside.h"

/* Where a message ends, and what it has. */
struct extent {
	uint64_t	end;		/* of the message, its empty line not */
	uint64_t	wire;
	unsigned	sep;
	bool		open;		/* its last line has no end */
};

/* Bytes of the empty line at off: 1, 2, or 0 if none stands there. */
static unsigned
empty_line(struct win *w, uint64_t off)
{
	struct str s = win_at(w, off, 2);

	if (s.len >= 1 && s.p[0] == '\n')
		return 1;
	if (s.len >= 2 && s.p[0] == '\r' && s.p[1] == '\n')
		return 2;
	return 0;
}

/* Is a length that somebody wrote down true? */
static bool
length_holds(struct win *w, uint64_t body, uint64_t end, unsigned *sep)
{
	struct from_line f;

	if (end > w->size)
		return false;
	*sep = empty_line(w, end);
	/* The end of a last line that came without one, then it. */
	if (*sep != 0 && end > body && win_at(w, end - 1, 1).p[0] != '\n')
		*sep += empty_line(w, end + *sep);
	if (end + *sep == w->size)
		return true;
	return *sep != 0 && mbox_from_at(w, end + *sep, &f) != 0;
}

/*
 * From off to the next From_ line that follows an empty line.  first: off
 * itself may be one's place (after an empty line).
 */
static void
search(struct win *w, uint64_t off, bool first, struct extent *x)
{
	uint64_t at = off, empty = off;
	bool was_empty = first;
	struct from_line f;
	const char *lf;
	struct str s;
	size_t n;

	for (;;) {
		s = win_at(w, at, FROM_MAX);
		if (s.len == 0)
			break;
		if (was_empty && s.p[0] == 'F' && mbox_from_at(w, at, &f) != 0)
			break;
		s = win_at(w, at, FROM_MAX);
		lf = memchr(s.p, '\n', s.len);
		n = lf != NULL ? (size_t)(lf - s.p) + 1 : s.len;
		was_empty = lf != NULL &&
		    (n == 1 || (n == 2 && s.p[0] == '\r'));
		/* The rest of a line that was longer than the window. */
		if (was_empty && at > off && win_at(w, at - 1, 1).p[0] != '\n')
			was_empty = false;
		if (was_empty)
			empty = at;
		at += n;
	}
	x->end = was_empty ? empty : at;
	x->sep = at - x->end;
}

uint64_t
mbox_end(struct win *w, uint64_t body, const struct from_line *f,
    unsigned *sep)
{
	struct extent x;

	if (f != NULL && f->length != FROM_NOLENGTH &&
	    length_holds(w, body, body + f->length, sep))
		return body + f->length;
	search(w, body, false, &x);
	*sep = x.sep;
	return x.end;
}

static void
find_end(struct win *w, uint64_t body, const struct from_line *f,
    struct extent *x)
{
	x->end = mbox_end(w, body, f, &x->sep);
	x->wire = win_measure(w, body, x->end, &x->open);
}

static bool
only_line_ends(struct win *w, uint64_t off, uint64_t end)
{
	struct str s = win_at(w, off, end - off);
	size_t i;

	if (end - off > 4)
		return false;
	for (i = 0; i < end - off && i < s.len; i++)
		if (s.p[i] != '\n' && s.p[i] != '\r')
			return false;
	return true;
}

/* Bytes that no message owns; a few line ends belong to the one before. */
static uint64_t
skip_junk(struct box *b, struct win *w, uint64_t off)
{
	struct idx_head *h = b->idx.head;
	struct extent x;
	uint64_t end;

	search(w, off, false, &x);
	end = x.end + x.sep;
	if (h->count > 0 && only_line_ends(w, off, end)) {
		struct rec *r = box_rec(b, h->count - 1);

		if (r->offset + r->fromlen + r->size + r->sep == off) {
			r->sep += end - off;
			idx_seal(&b->idx, r);
			return end;
		}
	}
	h->junk += end - off;
	return end;
}

static int
add_record(struct box *b, uint64_t off, size_t fromlen,
    const struct from_line *f, const struct extent *x, uint64_t modseq)
{
	struct idx_head *h = b->idx.head;
	struct rec *r;

	if (f->flags & MSG_EXPUNGED) {
		h->garbage += x->end + x->sep - off;
		return 0;
	}
	if ((r = idx_add(&b->idx)) == NULL)
		return -1;
	r->offset = off;
	r->fromlen = fromlen;
	r->size = x->end - off - fromlen;
	r->wire = x->wire;
	r->sep = x->sep;
	r->modseq = modseq;
	r->date = f->date;
	r->uid = f->uid;
	r->flags = f->flags | (f->uid != 0 ? REC_OWNUID : 0) |
	    (f->fixed ? REC_FIXED : 0) | (x->open ? REC_OPENEND : 0);
	r->keywords = f->keywords;
	idx_seal(&b->idx, r);
	b->idx.head->wire += r->wire;
	return 0;
}

/*
 * UIDs ascend.  Where a message has none, or one that does not ascend, it and
 * all behind it get new ones: no UID is ever used twice.
 */
static int
number(struct box *b, uint32_t from)
{
	uint32_t i, last = from > 0 ? box_rec(b, from - 1)->uid : 0;
	uint32_t max = last, n, count = box_count(b);
	struct rec *r;

	for (i = from; i < count && box_rec(b, i)->uid > last; i++)
		last = box_rec(b, i)->uid;
	for (n = i, max = last; n < count; n++)
		if (box_rec(b, n)->uid > max)
			max = box_rec(b, n)->uid;
	if (max == UINT32_MAX) {
		errno = EOVERFLOW;
		return -1;
	}
	if (max >= b->idx.head->uidnext)
		b->idx.head->uidnext = max + 1;
	/* Where none is needed a full disk keeps nobody out. */
	if (i < count && box_reserve(b, count - i) == -1)
		return -1;
	for (; i < count; i++) {
		r = box_rec(b, i);
		/* Others' changes would bring the one in the file back. */
		if (b->outside != NULL && r->flags & REC_OWNUID)
			b->rewrite = true;
		r->uid = b->idx.head->uidnext++;
		r->flags &= ~(uint32_t)REC_OWNUID;
		idx_seal(&b->idx, r);
	}
	return 0;
}

static int
scan(struct box *b)
{
	uint32_t from = b->idx.head->count;
	uint64_t off = b->idx.head->end, flags = b->flagseq, at;
	uint64_t modseq = box_modseq(b);
	struct from_line f;
	struct extent x;
	struct win w;
	size_t len;
	int ret = 0;

	/* What is added has no flags that anybody knew. */
	if (off > 0)
		b->flagseq = flags;
	if (win_init(&w, b->fd, b->size) == -1)
		return -1;
	while (off < b->size && ret == 0) {
		at = off;
		if ((len = mbox_from_at(&w, off, &f)) == 0)
			off = skip_junk(b, &w, off);
		else {
			find_end(&w, off + len, &f, &x);
			ret = add_record(b, off, len, &f, &x, modseq);
			off = x.end + x.sep;
		}
		/* It cannot be read, or somebody has cut it meanwhile. */
		if (off <= at) {
			errno = EIO;
			ret = -1;
		}
	}
	win_free(&w);
	if (ret == 0)
		ret = number(b, from);
	if (ret == 0) {
		b->idx.head->end = b->size;
		mbox_tail_reset(b);
	}
	return ret == 0 ? idx_put_head(&b->idx) : -1;
}

void
mbox_forget(struct box *b, const char *why)
{
	struct idx_head *h = b->idx.head;

	if (h->end != 0)
		log_msg(b->outside != NULL ? LOG_LOW : LOG_PROBLEM, "%s: index made anew: %s", b->file, why);
	h->count = 0;
	h->end = h->wire = h->garbage = h->junk = 0;
	mbox_tail_reset(b);
	idx_renew(&b->idx);
}

/* Sums, order, and that each lies behind the one before. */
static bool
records_good(struct box *b)
{
	const struct idx_head *h = b->idx.head;
	uint64_t off = 0, wire = 0;
	uint32_t i, uid = 0;
	const struct rec *r;

	for (i = 0; i < h->count; i++) {
		r = box_rec(b, i);
		if (!idx_sealed(&b->idx, r) || r->uid <= uid || r->offset < off)
			return false;
		uid = r->uid;
		off = r->offset + r->fromlen + r->size + r->sep;
		wire += r->wire;
	}
	return off <= h->end && h->end <= b->size && wire == h->wire &&
	    uid < h->uidnext;
}

/* The From_ line of a record is where it was, and its flags are taken. */
static bool
reread(struct box *b, struct win *w, struct rec *r, uint64_t *modseq)
{
	struct from_line f;

	if (mbox_from_at(w, r->offset, &f) != r->fromlen ||
	    (r->flags & REC_OWNUID && f.uid != r->uid) ||
	    (!(r->flags & REC_OWNUID) && f.date != r->date) ||
	    f.flags & MSG_EXPUNGED)
		return false;
	if (!(r->flags & REC_FIXED) ||
	    ((r->flags & MSG_FLAGS) == f.flags && r->keywords == f.keywords))
		return true;
	/* Whoever was told of the old ones hears of it. */
	if (*modseq == 0)
		*modseq = box_modseq(b);
	r->flags = (r->flags & ~(uint32_t)MSG_FLAGS) | f.flags;
	r->keywords = f.keywords;
	r->modseq = *modseq;
	idx_seal(&b->idx, r);
	return true;
}

/*
 * What other programs change in a message moves the next one's From_ line; the
 * last has none behind it but what was added.
 */
static bool
ends_there(const struct box *b, struct win *w)
{
	uint64_t end = b->idx.head->end;
	struct from_line f;

	return end == 0 || end == b->size || mbox_from_at(w, end, &f) != 0;
}

/* Records of an earlier life: the last one stands for all after a clean end. */
static void
check_records(struct box *b)
{
	struct idx_head *h = b->idx.head;
	uint64_t modseq = 0;
	struct win w;
	uint32_t i;

	if (!records_good(b)) {
		mbox_forget(b, "it was damaged");
		return;
	}
	if (win_init(&w, b->fd, b->size) == -1) {
		mbox_forget(b, "out of memory");
		return;
	}
	i = h->clean & IDX_CLEAN_FLAGS && h->count > 0 ? h->count - 1 : 0;
	for (; i < h->count; i++)
		if (!reread(b, &w, box_rec(b, i), &modseq)) {
			mbox_forget(b, "the mailbox is another");
			break;
		}
	if (b->outside != NULL && !ends_there(b, &w))
		mbox_forget(b, "its last message is another");
	win_free(&w);
}

bool
mbox_changed(struct box *b)
{
	struct stat st;

	if (b->outside != NULL)
		return outside_changed(b);
	if (fstatat(b->acct->dirfd, b->file, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    st.st_ino != b->ino || (uint64_t)st.st_size < b->size) {
		log_msg(LOG_PROBLEM, "%s: changed by somebody else", b->file);
		return true;
	}
	if (!b->tail)
		b->size = st.st_size;
	return false;
}

int
mbox_refresh(struct box *b)
{
	if (!b->checked) {
		check_records(b);
		b->idx.head->clean &= ~(uint32_t)IDX_CLEAN_FLAGS;
		if (idx_put_head(&b->idx) == -1)
			return -1;
		b->checked = true;
	}
	if (b->idx.head->end == b->size)
		return 0;
	b->revision++;
	if (scan(b) == 0)
		return 0;
	/* Half an index is none. */
	mbox_forget(b, "it could not be extended");
	b->checked = false;
	(void)idx_put_head(&b->idx);
	return -1;
}
