/*
 * Sections: found by the table of parts, or for the plain ones by the message's
 * own header; read in windows, their line ends made CRLF.  What was announced
 * as a literal's length is sent, to the octet, or the connection is given up.
 */
#include <string.h>

#include "box.h"
#include "fetch_section.h"
#include "imap.h"
#include "rfc5322.h"

/*
 * Where the last piece of a section began: a partial that asks for what
 * follows begins here and not at the section's beginning.  A generation is of
 * one mailbox only.
 */
static struct {
	uint64_t	 generation;
	uint32_t	 uid;
	uint64_t	 base;		/* where the section begins on disk */
	uint64_t	 off, wire;	/* a place in it, on disk and as sent */
	char		 last;		/* the byte before */
} mark;

/* Puts in[0..n) there as it is sent; out has room for twice as much. */
static size_t
to_wire(const char *in, size_t n, char *out, char *last)
{
	const char *s = in, *end = in + n, *lf;
	char *o = out;
	size_t len;

	while (s < end) {
		lf = memchr(s, '\n', end - s);
		len = (lf != NULL ? lf : end) - s;
		memcpy(o, s, len);
		o += len;
		if (len > 0)
			*last = s[len - 1];
		if (lf == NULL)
			break;
		if (*last != '\r')
			*o++ = '\r';
		*o++ = *last = '\n';
		s = lf + 1;
	}
	return o - out;
}

static void
put_literal(struct buf *out, uint64_t n)
{
	buf_add(out, " {", 2);
	imap_put_number(out, n);
	buf_add(out, "}\r\n", 3);
}

/* Appends text as it is sent. */
static bool
add_wire(struct buf *b, struct str s)
{
	char last = '\n';

	if (!buf_reserve(b, s.len * 2))
		return false;
	b->len += to_wire(s.p, s.len, b->p + b->len, &last);
	b->p[b->len] = '\0';
	return true;
}

/* --- headers that are made, not copied --- */

static bool
listed(const struct fetch_cmd *f, const struct fetch_item *it, struct str name)
{
	const struct str *s;
	uint32_t i;

	for (i = 0; i < it->nnames; i++) {
		s = &f->names[it->name + i];
		if (s->len == name.len &&
		    strncasecmp(s->p, name.p, name.len) == 0)
			return true;
	}
	return false;
}

/* Fields of a header, or all but them, and the empty line. */
static bool
select_fields(struct buf *b, const struct fetch_cmd *f,
    const struct fetch_item *it, struct str header)
{
	struct cur c = cur_make(header.p, header.len);
	bool not = it->text == TEXT_FIELDS_NOT;
	struct field field;

	while (field_next(&c, &field)) {
		if (listed(f, it, field.name) == not)
			continue;
		if (!add_wire(b, field.whole))
			return false;
		if (b->len > 0 && b->p[b->len - 1] != '\n')
			buf_puts(b, "\r\n");
	}
	return buf_puts(b, "\r\n");
}

static void
put_text(struct buf *out, const struct fetch_item *it, struct str s)
{
	if (it->partial) {
		if (it->off > s.len)
			s.len = 0;
		else {
			s.p += it->off;
			s.len -= it->off;
		}
		if (s.len > it->len)
			s.len = it->len;
	}
	buf_add(out, it->label.p, it->label.len);
	put_literal(out, s.len);
	buf_add(out, s.p, s.len);
}

/* --- which bytes --- */

/* Without numbers no table is needed; false if only that can tell. */
static bool
plain_range(struct text *t, const struct fetch_item *it, struct mime_range *r,
    bool *readable)
{
	const struct rec *rec = t->rec;
	struct str h;
	char last = '\n';
	size_t wire;

	*readable = true;
	memset(r, 0, sizeof(*r));
	if (it->npath > 0)
		return false;
	r->len = rec->size;
	r->wire = rec->wire;
	if (it->text == TEXT_ALL)
		return true;
	if (!text_head(t, &h)) {
		*readable = false;
		return true;
	}
	if (h.len >= RFC5322_MAXHEADER)
		return false;
	if (!buf_reserve(&t->work, h.len * 2)) {
		*readable = false;
		return true;
	}
	wire = to_wire(h.p, h.len, t->work.p, &last);
	if (it->text == TEXT_BODY) {
		r->off = h.len;
		r->len -= h.len;
		r->wire = wire < rec->wire ? rec->wire - wire : 0;
	} else {
		r->len = h.len;
		r->wire = h.len < rec->size ? wire : rec->wire;
	}
	return true;
}

