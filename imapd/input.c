/*
 * Lines become commands: literals (RFC 3501, 7888) are gathered with what
 * stands around them, within bounds.  Runs in imapd, before login, where no
 * literal is long: so it reads lines throughout, and never more ahead than
 * can be handed over.
 */
#include <string.h>

#include "imapd.h"

void
input_forget(struct imap *p)
{
	if (p->cmd.p != NULL)
		explicit_bzero(p->cmd.p, p->cmd.cap);
	buf_reset(&p->cmd);
	p->from = p->literal = 0;
}

/* A literal's head at the end of this text: its size; does the client wait? */
static bool
literal_head(struct str s, uint64_t *size, bool *waits)
{
	struct cur c;
	size_t i = s.len;

	while (i > 0 && s.p[i - 1] != '{')
		i--;
	if (i == 0)
		return false;
	c = cur_make(s.p + i, s.len - i);
	if (!cur_u64(&c, size, IMAPD_MAXCMD))
		*size = UINT64_MAX;
	(void)cur_span(&c, "0123456789");
	*waits = !cur_lit(&c, "+");
	return cur_lit(&c, "}") && cur_left(&c) == 0;
}

static enum imapd_in
line_ended(struct imap *p)
{
	struct str text = { p->cmd.p + p->from, p->cmd.len - p->from };
	uint64_t size;
	bool waits;

	if (!literal_head(text, &size, &waits))
		return IN_WHOLE;
	if (size > IMAPD_MAXCMD - p->cmd.len)
		return waits ? IN_REFUSED : IN_HOPELESS;
	if (!buf_puts(&p->cmd, "\r\n"))
		return IN_HOPELESS;
	p->from = p->cmd.len + size;
	p->literal = size;
	if (waits)
		conn_printf(p->front->conn, "+ go on\r\n");
	return IN_MORE;
}

enum imapd_in
input_line(struct imap *p, const char *line, size_t len, bool bare_lf)
{
	const char *end = bare_lf ? "\n" : "\r\n";
	size_t n = strlen(end), part;

	part = len < p->literal ? len : p->literal;
	buf_add(&p->cmd, line, len);
	p->literal -= part;
	if (p->literal >= n) {		/* this line is all of the literal's */
		buf_add(&p->cmd, end, n);
		p->literal -= n;
		return p->cmd.failed ? IN_HOPELESS : IN_MORE;
	}
	buf_add(&p->cmd, end, p->literal);
	p->literal = 0;
	if (p->cmd.failed)
		return IN_HOPELESS;
	return line_ended(p);
}

/* --- what stands in commands --- */

static bool
quoted(struct cur *c, struct buf *b)
{
	int ch;

	while ((ch = cur_get(c)) != '"') {
		if (ch == '\\') {
			ch = cur_get(c);
			if (ch != '\\' && ch != '"')
				return false;
		}
		if (ch <= 0 || ch == '\r' || ch == '\n')
			return false;
		buf_putc(b, ch);
	}
	return true;
}

static bool
literal(struct cur *c, struct buf *b)
{
	const char *p;
	uint64_t n;

	if (!cur_u64(c, &n, IMAPD_MAXCMD))
		return false;
	cur_lit(c, "+");
	if (!cur_lit(c, "}\r\n"))
		return false;
	p = c->p;
	return cur_skip(c, n) && buf_add(b, p, n);
}

static bool
atom(struct cur *c, struct buf *b)
{
	size_t before = b->len;
	int ch;

	while ((ch = cur_peek(c)) > ' ' && ch != 0x7f &&
	    strchr("(){%*\"\\", ch) == NULL)
		buf_putc(b, cur_get(c));
	return b->len > before;
}

bool
input_astring(struct cur *c, struct buf *b)
{
	bool good;

	/* Text there is in any case, if only an empty one. */
	if (!buf_reserve(b, 1))
		return false;
	if (cur_lit(c, "\""))
		good = quoted(c, b);
	else if (cur_lit(c, "{"))
		good = literal(c, b);
	else
		good = atom(c, b);
	return good && !b->failed;
}
