/*
 * Sections of a message by their numbers (RFC 3501 6.4.5), and the part table
 * in the form in which the cache keeps it.  What comes from there is checked:
 * no index, offset or length leads out of the message.  Runs in workers.
 */
#include <stdlib.h>
#include <string.h>

#include "mime_int.h"

static uint32_t
nth(const struct mime *m, uint32_t part, uint32_t n)
{
	uint32_t i = m->part[part].child;

	for (; n > 1 && i != MIME_NONE; n--)
		i = m->part[i].next;
	return n == 0 ? MIME_NONE : i;
}

/*
 * The part of that number in a message or multipart: of a message that is no
 * multipart, its only part is the message itself.
 */
static uint32_t
below(const struct mime *m, uint32_t part, uint32_t n)
{
	const struct mime_part *p = &m->part[part];

	if (p->kind == MIME_MESSAGE) {
		part = p->child;
		p = &m->part[part];
		if (p->kind != MIME_MULTIPART)
			return n == 1 ? part : MIME_NONE;
	}
	return p->kind == MIME_MULTIPART ? nth(m, part, n) : MIME_NONE;
}

static bool
find(const struct mime *m, const uint32_t *num, size_t n, uint32_t *part)
{
	uint32_t i = 0;

	if (m->nparts == 0)
		return false;
	if (n > 0 && m->part[0].kind != MIME_MULTIPART) {
		if (num[0] != 1)
			return false;
		num++, n--;
	}
	for (; n > 0 && i != MIME_NONE; num++, n--)
		i = below(m, i, *num);
	*part = i;
	return i != MIME_NONE;
}

static void
range_header(const struct mime_part *p, struct mime_range *r)
{
	*r = (struct mime_range){ p->head, p->headlen, p->headwire, p };
}

static void
range_body(const struct mime_part *p, struct mime_range *r)
{
	*r = (struct mime_range){ p->body, p->bodylen, p->bodywire, p };
}

bool
mime_section(const struct mime *m, const uint32_t *num, size_t n,
    enum mime_what what, struct mime_range *r)
{
	const struct mime_part *p;
	uint32_t i;

	if (!find(m, num, n, &i))
		return false;
	p = &m->part[i];
	if (n == 0 && what == MIME_BODY) {
		*r = (struct mime_range){ 0, m->size, m->wire, p };
		return true;
	}
	if (what == MIME_BODY)
		range_body(p, r);
	else if (what == MIME_MIMEHEADER && n > 0)
		range_header(p, r);
	else if (what == MIME_MIMEHEADER || (n > 0 && p->kind != MIME_MESSAGE))
		return false;
	else {
		if (n > 0)
			p = &m->part[p->child];
		if (what == MIME_HEADER)
			range_header(p, r);
		else
			range_body(p, r);
	}
	return true;
}

struct str
mime_charset(const struct mime *m, const struct mime_part *p)
{
	return (struct str){ m->kept.len > 0 ? m->kept.p + p->charset : "",
	    p->charsetlen };
}

/*
 * Packed: numbers of seven bits a byte, the last with its high bit clear.
 * Places are told from where the one before is, so most take a byte or two.
 */
enum { PACK_VERSION = 1 };

static void
put(struct buf *b, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		buf_putc(b, (int)(n & 0x7f) | 0x80);
	buf_putc(b, (int)n);
}

static bool
get(struct cur *c, uint64_t *n, uint64_t max)
{
	unsigned shift;
	int ch;

	*n = 0;
	for (shift = 0; shift < 63; shift += 7) {
		if ((ch = cur_get(c)) == -1)
			return false;
		*n |= (uint64_t)(ch & 0x7f) << shift;
		if (ch < 0x80)
			return *n <= max;
	}
	return false;
}

