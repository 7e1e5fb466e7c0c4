/*
 * One pass over a message: where its parts are.  Lines are looked at in a
 * window; only the fields that IMAP asks for are copied.  Runs in workers, on
 * bytes that anybody sent.  Must never fail on them, nor go deeper, nor keep
 * more, than mime.h says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mime_int.h"

/* A place: on disk, and how many line ends before it grow or there are. */
struct mark {
	uint64_t	 off, grown, lines;
};

/* An open part: its header or body goes on.  Its index is the part's depth. */
struct frame {
	uint32_t	 part;
	uint32_t	 last;		/* last child, or MIME_NONE */
	bool		 digest;
	size_t		 name, len;	/* boundary in names; 0: none or over */
	struct mark	 body;
};

struct scan {
	struct mime	*m;
	/* the bytes at hand are p[pos..have) */
	mime_read	*read;
	void		*arg;
	const char	*p;
	size_t		 pos, have;
	uint64_t	 left;		/* not read yet */
	bool		 failed;
	/* where we are */
	struct mark	 at;		/* behind what was looked at */
	struct mark	 line;		/* where the line at hand begins */
	struct mark	 eol;		/* before the end of the one before */
	struct mark	 last;		/* before the end of the one at hand */
	bool		 header;	/* in the header of the top frame */
	struct mark	 head;		/* its beginning */
	bool		 wanted;	/* the field at hand is kept */
	uint32_t	 open;		/* frames with a boundary */
	uint32_t	 depth;		/* frames */
	struct frame	 frame[MIME_MAXDEPTH + 1];
};

/* A line without its end, or a piece of a long one. */
struct line {
	struct str	 s;
	bool		 first;		/* the line begins here */
	bool		 ends;
};

/* Moves what is left to the window's beginning and reads on. */
static bool
fill(struct scan *s)
{
	char *w = s->m->window;
	size_t room;
	ssize_t n;

	if (s->left == 0)
		return false;
	memmove(w, w + s->pos, s->have - s->pos);
	s->have -= s->pos;
	s->pos = 0;
	room = MIME_WINDOW - s->have;
	n = s->read(s->arg, s->at.off + s->have, w + s->have,
	    s->left < room ? (size_t)s->left : room);
	if (n <= 0) {
		s->failed = n < 0;
		s->left = 0;
		return false;
	}
	s->have += n;
	s->left -= n;
	return true;
}

/* Moves the marks over a line of n bytes, cut of which are its end. */
static void
step(struct scan *s, struct line *l, size_t n, size_t cut)
{
	if (l->first) {
		s->line = s->at;
		s->eol = s->last;
	}
	s->pos += n;
	s->at.off += n - cut;
	if (!l->ends)
		return;
	s->last = s->at;
	s->at.off += cut;
	s->at.lines++;
	s->at.grown += cut == 1;
}

static bool
next_line(struct scan *s, struct line *l)
{
	const char *p, *nl;
	size_t n = 0, cut;

	for (;;) {
		p = s->p + s->pos;
		nl = memchr(p + n, '\n', s->have - s->pos - n);
		if (nl != NULL)
			break;
		n = s->have - s->pos;
		/* Half a window without a line end is given as it is. */
		if (n > MIME_WINDOW / 2 || !fill(s))
			break;
	}
	p = s->p + s->pos;
	l->first = l->ends;
	l->ends = nl != NULL;
	if (nl != NULL)
		n = nl - p + 1;
	else if (s->left > 0 && p[n - 1] == '\r')
		n--;		/* it stays with the LF that may come */
	cut = nl == NULL ? 0 : n > 1 && nl[-1] == '\r' ? 2 : 1;
	l->s.p = p;
	l->s.len = n - cut;
	step(s, l, n, cut);
	return n > 0 && !s->failed;
}

static struct mime_part *
new_part(struct mime *m)
{
	uint32_t cap = m->cap == 0 ? 16 : m->cap * 2;
	struct mime_part *p;
	void *q;

	if (m->nparts == m->cap) {
		if ((q = reallocarray(m->part, cap, sizeof(*p))) == NULL)
			return NULL;
		m->part = q;
		if ((q = reallocarray(m->heads, cap, sizeof(*m->heads))) ==
		    NULL)
			return NULL;
		m->heads = q;
		m->cap = cap;
	}
	p = memset(&m->part[m->nparts], 0, sizeof(*p));
	memset(&m->heads[m->nparts], 0, sizeof(*m->heads));
	p->parent = p->child = p->next = MIME_NONE;
	m->nparts++;
	return p;
}

