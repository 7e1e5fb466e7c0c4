/*
 * One pass over a message's text for all of SEARCH's BODY and TEXT keys: each
 * part is decoded once, a piece at a time, and each piece is searched for what
 * was not yet found.  Runs in the account's worker; what a message says of
 * itself is never believed further than its own bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "charset.h"
#include "rfc2047.h"
#include "rfc5322.h"
#include "search.h"
#include "search_body.h"

enum {
	PIECE = 32 * 1024,		/* decoded at a time */
	LEAST = 1024,			/* however many are searched for */
	DECODING = 8,			/* costs as much as so many needles */
	WORK = 2 * 1024 * 1024		/* bytes times needles at a time */
};

void
body_init(struct body *y, struct text *t)
{
	memset(y, 0, sizeof(*y));
	y->text = t;
	finder_init(&y->finder);
	buf_init(&y->head, 0);
	buf_init(&y->field, 0);
	buf_init(&y->work, 0);
	buf_init(&y->utf8, 0);
}

void
body_free(struct body *y)
{
	charset_free(y->own);
	free(y->open);
	finder_free(&y->finder);
	buf_free(&y->head);
	buf_free(&y->field);
	buf_free(&y->work);
	buf_free(&y->utf8);
}

void
body_reset(struct body *y)
{
	charset_free(y->own);
	y->own = y->charset = NULL;
	y->nopen = y->nown = 0;
	y->at = BODY_ASK;
	y->blanks = y->inhead = false;
	y->part = 0;
}

bool
body_ask(struct body *y, struct needle *n, bool header)
{
	uint32_t cap = y->cap == 0 ? 16 : y->cap * 2;
	struct needle **p;

	if (y->nopen == y->cap) {
		if ((p = reallocarray(y->open, cap, sizeof(*p))) == NULL)
			return false;
		y->open = p;
		y->cap = cap;
	}
	n->found = false;
	if (memchr(n->p, ' ', n->len) != NULL ||
	    memchr(n->p, '\t', n->len) != NULL)
		y->blanks = true;
	y->open[y->nopen++] = n;
	if (header) {
		y->open[y->nopen - 1] = y->open[y->nown];
		y->open[y->nown++] = n;
	}
	return true;
}

/* --- pieces --- */

/* How much is taken at once: the more is searched for, the less. */
static size_t
piece(const struct body *y, uint64_t left, size_t most)
{
	size_t n = WORK / (y->finder.nopen + DECODING);

	if (n < LEAST)
		n = LEAST;
	if (n > most)
		n = most;
	return n < left ? n : (size_t)left;
}

static void
start(struct body *y, enum body_at at)
{
	finder_start(&y->finder, y->open, y->inhead && y->part == 0 ?
	    y->nown : y->nopen);
	y->at = at;
}

static void
look(struct body *y, const char *p, size_t n, bool last)
{
	size_t before = y->finder.nopen;

	finder_feed(&y->finder, p, n, last);
	if (y->finder.nopen < before)
		y->hit = true;
}

/* The text in hand is at its end, or has all that is searched for. */
static void
stop(struct body *y, enum body_at at)
{
	uint32_t n = y->finder.nopen;

	if (y->inhead && y->part == 0) {
		/* Those that are not for the header move up. */
		memmove(y->open + n, y->open + y->nown,
		    (y->nopen - y->nown) * sizeof(*y->open));
		y->nopen -= y->nown - n;
		y->nown = n;
		if (n == 0)
			at = BODY_NEXT;
	} else
		y->nopen = n;
	charset_free(y->own);
	y->own = y->charset = NULL;
	y->at = y->nopen == 0 ? BODY_DONE : at;
}

/* --- headers --- */

/*
 * A header is searched as it is, names and all, unless an end of a line or an
 * encoded word could hide something.
 */
static int
begin_header(struct body *y, uint64_t off, struct str h)
{
	y->inhead = true;
	if (!y->blanks &&
	    (h.len == 0 || memmem(h.p, h.len, "=?", 2) == NULL)) {
		y->off = off;
		y->end = off + h.len;
		y->decode = false;
		y->charset = NULL;
		start(y, BODY_STREAM);
		return 0;
	}
	buf_reset(&y->head);
	y->next = 0;
	y->at = BODY_FIELDS;
	return buf_add(&y->head, h.p, h.len) ? 0 : -1;
}

static int
next_field(struct body *y)
{
	struct cur c = cur_make(y->head.p + y->next, y->head.len - y->next);
	struct field f;

	if (!field_next(&c, &f)) {
		y->at = BODY_NEXT;
		return 0;
	}
	y->next = c.p - y->head.p;
	y->done = 0;
	buf_reset(&y->field);
	if (!buf_add(&y->field, f.name.p, f.name.len) ||
	    !buf_puts(&y->field, ": ") || !rfc2047_utf8(&y->field, f.body))
		return -1;
	start(y, BODY_FIELD);
	return 0;
}

