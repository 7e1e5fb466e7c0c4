/*
 * Any bytes as a text, in pieces of two sizes: the same comes out; what comes
 * out has no CR, and what ended it is CRLF . CRLF.
 */
#include <string.h>

#include "log.h"
#include "smtpd/body.c"
#include "smtpd/header.c"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct run {
	struct body	 b;
	struct buf	 out, all;
	size_t		 used;
};

static void
feed(struct run *r, const char *p, size_t len, size_t piece, bool take,
    const char *account)
{
	size_t n, ready;

	buf_init(&r->out, 0);
	buf_init(&r->all, 0);
	body_start(&r->b, &r->out);
	r->b.sender = "a@x.example";
	r->b.host = "x.example";
	r->b.account = account;
	r->b.own_sender = len % 2 != 0;
	r->used = 0;
	while (r->used < len && r->b.state != BODY_END) {
		n = len - r->used < piece ? len - r->used : piece;
		r->used += body_feed(&r->b, p + r->used, n);
		if (!take || (ready = body_ready(&r->b)) == 0)
			continue;
		buf_add(&r->all, r->out.p, ready);
		body_taken(&r->b, ready);
	}
	buf_add(&r->all, r->out.p != NULL ? r->out.p : "", r->out.len);
}

static void
done(struct run *r)
{
	buf_free(&r->out);
	buf_free(&r->all);
}

static void
check(const struct run *r, const char *p)
{
	bool good = !r->b.bare && !r->b.longline;

	if (r->b.state == BODY_END && (r->used < 3 ||
	    memcmp(p + r->used - 3, ".\r\n", 3) != 0 || (r->used > 3 &&
	    (r->used < 5 || memcmp(p + r->used - 5, "\r\n", 2) != 0))))
		panic("no end there");
	if (good && r->all.len > 0 &&
	    memchr(r->all.p, '\r', r->all.len) != NULL)
		panic("a CR was passed on");
	if (good && r->b.state == BODY_END &&
	    (r->all.len == 0 || r->all.p[r->all.len - 1] != '\n'))
		panic("an unended line");
}

/* Its header is mended by what is still at hand. */
static void
submission(const char *p, size_t len, size_t piece)
{
	struct run whole, cut;

	feed(&whole, p, len, len, false, "ann@x.example");
	feed(&cut, p, len, piece, false, "ann@x.example");
	check(&whole, p);
	if (!whole.b.bare && !cut.b.bare && (whole.all.len != cut.all.len ||
	    memcmp(whole.all.p, cut.all.p, cut.all.len) != 0))
		panic("pieces make another header");
	done(&whole);
	done(&cut);
	feed(&cut, p, len, piece, true, "ann@x.example");
	check(&cut, p);
	done(&cut);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *p = (const char *)data + 1;
	struct run whole, cut;

	if (len < 2)
		return 0;
	len--;
	submission(p, len, data[0] % 32 + 1);
	feed(&whole, p, len, len, false, NULL);
	feed(&cut, p, len, data[0] % 32 + 1, true, NULL);
	check(&whole, p);
	if (whole.b.state != cut.b.state || whole.used != cut.used ||
	    whole.b.bare != cut.b.bare || whole.b.size != cut.b.size)
		panic("pieces make a difference");
	/* A bare CR is noticed at a piece's end, and what is refused ends. */
	if (!whole.b.bare && whole.b.state == BODY_END &&
	    (whole.b.hops != cut.b.hops || whole.all.len != cut.all.len ||
	    memcmp(whole.all.p, cut.all.p, cut.all.len) != 0))
		panic("another text comes out");
	done(&whole);
	done(&cut);
	return 0;
}