/* A part begins at a mark with its header: a child of the top frame. */
static bool
begin(struct scan *s, const struct mark *head)
{
	struct mime *m = s->m;
	struct frame *up = s->depth > 0 ? &s->frame[s->depth - 1] : NULL;
	struct frame *f = &s->frame[s->depth];
	struct mime_part *p;

	if ((p = new_part(m)) == NULL)
		return false;
	memset(f, 0, sizeof(*f));
	f->part = m->nparts - 1;
	f->last = MIME_NONE;
	p->depth = s->depth++;
	p->head = head->off;
	if (up != NULL) {
		p->parent = up->part;
		if (up->last == MIME_NONE)
			m->part[up->part].child = f->part;
		else
			m->part[up->last].next = f->part;
		up->last = f->part;
	}
	buf_reset(&m->boundary);
	s->header = true;
	s->wanted = false;
	s->head = *head;
	return true;
}

static bool
flush_field(struct scan *s)
{
	struct buf *b = &s->m->field;

	if (!s->wanted)
		return true;
	s->wanted = false;
	return !b->failed && mime_field(s->m, s->frame[s->depth - 1].part,
	    (struct str){ b->p, b->len });
}

/* What the header makes of the part; its default, if it says nothing. */
static enum mime_kind
kind_of(const struct scan *s, const struct frame *f, struct mime_head *h)
{
	const struct mime_part *p = &s->m->part[f->part];
	enum mime_kind kind = p->kind;

	if (!(h->seen & 1U << HEAD_TYPE))
		kind = p->depth > 0 && f[-1].digest ? MIME_MESSAGE : MIME_TEXT;
	if (kind != MIME_MESSAGE && kind != MIME_MULTIPART)
		return kind;
	h->overflow = p->depth >= MIME_MAXDEPTH ||
	    s->m->nparts >= MIME_MAXPARTS;
	return h->overflow ? MIME_LEAF : kind;
}

/* The header of the top frame ended at a mark: there its body begins. */
static bool
end_header(struct scan *s, const struct mark *body)
{
	struct frame *f = &s->frame[s->depth - 1];
	struct mime *m = s->m;
	struct mime_head *h;
	struct mime_part *p;

	if (!flush_field(s))
		return false;
	s->header = false;
	p = &m->part[f->part];
	h = &m->heads[f->part];
	p->headlen = body->off - s->head.off;
	p->headwire = p->headlen + body->grown - s->head.grown;
	p->body = body->off;
	f->body = *body;
	p->kind = kind_of(s, f, h);
	f->digest = h->digest;
	if (p->kind == MIME_MULTIPART && m->boundary.len > 0) {
		f->name = m->names.len;
		f->len = m->boundary.len;
		s->open++;
		return buf_add(&m->names, m->boundary.p, f->len);
	}
	/* A message's message begins at once. */
	return p->kind != MIME_MESSAGE || begin(s, body);
}

static bool
end_headers(struct scan *s, const struct mark *body)
{
	while (s->header)
		if (!end_header(s, body))
			return false;
	return true;
}

static void
end_boundary(struct scan *s, struct frame *f)
{
	if (f->len == 0)
		return;
	f->len = 0;
	s->open--;
	s->m->names.len = f->name;
}

/* The bodies of all frames but the first n end at a mark. */
static void
end_bodies(struct scan *s, uint32_t n, const struct mark *end)
{
	struct mime_part *p;
	const struct mark *m;
	struct frame *f;

	/* A header that a boundary ended has its line end nevertheless. */
	for (m = end; s->depth > n;) {
		f = &s->frame[--s->depth];
		end_boundary(s, f);
		p = &s->m->part[f->part];
		if (f->body.off > m->off)
			m = &f->body;
		p->bodylen = m->off - f->body.off;
		p->bodywire = p->bodylen + m->grown - f->body.grown;
		p->lines = m->lines - f->body.lines;
	}
}

/*
 * Whose boundary is it?  As RFC 2046 says, the beginning of the line counts.
 * The longest wins, so that neither "a" nor "ab" is taken for the other, and
 * of equal ones the innermost.
 */
static struct frame *
find_boundary(struct scan *s, struct str l, bool *closes)
{
	struct frame *f, *best = NULL;
	uint32_t i;

	for (i = s->depth; i-- > 0;) {
		f = &s->frame[i];
		if (f->len != 0 && f->len <= l.len - 2 &&
		    (best == NULL || f->len > best->len) &&
		    memcmp(l.p + 2, s->m->names.p + f->name, f->len) == 0)
			best = f;
	}
	if (best != NULL)
		*closes = l.len - 2 - best->len >= 2 &&
		    memcmp(l.p + 2 + best->len, "--", 2) == 0;
	return best;
}

