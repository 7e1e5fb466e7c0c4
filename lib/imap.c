/*
 * IMAP's grammar: what stands in commands, and how things are written in
 * responses.  Knows no session; runs in the front, the worker, the fuzzer.
 */
#include <stdlib.h>
#include <string.h>

#include "imap.h"
#include "rfc5322.h"

enum { MAXNESTING = 64 };

bool
imap_literal_head(struct str s, uint64_t *size, bool *waits)
{
	struct cur c;
	size_t i = s.len;

	if (i == 0 || s.p[i - 1] != '}')
		return false;
	while (i > 0 && s.p[i - 1] != '{')
		i--;
	if (i == 0)
		return false;
	c = cur_make(s.p + i, s.len - i);
	if (cur_peek(&c) < '0' || cur_peek(&c) > '9')
		return false;
	if (!cur_u64(&c, size, UINT64_MAX)) {
		*size = UINT64_MAX;
		(void)cur_span(&c, "0123456789");
	}
	*waits = !cur_lit(&c, "+");
	return cur_lit(&c, "}") && cur_left(&c) == 0;
}

/* --- atoms and strings --- */

enum { A_ATOM = 1, A_ASTRING = 2, A_LIST = 4, A_TAG = 8 };

static bool
is_char(int ch, int what)
{
	if (ch <= ' ' || ch == 0x7f || ch == '(' || ch == ')' || ch == '{' ||
	    ch == '"' || ch == '\\')
		return false;
	switch (ch) {
	case '%':
	case '*':
		return what == A_LIST;
	case ']':
		return what != A_ATOM;
	case '+':
		return what != A_TAG;
	default:
		return ch < 0x80 || what == A_ASTRING || what == A_LIST;
	}
}

static bool
span(struct cur *c, struct str *s, int what)
{
	s->p = c->p;
	while (cur_left(c) > 0 && is_char(cur_peek(c), what))
		cur_skip(c, 1);
	s->len = c->p - s->p;
	return s->len > 0;
}

bool
imap_tag(struct cur *c, struct str *s)
{
	return span(c, s, A_TAG) && s->len <= IMAP_MAXTAG;
}

bool
imap_atom(struct cur *c, struct str *s)
{
	return span(c, s, A_ATOM);
}

static bool
quoted(struct cur *c, struct buf *b)
{
	const char *from;
	int ch;

	for (;;) {
		from = c->p;
		while ((ch = cur_peek(c)) != '"' && ch != '\\') {
			if (ch <= 0 || ch == '\r' || ch == '\n')
				return false;
			cur_skip(c, 1);
		}
		buf_add(b, from, c->p - from);
		cur_skip(c, 1);
		if (ch == '"')
			return true;
		ch = cur_get(c);
		if (ch != '\\' && ch != '"')
			return false;
		buf_putc(b, ch);
	}
}

static bool
literal(struct cur *c, struct buf *b)
{
	const char *p;
	uint64_t n;

	if (!cur_u64(c, &n, UINT32_MAX))
		return false;
	cur_lit(c, "+");
	if (!cur_lit(c, "}\r\n"))
		return false;
	p = c->p;
	if (!cur_skip(c, n) || memchr(p, '\0', n) != NULL)
		return false;
	return buf_add(b, p, n);
}

bool
imap_string(struct cur *c, struct buf *b)
{
	/* Text there is in any case, if only an empty one. */
	if (!buf_reserve(b, 1))
		return false;
	if (cur_lit(c, "\""))
		return quoted(c, b) && !b->failed;
	if (cur_lit(c, "{"))
		return literal(c, b) && !b->failed;
	return false;
}

static bool
text(struct cur *c, struct buf *b, int what)
{
	struct str s;

	if (cur_peek(c) == '"' || cur_peek(c) == '{')
		return imap_string(c, b);
	return span(c, &s, what) && buf_add(b, s.p, s.len);
}

bool
imap_astring(struct cur *c, struct buf *b)
{
	return text(c, b, A_ASTRING);
}

bool
imap_list_mailbox(struct cur *c, struct buf *b)
{
	return text(c, b, A_LIST);
}

static bool
skip(struct cur *c, unsigned depth)
{
	struct buf b;
	struct str s;
	bool good;

	if (cur_lit(c, "(")) {
		if (depth == MAXNESTING)
			return false;
		while (!cur_lit(c, ")")) {
			if (!skip(c, depth + 1))
				return false;
			cur_lit(c, " ");
		}
		return true;
	}
	if (cur_peek(c) != '"' && cur_peek(c) != '{') {
		cur_lit(c, "\\");
		return span(c, &s, A_LIST);
	}
	buf_init(&b, 0);
	good = imap_string(c, &b);
	buf_free(&b);
	return good;
}

bool
imap_skip(struct cur *c)
{
	return skip(c, 0);
}

bool
imap_date_time(struct cur *c, int64_t *when)
{
	struct str s;

	if (!cur_lit(c, "\""))
		return false;
	s = cur_until(c, "\"");
	if (!cur_lit(c, "\"") || s.len < 20 || s.len > 30)
		return false;
	*when = date_parse(s);
	return *when != -1;
}

