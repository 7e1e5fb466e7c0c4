/*
 * Parameters of Content-Type and Content-Disposition, with the continuations
 * of RFC 2231 put together.  Charset and language of such a value stay in it,
 * under the name with a star: reading them is the client's.  Runs in workers.
 */
#include <stdio.h>
#include <string.h>

#include "mime_int.h"

struct param {
	struct piece	 name, value;	/* in the text buffer */
	int		 section;	/* of name*3; -1: none */
	bool		 ext;		/* has a star at its end */
	bool		 used;
};

struct params {
	struct buf	*text;
	size_t		 n;
	struct param	 p[MIME_MAXPARAMS];
};

static struct str
text_of(const struct params *ps, struct piece piece)
{
	return (struct str){ ps->text->p + piece.off, piece.len };
}

static struct piece
add(struct params *ps, size_t from)
{
	return (struct piece){ (uint32_t)from,
	    (uint32_t)(ps->text->len - from) };
}

/* name, name*, name*1 and name*1* */
static void
split_name(struct param *p, struct str name)
{
	struct cur c = cur_make(name.p, name.len);
	struct str base = cur_until(&c, "*");
	uint64_t n;

	p->section = -1;
	p->ext = name.len > 1 && name.p[name.len - 1] == '*';
	p->name.len = (uint32_t)name.len;
	cur_get(&c);
	if (!cur_u64(&c, &n, MIME_MAXPARAMS) ||
	    cur_left(&c) != (p->ext ? 1 : 0)) {
		p->ext = false;
		return;
	}
	p->section = (int)n;
	p->name.len = (uint32_t)base.len;
}

/*
 * Not quoted: what people meant.  Blanks belong to it unless a comment or
 * another parameter seems to come.
 */
static void
bare_value(struct cur *c, struct buf *b)
{
	struct cur look = *c;
	struct str s = cur_until(&look, ";\r\n"), word;

	word = cur_until(c, "; \t\r\n");
	cur_ws(c);
	if (cur_peek(c) != '(' &&
	    memchr(c->p, '=', s.p + s.len - c->p) == NULL) {
		c->p = s.p + s.len;
		while (s.len > 0 && (s.p[s.len - 1] == ' ' ||
		    s.p[s.len - 1] == '\t'))
			s.len--;
		word = s;
	}
	buf_add(b, word.p, word.len);
}

/* The next parameter; false at the end. */
static bool
next(struct params *ps, struct cur *c)
{
	struct param *p = &ps->p[ps->n];
	size_t from = ps->text->len;
	struct str name;

	/* Some forget the semicolon, or write a comma. */
	word_skip(c);
	while (cur_lit(c, ";") || cur_lit(c, ","))
		word_skip(c);
	if (cur_left(c) == 0)
		return false;
	name = word_token(c);
	word_skip(c);
	if (name.len == 0 || !cur_lit(c, "=")) {
		cur_until(c, ";");
		return true;
	}
	word_skip(c);
	buf_add(ps->text, name.p, name.len);
	p->name = add(ps, from);
	split_name(p, name);
	from = ps->text->len;
	if (cur_peek(c) == '"')
		word_quoted(c, ps->text);
	else
		bare_value(c, ps->text);
	p->value = add(ps, from);
	p->used = false;
	ps->n++;
	return true;
}

/* The next section of p's value, or NULL; p itself is the first. */
static struct param *
section(struct params *ps, struct param *p, int n)
{
	struct str name = text_of(ps, p->name), other;
	size_t i;

	for (i = 0; n > 0 && i < ps->n; i++) {
		other = text_of(ps, ps->p[i].name);
		if (ps->p[i].section == n && other.len == name.len &&
		    strncasecmp(other.p, name.p, name.len) == 0)
			return &ps->p[i];
	}
	return n == 0 ? p : NULL;
}

/* A plain section among extended ones is written as they are. */
static void
percent(struct buf *b, struct str s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&+-.^_`{|}~";
	size_t i;

	for (i = 0; i < s.len; i++) {
		if (s.p[i] != '\0' && strchr(plain, s.p[i]) != NULL)
			buf_putc(b, s.p[i]);
		else
			buf_printf(b, "%%%02X", (unsigned char)s.p[i]);
	}
}

/* Puts the sections together that begin with p; they are used then. */
static void
join(struct params *ps, struct param *p)
{
	size_t from = ps->text->len;
	bool ext = false;
	struct param *q;
	int n;

	for (n = 0; (q = section(ps, p, n)) != NULL; n++)
		ext |= q->ext;
	for (n = 0; (q = section(ps, p, n)) != NULL; n++) {
		q->used = q != p;
		if (!buf_reserve(ps->text, 3 * (size_t)q->value.len))
			return;
		if (ext && !q->ext)
			percent(ps->text, text_of(ps, q->value));
		else
			buf_add(ps->text, text_of(ps, q->value).p,
			    q->value.len);
		if (q != p)
			q->section = -1;
	}
	p->value = add(ps, from);
	p->ext = ext;
}

static void
write_one(struct params *ps, const struct param *p, struct buf *b, bool first)
{
	struct str name = text_of(ps, p->name);
	size_t from = ps->text->len;

	buf_putc(b, first ? '(' : ' ');
	if (p->section >= 0 && buf_reserve(ps->text, name.len + 16)) {
		name = text_of(ps, p->name);
		buf_add(ps->text, name.p, name.len);
		if (p->section > 0)
			buf_printf(ps->text, "*%d", p->section);
		if (p->ext)
			buf_putc(ps->text, '*');
		name = text_of(ps, add(ps, from));
	}
	mime_string(b, name);
	buf_putc(b, ' ');
	mime_string(b, text_of(ps, p->value));
}

static void
found(struct params *ps, const struct param *p, const char *name, struct buf *b)
{
	struct str value = text_of(ps, p->value);

	if (b != NULL && b->len == 0 && str_caseeq(text_of(ps, p->name), name))
		buf_add(b, value.p, value.len);
}

bool
mime_params(struct buf *b, struct cur *c, struct buf *tmp,
    struct buf *boundary, struct buf *charset)
{
	struct params ps;
	bool first = true;
	size_t i;

	buf_reset(tmp);
	buf_reserve(tmp, 0);
	ps.text = tmp;
	ps.n = 0;
	while (ps.n < MIME_MAXPARAMS && next(&ps, c))
		continue;
	for (i = 0; i < ps.n; i++)
		if (ps.p[i].section == 0 && !ps.p[i].used)
			join(&ps, &ps.p[i]);
	for (i = 0; i < ps.n && !tmp->failed; i++) {
		if (ps.p[i].used)
			continue;
		write_one(&ps, &ps.p[i], b, first);
		found(&ps, &ps.p[i], "boundary", boundary);
		found(&ps, &ps.p[i], "charset", charset);
		first = false;
	}
	if (!first)
		buf_putc(b, ')');
	return !b->failed && !tmp->failed;
}