/* A line that begins with "--": was it a boundary? */
static bool
boundary(struct scan *s, struct str l)
{
	struct frame *f;
	bool closes;

	if (s->open == 0 || s->m->nparts >= MIME_MAXPARTS ||
	    (f = find_boundary(s, l, &closes)) == NULL)
		return false;
	if (!end_headers(s, &s->line)) {
		s->failed = true;
		return true;
	}
	end_bodies(s, f - s->frame + 1, &s->eol);
	if (closes)
		end_boundary(s, f);
	else
		s->failed = !begin(s, &s->at);
	return true;
}

static bool
wanted(const struct scan *s, const struct line *l)
{
	const struct mime_part *p = s->m->part;
	struct cur c = cur_make(l->s.p, l->s.len);
	struct str name = cur_until(&c, ":");
	uint32_t parent;

	if (cur_left(&c) == 0)
		return false;
	parent = p[s->frame[s->depth - 1].part].parent;
	return mime_wanted(name, parent == MIME_NONE ||
	    p[parent].kind == MIME_MESSAGE);
}

/* A line of a header, or a piece of one. */
static bool
header_line(struct scan *s, const struct line *l)
{
	struct buf *b = &s->m->field;
	size_t n;

	if (l->first && (l->s.len == 0 ||
	    (l->s.p[0] != ' ' && l->s.p[0] != '\t'))) {
		if (!flush_field(s))
			return false;
		buf_reset(b);
		s->wanted = wanted(s, l);
	} else if (s->wanted && l->first)
		buf_putc(b, '\n');
	if (!s->wanted || b->len >= MIME_MAXFIELD)
		return true;
	n = MIME_MAXFIELD - b->len;
	return buf_add(b, l->s.p, l->s.len < n ? l->s.len : n);
}

static bool
take(struct scan *s, const struct line *l)
{
	if (l->first && l->s.len > 2 && l->s.p[0] == '-' && l->s.p[1] == '-' &&
	    boundary(s, l->s))
		return !s->failed;
	if (!s->header)
		return true;
	if (l->first && l->ends && l->s.len == 0)
		return end_header(s, &s->at);
	return header_line(s, l);
}

/* No boundary is open: there are only line ends to count. */
static void
count_rest(struct scan *s)
{
	const char *start, *p, *end, *nl;

	do {
		start = p = s->p + s->pos;
		end = s->p + s->have;
		while ((nl = memchr(p, '\n', end - p)) != NULL) {
			s->at.lines++;
			s->at.grown += nl == start || nl[-1] != '\r';
			p = nl + 1;
		}
		/* A CR at the end waits for what comes. */
		if (s->left > 0 && p < end && end[-1] == '\r')
			end--;
		s->at.off += end - start;
		s->pos += end - start;
	} while (fill(s));
	s->at.off += s->have - s->pos;
}

static bool
all_lines(struct scan *s)
{
	struct line l = { .ends = true };

	while (next_line(s, &l)) {
		if (!take(s, &l))
			return false;
		if (!s->header && s->open == 0 && l.ends) {
			count_rest(s);
			break;
		}
	}
	return !s->failed;
}

static int
scan(struct scan *s)
{
	struct mime *m = s->m;

	m->nparts = 0;
	buf_reset(&m->kept);
	buf_reset(&m->names);
	errno = ENOMEM;
	if (!begin(s, &s->at) || !all_lines(s) || !end_headers(s, &s->at) ||
	    m->kept.failed) {
		m->nparts = 0;
		return -1;
	}
	end_bodies(s, 0, &s->at);
	m->size = s->at.off;
	m->wire = s->at.off + s->at.grown;
	return 0;
}

int
mime_scan(struct mime *m, mime_read *read, void *arg, uint64_t size)
{
	struct scan s;

	memset(&s, 0, offsetof(struct scan, frame));
	if (m->window == NULL && (m->window = malloc(MIME_WINDOW)) == NULL)
		return -1;
	s.m = m;
	s.read = read;
	s.arg = arg;
	s.p = m->window;
	s.left = size;
	return scan(&s);
}

int
mime_scan_mem(struct mime *m, const void *p, size_t len)
{
	struct scan s;

	memset(&s, 0, offsetof(struct scan, frame));
	s.m = m;
	s.p = len > 0 ? p : "";
	s.have = len;
	return scan(&s);
}

void
mime_init(struct mime *m)
{
	memset(m, 0, sizeof(*m));
	buf_init(&m->kept, 0);
	buf_init(&m->field, 0);
	buf_init(&m->boundary, 0);
	buf_init(&m->names, 0);
	buf_init(&m->tmp[0], 0);
	buf_init(&m->tmp[1], 0);
}

void
mime_free(struct mime *m)
{
	free(m->part);
	free(m->heads);
	free(m->window);
	buf_free(&m->kept);
	buf_free(&m->field);
	buf_free(&m->boundary);
	buf_free(&m->names);
	buf_free(&m->tmp[0]);
	buf_free(&m->tmp[1]);
	mime_init(m);
}
