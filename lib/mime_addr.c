/*
 * Header address lists as IMAP's address structures (RFC 3501 7.4.2), for
 * today's syntax, the obsolete one, and what neither allows.  Encoded words
 * and 8-bit text stay as they are.  Runs in workers; no recursion.
 */
#include <string.h>

#include "mime_int.h"

struct list {
	struct buf	*out;
	struct buf	*text;		/* what an address is made of */
	struct buf	*comment;
	struct cur	 c;
	const char	*word;		/* where the last word begins, */
	size_t		 wordtext;	/* and its text */
	bool		 quoted;	/* there was a quoted word */
	uint32_t	 n;
};

/* Pieces of text; len 0: none. */
struct address {
	struct piece	 name, route, local, domain;
};

/* NIL would be a group's: what is missing is said like this by others, too. */
static const char no_local[] = "MISSING_MAILBOX";
static const char no_domain[] = "MISSING_DOMAIN";

static void
nstring(struct list *l, struct piece p, const char *missing)
{
	buf_putc(l->out, ' ');
	if (p.len > 0)
		mime_string(l->out, (struct str){ l->text->p + p.off, p.len });
	else if (missing != NULL)
		mime_string(l->out, str_make(missing));
	else
		buf_puts(l->out, "NIL");
}

static void
open_address(struct list *l)
{
	buf_puts(l->out, l->n++ == 0 ? "((" : "(");
}

static void
emit(struct list *l, const struct address *a)
{
	struct str name = { l->text->p + a->name.off, a->name.len };

	open_address(l);
	if (name.len > 0)
		mime_string(l->out, name);
	else
		buf_puts(l->out, "NIL");
	nstring(l, a->route, NULL);
	nstring(l, a->local, no_local);
	nstring(l, a->domain, no_domain);
	buf_putc(l->out, ')');
}

/* The group's name, or the end of one. */
static void
emit_group(struct list *l, struct str name, bool begins)
{
	open_address(l);
	buf_puts(l->out, "NIL NIL ");
	if (begins)
		mime_string(l->out, name);
	else
		buf_puts(l->out, "NIL");
	buf_puts(l->out, " NIL)");
}

static struct piece
since(const struct list *l, size_t from)
{
	return (struct piece){ (uint32_t)from,
	    (uint32_t)(l->text->len - from) };
}

/* A quote that nobody closes is no quote. */
static bool
closed(const struct cur *at)
{
	struct cur c = *at;
	int ch;

	for (cur_get(&c); (ch = cur_get(&c)) != -1;) {
		if (ch == '"')
			return true;
		if (ch == '\\')
			cur_get(&c);
	}
	return false;
}

static bool
one_of(int ch, const char *set)
{
	return ch != '\0' && strchr(set, ch) != NULL;
}

/* An atom as loosely as can be: what stands until something else begins. */
static void
atom(struct list *l, const char *ends)
{
	struct cur *c = &l->c;
	struct str s = { c->p, 0 };

	do
		c->p++;
	while (c->p < c->end && !one_of(*c->p, " \t\r\n\"(") &&
	    !one_of(*c->p, ends));
	s.len = c->p - s.p;
	if (s.p[0] == '"')
		s.p++, s.len--;
	buf_add(l->text, s.p, s.len);
}

/*
 * Words up to one of ends: with a blank between them if they are a phrase.
 * Words that a dot joins are one for those who look for the last word.
 */
static struct piece
words(struct list *l, const char *ends, bool phrase)
{
	size_t from = l->text->len;
	struct cur *c = &l->c;
	bool dot;
	int ch;

	l->word = c->p;
	l->wordtext = from;
	l->quoted = false;
	while ((ch = cur_peek(c)) != -1 && !one_of(ch, ends)) {
		dot = ch == '.' || (l->text->len > from &&
		    l->text->p[l->text->len - 1] == '.');
		if (phrase && l->text->len > from)
			buf_putc(l->text, ' ');
		if (!dot) {
			l->word = c->p;
			l->wordtext = l->text->len;
		}
		if (ch == '"' && closed(c)) {
			word_quoted(c, l->text);
			l->quoted = true;
		} else
			atom(l, ends);
		word_comment(c, l->comment);
	}
	return since(l, from);
}

/* The domain behind an @. */
static struct piece
domain(struct list *l, const char *ends)
{
	size_t from = l->text->len, end;
	struct cur *c = &l->c;
	struct str s;

	word_comment(c, l->comment);
	if (cur_peek(c) == '[') {
		s = cur_until(c, "]\r\n");
		buf_add(l->text, s.p, s.len);
		if (cur_lit(c, "]"))
			buf_putc(l->text, ']');
		word_comment(c, l->comment);
		return since(l, from);
	}
	/* Blanks may stand at dots only. */
	for (end = from;;) {
		if (cur_left(c) == 0 || one_of(cur_peek(c), ends) ||
		    one_of(cur_peek(c), "\"<>@,;:[]"))
			break;
		if (l->text->len > from && cur_peek(c) != '.' &&
		    l->text->p[l->text->len - 1] != '.')
			break;
		atom(l, "<>@,;:[]");
		end = l->text->len;
		word_comment(c, l->comment);
	}
	while (end > from && l->text->p[end - 1] == '.')
		end--;
	l->text->len = end;
	return since(l, from);
}

