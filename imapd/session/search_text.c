/*
 * A message's bytes in a window, its header and parts, for SEARCH and FETCH;
 * and what SEARCH looks for in fields of the header.  Runs in the
 * account's worker; what a message says of itself is never believed further
 * than its own bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "box.h"
#include "cache.h"
#include "rfc2047.h"
#include "rfc5322.h"
#include "search.h"
#include "search_text.h"

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
plain(struct str s, const struct needle *n)
{
	return memchr(n->p, ' ', n->len) == NULL &&
	    memchr(n->p, '\t', n->len) == NULL && !has(s, "=?");
}

static int
find(struct text *t, struct needle *n, struct str s)
{
	return finder_find(&t->finder, n, s) ? 1 : 0;
}

static int
find_in_field(struct text *t, struct needle *n, struct str body)
{
	struct str s = { NULL, 0 };

	if (n->len == 0)
		return 1;
	if (plain(body, n))
		return find(t, n, body);
	buf_reset(&t->utf8);
	if (!rfc2047_utf8(&t->utf8, body))
		return -1;
	s.p = t->utf8.p;
	s.len = t->utf8.len;
	return find(t, n, s);
}

int
text_header(struct text *t, struct str name, struct needle *n)
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

int
text_sent(struct text *t, int64_t *day)
{
	struct field f;
	struct str h;

	if (!text_head(t, &h))
		return -1;
	return header_find(h, "Date", &f) && search_date(f.body, day);
}

/* --- parts --- */

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
