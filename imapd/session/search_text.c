/*
 * Text in messages, for SEARCH: what is asked for is folded once, and most
 * mail is searched where it was read to, without a copy.  Runs in the
 * account's worker; what a message says of itself is never believed further
 * than its own bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "box.h"
#include "cache.h"
#include "charset.h"
#include "mime_decode.h"
#include "rfc2047.h"
#include "rfc5322.h"
#include "search.h"
#include "search_text.h"

enum { PIECE = 32 * 1024 };	/* decoded at a time */

void
text_init(struct text *t, struct box *b, bool body)
{
	memset(t, 0, sizeof(*t));
	t->box = b;
	t->ahead = body ? TEXT_WINDOW : TEXT_FIRST;
	mime_init(&t->mime);
	finder_init(&t->finder);
	buf_init(&t->head, 0);
	buf_init(&t->work, 0);
	buf_init(&t->utf8, 0);
}

void
text_free(struct text *t)
{
	free(t->win);
	mime_free(&t->mime);
	finder_free(&t->finder);
	buf_free(&t->head);
	buf_free(&t->work);
	buf_free(&t->utf8);
}

void
text_message(struct text *t, const struct rec *r)
{
	t->rec = r;
	t->off = 0;
	t->len = 0;
	t->header = 0;
	t->gone = false;
	t->parts = false;
	buf_reset(&t->head);
}

/* --- bytes --- */

/* Reads n bytes at off into the window, which need not be larger than that. */
static bool
fill(struct text *t, uint64_t off, size_t n)
{
	ssize_t r;
	char *p;

	t->len = 0;
	if (n > t->cap) {
		if ((p = realloc(t->win, n)) == NULL)
			return false;
		t->win = p;
		t->cap = n;
	}
	if ((r = box_read(t->box, t->rec, off, t->win, n)) == -1)
		return false;
	t->off = off;
	t->len = r;
	return true;
}

const char *
text_bytes(struct text *t, uint64_t off, size_t want, size_t *got)
{
	size_t n;

	if (off > t->rec->size)
		off = t->rec->size;
	if (want > t->rec->size - off)
		want = t->rec->size - off;
	if (want > TEXT_WINDOW)
		want = TEXT_WINDOW;
	*got = want;
	if (want == 0)
		return "";
	if (off < t->off || off + want > t->off + t->len) {
		n = want < t->ahead ? t->ahead : want;
		if (n > t->rec->size - off)
			n = t->rec->size - off;
		if (t->gone || !fill(t, off, n))
			return NULL;
	}
	if (*got > t->off + t->len - off)
		*got = t->off + t->len - off;
	return t->win + (off - t->off);
}

bool
text_together(struct text *t, uint64_t off, uint64_t len, struct str *out)
{
	uint64_t end;
	const char *p;
	size_t n;

	if (len > RFC5322_MAXHEADER)
		len = RFC5322_MAXHEADER;
	if ((p = text_bytes(t, off, len, &n)) == NULL)
		return false;
	out->p = p;
	out->len = n;
	if (n == len || n == 0)
		return true;
	buf_reset(&t->head);
	for (end = off + len; off < end && n > 0; off += n) {
		if ((p = text_bytes(t, off, end - off, &n)) == NULL ||
		    !buf_add(&t->head, p, n))
			return false;
	}
	out->p = t->head.p;
	out->len = t->head.len;
	return true;
}

bool
text_head(struct text *t, struct str *out)
{
	size_t want = TEXT_FIRST;

	if (t->header != 0)
		return text_together(t, 0, t->header, out);
	for (;; want *= 4) {
		if (!text_together(t, 0, want, out))
			return false;
		t->header = header_end(*out);
		if (t->header < out->len || out->len < want ||
		    want >= RFC5322_MAXHEADER)
			break;
	}
	out->len = t->header;
	return true;
}

/* --- headers --- */

static bool
has(struct str s, const char *what)
{
	return s.len > 0 && memmem(s.p, s.len, what, strlen(what)) != NULL;
}

/* Could a line's end or an encoded word hide it? */
static bool
plain(const struct text *t, struct str s, const struct needle *n)
{
	return memchr(n->p, ' ', n->len) == NULL &&
	    memchr(n->p, '\t', n->len) == NULL && !has(s, "=?");
}

static int
find(struct text *t, const struct needle *n, struct str s)
{
	return finder_find(&t->finder, n, s) ? 1 : 0;
}

static int
find_in_field(struct text *t, const struct needle *n, struct str body)
{
	struct str s = { NULL, 0 };

	if (n->len == 0)
		return 1;
	if (plain(t, body, n))
		return find(t, n, body);
	buf_reset(&t->utf8);
	if (!rfc2047_utf8(&t->utf8, body))
		return -1;
	s.p = t->utf8.p;
	s.len = t->utf8.len;
	return find(t, n, s);
}