static size_t
in_field(struct body *y)
{
	size_t left = y->field.len - y->done, n = piece(y, left, left);

	look(y, y->field.p + y->done, n, n == left);
	y->done += n;
	if (n == left || y->finder.nopen == 0)
		stop(y, BODY_FIELDS);
	return n;
}

/* --- texts --- */

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
begin_text(struct body *y, const struct mime_part *p)
{
	struct charset *cs = charset_get(mime_charset(&y->text->mime, p));

	y->off = p->body;
	y->end = p->body + p->bodylen;
	y->decode = decoder_init(&y->decoder, p->enc);
	if (y->decode && !buf_reserve(&y->work, PIECE + DECODER_ROOM))
		return -1;
	y->charset = charset_is_utf8(cs) ? NULL : cs;
	if (y->charset != NULL)
		charset_reset(cs);
	start(y, BODY_STREAM);
	return 0;
}

static int
feed(struct body *y, const char *p, size_t n, bool last)
{
	if (y->charset != NULL) {
		buf_reset(&y->utf8);
		if (!charset_utf8(y->charset, p, n, last, &y->utf8))
			return -1;
		p = y->utf8.p;
		n = y->utf8.len;
	}
	look(y, p, n, last);
	return 0;
}

static int
feed_decoded(struct body *y, const char *p, size_t n, bool last)
{
	size_t out = decoder_run(&y->decoder, p, n, y->work.p);

	if (feed(y, y->work.p, out, false) == -1)
		return -1;
	if (!last)
		return 0;
	out = decoder_end(&y->decoder, y->work.p);
	return feed(y, y->work.p, out, true);
}

static ssize_t
in_stream(struct body *y)
{
	uint64_t left = y->end - y->off;
	const char *p;
	size_t n;
	bool last;

	p = text_bytes(y->text, y->off,
	    piece(y, left, y->decode ? PIECE : TEXT_WINDOW), &n);
	if (p == NULL)
		return -1;
	last = n == 0 || n == left;
	if ((y->decode ? feed_decoded(y, p, n, last) : feed(y, p, n, last)) ==
	    -1)
		return -1;
	y->off += n;
	if (last || y->finder.nopen == 0)
		stop(y, BODY_NEXT);
	return (ssize_t)n;
}

/* --- the message --- */

/* Behind a part's header: its text, if it is one, then the next part. */
static int
behind_header(struct body *y)
{
	const struct mime_part *p = &y->text->mime.part[y->part];
	struct str h = { NULL, 0 };

	y->inhead = false;
	y->part++;
	if (p->bodylen == 0)
		return 0;
	if (p->kind == MIME_LEAF && p->depth > 0 && p->headlen > 0 &&
	    !text_together(y->text, p->head, p->headlen, &h))
		return -1;
	if (p->kind != MIME_TEXT && !(p->kind == MIME_LEAF && is_message(h)))
		return 0;
	return begin_text(y, p);
}

static int
next(struct body *y)
{
	const struct mime_part *p;
	struct str h;

	if (!text_parts(y->text))
		return -1;
	if (y->inhead)
		return behind_header(y);
	if (y->part == y->text->mime.nparts) {
		y->at = BODY_DONE;
		return 0;
	}
	p = &y->text->mime.part[y->part];
	if (p->depth == 0 || p->headlen == 0)
		return behind_header(y);
	if (!text_together(y->text, p->head, p->headlen, &h))
		return -1;
	return begin_header(y, p->head, h);
}

/* The header of the message itself is not part of its body. */
static int
begin(struct body *y)
{
	struct str h;

	if (y->nown == 0) {
		y->at = BODY_NEXT;
		return 0;
	}
	if (!text_head(y->text, &h))
		return -1;
	return begin_header(y, 0, h);
}

static ssize_t
step(struct body *y)
{
	switch (y->at) {
	case BODY_ASK:
		return begin(y);
	case BODY_NEXT:
		return next(y);
	case BODY_FIELDS:
		return next_field(y);
	case BODY_FIELD:
		return (ssize_t)in_field(y);
	case BODY_STREAM:
		return in_stream(y);
	default:
		return 0;
	}
}

int
body_run(struct body *y, uint64_t *spent, uint64_t limit)
{
	ssize_t n;

	for (y->hit = false; y->at != BODY_DONE && !y->hit && *spent < limit;) {
		if ((n = step(y)) == -1)
			return -1;
		*spent += ((uint64_t)n + 64) * (y->nopen + DECODING);
	}
	if (y->charset == NULL || y->own != NULL)
		return 0;
	/* Others may ask for that charset before we go on. */
	y->charset = y->own = charset_fork(y->charset);
	return y->own != NULL ? 0 : -1;
}
