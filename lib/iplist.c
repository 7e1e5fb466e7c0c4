/*
 * Lists of addresses, as administrators write them, turned into sorted
 * disjoint ranges: a look-up is a binary search.  Knows text only; runs in
 * the fronts, routerd and authd.
 */
#include <arpa/inet.h>

#include <stdlib.h>
#include <string.h>

#include "iplist.h"

/* IPv6, or IPv4 mapped into it: one order for both. */
struct ip {
	uint64_t	hi, lo;
};

struct range {
	struct ip	from, to;
};

struct ranges {
	struct range	*v;
	size_t		 n, cap;
};

struct iplist {
	struct ranges	in, out;
};

enum { MAXTEXT = 64 };

#define V4MAPPED	0xffff00000000ULL

static int
ip_cmp(struct ip a, struct ip b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	if (a.lo != b.lo)
		return a.lo < b.lo ? -1 : 1;
	return 0;
}

static bool
is_v4(struct ip a)
{
	return a.hi == 0 && (a.lo & ~0xffffffffULL) == V4MAPPED;
}

/* Own code for dotted quads: people write 10.34.50.01, inet_pton refuses. */
static bool
parse_v4(struct str s, struct ip *out)
{
	struct cur c = { s.p, s.p + s.len };
	uint64_t n, sum = 0;
	int i;

	for (i = 0; i < 4; i++) {
		if (i > 0 && !cur_lit(&c, "."))
			return false;
		if (!cur_u64(&c, &n, 255))
			return false;
		sum = sum << 8 | n;
	}
	if (cur_left(&c) > 0)
		return false;
	out->hi = 0;
	out->lo = V4MAPPED | sum;
	return true;
}

static bool
parse_ip(struct str s, struct ip *out)
{
	unsigned char b[16];
	char text[MAXTEXT];
	int i;

	if (s.len >= 2 && s.p[0] == '[' && s.p[s.len - 1] == ']') {
		s.p++;
		s.len -= 2;
	}
	if (parse_v4(s, out))
		return true;
	if (memchr(s.p, '\0', s.len) != NULL || !str_copy(s, text, MAXTEXT) ||
	    inet_pton(AF_INET6, text, b) != 1)
		return false;
	out->hi = out->lo = 0;
	for (i = 0; i < 8; i++) {
		out->hi = out->hi << 8 | b[i];
		out->lo = out->lo << 8 | b[i + 8];
	}
	return true;
}

/* The first and last address that share so many leading bits with it. */
static bool
mask(struct range *r, uint64_t bits)
{
	uint64_t hi, lo;

	if (is_v4(r->from)) {
		if (bits > 32)
			return false;
		bits += 96;
	}
	if (bits > 128)
		return false;
	hi = bits >= 64 ? 0 : ~0ULL >> bits;
	lo = bits == 128 ? 0 : bits <= 64 ? ~0ULL : ~0ULL >> (bits - 64);
	r->from.hi &= ~hi;
	r->from.lo &= ~lo;
	r->to.hi = r->from.hi | hi;
	r->to.lo = r->from.lo | lo;
	return true;
}

static struct str
word(struct cur *c)
{
	cur_ws(c);
	return cur_span(c, "0123456789abcdefABCDEF.:[]");
}

static bool
at_comment(struct cur *c)
{
	int ch;

	cur_ws(c);
	ch = cur_peek(c);
	return ch == -1 || ch == ';' || ch == '%' || ch == '-';
}

/* "address", "address/bits", "from-to"; then a comment, perhaps after "-". */
static bool
parse_range(struct cur *c, struct range *r)
{
	struct cur save;
	struct ip last;
	uint64_t bits;

	if (!parse_ip(word(c), &r->from))
		return false;
	r->to = r->from;
	if (cur_lit(c, "/"))
		return cur_u64(c, &bits, 128) && mask(r, bits) &&
		    at_comment(c);
	cur_ws(c);
	save = *c;
	if (!cur_lit(c, "-"))
		return at_comment(c);
	if (!parse_ip(word(c), &last)) {
		*c = save;
		return at_comment(c);
	}
	r->to = last;
	return is_v4(r->from) == is_v4(last) && ip_cmp(r->from, last) <= 0 &&
	    at_comment(c);
}

static bool
add(struct ranges *rs, struct range r)
{
	struct range *v;
	size_t cap;

	if (rs->n == rs->cap) {
		cap = rs->cap ? rs->cap * 2 : 8;
		v = reallocarray(rs->v, cap, sizeof(*v));
		if (v == NULL)
			return false;
		rs->v = v;
		rs->cap = cap;
	}
	rs->v[rs->n++] = r;
	return true;
}

static int
range_cmp(const void *a, const void *b)
{
	return ip_cmp(((const struct range *)a)->from,
	    ((const struct range *)b)->from);
}

/* Sorts, and joins what overlaps. */
static void
settle(struct ranges *rs)
{
	size_t i, n = 0;

	if (rs->n == 0)
		return;
	qsort(rs->v, rs->n, sizeof(*rs->v), range_cmp);
	for (i = 1; i < rs->n; i++) {
		if (ip_cmp(rs->v[i].from, rs->v[n].to) > 0)
			rs->v[++n] = rs->v[i];
		else if (ip_cmp(rs->v[i].to, rs->v[n].to) > 0)
			rs->v[n].to = rs->v[i].to;
	}
	rs->n = n + 1;
}

static bool
has(const struct ranges *rs, struct ip a)
{
	size_t lo = 0, hi = rs->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (ip_cmp(a, rs->v[mid].from) < 0)
			hi = mid;
		else if (ip_cmp(a, rs->v[mid].to) > 0)
			lo = mid + 1;
		else
			return true;
	}
	return false;
}

static bool
parse_line(struct iplist *l, struct str s)
{
	struct cur c = { s.p, s.p + s.len };
	struct range r;
	bool exclude;

	if (at_comment(&c))
		return true;
	exclude = cur_lit(&c, "!");
	return parse_range(&c, &r) && add(exclude ? &l->out : &l->in, r);
}

struct iplist *
iplist_parse(const char *text, int *line)
{
	struct cur c = cur_str(text);
	struct iplist *l;
	struct str s;
	int n;

	l = xcalloc(1, sizeof(*l));
	for (n = 1; cur_line(&c, &s); n++) {
		if (!parse_line(l, s)) {
			if (line != NULL)
				*line = n;
			iplist_free(l);
			return NULL;
		}
	}
	settle(&l->in);
	settle(&l->out);
	return l;
}

void
iplist_free(struct iplist *l)
{
	if (l == NULL)
		return;
	free(l->in.v);
	free(l->out.v);
	free(l);
}

bool
iplist_has(const struct iplist *l, const char *ip)
{
	struct ip a;

	return l != NULL && parse_ip(str_make(ip), &a) && has(&l->in, a) &&
	    !has(&l->out, a);
}

bool
ip_is_loopback(const char *ip)
{
	struct ip a;

	if (!parse_ip(str_make(ip), &a))
		return false;
	if (is_v4(a))
		return (a.lo & 0xff000000) == 0x7f000000;
	return a.hi == 0 && a.lo == 1;
}
