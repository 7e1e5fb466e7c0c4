/*
 * Banned lines, see banned.h.  A pattern is a list of pieces between its
 * asterisks.  Each line has its runs: those patterns that may still be met,
 * with the piece they are at and how much of it was seen.  Pieces behind an
 * asterisk are searched as Knuth, Morris and Pratt do, so that no byte of a
 * message is looked at twice for a pattern, whatever a sender makes of it.
 * Pure; runs in smtpd and in queued's threads.
 */
#include <stdlib.h>
#include <string.h>

#include "banned.h"
#include "buf.h"

enum { ANY = 256, CHAINS };	/* patterns that begin with an asterisk */

struct piece {
	const char	*p;
	uint16_t	 len;
	uint16_t	*back;		/* of k bytes seen: the longest border */
};

struct pattern {
	char		*text;
	struct pattern	*next;		/* that begins likewise */
	struct piece	*pieces;
	size_t		 npieces;
	bool		 floats;	/* begins with an asterisk */
	bool		 open;		/* ends with one */
};

struct list {
	struct pattern	*chain[CHAINS];
	size_t		 n;
};

struct banned {
	unsigned int	 refs;
	struct list	 header, body;
};

struct run {
	const struct pattern *pattern;
	uint16_t	 piece, seen;
};

struct banned_scan {
	struct banned	*banned;
	const char	*met;
	bool		 header;
	bool		 begins;	/* the next byte begins a line */
	bool		 folds;		/* or goes on with a header's */
	size_t		 nruns;
	struct run	 runs[];
};

/* --- patterns --- */

static void
pattern_free(struct pattern *p)
{
	size_t i;

	for (i = 0; i < p->npieces; i++)
		free(p->pieces[i].back);
	free(p->pieces);
	free(p->text);
	free(p);
}

static void
list_free(struct list *l)
{
	struct pattern *p;
	size_t i;

	for (i = 0; i < CHAINS; i++)
		while ((p = l->chain[i]) != NULL) {
			l->chain[i] = p->next;
			pattern_free(p);
		}
}

void
banned_unref(struct banned *b)
{
	if (b == NULL || --b->refs > 0)
		return;
	list_free(&b->header);
	list_free(&b->body);
	free(b);
}

static bool
piece_make(struct piece *g, const char *p, size_t len)
{
	size_t i, k = 0;

	g->p = p;
	g->len = len;
	if ((g->back = calloc(len + 1, sizeof(*g->back))) == NULL)
		return false;
	for (i = 1; i < len; i++) {
		while (k > 0 && p[i] != p[k])
			k = g->back[k];
		if (p[i] == p[k])
			k++;
		g->back[i + 1] = k;
	}
	return true;
}

/* CR LF is LF here; asterisks beside one another are one. */
static char *
tidy(struct str s)
{
	char *text = malloc(s.len + 1), *out = text;
	size_t i;

	if (text == NULL)
		return NULL;
	for (i = 0; i < s.len; i++) {
		if (s.p[i] == '\r' && i + 1 < s.len && s.p[i + 1] == '\n')
			continue;
		if (s.p[i] == '*' && out > text && out[-1] == '*')
			continue;
		*out++ = s.p[i];
	}
	*out = '\0';
	return text;
}

static bool
pattern_cut(struct pattern *p)
{
	const char *at = p->text, *star;
	size_t n = 1;

	for (star = at; (star = strchr(star, '*')) != NULL; star++)
		n++;
	if ((p->pieces = calloc(n, sizeof(*p->pieces))) == NULL)
		return false;
	p->floats = *at == '*';
	p->open = at[strlen(at) - 1] == '*';
	for (; *at != '\0'; at += n) {
		at += *at == '*';
		if ((n = strcspn(at, "*")) == 0)
			continue;
		if (!piece_make(&p->pieces[p->npieces], at, n))
			return false;
		p->npieces++;
	}
	return true;
}

static const char *
add(struct list *l, struct str s, bool header)
{
	struct pattern *p;
	size_t chain;

	if (s.len > BANNED_LINE)
		return "a banned line is too long";
	if (memchr(s.p, '\0', s.len) != NULL)
		return "a banned line has a NUL";
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return "out of memory";
	if ((p->text = tidy(s)) == NULL || !pattern_cut(p)) {
		pattern_free(p);
		return "out of memory";
	}
	if (p->npieces == 0 || (!header && strchr(p->text, '\n') != NULL)) {
		pattern_free(p);
		return header || s.len == strspn(s.p, "*") ?
		    "an asterisk alone would ban all mail" :
		    "a line of the body has no line end inside";
	}
	chain = p->floats ? ANY : (unsigned char)*p->text;
	p->next = l->chain[chain];
	l->chain[chain] = p;
	l->n++;
	return NULL;
}

static const char *
fill(struct list *l, const struct val *v, bool header)
{
	const struct val *one;
	const char *err = NULL;
	size_t i;

	if (v == NULL)
		return NULL;
	if (val_type(v) != VAL_ARRAY)
		return "an array of lines is wanted";
	if (val_count(v) > BANNED_MAX)
		return "too many banned lines";
	for (i = 0; i < val_count(v) && err == NULL; i++) {
		one = val_at(v, i);
		if (val_text(one) == NULL)
			err = "a banned line is a text";
		else if (val_len(one) > 0)	/* a field left empty */
			err = add(l, (struct str) { val_text(one),
			    val_len(one) }, header);
	}
	return err;
}

