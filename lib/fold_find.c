/*
 * Searching for a folded needle.  Two of its bytes, the rarest, are compared at
 * sixteen places at a time; only where both fit the rest is looked at.  Runs in
 * workers.
 */
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "fold_int.h"

enum {
	/* So much looking in vain a byte of text is allowed. */
	FIND_PATIENCE = 16
};

/* Bytes by how often they are in text, the most frequent first. */
static const char frequent[] = " etaoinsrhldcumfpgwybv\n.,-k\rx'jqz0123456789";

static unsigned
rarity(char c)
{
	const char *p = c == '\0' ? NULL : strchr(frequent, c);

	return p != NULL ? (unsigned)(p - frequent) : sizeof(frequent);
}

/* The two rarest bytes, not the same if there are others. */
static void
choose(struct needle *n)
{
	size_t i;

	for (i = 1; i < n->len; i++)
		if (rarity(n->p[i]) > rarity(n->p[n->a]))
			n->a = i;
	if (n->a == 0 && n->len > 1)
		n->b = 1;
	for (i = 0; i < n->len; i++)
		if (i != n->a && (n->b == n->a || n->p[n->b] == n->p[n->a] ||
		    (n->p[i] != n->p[n->a] &&
		    rarity(n->p[i]) > rarity(n->p[n->b]))))
			n->b = i;
}

bool
needle_init(struct needle *n, struct str s)
{
	struct buf b;

	memset(n, 0, sizeof(*n));
	buf_init(&b, 0);
	if (!buf_reserve(&b, s.len) || !fold_utf8(&b, s)) {
		buf_free(&b);
		return false;
	}
	n->p = b.p;
	n->len = b.len;
	n->ascii = fold_ascii_run(b.p, b.len) == b.len;
	choose(n);
	return true;
}

void
needle_free(struct needle *n)
{
	free(n->p);
	memset(n, 0, sizeof(*n));
}

static inline char
lower(char c)
{
	return (char)(c | ((c >= 'A' && c <= 'Z') << 5));
}

/* How many bytes of the needle stand at p. */
static size_t
same(const struct needle *n, const char *p)
{
	size_t i;

	for (i = 0; i < n->len && lower(p[i]) == n->p[i]; i++)
		continue;
	return i;
}

/* Small letters only in the needle: a bit turns both cases into them. */
static char
case_bit(char c)
{
	return c >= 'a' && c <= 'z' ? 0x20 : 0;
}

/* Linear whatever the text: for those that made the other way slow. */
static bool
find_slowly(const struct needle *n, const char *p, size_t len)
{
	struct buf b;
	bool found;

	buf_init(&b, 0);
	if (!buf_reserve(&b, len))
		return false;
	while (len-- > 0)
		b.p[b.len++] = lower(*p++);
	found = memmem(b.p, b.len, n->p, n->len) != NULL;
	buf_free(&b);
	return found;
}

#ifdef __SSE2__
static bool
find(const struct needle *n, const char *p, size_t len)
{
	const __m128i a = _mm_set1_epi8(n->p[n->a]);
	const __m128i b = _mm_set1_epi8(n->p[n->b]);
	const __m128i abit = _mm_set1_epi8(case_bit(n->p[n->a]));
	const __m128i bbit = _mm_set1_epi8(case_bit(n->p[n->b]));
	size_t places, i, k, vain = 0;
	__m128i x, y;
	unsigned hits;

	if (len < n->len)
		return false;
	places = len - n->len + 1;
	for (i = 0; i + 16 <= places; i += 16) {
		x = _mm_loadu_si128((const __m128i *)(const void *)
		    (p + i + n->a));
		y = _mm_loadu_si128((const __m128i *)(const void *)
		    (p + i + n->b));
		x = _mm_cmpeq_epi8(_mm_or_si128(x, abit), a);
		y = _mm_cmpeq_epi8(_mm_or_si128(y, bbit), b);
		hits = (unsigned)_mm_movemask_epi8(_mm_and_si128(x, y));
		for (; hits != 0; hits &= hits - 1) {
			k = same(n, p + i + __builtin_ctz(hits));
			if (k == n->len)
				return true;
			vain += k;
		}
		if (vain > FIND_PATIENCE * (i + 64))
			return find_slowly(n, p + i, len - i);
	}
	for (; i < places; i++)
		if (same(n, p + i) == n->len)
			return true;
	return false;
}
#else
static bool
find(const struct needle *n, const char *p, size_t len)
{
	size_t places, i, vain = 0, k;
	char c = n->p[n->a], bit = case_bit(c);

	if (len < n->len)
		return false;
	places = len - n->len + 1;
	for (i = 0; i < places; i++) {
		if ((p[i + n->a] | bit) != c)
			continue;
		if ((k = same(n, p + i)) == n->len)
			return true;
		vain += k;
		if (vain > FIND_PATIENCE * (i + 64))
			return find_slowly(n, p + i, len - i);
	}
	return false;
}
#endif

