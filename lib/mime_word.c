/*
 * The words of structured fields (RFC 5322 3.2, RFC 2045 5.1), as they come:
 * comments that never end, quotes that never close.  Runs in workers; no
 * recursion.
 */
#include <string.h>

#include "mime_int.h"

/* Controls, space, and what ends a token. */
static const bool token_ends[256] = {
	[0 ... ' '] = true, [0x7f] = true, ['('] = true, [')'] = true,
	['<'] = true, ['>'] = true, ['@'] = true, [','] = true, [';'] = true,
	[':'] = true, ['\\'] = true, ['"'] = true, ['/'] = true, ['['] = true,
	[']'] = true, ['?'] = true, ['='] = true
};

/* A comment at the cursor; without its end it goes to the field's. */
static void
comment(struct cur *c, struct buf *b)
{
	int ch, nest = 0;

	if (b != NULL)
		buf_reset(b);
	while ((ch = cur_get(c)) != -1) {
		if (ch == '(' && nest++ == 0)
			continue;
		if (ch == ')' && --nest == 0)
			return;
		if (ch == '\\' && (ch = cur_get(c)) == -1)
			return;
		if (b != NULL && ch != '\r' && ch != '\n')
			buf_putc(b, ch);
	}
}

bool
word_comment(struct cur *c, struct buf *b)
{
	const char *start = c->p;
	int ch;

	while ((ch = cur_peek(c)) != -1) {
		if (ch == '(')
			comment(c, b);
		else if (ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n')
			c->p++;
		else
			break;
	}
	return c->p > start;
}

bool
word_skip(struct cur *c)
{
	return word_comment(c, NULL);
}

bool
word_quoted(struct cur *c, struct buf *b)
{
	struct str s;
	int ch;

	for (cur_get(c);;) {
		s = cur_until(c, "\"\\\r\n");
		buf_add(b, s.p, s.len);
		if ((ch = cur_get(c)) == -1 || ch == '"')
			break;
		if (ch == '\\' && (ch = cur_get(c)) != -1)
			buf_putc(b, ch);
	}
	return !b->failed;
}

static bool
is_space(char ch)
{
	return ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n';
}

bool
word_unfold(struct buf *b, struct str body)
{
	struct cur c;
	struct str s;

	while (body.len > 0 && is_space(body.p[0]))
		body.p++, body.len--;
	while (body.len > 0 && is_space(body.p[body.len - 1]))
		body.len--;
	c = cur_make(body.p, body.len);
	while (cur_left(&c) > 0) {
		s = cur_until(&c, "\r\n");
		if (cur_left(&c) > 0)
			while (s.len > 0 && is_space(s.p[s.len - 1]))
				s.len--;
		buf_add(b, s.p, s.len);
		if (cur_left(&c) > 0)
			buf_putc(b, ' ');
		while (c.p < c.end && is_space(*c.p))
			c.p++;
	}
	return !b->failed;
}

struct str
word_token(struct cur *c)
{
	struct str s = { c->p, 0 };

	while (c->p < c->end && !token_ends[(unsigned char)*c->p])
		c->p++;
	s.len = c->p - s.p;
	return s;
}
