/*
 * Case folding and search.  Most text is ASCII, and is searched where it lies;
 * only what is not is folded into a buffer.  Tables are ICU's.  Runs in
 * workers.
 */
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/ustring.h>

#include "fold.h"
#include "fold_int.h"

enum {
	FOLD_MAXUNITS = 4,		/* of one character, folded */
	FOLD_BLOCK = 4096,		/* bytes at a time */
	FOLD_SLACK = 32,		/* what one character may write over */
	FOLD2_FIRST = 0x80, FOLD2_END = 0x800
};

/* What two-byte characters fold to, found out when first met. */
static struct {
	uint8_t		 len;
	char		 s[7];
} fold2[FOLD2_END - FOLD2_FIRST];

size_t
fold_ascii_run(const char *p, size_t n)
{
	uint64_t w;
	size_t i = 0;

	for (; n - i >= sizeof(w); i += sizeof(w)) {
		memcpy(&w, p + i, sizeof(w));
		if (w & 0x8080808080808080ULL)
			break;
	}
	while (i < n && (unsigned char)p[i] < 0x80)
		i++;
	return i;
}

static void
lower(char *out, const char *in, size_t n)
{
	size_t i;
	char c;

	/* No branch, no table: the compiler makes vectors of it. */
	for (i = 0; i < n; i++) {
		c = in[i];
		out[i] = (char)(c | ((c >= 'A' && c <= 'Z') << 5));
	}
}

/* How long the character at p is; 0: no UTF-8; more than n: cut off. */
static inline size_t
char_length(const char *s, size_t n, uint32_t *u)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s;
	size_t len, i;

	len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	*u = p[0] & (0x7fU >> len);
	for (i = 1; i < len && i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*u = *u << 6 | (p[i] & 0x3f);
	}
	if (n < len)
		return len;
	return *u < least[len] || *u > 0x10ffff || (*u & ~0x7ffU) == 0xd800 ?
	    0 : len;
}

/* Those have no case: most of what is written in three bytes. */
static bool
no_case(uint32_t u)
{
	return (u >= 0x2e80 && u < 0xa640) || (u >= 0xac00 && u < 0xfb00);
}

static size_t
fold_char(uint32_t u, char *out, size_t size)
{
	UChar in[2], folded[FOLD_MAXUNITS];
	UErrorCode err = U_ZERO_ERROR;
	int32_t n = 0, len = 0;

	U16_APPEND_UNSAFE(in, n, u);
	n = u_strFoldCase(folded, FOLD_MAXUNITS, in, n, U_FOLD_CASE_DEFAULT,
	    &err);
	if (U_FAILURE(err))
		return 0;
	err = U_ZERO_ERROR;
	u_strToUTF8(out, (int32_t)size, &len, folded, n, &err);
	return U_FAILURE(err) ? 0 : (size_t)len;
}

/* A two-byte character, whose folded form is found once. */
static char *
put2(char *o, uint32_t u, const char *p)
{
	size_t i = u - FOLD2_FIRST, n;
	char out[3 * FOLD_MAXUNITS + 1];

	if (fold2[i].len == 0) {
		n = fold_char(u, out, sizeof(out));
		if (n == 0 || n > sizeof(fold2[i].s)) {
			n = 2;
			memcpy(out, p, n);
		}
		memcpy(fold2[i].s, out, n);
		fold2[i].len = (uint8_t)n;
	}
	memcpy(o, fold2[i].s, sizeof(fold2[i].s));
	return o + fold2[i].len;
}

static char *
put_char(char *o, uint32_t u, const char *p, size_t len)
{
	char out[3 * FOLD_MAXUNITS + 1];
	size_t n;

	if (len == 2)
		return put2(o, u, p);
	if (!no_case(u) && (n = fold_char(u, out, sizeof(out))) != 0) {
		memcpy(o, out, n);
		return o + n;
	}
	memcpy(o, p, len);
	return o + len;
}

/*
 * From i up to end, or a little over it, where there is room; stops before a
 * character that is cut off at n.
 */
static size_t
fold_block(struct buf *b, const char *p, size_t i, size_t end, size_t n,
    bool last)
{
	char *o = b->p + b->len;
	uint32_t u = 0;
	size_t len;

	while (i < end) {
		if ((unsigned char)p[i] < 0x80) {
			len = fold_ascii_run(p + i, end - i);
			lower(o, p + i, len);
			o += len;
			i += len;
			continue;
		}
		len = char_length(p + i, n - i, &u);
		if (len > n - i && !last)
			break;
		if (len == 0 || len > n - i)
			*o++ = p[i++];
		else {
			o = put_char(o, u, p + i, len);
			i += len;
		}
	}
	b->len = o - b->p;
	*o = '\0';
	return i;
}

size_t
fold_run(struct buf *b, const char *p, size_t n, bool last)
{
	size_t i = 0, end;

	while (i < n) {
		end = n - i < FOLD_BLOCK ? n : i + FOLD_BLOCK;
		/* No character grows more than threefold. */
		if (!buf_reserve(b, 3 * (end - i) + FOLD_SLACK))
			return n;
		i = fold_block(b, p, i, end, n, last);
		if (i < end)
			break;
	}
	return i;
}

bool
fold_utf8(struct buf *b, struct str s)
{
	fold_run(b, s.p, s.len, true);
	return !b->failed;
}
