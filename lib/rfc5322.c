/*
 * The header of a message, as bytes that somebody sent: finding fields, never
 * trusting that there are any.  Runs in smtpd, delivery and workers.
 */
#include <sys/random.h>
#include <sys/types.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "rfc5322.h"

/* Behind this line: its LF is included; NULL: there is none. */
static const char *
line_end(const char *p, const char *end)
{
	const char *nl = memchr(p, '\n', end - p);

	return nl != NULL ? nl + 1 : end;
}

static bool
is_blank(int c)
{
	return c == ' ' || c == '\t';
}

/* The length of a field's name at p, or 0 if no field starts there. */
static size_t
name_length(const char *p, const char *end, const char **colon)
{
	const char *q = p;
	size_t len;

	while (q < end && (unsigned char)*q > 0x20 && *q != ':' &&
	    (unsigned char)*q < 0x7f)
		q++;
	len = q - p;
	/* Obsolete syntax, still sent: blanks before the colon. */
	while (q < end && is_blank(*q))
		q++;
	if (q == end || *q != ':')
		return 0;
	*colon = q;
	return len;
}

bool
field_next(struct cur *c, struct field *f)
{
	const char *colon, *p = c->p;
	size_t len;

	if ((len = name_length(p, c->end, &colon)) == 0)
		return false;
	p = line_end(colon, c->end);
	while (p < c->end && is_blank(*p))
		p = line_end(p, c->end);
	f->name.p = c->p;
	f->name.len = len;
	f->whole.p = c->p;
	f->whole.len = p - c->p;
	f->body.p = colon + 1;
	f->body.len = p - f->body.p;
	if (f->body.len > 0 && f->body.p[f->body.len - 1] == '\n')
		f->body.len--;
	if (f->body.len > 0 && f->body.p[f->body.len - 1] == '\r')
		f->body.len--;
	c->p = p;
	return true;
}

bool
field_unfold(struct buf *b, struct str body)
{
	struct cur c = cur_make(body.p, body.len);
	size_t start = b->len;
	struct str s;

	cur_span(&c, " \t\r\n");
	for (;;) {
		s = cur_until(&c, "\r\n");
		if (!buf_add(b, s.p, s.len))
			return false;
		if (cur_left(&c) == 0)
			break;
		/* The line's end goes, the blank that follows it stays. */
		cur_span(&c, "\r\n");
	}
	while (b->len > start && is_blank(b->p[b->len - 1]))
		b->p[--b->len] = '\0';
	return true;
}

bool
header_find(struct str header, const char *name, struct field *f)
{
	struct cur c = cur_make(header.p, header.len);

	if (cur_left(&c) > RFC5322_MAXHEADER)
		c.end = c.p + RFC5322_MAXHEADER;
	while (field_next(&c, f))
		if (str_caseeq(f->name, name))
			return true;
	return false;
}

size_t
header_end(struct str message)
{
	const char *p = message.p, *end = p + message.len;

	while (p < end) {
		if (*p == '\n')
			return p + 1 - message.p;
		if (*p == '\r' && p + 1 < end && p[1] == '\n')
			return p + 2 - message.p;
		p = line_end(p, end);
	}
	return message.len;
}

void
phrase_quote(struct buf *b, const char *s)
{
	buf_putc(b, '"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			buf_putc(b, '\\');
		buf_putc(b, (unsigned char)*s < ' ' ? ' ' : *s);
	}
	buf_putc(b, '"');
}

void
message_id(char *out, size_t size, const char *host)
{
	uint64_t r;

	if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
		panic("getrandom");
	snprintf(out, size, "<%016" PRIx64 ".%lld@%s>", r,
	    (long long)time(NULL), host);
}
