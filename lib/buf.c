/*
 * Bounded cursors and growing buffers: every process parses and formats with
 * these.  Never reads behind a cursor's end, never grows behind a buffer's
 * max; an allocation that fails only marks the buffer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "log.h"

enum { BUF_DEFMAX = 64 * 1024 * 1024, BUF_MINCAP = 64 };

/* 256 bits, one a byte value. */
struct byteset {
	uint64_t w[4];
};

static void
byteset_make(struct byteset *s, const char *set)
{
	memset(s, 0, sizeof(*s));
	for (; *set != '\0'; set++) {
		unsigned char c = *set;

		s->w[c >> 6] |= 1ULL << (c & 63);
	}
}

static inline bool
byteset_has(const struct byteset *s, unsigned char c)
{
	return (s->w[c >> 6] >> (c & 63)) & 1;
}

struct cur
cur_make(const void *p, size_t len)
{
	static const char none[1] = "";
	struct cur c;

	c.p = p != NULL ? p : none;
	c.end = p != NULL ? c.p + len : c.p;
	return c;
}

struct cur
cur_str(const char *s)
{
	return cur_make(s, s != NULL ? strlen(s) : 0);
}

int
cur_peek(const struct cur *c)
{
	return c->p < c->end ? (unsigned char)*c->p : -1;
}

int
cur_get(struct cur *c)
{
	return c->p < c->end ? (unsigned char)*c->p++ : -1;
}

bool
cur_skip(struct cur *c, size_t n)
{
	if (n > cur_left(c))
		return false;
	c->p += n;
	return true;
}

void
cur_ws(struct cur *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t'))
		c->p++;
}

bool
cur_lit(struct cur *c, const char *lit)
{
	size_t n = strlen(lit);

	if (n > cur_left(c) || memcmp(c->p, lit, n) != 0)
		return false;
	c->p += n;
	return true;
}

bool
cur_caselit(struct cur *c, const char *lit)
{
	size_t n = strlen(lit);

	if (n > cur_left(c) || strncasecmp(c->p, lit, n) != 0)
		return false;
	c->p += n;
	return true;
}

static struct str
cur_take(struct cur *c, const char *set, bool until)
{
	struct byteset bs;
	struct str s;

	byteset_make(&bs, set);
	s.p = c->p;
	while (c->p < c->end && byteset_has(&bs, *c->p) != until)
		c->p++;
	s.len = c->p - s.p;
	return s;
}

struct str
cur_until(struct cur *c, const char *set)
{
	const char *hit;
	struct str s;

	if (set[0] == '\0' || set[1] != '\0')
		return cur_take(c, set, true);
	hit = memchr(c->p, set[0], cur_left(c));
	s.p = c->p;
	c->p = hit != NULL ? hit : c->end;
	s.len = c->p - s.p;
	return s;
}

struct str
cur_span(struct cur *c, const char *set)
{
	return cur_take(c, set, false);
}

bool
cur_u64(struct cur *c, uint64_t *out, uint64_t max)
{
	const char *p = c->p;
	uint64_t v = 0;

	for (; p < c->end && *p >= '0' && *p <= '9'; p++) {
		uint64_t d = *p - '0';

		if (v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
		if (v > max)
			return false;
	}
	if (p == c->p)
		return false;
	c->p = p;
	*out = v;
	return true;
}

bool
cur_line(struct cur *c, struct str *line)
{
	const char *nl;

	if (c->p == c->end)
		return false;
	line->p = c->p;
	nl = memchr(c->p, '\n', cur_left(c));
	line->len = (nl != NULL ? nl : c->end) - c->p;
	c->p = nl != NULL ? nl + 1 : c->end;
	if (nl != NULL && line->len > 0 && line->p[line->len - 1] == '\r')
		line->len--;
	return true;
}

bool
cur_anyline(struct cur *c, struct str *line)
{
	if (cur_left(c) == 0)
		return false;
	*line = cur_until(c, "\r\n");
	if (cur_peek(c) == '\r')
		cur_get(c);
	if (cur_peek(c) == '\n')
		cur_get(c);
	return true;
}

struct str
str_make(const char *p)
{
	struct str s;

	s.p = p != NULL ? p : "";
	s.len = strlen(s.p);
	return s;
}

bool
str_eq(struct str s, const char *t)
{
	return strlen(t) == s.len && memcmp(s.p, t, s.len) == 0;
}

bool
str_caseeq(struct str s, const char *t)
{
	return strlen(t) == s.len && strncasecmp(s.p, t, s.len) == 0;
}

char *
str_dup(struct str s)
{
	char *p = malloc(s.len + 1);

	if (p == NULL)
		return NULL;
	if (s.len > 0)
		memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	return p;
}

bool
str_copy(struct str s, char *dst, size_t size)
{
	if (s.len >= size) {
		if (size > 0)
			dst[0] = '\0';
		return false;
	}
	if (s.len > 0)
		memcpy(dst, s.p, s.len);
	dst[s.len] = '\0';
	return true;
}

void
buf_init(struct buf *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
}

void
buf_free(struct buf *b)
{
	size_t max = b->max;

	free(b->p);
	buf_init(b, max);
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->p != NULL)
		b->p[0] = '\0';
}