struct banned *
banned_make(const struct val *header, const struct val *body,
    const char **err)
{
	struct banned *b = calloc(1, sizeof(*b));

	*err = "out of memory";
	if (b == NULL)
		return NULL;
	b->refs = 1;
	if ((*err = fill(&b->header, header, true)) == NULL &&
	    (*err = fill(&b->body, body, false)) == NULL &&
	    b->header.n + b->body.n > 0)
		return b;
	banned_unref(b);
	return NULL;
}

/* --- a message --- */

enum verdict { ALIVE, DEAD, MET };

/* At its last piece, which must be the line's end, too? */
static bool
closing(const struct run *r)
{
	return r->piece + 1U == r->pattern->npieces && !r->pattern->open;
}

static bool
fixed(const struct run *r)
{
	return r->piece == 0 && !r->pattern->floats;
}

static enum verdict
step(struct run *r, char c)
{
	const struct piece *g = &r->pattern->pieces[r->piece];

	if (fixed(r) && (r->seen == g->len || g->p[r->seen] != c))
		return DEAD;
	while (r->seen > 0 && (r->seen == g->len || g->p[r->seen] != c))
		r->seen = g->back[r->seen];
	if (g->p[r->seen] == c)
		r->seen++;
	if (r->seen < g->len || closing(r))
		return ALIVE;
	r->seen = 0;
	return ++r->piece == r->pattern->npieces ? MET : ALIVE;
}

static enum verdict
advance(struct run *r, const char *p, const char *end)
{
	enum verdict v = ALIVE;

	while (p < end && v == ALIVE) {
		if (r->seen == 0 && !fixed(r) && (p = memchr(p,
		    *r->pattern->pieces[r->piece].p, end - p)) == NULL)
			break;
		v = step(r, *p++);
	}
	return v;
}

static void
go_on(struct banned_scan *s, const char *p, size_t n)
{
	size_t i = 0;

	while (i < s->nruns)
		switch (advance(&s->runs[i], p, p + n)) {
		case ALIVE:
			i++;
			break;
		case DEAD:
			s->runs[i] = s->runs[--s->nruns];
			break;
		case MET:
			s->met = s->runs[i].pattern->text;
			return;
		}
}

static void
begin_chain(struct banned_scan *s, const struct pattern *p)
{
	for (; p != NULL; p = p->next)
		s->runs[s->nruns++] = (struct run) { .pattern = p };
}

static void
begin_line(struct banned_scan *s, char first)
{
	const struct list *l = s->header ? &s->banned->header :
					   &s->banned->body;

	s->begins = false;
	s->nruns = 0;
	begin_chain(s, l->chain[(unsigned char)first]);
	begin_chain(s, l->chain[ANY]);
}

static void
end_line(struct banned_scan *s)
{
	const struct run *r;
	size_t i;

	for (i = 0; i < s->nruns && s->met == NULL; i++) {
		r = &s->runs[i];
		if (closing(r) &&
		    r->seen == r->pattern->pieces[r->piece].len)
			s->met = r->pattern->text;
	}
	s->nruns = 0;
	s->begins = true;
}

/* At p a field goes on, or has ended. */
static void
unfold(struct banned_scan *s, char c)
{
	s->folds = false;
	if (c == ' ' || c == '\t')
		go_on(s, "\n", 1);
	else
		end_line(s);
}

static const char *
feed_line(struct banned_scan *s, const char *p, const char *end)
{
	const char *nl = memchr(p, '\n', end - p);

	if (s->begins && nl == p) {	/* an empty line */
		s->header = false;
		return p + 1;
	}
	if (s->begins)
		begin_line(s, *p);
	go_on(s, p, (nl != NULL ? nl : end) - p);
	if (nl == NULL)
		return end;
	if (s->header)
		s->folds = true;
	else
		end_line(s);
	return nl + 1;
}

struct banned_scan *
banned_scan(struct banned *b)
{
	size_t n = b->header.n > b->body.n ? b->header.n : b->body.n;
	struct banned_scan *s = calloc(1, sizeof(*s) + n * sizeof(s->runs[0]));

	if (s == NULL)
		return NULL;
	b->refs++;
	s->banned = b;
	s->header = s->begins = true;
	return s;
}

void
banned_scan_free(struct banned_scan *s)
{
	if (s == NULL)
		return;
	banned_unref(s->banned);
	free(s);
}

const char *
banned_feed(struct banned_scan *s, const char *p, size_t n)
{
	const char *end = p + n;

	while (p < end && s->met == NULL) {
		if (s->folds)
			unfold(s, *p);
		if (s->met == NULL)
			p = feed_line(s, p, end);
	}
	return s->met;
}

const char *
banned_end(struct banned_scan *s)
{
	if (s->met == NULL)
		end_line(s);
	return s->met;
}
