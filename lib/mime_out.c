/*
 * ENVELOPE and BODYSTRUCTURE (RFC 3501 7.4.2) of a message that was scanned:
 * its pieces are there, they are put together.  Recursion is as deep as parts
 * are nested, which mime.h bounds.  Runs in workers.
 */
#include <inttypes.h>
#include <string.h>

#include "mime_int.h"

static const char default_params[] = "(\"charset\" \"us-ascii\")";

static bool
quotable(struct str s)
{
	size_t i;
	unsigned char ch;

	for (i = 0; i < s.len; i++) {
		ch = s.p[i];
		if (ch == '\0' || ch == '\r' || ch == '\n' || ch >= 0x80)
			return false;
	}
	return true;
}

static bool
literal(struct buf *b, struct str s)
{
	size_t i, n = 0;

	for (i = 0; i < s.len; i++)
		n += s.p[i] != '\0';
	buf_printf(b, "{%zu}\r\n", n);
	if (n == s.len)
		return buf_add(b, s.p, s.len);
	for (i = 0; i < s.len; i++)
		if (s.p[i] != '\0')
			buf_putc(b, s.p[i]);
	return !b->failed;
}

bool
mime_string(struct buf *b, struct str s)
{
	struct cur c = cur_make(s.p, s.len);
	struct str t;

	if (!quotable(s))
		return literal(b, s);
	buf_putc(b, '"');
	while (cur_left(&c) > 0) {
		t = cur_until(&c, "\"\\");
		buf_add(b, t.p, t.len);
		if (cur_left(&c) > 0) {
			buf_putc(b, '\\');
			buf_putc(b, cur_get(&c));
		}
	}
	return buf_putc(b, '"');
}

static void
piece(const struct mime *m, struct buf *b, struct piece p, const char *none)
{
	if (p.len > 0)
		buf_add(b, m->kept.p + p.off, p.len);
	else
		buf_puts(b, none);
}

static bool
envelope(const struct mime *m, uint32_t part, struct buf *b)
{
	const struct piece *e = m->heads[part].env;
	int i, from;

	for (i = 0; i < ENV_N; i++) {
		from = i;
		if ((i == ENV_SENDER || i == ENV_REPLYTO) && e[i].len == 0)
			from = ENV_FROM;
		buf_putc(b, i == 0 ? '(' : ' ');
		piece(m, b, e[from], "NIL");
	}
	return buf_putc(b, ')');
}

bool
mime_envelope(const struct mime *m, struct buf *b)
{
	return envelope(m, 0, b);
}

/* A space, and the piece or NIL. */
static void
head(const struct mime *m, const struct mime_head *h, enum head i,
    struct buf *b)
{
	buf_putc(b, ' ');
	piece(m, b, h->head[i], "NIL");
}

/* Disposition, language and location end all extended forms. */
static void
extension(const struct mime *m, const struct mime_head *h, struct buf *b)
{
	head(m, h, HEAD_DISPOSITION, b);
	head(m, h, HEAD_LANGUAGE, b);
	head(m, h, HEAD_LOCATION, b);
}

static void
write_type(const struct mime *m, const struct mime_part *p,
    const struct mime_head *h, struct buf *b)
{
	const struct piece *params = &h->head[HEAD_PARAMS];
	bool text = p->kind == MIME_TEXT;

	if (h->overflow) {
		buf_puts(b, "\"application\" \"octet-stream\" NIL");
		return;
	}
	if (p->kind == MIME_MESSAGE && h->head[HEAD_TYPE].len == 0)
		buf_puts(b, "\"message\" \"rfc822\"");
	else {
		piece(m, b, h->head[HEAD_TYPE], "\"text\"");
		buf_putc(b, ' ');
		piece(m, b, h->head[HEAD_SUBTYPE], "\"plain\"");
	}
	buf_putc(b, ' ');
	if (!text || p->charsetlen > 0)
		piece(m, b, *params, "NIL");
	else if (params->len == 0)
		buf_puts(b, default_params);
	else {
		buf_add(b, m->kept.p + params->off, params->len - 1);
		buf_printf(b, " %s", default_params + 1);
	}
}

static bool	structure(const struct mime *, uint32_t, struct buf *, bool);

static void
leaf(const struct mime *m, uint32_t i, struct buf *b, bool extended)
{
	const struct mime_part *p = &m->part[i];
	const struct mime_head *h = &m->heads[i];

	buf_putc(b, '(');
	write_type(m, p, h, b);
	head(m, h, HEAD_ID, b);
	head(m, h, HEAD_DESCRIPTION, b);
	buf_putc(b, ' ');
	piece(m, b, h->head[HEAD_ENCODING], "\"7bit\"");
	buf_printf(b, " %" PRIu64, p->bodywire);
	if (p->kind == MIME_MESSAGE) {
		buf_putc(b, ' ');
		envelope(m, p->child, b);
		buf_putc(b, ' ');
		structure(m, p->child, b, extended);
	}
	if (p->kind != MIME_LEAF)
		buf_printf(b, " %" PRIu64, p->lines);
	if (extended) {
		head(m, h, HEAD_MD5, b);
		extension(m, h, b);
	}
	buf_putc(b, ')');
}

/* Grammar wants a part in a multipart, though some have none. */
static void
no_part(struct buf *b, bool extended)
{
	buf_printf(b, "(\"text\" \"plain\" %s NIL NIL \"7bit\" 0 0%s)",
	    default_params, extended ? " NIL NIL NIL NIL" : "");
}

static bool
structure(const struct mime *m, uint32_t i, struct buf *b, bool extended)
{
	const struct mime_head *h = &m->heads[i];
	uint32_t child;

	if (m->part[i].kind != MIME_MULTIPART) {
		leaf(m, i, b, extended);
		return !b->failed;
	}
	buf_putc(b, '(');
	for (child = m->part[i].child; child != MIME_NONE;
	    child = m->part[child].next)
		structure(m, child, b, extended);
	if (m->part[i].child == MIME_NONE)
		no_part(b, extended);
	buf_putc(b, ' ');
	piece(m, b, h->head[HEAD_SUBTYPE], "\"mixed\"");
	if (extended) {
		head(m, h, HEAD_PARAMS, b);
		extension(m, h, b);
	}
	return buf_putc(b, ')');
}

bool
mime_bodystructure(const struct mime *m, struct buf *b, bool extended)
{
	return structure(m, 0, b, extended);
}