static const enum mime_what whats[] = { [TEXT_ALL] = MIME_BODY,
	[TEXT_HEADER] = MIME_HEADER, [TEXT_FIELDS] = MIME_HEADER,
	[TEXT_FIELDS_NOT] = MIME_HEADER, [TEXT_BODY] = MIME_BODYTEXT,
	[TEXT_MIME] = MIME_MIMEHEADER };

static void
begin_range(struct section *s, const struct text *t,
    const struct fetch_item *it, const struct mime_range *r)
{
	s->base = s->off = r->off;
	s->end = r->off + r->len;
	s->left = r->wire;
	s->last = '\n';
	if (!it->partial)
		return;
	s->skip = it->off < s->left ? it->off : s->left;
	s->left -= s->skip;
	if (s->left > it->len)
		s->left = it->len;
	if (mark.uid == t->rec->uid &&
	    mark.generation == t->box->idx.head->generation &&
	    mark.base == s->base && mark.wire <= s->skip &&
	    mark.off <= s->end) {
		s->off = mark.off;
		s->wire = mark.wire;
		s->last = mark.last;
		s->skip -= mark.wire;
	}
}

bool
section_begin(struct section *s, struct text *t, struct fetch_cmd *f,
    const struct fetch_item *it, struct buf *out)
{
	struct mime_range r;
	bool readable, found = true;
	struct str h;

	memset(s, 0, sizeof(*s));
	if (!plain_range(t, it, &r, &readable)) {
		if (!text_parts(t))
			return false;
		found = mime_section(&t->mime, f->numbers + it->path,
		    it->npath, whats[it->text], &r);
	}
	if (!readable)
		return false;
	if (!found) {
		buf_add(out, it->label.p, it->label.len);
		return buf_puts(out, " NIL");
	}
	if (it->text == TEXT_FIELDS || it->text == TEXT_FIELDS_NOT) {
		if (!text_together(t, r.off, r.len, &h))
			return false;
		buf_reset(&t->work);
		if (!select_fields(&t->work, f, it, h))
			return false;
		h.p = t->work.p;
		h.len = t->work.len;
		put_text(out, it, h);
		return true;
	}
	begin_range(s, t, it, &r);
	buf_add(out, it->label.p, it->label.len);
	put_literal(out, s->left);
	s->active = s->left > 0;
	return true;
}

/* --- the bytes --- */

/* What a message lacks that ends without a line end. */
static bool
last_line_end(struct section *s, struct buf *out)
{
	static const char crlf[2] = "\r\n";
	size_t skip = s->skip < 2 ? s->skip : 2, n = 2 - skip;

	if (n > s->left)
		n = s->left;
	if (s->last == '\n' || s->skip > 2 || s->left > 2)
		return false;
	s->active = false;
	buf_add(out, crlf + skip, n);
	return n == s->left;
}

bool
section_more(struct section *s, struct text *t, struct buf *out)
{
	uint64_t want = s->end - s->off;
	const char *in;
	size_t n, len, skip;
	char *o;

	if (want > SECTION_PIECE)
		want = SECTION_PIECE;
	if ((in = text_bytes(t, s->off, want, &n)) == NULL)
		return false;
	if (n == 0)
		return last_line_end(s, out);
	mark.generation = t->box->idx.head->generation;
	mark.uid = t->rec->uid;
	mark.base = s->base;
	mark.off = s->off;
	mark.wire = s->wire;
	mark.last = s->last;
	if (!buf_reserve(out, n * 2))
		return false;
	o = out->p + out->len;
	len = to_wire(in, n, o, &s->last);
	s->off += n;
	s->wire += len;
	skip = s->skip < len ? s->skip : len;
	s->skip -= skip;
	len -= skip;
	if (len > s->left)
		len = s->left;
	if (skip > 0)
		memmove(o, o + skip, len);
	out->len += len;
	out->p[out->len] = '\0';
	s->left -= len;
	s->active = s->left > 0;
	return true;
}
