/*
 * Lines and literals become commands (RFC 3501, 7888).  What stands in a
 * command is gathered within bounds; a message's literal goes past it to where
 * it is kept.  A literal that was refused but is sent all the same (LITERAL+)
 * is skipped with the rest of its command.  Runs in the account's worker.
 */
#include <event2/buffer.h>
#include <string.h>

#include "append.h"
#include "int.h"

enum { LINE_KEPT = 8192 };		/* of a buffer between commands */

void
input_forget(struct imap_session *s)
{
	append_free(s->append);
	s->append = NULL;
	if (s->line.cap > LINE_KEPT)
		buf_free(&s->line);
	else
		buf_reset(&s->line);
	s->from = 0;
	s->literal = 0;
	s->skipping = false;
}

/* The command is answered; its literal comes none the less, or does not. */
static void
refused(struct imap_session *s, uint64_t size, bool waits)
{
	if (waits) {
		input_forget(s);
		return;
	}
	s->skipping = true;
	s->literal = size;
	if (size > UINT32_MAX)
		imap_bye(s, "that is too much");
	else if (size > 0)
		conn_data(s->conn);
}

static void
literal_comes(struct imap_session *s, uint64_t size, bool waits)
{
	const struct imap_command *cmd;
	struct cur c = cur_make(s->line.p, s->line.len);

	s->answered = false;
	s->cmd = cmd = imap_find_command(s, &c);
	if (cmd == NULL || cmd->literal == NULL ||
	    !cmd->literal(s, &c, size)) {
		if (!s->answered && size > IMAP_MAXCMD - s->line.len)
			imap_bad(s, "[TOOBIG] that is too much for a command");
	}
	if (s->answered) {
		refused(s, size, waits);
		return;
	}
	s->cmd = NULL;
	buf_puts(&s->line, "\r\n");
	s->from = s->line.len;
	s->literal = size;
	if (waits)
		buf_puts(&s->out, "+ go on\r\n");
	if (size > 0)
		conn_data(s->conn);
}

void
input_line(struct imap_session *s, const char *line, size_t len, bool bare_lf)
{
	struct str text;
	uint64_t size;
	bool waits;

	if (!s->skipping) {
		buf_add(&s->line, line, len);
		if (s->line.failed || s->line.p == NULL ||
		    s->line.len > IMAP_MAXCMD) {
			imap_bye(s, "that is too much for a command");
			return;
		}
		text.p = s->line.p + s->from;
		text.len = s->line.len - s->from;
	} else
		text = (struct str){ line, len };
	if (imap_literal_head(text, &size, &waits)) {
		/* A second literal of a refused command: does he wait? */
		if (s->skipping)
			refused(s, size, waits);
		else
			literal_comes(s, size, waits);
		return;
	}
	if (!s->skipping)
		imap_command(s);
	input_forget(s);
}

/* Some of the literal's octets, which lie together. */
static void
take(struct imap_session *s, const char *p, size_t n)
{
	if (s->skipping)
		return;
	if (s->append != NULL)
		(void)append_write(s->append, p, n);	/* told at the end */
	else if (!buf_add(&s->line, p, n))
		imap_bye(s, "out of memory");
}

void
input_data(struct imap_session *s)
{
	struct evbuffer *in = conn_input(s->conn);
	struct evbuffer_iovec v;
	size_t n;

	while (s->literal > 0 && evbuffer_peek(in, -1, NULL, &v, 1) > 0 &&
	    v.iov_len > 0) {
		n = v.iov_len < s->literal ? v.iov_len : s->literal;
		take(s, v.iov_base, n);
		evbuffer_drain(in, n);
		s->literal -= n;
	}
	if (s->literal > 0)
		return;
	if (s->append == NULL && !s->skipping)
		s->from = s->line.len;
	conn_lines(s->conn, IMAP_MAXLINE);
}