void
finder_init(struct finder *f)
{
	memset(f, 0, sizeof(*f));
	buf_init(&f->tail, 0);
	buf_init(&f->work, 0);
}

void
finder_free(struct finder *f)
{
	buf_free(&f->tail);
	buf_free(&f->work);
}

void
finder_start(struct finder *f, struct needle **open, size_t n)
{
	size_t i;

	f->open = open;
	f->nopen = n;
	f->longest = 0;
	for (i = 0; i < n; i++) {
		open[i]->found = false;
		if (open[i]->len > f->longest)
			f->longest = open[i]->len;
	}
	buf_reset(&f->tail);
	f->npart = 0;
}

/*
 * Each needle in what was kept up to edge and in what follows; border: only
 * those that begin before it and end behind it.
 */
static void
find_all(struct finder *f, const char *p, size_t len, size_t edge, bool border)
{
	struct needle *nd;
	size_t i, from, end, k;

	for (i = 0; i < f->nopen;) {
		nd = f->open[i];
		k = nd->len > 0 ? nd->len - 1 : 0;
		from = edge > k ? edge - k : 0;
		end = border && edge + k < len ? edge + k : len;
		if (nd->len == 0 || find(nd, p + from, end - from)) {
			nd->found = true;
			f->open[i] = f->open[--f->nopen];
		} else
			i++;
	}
}

/* The same where the text is ASCII, and so must they be. */
static void
find_ascii(struct finder *f, const char *p, size_t n)
{
	struct needle *nd;
	size_t i;

	for (i = 0; i < f->nopen;) {
		nd = f->open[i];
		if (nd->len == 0 || (nd->ascii && find(nd, p, n))) {
			nd->found = true;
			f->open[i] = f->open[--f->nopen];
		} else
			i++;
	}
}

/* What a needle across two pieces may begin with. */
static void
keep_tail(struct finder *f, const char *p, size_t n)
{
	size_t k = f->longest > 0 ? f->longest - 1 : 0;

	if (n > k) {
		p += n - k;
		n = k;
	}
	buf_reset(&f->tail);
	fold_run(&f->tail, p, n, true);
}

static void
feed_ascii(struct finder *f, const char *p, size_t n, bool last)
{
	size_t k = f->longest > 0 ? f->longest - 1 : 0;

	if (f->tail.len > 0) {
		buf_reset(&f->work);
		buf_add(&f->work, f->tail.p, f->tail.len);
		fold_run(&f->work, p, n < k ? n : k, true);
		find_all(f, f->work.p, f->work.len, f->tail.len, true);
	}
	find_ascii(f, p, n);
	if (last || f->nopen == 0)
		return;
	if (f->tail.len > 0 && n < k)
		keep_tail(f, f->work.p, f->work.len);
	else
		keep_tail(f, p, n);
}

/* Completes a character that the piece before began. */
static void
complete(struct finder *f, const char **p, size_t *n, bool last)
{
	size_t taken;

	while (f->npart > 0 && *n > 0 && f->npart < sizeof(f->part)) {
		f->part[f->npart++] = *(*p)++;
		(*n)--;
		taken = fold_run(&f->work, f->part, f->npart, false);
		f->npart -= (uint8_t)taken;
		memmove(f->part, f->part + taken, f->npart);
	}
	if (last && *n == 0 && f->npart > 0) {
		fold_run(&f->work, f->part, f->npart, true);
		f->npart = 0;
	}
}

static void
feed_any(struct finder *f, const char *p, size_t n, bool last)
{
	size_t taken;

	buf_reset(&f->work);
	buf_add(&f->work, f->tail.p, f->tail.len);
	complete(f, &p, &n, last);
	taken = fold_run(&f->work, p, n, last);
	if (taken < n) {
		f->npart = (uint8_t)(n - taken);
		memcpy(f->part, p + taken, n - taken);
	}
	find_all(f, f->work.p, f->work.len, f->tail.len, false);
	if (!last)
		keep_tail(f, f->work.p, f->work.len);
}

bool
finder_feed(struct finder *f, const char *p, size_t n, bool last)
{
	if (f->nopen > 0 && (n > 0 || last)) {
		if (f->npart == 0 && fold_ascii_run(p, n) == n)
			feed_ascii(f, p, n, last);
		else
			feed_any(f, p, n, last);
	}
	return f->nopen == 0;
}

bool
finder_find(struct finder *f, struct needle *n, struct str s)
{
	f->one = n;
	finder_start(f, &f->one, 1);
	return finder_feed(f, s.p, s.len, true);
}
