/*
 * The text of a message between wire and disk, see body.h.  Line ends are
 * found by memchr, text is copied by the line; the states are for what a
 * piece's edge cuts in two.  Runs in smtpd; must never take anything but
 * CRLF . CRLF for the end, or pass a bare CR or LF on.
 */
#include <string.h>

#include "body.h"

void
body_start(struct body *b, struct buf *out)
{
	memset(b, 0, sizeof(*b));
	b->state = BODY_BOL;
	b->out = out;
	b->header = b->first = true;
	b->line = out->len;
}

size_t
body_ready(const struct body *b)
{
	return b->header ? b->line : b->out->len;
}

void
body_taken(struct body *b, size_t n)
{
	struct buf *out = b->out;

	if (n == 0)
		return;
	memmove(out->p, out->p + n, out->len - n + 1);
	out->len -= n;
	if (b->header)
		b->line -= n;
	if (n > b->from_at)
		b->from_len = 0;
	else
		b->from_at -= n;
}

void
body_moved(struct body *b, size_t n)
{
	b->line += n;
	b->from_at += n;
}

static void
put(struct body *b, const char *p, size_t n)
{
	if (b->discard || n == 0)
		return;
	buf_add(b->out, p, n);
	if (b->header && b->out->len - b->line > BODY_MAXHEADERLINE)
		b->longline = b->discard = true;
}

static void
refuse_bare(struct body *b)
{
	b->bare = b->discard = true;
}

static void
line_end(struct body *b)
{
	put(b, "\n", 1);
	if (b->header && !b->discard)
		header_line(b);
	b->state = BODY_BOL;
}

static void
at_end(struct body *b)
{
	b->state = BODY_END;
	if (b->header && !b->discard)
		header_stop(b);
}

void
body_end(struct body *b)
{
	if (b->state == BODY_CR)
		refuse_bare(b);
	else if (b->state == BODY_LINE)
		line_end(b);
	at_end(b);
}

/* One byte in a state that an edge may have left; false: take it again. */
static bool
step(struct body *b, char c)
{
	switch (b->state) {
	case BODY_BOL:
		if (c == '.' && !b->counted) {
			b->state = BODY_DOT;
			return true;
		}
		b->state = BODY_LINE;
		return false;
	case BODY_DOT:
		if (c == '\r') {
			b->state = BODY_DOTCR;
			return true;
		}
		b->size--;
		b->state = BODY_LINE;
		return false;
	case BODY_DOTCR:
		if (c == '\n') {
			b->size -= 3;
			at_end(b);
			return true;
		}
		refuse_bare(b);
		b->state = BODY_LINE;
		return false;
	case BODY_CR:
		if (c == '\n') {
			line_end(b);
			return true;
		}
		refuse_bare(b);
		b->state = BODY_LINE;
		return false;
	case BODY_LINE:
	case BODY_END:
		break;
	}
	return false;
}

/* Inside a line: up to and over its end, or to the piece's. */
static const char *
rest_of_line(struct body *b, const char *p, const char *end)
{
	const char *nl = memchr(p, '\n', end - p);

	if (nl == NULL) {
		if (end[-1] == '\r') {
			b->state = BODY_CR;
			end--;
			put(b, p, end - p);
			return end + 1;
		}
		put(b, p, end - p);
		return end;
	}
	if (nl == p || nl[-1] != '\r') {
		refuse_bare(b);
		return nl + 1;
	}
	put(b, p, nl - 1 - p);
	line_end(b);
	return nl + 1;
}

size_t
body_feed(struct body *b, const char *data, size_t len)
{
	const char *p = data, *end = data + len;

	b->fed = b->out->len;
	b->size += len;
	while (p < end && b->state != BODY_END) {
		if (b->state == BODY_LINE)
			p = rest_of_line(b, p, end);
		else if (step(b, *p))
			p++;
	}
	b->size -= end - p;
	/* Line ends are LF by now: a CR that is left is a bare one. */
	if (!b->discard && b->out->len > b->fed &&
	    memchr(b->out->p + b->fed, '\r', b->out->len - b->fed) != NULL)
		refuse_bare(b);
	return p - data;
}
