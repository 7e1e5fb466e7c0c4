/*
 * Addresses: nothing is read out of bounds, and what comes out of one parser
 * is good for the next.
 */
#include <stdlib.h>

#include "addr.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
count(struct str addr, struct str name, void *arg)
{
	size_t *n = arg;

	if (addr.len == 0 || addr.len > ADDR_MAX)
		abort();
	++*n;
}

static struct str
text(const struct buf *b)
{
	return (struct str){ b->p != NULL ? b->p : "", b->len };
}

/*
 * As the Router does when a domain is its own: what is left over is parsed
 * again, and each time there is less of it.
 */
static void
route(struct str s)
{
	struct buf l, d, last;
	int rounds = 0, rv;

	buf_init(&last, 0);
	for (;;) {
		buf_init(&l, 0);
		buf_init(&d, 0);
		rv = addr_route_parse(s, &l, &d);
		if (rv == -1 && rounds > 0)
			abort();	/* our own notation */
		if (rv == 0 && d.len > 0 && !addr_valid_domain(text(&d)) &&
		    !addr_valid_literal(text(&d)))
			abort();
		buf_free(&last);
		last = l;
		rv = rv == 0 && d.len > 0;
		buf_free(&d);
		if (!rv)
			break;
		if (rounds++ > ADDR_MAX)
			abort();
		s = text(&last);
	}
	buf_free(&last);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct str s = { (const char *)p, len };
	struct str l, d;
	struct buf out;
	struct cur c;
	size_t n = 0;
	int lax, got;

	for (lax = 0; lax < 2; lax++) {
		c = cur_make(p, len);
		buf_init(&out, 0);
		if (addr_path(&c, &out, lax) == 0) {
			if (out.len > ADDR_MAX || c.p > c.end)
				abort();
			route(text(&out));
		}
		buf_free(&out);
	}
	route(s);
	addr_split(s, &l, &d);
	got = addr_list(s, count, &n);
	if (got >= 0 && (size_t)got != n)
		abort();
	buf_init(&out, 0);
	addr_quote_local(&out, s);
	buf_free(&out);
	return 0;
}
