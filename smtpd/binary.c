/*
 * MIME with binary parts into MIME of lines, see binary.h.  Only the header
 * fields that tell where parts begin and how they are encoded are understood.
 * Runs in smtpd; must never change a part that does not call itself binary.
 */
#include <stdlib.h>
#include <string.h>

#include "binary.h"
#include "body.h"
#include "rfc5322.h"

enum {
	LINE = 57,			/* bytes in a line of base64 */
	MAXDELIM = BINARY_MAXBOUNDARY + 200	/* bytes of such a line */
};

enum state { HEADER, LINES, ENCODE };

struct level {
	char	 boundary[BINARY_MAXBOUNDARY + 1];
	size_t	 len;
	bool	 digest;		/* its parts are messages by default */
};

struct binary {
	enum state	 state;
	bool		 bol;		/* the next byte begins a line */
	bool		 part;		/* a part's header, not a message's */
	bool		 failed;
	struct level	*levels;
	size_t		 depth;
	struct buf	 in;		/* not yet understood */
	struct buf	 head;		/* lines of a part's header */
	unsigned char	 group[LINE];	/* not yet encoded */
	size_t		 ngroup;
	bool		 wrote;		/* any line of base64 */
	struct buf	*out;
};

/* What a part's header says. */
struct part {
	bool	 typed, multipart, message, digest;
	bool	 binary, encoded;
	char	 boundary[BINARY_MAXBOUNDARY + 1];
};

struct binary *
binary_new(void)
{
	struct binary *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->levels = calloc(BINARY_MAXDEPTH, sizeof(*b->levels));
	if (b->levels == NULL) {
		free(b);
		return NULL;
	}
	b->bol = true;
	buf_init(&b->in, 0);
	buf_init(&b->head, 2 * BINARY_MAXHEADER);
	return b;
}

void
binary_free(struct binary *b)
{
	if (b == NULL)
		return;
	buf_free(&b->in);
	buf_free(&b->head);
	free(b->levels);
	free(b);
}

/* --- a part's header --- */

/* A parameter's value, a word or a quoted string; "" if it is too long. */
static void
value(struct cur *c, char *out, size_t size)
{
	bool fits = true;
	size_t n = 0;
	int ch;

	if (!cur_lit(c, "\"")) {
		str_copy(cur_until(c, "; \t"), out, size);
		return;
	}
	while ((ch = cur_get(c)) != -1 && ch != '"') {
		if (ch == '\\' && (ch = cur_get(c)) == -1)
			break;
		if (n + 1 >= size || ch == '\0')
			fits = false;
		else
			out[n++] = ch;
	}
	out[fits ? n : 0] = '\0';
}

/* multipart/mixed; charset=x; boundary="y" */
static void
type(struct part *p, struct str body)
{
	struct cur c = cur_make(body.p, body.len);
	struct str major, minor, name;
	char other[BINARY_MAXBOUNDARY + 1];

	major = cur_until(&c, "/; \t");
	cur_lit(&c, "/");
	minor = cur_until(&c, "; \t");
	p->typed = true;
	p->message = str_caseeq(major, "message") &&
	    (str_caseeq(minor, "rfc822") || str_caseeq(minor, "global"));
	p->multipart = str_caseeq(major, "multipart");
	p->digest = p->multipart && str_caseeq(minor, "digest");
	while (cur_span(&c, "; \t").len > 0 && cur_left(&c) > 0) {
		name = cur_until(&c, "=; \t");
		cur_ws(&c);
		if (!cur_lit(&c, "="))
			continue;
		cur_ws(&c);
		value(&c, str_caseeq(name, "boundary") &&
		    *p->boundary == '\0' ? p->boundary : other,
		    sizeof(other));
	}
}

static bool
is_encoding(const struct field *f)
{
	return str_caseeq(f->name, "Content-Transfer-Encoding");
}

static bool
says(const struct field *f, const char *word)
{
	struct buf b;
	bool yes;

	buf_init(&b, BINARY_MAXHEADER);
	yes = field_unfold(&b, f->body) && b.p != NULL &&
	    str_caseeq((struct str){ b.p, b.len }, word);
	buf_free(&b);
	return yes;
}

