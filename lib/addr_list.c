/*
 * The mailboxes of a header field: display names, comments, groups, folding,
 * and whatever else people's programs write.  Bounded in depth, number and
 * length; runs in cgmail and wherever a header's recipients are wanted, never
 * in a process that holds anybody's secrets.
 */
#include <ctype.h>
#include <string.h>

#include "addr.h"

enum { LIST_MAX = 10000, LIST_DEPTH = 16, LIST_NAME = 1000 };

struct list {
	struct cur	 c;
	struct buf	 words;		/* outside <>: a name, or an address */
	struct buf	 bare;		/* the same without blanks */
	struct buf	 addr;		/* inside <> */
	bool		 angle;		/* there was a <> */
	bool		 any;		/* there was anything */
	bool		 group;
	int		 count;
	void		(*cb)(struct str, struct str, void *);
	void		*arg;
};

static struct str
text(const struct buf *b)
{
	return (struct str){ b->p != NULL ? b->p : "", b->len };
}

static void
reset(struct list *l)
{
	buf_reset(&l->words);
	buf_reset(&l->bare);
	buf_reset(&l->addr);
	l->angle = l->any = false;
}

static bool
skip_comment(struct cur *c)
{
	int ch, depth = 0;

	while ((ch = cur_get(c)) != -1) {
		if (ch == '\\')
			cur_get(c);
		else if (ch == '(' && ++depth > LIST_DEPTH)
			return false;
		else if (ch == ')' && --depth == 0)
			return true;
	}
	return false;
}

/*
 * A quoted string: its text becomes part of the name, its quoted form part of
 * a possible address.
 */
static bool
quoted(struct list *l, struct buf *whole)
{
	int ch;

	cur_get(&l->c);
	buf_putc(whole, '"');
	while ((ch = cur_get(&l->c)) != -1) {
		if (ch == '\r' || ch == '\n' || ch == '\0')
			continue;
		buf_putc(whole, ch);
		if (ch == '"')
			return true;
		if (ch == '\\') {
			if ((ch = cur_get(&l->c)) == -1)
				return false;
			if (ch == '\r' || ch == '\n' || ch == '\0')
				return false;
			buf_putc(whole, ch);
		}
		if (whole != &l->addr)
			buf_putc(&l->words, ch);
	}
	return false;
}

/* <...>, blanks and comments dropped, a source route too. */
static bool
angle(struct list *l)
{
	struct str colon;
	int ch;

	if (l->angle)
		return false;
	l->angle = l->any = true;
	cur_get(&l->c);
	while ((ch = cur_peek(&l->c)) != -1) {
		if (ch == '"') {
			if (!quoted(l, &l->addr))
				return false;
			continue;
		}
		if (ch == '(') {
			if (!skip_comment(&l->c))
				return false;
			continue;
		}
		cur_get(&l->c);
		if (ch == '>')
			return true;
		if (ch == '<')
			return false;
		if (ch == ':' && l->addr.len > 0 && l->addr.p[0] == '@') {
			colon = text(&l->addr);
			/* A literal of the route may hold colons itself. */
			if (memchr(colon.p, '[', colon.len) == NULL ||
			    colon.p[colon.len - 1] == ']') {
				buf_reset(&l->addr);
				continue;
			}
		}
		if (!isspace(ch) && ch != '\0')
			buf_putc(&l->addr, ch);
	}
	return false;
}

static struct str
trimmed(struct str s)
{
	while (s.len > 0 && isspace((unsigned char)s.p[s.len - 1]))
		s.len--;
	while (s.len > 0 && isspace((unsigned char)*s.p)) {
		s.p++;
		s.len--;
	}
	return s;
}

/* An element is over: an address, or nothing at all, or nonsense. */
static bool
element(struct list *l)
{
	struct str addr, name = { "", 0 };

	if (!l->any) {
		reset(l);
		return true;
	}
	if (l->angle) {
		addr = text(&l->addr);
		if (!l->words.failed)
			name = trimmed(text(&l->words));
	} else
		addr = text(&l->bare);
	if (addr.len > ADDR_MAX || l->addr.failed ||
	    (!l->angle && l->bare.failed) || l->count >= LIST_MAX)
		return false;
	if (addr.len > 0) {	/* "<>" names nobody */
		l->count++;
		l->cb(addr, name, l->arg);
	}
	reset(l);
	return true;
}

static void
other(struct list *l, int ch)
{
	cur_get(&l->c);
	if (ch == '\0')
		return;
	if (isspace(ch)) {
		if (l->words.len > 0 && l->words.p[l->words.len - 1] != ' ')
			buf_putc(&l->words, ' ');
		return;
	}
	l->any = true;
	buf_putc(&l->words, ch);
	buf_putc(&l->bare, ch);
}

static bool
literal(struct list *l)
{
	int ch;

	while ((ch = cur_peek(&l->c)) != -1) {
		other(l, ch);
		if (ch == ']')
			return true;
	}
	return false;
}

/* One step; false on what is no list. */
static bool
step(struct list *l, int ch)
{
	switch (ch) {
	case '(':
		return skip_comment(&l->c);
	case '<':
		return angle(l);
	case '"':
		l->any = true;
		return quoted(l, &l->bare);
	case '[':
		return literal(l);
	case ':':		/* what stood before was a group's name */
		cur_get(&l->c);
		if (l->group || l->angle)
			return false;
		l->group = true;
		reset(l);
		return true;
	case ';':		/* outside a group: some people's comma */
		l->group = false;
		/* FALLTHROUGH */
	case ',':
		cur_get(&l->c);
		return element(l);
	default:
		other(l, ch);
		return true;
	}
}

int
addr_list(struct str body, void (*cb)(struct str addr, struct str name,
    void *), void *arg)
{
	struct list l = { 0 };
	bool ok = true;
	int ch;

	l.c = cur_make(body.p, body.len);
	l.cb = cb;
	l.arg = arg;
	buf_init(&l.words, LIST_NAME);
	buf_init(&l.bare, ADDR_MAX + 2);
	buf_init(&l.addr, ADDR_MAX + 2);
	while (ok && (ch = cur_peek(&l.c)) != -1)
		ok = step(&l, ch);
	ok = ok && element(&l);
	buf_free(&l.words);
	buf_free(&l.bare);
	buf_free(&l.addr);
	return ok ? l.count : -1;
}