/* <@route:local@domain> at the cursor. */
static void
angle(struct list *l, struct address *a)
{
	struct cur *c = &l->c;

	while (cur_lit(c, "<"))
		word_skip(c);
	if (cur_peek(c) == '@') {
		a->route = words(l, ":>", false);
		if (!cur_lit(c, ":")) {
			/* No route, then: nobody at that domain. */
			a->domain = a->route;
			a->domain.off++;
			a->domain.len--;
			memset(&a->route, 0, sizeof(a->route));
		}
		word_skip(c);
	}
	if (a->domain.len == 0) {
		a->local = words(l, "@>", false);
		if (cur_lit(c, "@"))
			a->domain = domain(l, ">");
	}
	while (cur_left(c) > 0 && !one_of(cur_peek(c), ">,;"))
		cur_get(c);
	while (cur_lit(c, ">"))
		continue;
}

/* An address without brackets has its name in a comment. */
static struct piece
comment_name(struct list *l)
{
	size_t from = l->text->len;

	buf_add(l->text, l->comment->p, l->comment->len);
	return since(l, from);
}

/* local@domain: of the words before the @ only the last is the local part. */
static void
bare(struct list *l, struct address *a)
{
	struct cur *c = &l->c;
	size_t end = l->wordtext;
	const char *at;

	while (end > a->name.off && l->text->p[end - 1] == ' ')
		end--;
	a->name.len = (uint32_t)(end - a->name.off);
	at = c->p;
	c->p = l->word;
	a->local = words(l, "@", false);
	c->p = at;
	cur_lit(c, "@");
	a->domain = domain(l, "");
	if (cur_peek(c) != '<') {
		if (a->name.len == 0)
			a->name = comment_name(l);
		return;
	}
	/* Not an address but a name like one, which should have quotes. */
	if (a->name.len == 0 &&
	    buf_reserve(l->text, a->local.len + a->domain.len + 2)) {
		end = l->text->len;
		buf_add(l->text, l->text->p + a->local.off, a->local.len);
		buf_putc(l->text, '@');
		buf_add(l->text, l->text->p + a->domain.off, a->domain.len);
		a->name = since(l, end);
	}
	memset(&a->domain, 0, sizeof(a->domain));
	angle(l, a);
}

/* Words that no address follows. */
static void
no_address(struct list *l, struct address *a)
{
	if (l->quoted || memchr(l->text->p + a->name.off, ' ', a->name.len))
		return;
	a->local = a->name;
	a->name = comment_name(l);
}

/* The next address; true: it was a group's beginning. */
static bool
one(struct list *l, bool group)
{
	struct address a;
	struct cur *c = &l->c;

	memset(&a, 0, sizeof(a));
	buf_reset(l->text);
	buf_reserve(l->text, 0);
	buf_reset(l->comment);
	word_skip(c);
	a.name = words(l, group ? "<@,;" : "<@,;:", true);
	if (!group && cur_lit(c, ":")) {
		emit_group(l, (struct str){ l->text->p, a.name.len }, true);
		return true;
	}
	if (cur_peek(c) == '<')
		angle(l, &a);
	else if (cur_peek(c) == '@')
		bare(l, &a);
	else if (a.name.len == 0)
		return false;
	else
		no_address(l, &a);
	emit(l, &a);
	return false;
}

/* Up to the next address; true: a group ends here. */
static bool
separator(struct cur *c)
{
	int ch;

	while ((ch = cur_peek(c)) != -1 && ch != ',' && ch != ';') {
		if (ch == '(')
			word_skip(c);
		else
			cur_get(c);
	}
	return cur_get(c) == ';';
}

bool
mime_addresses(struct buf *out, struct str body, struct buf tmp[2])
{
	struct list l = { .out = out, .text = &tmp[0], .comment = &tmp[1] };
	bool group = false;

	l.c = cur_make(body.p, body.len);
	while (cur_left(&l.c) > 0 && l.n < MIME_MAXADDRS) {
		if (one(&l, group))
			group = true;
		else if (separator(&l.c) && group) {
			group = false;
			emit_group(&l, (struct str){ NULL, 0 }, false);
		}
	}
	if (group)
		emit_group(&l, (struct str){ NULL, 0 }, false);
	if (l.n > 0)
		buf_putc(out, ')');
	return !out->failed && !l.text->failed && !l.comment->failed;
}