/* --- sets --- */

static bool
set_room(struct imap_set *set)
{
	struct imap_range *v;
	uint32_t cap = set->cap == 0 ? 8 : set->cap * 2;

	if (set->n < set->cap)
		return true;
	if ((v = reallocarray(set->v, cap, sizeof(*v))) == NULL)
		return false;
	set->v = v;
	set->cap = cap;
	return true;
}

bool
imap_set_add(struct imap_set *set, uint32_t lo, uint32_t hi)
{
	struct imap_range *last = set->n > 0 ? &set->v[set->n - 1] : NULL;

	if (last != NULL && lo <= last->hi + (uint64_t)1) {
		if (hi > last->hi)
			last->hi = hi;
		return true;
	}
	if (!set_room(set))
		return false;
	set->v[set->n].lo = lo;
	set->v[set->n++].hi = hi;
	return true;
}

static int
by_start(const void *a, const void *b)
{
	const struct imap_range *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

static void
normalise(struct imap_set *set)
{
	uint32_t i, n = set->n;

	for (i = 1; i < n; i++)
		if (set->v[i].lo <= set->v[i - 1].hi)
			break;
	if (i < n)
		qsort(set->v, n, sizeof(*set->v), by_start);
	set->n = 0;
	for (i = 0; i < n; i++)
		imap_set_add(set, set->v[i].lo, set->v[i].hi);
}

/* A number, or 0 for a star. */
static bool
set_number(struct cur *c, uint32_t *n)
{
	uint64_t v;

	if (cur_lit(c, "*")) {
		*n = 0;
		return true;
	}
	if (!cur_u64(c, &v, UINT32_MAX) || v == 0)
		return false;
	*n = v;
	return true;
}

static void
add_star(struct imap_set *set, uint32_t n)
{
	if (n == 0)
		n = UINT32_MAX;
	if (set->star == 0 || n < set->star)
		set->star = n;
}

bool
imap_set(struct cur *c, struct imap_set *set)
{
	uint32_t lo, hi;

	memset(set, 0, sizeof(*set));
	do {
		if (!set_number(c, &lo))
			return false;
		hi = lo;
		if (cur_lit(c, ":") && !set_number(c, &hi))
			return false;
		if (lo == 0 || hi == 0) {
			add_star(set, lo > hi ? lo : hi);
			continue;
		}
		if (set->n == IMAP_MAXRANGES || !set_room(set))
			return false;
		set->v[set->n].lo = lo < hi ? lo : hi;
		set->v[set->n++].hi = lo < hi ? hi : lo;
	} while (cur_lit(c, ","));
	normalise(set);
	return true;
}

void
imap_set_free(struct imap_set *set)
{
	free(set->v);
	memset(set, 0, sizeof(*set));
}

bool
imap_set_has(const struct imap_set *set, uint32_t n, uint32_t max)
{
	uint32_t lo = 0, hi = set->n, mid;

	if (set->star != 0 && (n >= set->star || n == max))
		return true;
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (set->v[mid].hi < n)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < set->n && set->v[lo].lo <= n;
}

/* --- responses --- */

void
imap_put_number(struct buf *b, uint64_t n)
{
	char digits[20], *p = digits + sizeof(digits);

	do
		*--p = '0' + n % 10;
	while ((n /= 10) > 0);
	buf_add(b, p, digits + sizeof(digits) - p);
}

void
imap_put_set(struct buf *b, const struct imap_set *set)
{
	uint32_t i;

	for (i = 0; i < set->n; i++) {
		if (i > 0)
			buf_putc(b, ',');
		imap_put_number(b, set->v[i].lo);
		if (set->v[i].hi == set->v[i].lo)
			continue;
		buf_putc(b, ':');
		imap_put_number(b, set->v[i].hi);
	}
}

void
imap_put_string(struct buf *b, struct str s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (s.p[i] <= 0 || s.p[i] == '\r' || s.p[i] == '\n')
			break;
	if (i < s.len || s.len > 1024) {
		buf_printf(b, "{%zu}\r\n", s.len);
		buf_add(b, s.p, s.len);
		return;
	}
	buf_putc(b, '"');
	for (i = 0; i < s.len; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_putc(b, '\\');
		buf_putc(b, s.p[i]);
	}
	buf_putc(b, '"');
}

void
imap_put_astring(struct buf *b, struct str s)
{
	struct cur c = cur_make(s.p, s.len);
	struct str atom;

	/* NIL is for nothing at all, so a text of that name is quoted. */
	if (span(&c, &atom, A_ATOM) && cur_left(&c) == 0 &&
	    !str_caseeq(s, "NIL"))
		buf_add(b, s.p, s.len);
	else
		imap_put_string(b, s);
}

void
imap_put_date_time(struct buf *b, int64_t when)
{
	char rfc[64];

	/* Www, dd Mmm yyyy hh:mm:ss +0000 */
	date_rfc5322(rfc, sizeof(rfc), when);
	buf_printf(b, "\"%.2s-%.3s-%.4s %.8s +0000\"", rfc + 5, rfc + 8,
	    rfc + 12, rfc + 17);
}