static void
understand(struct part *p, struct str head)
{
	struct cur c = cur_make(head.p, head.len);
	struct field f;
	struct buf b;

	memset(p, 0, sizeof(*p));
	while (field_next(&c, &f)) {
		if (is_encoding(&f) && says(&f, "binary"))
			p->binary = true;
		else if (is_encoding(&f))
			p->encoded = !says(&f, "7bit") && !says(&f, "8bit");
		if (p->typed || !str_caseeq(f.name, "Content-Type"))
			continue;
		buf_init(&b, BINARY_MAXHEADER);
		if (field_unfold(&b, f.body) && b.p != NULL)
			type(p, (struct str){ b.p, b.len });
		buf_free(&b);
	}
	if (*p->boundary == '\0')
		p->multipart = false;
	if (p->encoded)		/* whatever that is, it has no parts */
		p->multipart = p->message = false;
}

/* As it was, but for the encoding's name. */
static void
rewrite(struct binary *b, const char *encoding)
{
	struct cur c = cur_make(b->head.p, b->head.len);
	struct field f;

	while (field_next(&c, &f)) {
		if (encoding != NULL && is_encoding(&f) &&
		    says(&f, "binary"))
			buf_printf(b->out, "Content-Transfer-Encoding: "
			    "%s\r\n", encoding);
		else
			buf_add(b->out, f.whole.p, f.whole.len);
	}
	buf_add(b->out, c.p, cur_left(&c));
}

static bool
push(struct binary *b, const struct part *p)
{
	struct level *l;

	if (b->depth == BINARY_MAXDEPTH)
		return false;
	l = &b->levels[b->depth++];
	l->len = strlen(p->boundary);
	memcpy(l->boundary, p->boundary, l->len + 1);
	l->digest = p->digest;
	return true;
}

/* The header is whole, its empty line in it if there was one. */
static void
header_done(struct binary *b)
{
	const struct level *in = b->depth > 0 ? &b->levels[b->depth - 1] :
	    NULL;
	struct part p;

	understand(&p, (struct str){ b->head.p != NULL ? b->head.p : "",
	    b->head.len });
	if (!p.typed && in != NULL && in->digest && b->part)
		p.message = true;
	b->part = false;
	b->state = p.message ? HEADER : p.multipart || !p.binary ? LINES :
	    ENCODE;
	rewrite(b, !p.binary ? NULL : b->state == ENCODE ? "base64" : "8bit");
	if (p.multipart && !push(b, &p))
		b->failed = true;
	buf_reset(&b->head);
	b->bol = true;
	b->wrote = false;
}

/* --- base64 --- */

static void
put_group(struct binary *b)
{
	if (b->ngroup == 0)
		return;
	base64_encode(b->out, b->group, b->ngroup);
	buf_puts(b->out, "\r\n");
	b->ngroup = 0;
	b->wrote = true;
}

static void
encode(struct binary *b, const char *p, size_t len)
{
	size_t n;

	while (len > 0) {
		n = LINE - b->ngroup < len ? LINE - b->ngroup : len;
		memcpy(b->group + b->ngroup, p, n);
		b->ngroup += n;
		p += n;
		len -= n;
		if (b->ngroup == LINE)
			put_group(b);
	}
}

/* --- delimiters --- */

enum match { NO, YES, MORE };

/*
 * Is this, at a line's beginning, a delimiter of the level?  "--", the
 * boundary, perhaps "--", blanks, and the line's end, which is counted in.
 */
static enum match
is_delimiter(const struct level *l, struct str s, bool last, bool *closes,
    size_t *used)
{
	struct cur c = cur_make(s.p, s.len);
	size_t n = s.len < 2 ? s.len : 2;

	if (memcmp(s.p, "--", n) != 0)
		return NO;
	if (n < 2)
		return last ? NO : MORE;
	n = s.len - 2 < l->len ? s.len - 2 : l->len;
	if (memcmp(s.p + 2, l->boundary, n) != 0)
		return NO;
	if (n < l->len)
		return last ? NO : MORE;
	cur_skip(&c, 2 + l->len);
	*closes = cur_lit(&c, "--");
	cur_ws(&c);
	if (cur_lit(&c, "\r\n") || (cur_left(&c) == 0 && last)) {
		*used = c.p - s.p;
		return YES;
	}
	if (cur_left(&c) > 1 || last || s.len > MAXDELIM)
		return NO;
	return cur_left(&c) == 0 || cur_peek(&c) == '\r' ||
	    (cur_peek(&c) == '-' && !*closes) ? MORE : NO;
}

/*
 * Of any level, the innermost first?  Then that level goes on with its next
 * part, or is over.
 */
