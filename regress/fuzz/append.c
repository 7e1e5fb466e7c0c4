/*
 * A message as a client sends it, cut into pieces as the first byte says: what
 * is stored does not depend on the pieces, is one message, and comes back as
 * it was sent if its lines end as they should.
 */
#include "store.h"

#include "append.h"
#include "buf.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
add(struct acct *a, struct box *b, const uint8_t *p, size_t len, size_t piece)
{
	struct append_to to = { .date = 1795228826 };
	size_t off, n;

	to.msg = append_begin(a, 0);
	for (off = 0; off < len; off += n) {
		n = len - off < piece ? len - off : piece;
		if (append_write(to.msg, p + off, n) == -1)
			abort();
	}
	if (append_commit(b, &to, 1) == -1)
		abort();
	append_free(to.msg);
	if (box_refresh(b) == -1)
		abort();
}

static char *
stored(struct box *b, uint32_t i)
{
	struct rec *r = box_rec(b, i);
	char *p = malloc(r->size + 1);

	if (box_read(b, r, 0, p, r->size) != (ssize_t)r->size)
		abort();
	p[r->size] = '\0';
	return p;
}

/* Are all ends of lines CRLF, and is there nothing to quote? */
static bool
plain(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] == '\n' && (i == 0 || p[i - 1] != '\r'))
			return false;
	return (len < 7 || memcmp(p, "\r\nFrom ", 7) != 0) &&
	    memmem(p, len, "\n\r\nFrom ", 8) == NULL;
}

static void
check_wire(const char *text, const struct rec *r, const uint8_t *p,
    size_t len)
{
	struct buf w;
	size_t i;

	buf_init(&w, 0);
	for (i = 0; i < r->size; i++) {
		if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r'))
			buf_putc(&w, '\r');
		buf_putc(&w, text[i]);
	}
	if (w.len != r->wire)
		abort();
	if (plain(p, len) && (w.len != len ||
		(len > 0 && memcmp(w.p, p, len) != 0)))
		abort();
	buf_free(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct acct *a;
	struct box *b;
	char *one, *two;
	size_t piece;

	if (len < 1 || memchr(data + 1, '\0', len - 1) != NULL)
		return 0;
	piece = data[0] % 16 + 1;
	data++;
	len--;
	fuzz_put("INBOX.mbox", "", 0);
	unlinkat(fuzz_account(), "INBOX.mbox.idx", 0);
	a = acct_new(dup(fuzz_account()), NULL, true);
	if ((b = box_open(a, "")) == NULL)
		abort();
	add(a, b, data, len, len + 1);
	add(a, b, data, len, piece);
	if (box_count(b) != 2)
		abort();
	one = stored(b, 0);
	two = stored(b, 1);
	if (box_rec(b, 0)->size != box_rec(b, 1)->size ||
	    memcmp(one, two, box_rec(b, 0)->size) != 0)
		abort();
	check_wire(one, box_rec(b, 0), data, len);
	free(one);
	free(two);
	acct_free(a);
	return 0;
}
