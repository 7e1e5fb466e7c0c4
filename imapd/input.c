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

static enum imapd_in
line_ended(struct imap *p)
{
	struct str text = { p->cmd.p + p->from, p->cmd.len - p->from };
	uint64_t size;
	bool waits;

	if (!imap_literal_head(text, &size, &waits))
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