static enum match
delimiter(struct binary *b, struct str s, bool last, size_t *used)
{
	enum match m, all = NO;
	bool closes;
	size_t i;

	for (i = b->depth; i > 0; i--) {
		m = is_delimiter(&b->levels[i - 1], s, last, &closes, used);
		if (m == YES) {
			b->depth = closes ? i - 1 : i;
			b->state = closes ? LINES : HEADER;
			b->part = true;
			b->bol = true;
			return YES;
		}
		if (m == MORE)
			all = MORE;
	}
	return all;
}

/* --- the three states: each tells how many bytes it took; 0: too few --- */

static size_t
take_header(struct binary *b, struct str s, bool last)
{
	const char *nl = memchr(s.p, '\n', s.len);
	size_t len, used;

	switch (b->depth > 0 ? delimiter(b, s, last, &used) : NO) {
	case YES:		/* it has no body, nor an empty line */
		rewrite(b, NULL);
		buf_reset(&b->head);
		buf_add(b->out, s.p, used);
		return used;
	case MORE:
		return 0;
	case NO:
		break;
	}
	if (nl == NULL && !last) {
		b->failed = s.len > BODY_MAXHEADERLINE;
		return 0;
	}
	len = nl != NULL ? (size_t)(nl + 1 - s.p) : s.len;
	buf_add(&b->head, s.p, len);
	if (b->head.len > BINARY_MAXHEADER)
		b->failed = true;
	else if (nl == s.p || (len == 2 && s.p[0] == '\r'))
		header_done(b);
	return len;
}

static size_t
take_lines(struct binary *b, struct str s, bool last)
{
	const char *nl;
	size_t used;

	if (b->bol && b->depth > 0)
		switch (delimiter(b, s, last, &used)) {
		case YES:
			buf_add(b->out, s.p, used);
			return used;
		case MORE:
			return 0;
		case NO:
			break;
		}
	nl = memchr(s.p, '\n', s.len);
	used = nl != NULL ? (size_t)(nl + 1 - s.p) : s.len;
	b->bol = nl != NULL;
	buf_add(b->out, s.p, used);
	return used;
}

/* The line's end before a delimiter belongs to it, unless the body is empty. */
static size_t
take_bytes(struct binary *b, struct str s, bool last)
{
	struct str at = s;
	const char *cr;
	size_t used, skip = 0;

	if (b->depth == 0) {
		encode(b, s.p, s.len);
		return s.len;
	}
	if (!b->bol) {
		cr = memchr(s.p, '\r', s.len);
		if (cr != s.p) {
			used = cr != NULL ? (size_t)(cr - s.p) : s.len;
			encode(b, s.p, used);
			return used;
		}
		if (s.len < 2 && !last)
			return 0;
		skip = 2;
		if (s.len <= 2 && !last)
			return 0;
		if (s.len <= 2 || s.p[1] != '\n') {
			encode(b, s.p, 1);
			return 1;
		}
		at = (struct str){ s.p + skip, s.len - skip };
	}
	switch (delimiter(b, at, last, &used)) {
	case YES:
		put_group(b);
		if (!b->wrote && skip > 0)
			buf_puts(b->out, "\r\n");
		buf_add(b->out, at.p, used);
		return skip + used;
	case MORE:
		return 0;
	case NO:
		break;
	}
	b->bol = false;
	if (skip > 0)
		encode(b, s.p, 1);
	return skip > 0 ? 1 : take_bytes(b, s, last);
}

bool
binary_feed(struct binary *b, const char *p, size_t len, bool last,
    struct buf *out)
{
	static size_t (*const take[])(struct binary *, struct str, bool) = {
		[HEADER] = take_header, [LINES] = take_lines,
		[ENCODE] = take_bytes
	};
	struct str s;
	size_t n, at = 0;

	b->out = out;
	buf_add(&b->in, p, len);
	while (!b->failed && at < b->in.len) {
		s = (struct str){ b->in.p + at, b->in.len - at };
		if ((n = take[b->state](b, s, last)) == 0)
			break;
		at += n;
	}
	if (at > 0) {
		memmove(b->in.p, b->in.p + at, b->in.len - at);
		b->in.len -= at;
	}
	if (last && !b->failed) {
		if (b->state == HEADER)
			rewrite(b, NULL);
		put_group(b);
	}
	return !b->failed && !b->in.failed && !b->head.failed && !out->failed;
}