/* Room for n more bytes and a NUL. */
static bool
buf_room(struct buf *b, size_t n)
{
	size_t max = b->max != 0 ? b->max : BUF_DEFMAX, cap;
	char *p;

	if (b->failed)
		return false;
	if (n > max || b->len > max - n)
		goto fail;
	if (b->len + n < b->cap)
		return true;
	cap = b->cap < BUF_MINCAP ? BUF_MINCAP : b->cap;
	while (cap <= b->len + n)
		cap *= 2;
	if ((p = realloc(b->p, cap)) == NULL)
		goto fail;
	b->p = p;
	b->cap = cap;
	return true;
fail:
	b->failed = true;
	return false;
}

bool
buf_reserve(struct buf *b, size_t n)
{
	if (!buf_room(b, n))
		return false;
	b->p[b->len] = '\0';
	return true;
}

bool
buf_add(struct buf *b, const void *p, size_t n)
{
	if (!buf_room(b, n))
		return false;
	if (n > 0)
		memcpy(b->p + b->len, p, n);
	b->len += n;
	b->p[b->len] = '\0';
	return true;
}

bool
buf_puts(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

bool
buf_putc(struct buf *b, int c)
{
	char ch = (char)c;

	return buf_add(b, &ch, 1);
}

bool
buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	if (!buf_room(b, 0))
		return false;
	va_copy(again, ap);
	n = vsnprintf(b->p + b->len, b->cap - b->len, fmt, again);
	va_end(again);
	if (n < 0) {
		b->p[b->len] = '\0';
		b->failed = true;
		return false;
	}
	if ((size_t)n >= b->cap - b->len) {
		b->p[b->len] = '\0';
		if (!buf_room(b, n))
			return false;
		vsnprintf(b->p + b->len, b->cap - b->len, fmt, ap);
	} else if (b->len + n > (b->max != 0 ? b->max : BUF_DEFMAX)) {
		b->p[b->len] = '\0';
		b->failed = true;
		return false;
	}
	b->len += n;
	return true;
}

bool
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	bool ok;

	va_start(ap, fmt);
	ok = buf_vprintf(b, fmt, ap);
	va_end(ap);
	return ok;
}

char *
buf_steal(struct buf *b)
{
	char *p;

	if (!buf_room(b, 0)) {
		buf_free(b);
		return NULL;
	}
	b->p[b->len] = '\0';
	p = b->p;
	b->p = NULL;
	buf_free(b);
	return p;
}

void *
xcalloc(size_t n, size_t size)
{
	void *p = calloc(n != 0 ? n : 1, size != 0 ? size : 1);

	if (p == NULL)
		fatalx("out of memory");
	return p;
}

char *
xstrdup(const char *s)
{
	char *p = strdup(s);

	if (p == NULL)
		fatalx("out of memory");
	return p;
}

char *
xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&p, fmt, ap);
	va_end(ap);
	if (n < 0)
		fatalx("out of memory");
	return p;
}
