/*
 * Modified UTF-7, strictly: a name has one form on the wire, and whatever is
 * another is refused, so that no two texts mean one mailbox.  Runs in workers.
 */
#include <string.h>

#include "utf7.h"

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static bool
direct(uint32_t c)
{
	return c >= 0x20 && c < 0x7f;
}

static void
put_utf8(struct buf *b, uint32_t c)
{
	if (c < 0x800)
		buf_putc(b, (int)(0xc0 | c >> 6));
	else if (c < 0x10000)
		buf_putc(b, (int)(0xe0 | c >> 12));
	else {
		buf_putc(b, (int)(0xf0 | c >> 18));
		buf_putc(b, (int)(0x80 | (c >> 12 & 63)));
	}
	if (c >= 0x800)
		buf_putc(b, (int)(0x80 | (c >> 6 & 63)));
	buf_putc(b, (int)(0x80 | (c & 63)));
}

/* A UTF-16 unit of a shifted run; high is the surrogate before it, or 0. */
static bool
unit(struct buf *b, uint32_t u, uint32_t *high)
{
	if (*high != 0) {
		if (u < 0xdc00 || u > 0xdfff)
			return false;
		put_utf8(b, 0x10000 + ((*high - 0xd800) << 10) + u - 0xdc00);
		*high = 0;
		return true;
	}
	if (u >= 0xd800 && u <= 0xdbff) {
		*high = u;
		return true;
	}
	/* Controls, and what stands for itself, are not shifted. */
	if (u < 0xa0 || (u >= 0xdc00 && u <= 0xdfff))
		return false;
	put_utf8(b, u);
	return true;
}

/* Behind "&": up to and over "-". */
static bool
shifted(struct cur *c, struct buf *b)
{
	uint32_t bits = 0, high = 0;
	const char *d;
	int ch, n = 0;

	while ((ch = cur_get(c)) != '-') {
		if (ch <= 0 || (d = strchr(digits, ch)) == NULL)
			return false;
		bits = bits << 6 | (uint32_t)(d - digits);
		if ((n += 6) < 16)
			continue;
		n -= 16;
		if (!unit(b, bits >> n & 0xffff, &high))
			return false;
		bits &= (1U << n) - 1;
	}
	/* No half character, no digit too many, no stray bits. */
	return high == 0 && n < 6 && bits == 0;
}

bool
utf7_decode(struct buf *b, struct str s)
{
	struct cur c = cur_make(s.p, s.len);
	size_t start = b->len;
	bool was_shifted = false;
	int ch;

	while ((ch = cur_get(&c)) != -1) {
		if (!direct((uint32_t)ch))
			goto fail;
		if (ch != '&') {
			buf_putc(b, ch);
			was_shifted = false;
		} else if (cur_lit(&c, "-")) {
			buf_putc(b, '&');
			was_shifted = false;
		} else {
			/* Two runs side by side would be one. */
			if (was_shifted || !shifted(&c, b))
				goto fail;
			was_shifted = true;
		}
	}
	if (!b->failed)
		return true;
fail:
	if (b->p != NULL) {
		b->len = start;
		b->p[start] = '\0';
	}
	return false;
}

/* The next character of UTF-8, shortest form only; false if it is none. */
static bool
get_utf8(struct cur *c, uint32_t *out)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	int ch = cur_get(c), more, i;
	uint32_t u;

	if (ch < 0x80) {
		*out = (uint32_t)ch;
		return true;
	}
	more = ch >= 0xf0 ? 3 : ch >= 0xe0 ? 2 : 1;
	if (ch < 0xc2 || ch > 0xf4)
		return false;
	u = (uint32_t)ch & (0x3fU >> more);
	for (i = 0; i < more; i++) {
		if ((ch = cur_get(c)) == -1 || (ch & 0xc0) != 0x80)
			return false;
		u = u << 6 | ((uint32_t)ch & 0x3f);
	}
	*out = u;
	return u >= least[more] && u <= 0x10ffff &&
	    (u < 0xd800 || u > 0xdfff);
}

struct shift {
	struct buf	*b;
	bool		 on;
	uint32_t	 bits;
	int		 n;
};

static void
shift_unit(struct shift *s, uint32_t u)
{
	if (!s->on)
		buf_putc(s->b, '&');
	s->on = true;
	s->bits = s->bits << 16 | u;
	for (s->n += 16; s->n >= 6; s->n -= 6)
		buf_putc(s->b, digits[s->bits >> (s->n - 6) & 63]);
	s->bits &= (1U << s->n) - 1;
}

static void
shift_end(struct shift *s)
{
	if (s->on && s->n > 0)
		buf_putc(s->b, digits[s->bits << (6 - s->n) & 63]);
	if (s->on)
		buf_putc(s->b, '-');
	s->on = false;
	s->bits = 0;
	s->n = 0;
}

bool
utf7_encode(struct buf *b, struct str s)
{
	struct cur c = cur_make(s.p, s.len);
	struct shift sh = { b, false, 0, 0 };
	uint32_t u;

	while (cur_left(&c) > 0) {
		if (!get_utf8(&c, &u))
			return false;
		if (direct(u)) {
			shift_end(&sh);
			buf_putc(b, (int)u);
			if (u == '&')
				buf_putc(b, '-');
		} else if (u >= 0x10000) {
			shift_unit(&sh, 0xd800 + ((u - 0x10000) >> 10));
			shift_unit(&sh, 0xdc00 + ((u - 0x10000) & 0x3ff));
		} else
			shift_unit(&sh, u);
	}
	shift_end(&sh);
	return !b->failed;
}
