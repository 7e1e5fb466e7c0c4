/*
 * Any bytes as a message: however they are read the same is told of it, all
 * that is told lies in the message, and what is packed comes back.
 */
#include <stdlib.h>
#include <string.h>

#include "mime.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct source {
	const char	*p;
	size_t		 n, most;
};

static ssize_t
source(void *arg, uint64_t off, void *p, size_t n)
{
	struct source *s = arg;

	if (off >= s->n)
		return 0;
	if (n > s->n - off)
		n = s->n - off;
	if (n > s->most)
		n = s->most;
	memcpy(p, s->p + off, n);
	return (ssize_t)n;
}

static void
within(const struct mime *m)
{
	const struct mime_part *p;
	uint32_t i;

	for (i = 0; i < m->nparts; i++) {
		p = &m->part[i];
		if (p->head > m->size || p->headlen > m->size - p->head ||
		    p->body != p->head + p->headlen ||
		    p->bodylen > m->size - p->body ||
		    p->headwire < p->headlen || p->bodywire < p->bodylen ||
		    p->bodywire > 2 * p->bodylen || p->lines > p->bodylen ||
		    p->depth > MIME_MAXDEPTH ||
		    (p->kind == MIME_MESSAGE && p->child != i + 1) ||
		    (p->kind < MIME_MULTIPART && p->child != MIME_NONE) ||
		    (i > 0 && p->parent >= i))
			abort();
	}
}

static void
same(const struct mime *a, const struct mime *b, bool all)
{
	struct buf x, y;

	if (a->nparts != b->nparts || a->size != b->size ||
	    a->wire != b->wire)
		abort();
	buf_init(&x, 0);
	buf_init(&y, 0);
	if (!mime_pack(a, &x) || !mime_pack(b, &y))
		abort();
	if (all && (!mime_envelope(a, &x) || !mime_envelope(b, &y) ||
	    !mime_bodystructure(a, &x, true) ||
	    !mime_bodystructure(b, &y, true)))
		abort();
	if (x.len != y.len || memcmp(x.p, y.p, x.len) != 0)
		abort();
	buf_free(&x);
	buf_free(&y);
}

/* Parentheses and quotes that fit, and no line end outside a literal. */
static void
grammar(const struct buf *b)
{
	struct cur c = cur_make(b->p, b->len);
	uint64_t n;
	int ch, nest = 0;

	while ((ch = cur_get(&c)) != -1) {
		nest += (ch == '(') - (ch == ')');
		if (nest < 0 || ch == '\r' || ch == '\n' || ch >= 0x80)
			abort();
		if (ch == '{' && (!cur_u64(&c, &n, b->len) ||
		    !cur_lit(&c, "}\r\n") || !cur_skip(&c, n)))
			abort();
		if (ch != '"')
			continue;
		while ((ch = cur_get(&c)) != '"') {
			if (ch == '\\')
				ch = cur_get(&c);
			if (ch <= 0 || ch >= 0x80 || ch == '\r' || ch == '\n')
				abort();
		}
	}
	if (nest != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct source src = { (const char *)data, size, 3 };
	struct mime a, b;
	struct buf out;

	mime_init(&a);
	mime_init(&b);
	buf_init(&out, 0);
	/* First the bytes as a packed table. */
	if (mime_unpack(&a, (struct str){ (const char *)data, size }))
		within(&a);
	if (mime_scan_mem(&a, data, size) == -1 ||
	    mime_scan(&b, source, &src, size) == -1 || a.size != size)
		abort();
	within(&a);
	same(&a, &b, true);
	if (!mime_envelope(&a, &out))
		abort();
	grammar(&out);
	buf_reset(&out);
	if (!mime_bodystructure(&a, &out, true))
		abort();
	grammar(&out);
	buf_reset(&out);
	mime_pack(&a, &out);
	if (!mime_unpack(&b, (struct str){ out.p, out.len }))
		abort();
	same(&a, &b, false);
	mime_free(&a);
	mime_free(&b);
	buf_free(&out);
	return 0;
}
