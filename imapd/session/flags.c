/*
 * Flags and keywords: off commands, and as they are sent.  Runs in the
 * account's worker.
 */
#include <errno.h>

#include "box.h"
#include "int.h"
#include "keyword.h"

static const struct {
	const char	*name;
	uint32_t	 flag;
} known[] = {
	{ "\\Answered", MSG_ANSWERED },
	{ "\\Flagged", MSG_FLAGGED },
	{ "\\Deleted", MSG_DELETED },
	{ "\\Seen", MSG_SEEN },
	{ "\\Draft", MSG_DRAFT }
};

enum { KNOWN = sizeof(known) / sizeof(known[0]) };

/* \Recent is the server's, and silently not taken. */
static const char *
system_flag(struct cur *c, struct imap_flags *f)
{
	struct str w;
	int i;

	if (!imap_atom(c, &w))
		return "a flag's name is missing";
	for (i = 0; i < KNOWN; i++)
		if (str_caseeq(w, known[i].name + 1)) {
			f->flags |= known[i].flag;
			return NULL;
		}
	return str_caseeq(w, "Recent") ? NULL : "no such flag";
}

static const char *
one_flag(struct cur *c, struct imap_flags *f)
{
	struct str w;

	if (cur_lit(c, "\\"))
		return system_flag(c, f);
	if (!imap_atom(c, &w))
		return "no flag";
	if (f->nkeywords == sizeof(f->keywords) / sizeof(f->keywords[0]))
		return "too many keywords";
	f->keywords[f->nkeywords++] = w;
	return NULL;
}

const char *
imap_flags_parse(struct cur *c, struct imap_flags *f)
{
	bool paren = cur_lit(c, "(");
	const char *why;

	*f = (struct imap_flags){ 0 };
	if (paren && cur_lit(c, ")"))
		return NULL;
	do {
		if ((why = one_flag(c, f)) != NULL)
			return why;
	} while (cur_lit(c, " "));
	return !paren || cur_lit(c, ")") ? NULL : "no closing parenthesis";
}

int
imap_flags_bits(struct box *b, const struct imap_flags *f, bool make,
    uint32_t *bits)
{
	uint32_t i;
	int n;

	*bits = 0;
	for (i = 0; i < f->nkeywords; i++) {
		n = make ?
		    keyword_make(b, f->keywords[i].p, f->keywords[i].len) :
		    keyword_find(b, f->keywords[i].p, f->keywords[i].len);
		if (n != -1)
			*bits |= 1U << n;
		else if (make || (errno != ENOENT && errno != EINVAL))
			return -1;
	}
	return 0;
}

static void
put_keywords(struct buf *b, struct box *box, uint32_t keywords,
    const char *sep)
{
	const char *name;
	unsigned i;

	for (i = 0; keywords != 0; i++, keywords >>= 1)
		if (keywords & 1 && (name = keyword_name(box, i)) != NULL) {
			buf_printf(b, "%s%s", sep, name);
			sep = " ";
		}
}

void
imap_put_flags(struct buf *b, struct box *box, uint32_t flags,
    uint32_t keywords, bool recent)
{
	const char *sep = "";
	int i;

	buf_putc(b, '(');
	for (i = 0; i < KNOWN; i++)
		if (flags & known[i].flag) {
			buf_puts(b, sep);
			buf_puts(b, known[i].name);
			sep = " ";
		}
	if (recent) {
		buf_puts(b, sep);
		buf_puts(b, "\\Recent");
		sep = " ";
	}
	if (keywords != 0)
		put_keywords(b, box, keywords, sep);
	buf_putc(b, ')');
}

void
imap_say_flags(struct imap_session *s)
{
	unsigned n = keyword_count(s->box);
	uint32_t all = n >= 32 ? UINT32_MAX : (1U << n) - 1;
	uint32_t flags = MSG_FLAGS & ~MSG_RECENT;

	buf_puts(&s->out, "* FLAGS ");
	imap_put_flags(&s->out, s->box, flags, all, false);
	buf_puts(&s->out, "\r\n* OK [PERMANENTFLAGS ");
	if (s->readonly)
		buf_puts(&s->out, "()");
	else {
		imap_put_flags(&s->out, s->box, flags, all, false);
		s->out.len--;		/* the parenthesis */
		buf_puts(&s->out, n < KEYWORD_MAX ? " \\*)" : ")");
	}
	buf_puts(&s->out, "] these can be kept\r\n");
	s->view.keywords = n;
}