bool
mime_pack(const struct mime *m, struct buf *b)
{
	const struct mime_part *p;
	uint32_t i;

	put(b, PACK_VERSION);
	put(b, m->nparts);
	put(b, m->size);
	put(b, m->wire - m->size);
	for (i = 0; i < m->nparts; i++) {
		p = &m->part[i];
		put(b, p->depth);
		put(b, (uint64_t)p->kind << 4 | p->enc);
		put(b, p->head);
		put(b, p->headlen);
		put(b, p->headwire - p->headlen);
		put(b, p->bodylen);
		put(b, p->bodywire - p->bodylen);
		put(b, p->lines);
		put(b, p->charsetlen);
		if (p->charsetlen > 0)
			buf_add(b, m->kept.p + p->charset, p->charsetlen);
	}
	return !b->failed;
}

/* One part's numbers, all within the message. */
static bool
get_part(struct mime *m, struct cur *c, struct mime_part *p)
{
	uint64_t depth, kind, grown, charset;
	struct str s;

	memset(p, 0, sizeof(*p));
	if (!get(c, &depth, MIME_MAXDEPTH) || !get(c, &kind, 0x7f) ||
	    !get(c, &p->head, m->size) ||
	    !get(c, &p->headlen, m->size - p->head) ||
	    !get(c, &grown, p->headlen))
		return false;
	p->headwire = p->headlen + grown;
	p->body = p->head + p->headlen;
	if (!get(c, &p->bodylen, m->size - p->body) ||
	    !get(c, &grown, p->bodylen) ||
	    !get(c, &p->lines, p->bodylen) ||
	    !get(c, &charset, cur_left(c)))
		return false;
	p->bodywire = p->bodylen + grown;
	p->depth = (uint16_t)depth;
	p->kind = (uint8_t)(kind >> 4);
	p->enc = (uint8_t)(kind & 15);
	s = (struct str){ c->p, charset };
	p->charset = (uint32_t)m->kept.len;
	p->charsetlen = (uint32_t)s.len;
	return cur_skip(c, s.len) && buf_add(&m->kept, s.p, s.len) &&
	    p->kind <= MIME_MESSAGE && p->enc <= MIME_UNKNOWN;
}

/* Makes the tree of the depths; false if they cannot be one. */
static bool
link_parts(struct mime *m)
{
	uint32_t last[MIME_MAXDEPTH + 1], i, d, before = 0;
	struct mime_part *p, *up;

	for (i = 0; i < m->nparts; i++) {
		p = &m->part[i];
		d = p->depth;
		p->parent = p->child = p->next = MIME_NONE;
		if (i == 0 ? d != 0 : d == 0 || d > before + 1)
			return false;
		if (d > 0) {
			p->parent = last[d - 1];
			up = &m->part[p->parent];
			if (up->kind < MIME_MULTIPART)
				return false;
			if (up->child == MIME_NONE)
				up->child = i;
			else if (up->kind == MIME_MESSAGE)
				return false;
			else
				m->part[last[d]].next = i;
		}
		last[d] = i;
		before = d;
	}
	for (i = 0; i < m->nparts; i++)
		if (m->part[i].kind == MIME_MESSAGE &&
		    m->part[i].child == MIME_NONE)
			return false;
	return true;
}

bool
mime_unpack(struct mime *m, struct str s)
{
	struct cur c = cur_make(s.p, s.len);
	uint64_t version, n, grown;
	void *q;

	m->nparts = 0;
	buf_reset(&m->kept);
	if (!get(&c, &version, PACK_VERSION) || version != PACK_VERSION ||
	    !get(&c, &n, MIME_MAXPARTS) || n == 0 || n > cur_left(&c) / 9 ||
	    !get(&c, &m->size, INT64_MAX / 4) || !get(&c, &grown, m->size))
		return false;
	m->wire = m->size + grown;
	if (n > m->cap) {
		if ((q = reallocarray(m->part, n, sizeof(*m->part))) == NULL)
			return false;
		m->part = q;
		if ((q = reallocarray(m->heads, n, sizeof(*m->heads))) == NULL)
			return false;
		m->heads = q;
		m->cap = (uint32_t)n;
	}
	while (m->nparts < n && get_part(m, &c, &m->part[m->nparts]))
		m->nparts++;
	if (m->nparts == n && cur_left(&c) == 0 && link_parts(m))
		return true;
	m->nparts = 0;
	return false;
}