int
text_header(struct text *t, struct str name, const struct needle *n)
{
	struct field f;
	struct str h;
	struct cur c;
	int r;

	if (!text_head(t, &h))
		return -1;
	for (c = cur_make(h.p, h.len); field_next(&c, &f);) {
		if (f.name.len != name.len ||
		    strncasecmp(f.name.p, name.p, name.len) != 0)
			continue;
		if ((r = find_in_field(t, n, f.body)) != 0)
			return r;
	}
	return 0;
}

/* Anywhere in a header, names and all. */
static int
find_in_header(struct text *t, const struct needle *n, struct str h)
{
	struct cur c = cur_make(h.p, h.len);
	struct field f;
	struct str s;

	if (plain(t, h, n))
		return find(t, n, h);
	while (field_next(&c, &f)) {
		buf_reset(&t->utf8);
		if (!buf_add(&t->utf8, f.name.p, f.name.len) ||
		    !buf_puts(&t->utf8, ": ") ||
		    !rfc2047_utf8(&t->utf8, f.body))
			return -1;
		s.p = t->utf8.p;
		s.len = t->utf8.len;
		if (find(t, n, s))
			return 1;
	}
	return 0;
}

int
text_sent(struct text *t, int64_t *day)
{
	struct field f;
	struct str h;

	if (!text_head(t, &h))
		return -1;
	return header_find(h, "Date", &f) && search_date(f.body, day);
}

/* --- bodies --- */

bool
text_parts(struct text *t)
{
	struct summary s;

	if (t->parts)
		return true;
	if (t->gone || box_summary(t->box, t->rec, &s) == -1)
		return false;
	t->parts = mime_unpack(&t->mime, s.parts);
	return t->parts;
}

/* A piece of a part's text, already decoded. */
static int
feed(struct text *t, struct charset *cs, const char *p, size_t len, bool last)
{
	if (cs == NULL)
		return finder_feed(&t->finder, p, len, last);
	buf_reset(&t->utf8);
	if (!charset_utf8(cs, p, len, last, &t->utf8))
		return -1;
	return finder_feed(&t->finder, t->utf8.p, t->utf8.len, last);
}

static int
feed_decoded(struct text *t, struct decoder *d, struct charset *cs,
    const char *p, size_t len, bool last)
{
	size_t n, out;
	int r;

	for (; len > 0; p += n, len -= n) {
		n = len < PIECE ? len : PIECE;
		out = decoder_run(d, p, n, t->work.p);
		if ((r = feed(t, cs, t->work.p, out, false)) != 0)
			return r;
	}
	if (!last)
		return 0;
	out = decoder_end(d, t->work.p);
	return feed(t, cs, t->work.p, out, true);
}

static int
find_in_text(struct text *t, const struct mime_part *p, const struct needle *n)
{
	struct charset *cs = charset_get(mime_charset(&t->mime, p));
	uint64_t off = p->body, end = p->body + p->bodylen;
	struct decoder d;
	bool decode = decoder_init(&d, p->enc), last;
	const char *s;
	size_t got;
	int r = 0;

	if (decode && !buf_reserve(&t->work, PIECE + DECODER_ROOM))
		return -1;
	if (charset_is_utf8(cs))
		cs = NULL;
	else
		charset_reset(cs);
	finder_start(&t->finder, n);
	for (; off < end && r == 0; off += got) {
		if ((s = text_bytes(t, off, end - off > TEXT_WINDOW ?
			TEXT_WINDOW : end - off, &got)) == NULL)
			return -1;
		if (got == 0)
			break;
		last = off + got >= end;
		r = decode ? feed_decoded(t, &d, cs, s, got, last)
			   : feed(t, cs, s, got, last);
	}
	return r;
}

/* A report of a delivery, and others whose type is message/something. */
static bool
is_message(struct str h)
{
	struct field f;
	struct cur c;

	if (!header_find(h, "Content-Type", &f))
		return false;
	c = cur_make(f.body.p, f.body.len);
	cur_span(&c, " \t\r\n");
	return cur_caselit(&c, "message/");
}

static int
find_in_part(struct text *t, const struct mime_part *p,
    const struct needle *n)
{
	struct str h = { NULL, 0 };
	int r;

	/* The header of the message itself is not part of its body. */
	if (p->depth > 0 && p->headlen > 0) {
		if (!text_together(t, p->head, p->headlen, &h))
			return -1;
		if ((r = find_in_header(t, n, h)) != 0)
			return r;
	}
	if (p->kind != MIME_TEXT && !(p->kind == MIME_LEAF && is_message(h)))
		return 0;
	return p->bodylen == 0 ? 0 : find_in_text(t, p, n);
}

int
text_body(struct text *t, const struct needle *n, bool with_header)
{
	struct str h;
	uint32_t i;
	int r;

	if (n->len == 0)
		return 1;
	if (with_header) {
		if (!text_head(t, &h))
			return -1;
		if ((r = find_in_header(t, n, h)) != 0)
			return r;
	}
	if (!text_parts(t))
		return -1;
	for (i = 0; i < t->mime.nparts; i++)
		if ((r = find_in_part(t, &t->mime.part[i], n)) != 0)
			return r;
	return 0;
}
