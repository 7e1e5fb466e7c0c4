/*
 * Any bytes as a message of BODY=BINARYMIME, in pieces of two sizes: the same
 * comes out; of a message that is binary as a whole nothing is lost.
 */
#include <stdlib.h>
#include <string.h>

#include "smtpd/binary.c"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static bool
run(const char *p, size_t len, size_t piece, struct buf *out)
{
	struct binary *b = binary_new();
	bool ok = b != NULL;
	size_t n;

	buf_init(out, 0);
	for (; ok && len > 0; p += n, len -= n) {
		n = len < piece ? len : piece;
		ok = binary_feed(b, p, n, false, out);
	}
	ok = ok && binary_feed(b, "", 0, true, out);
	binary_free(b);
	return ok;
}

/* Behind a header that says so, all bytes are there. */
static void
whole(const char *p, size_t len)
{
	static const char head[] = "Content-Transfer-Encoding: binary\r\n\r\n";
	const size_t nh = sizeof(head) - 1;
	struct buf in, out, plain, text;
	size_t i;

	buf_init(&in, 0);
	buf_add(&in, head, nh);
	buf_add(&in, p, len);
	if (!run(in.p, in.len, 100, &out))
		abort();
	buf_init(&text, 0);
	buf_init(&plain, 0);
	for (i = nh; i < out.len; i++)		/* "base64" is as long */
		if (out.p[i] != '\r' && out.p[i] != '\n')
			buf_putc(&text, out.p[i]);
	if (len > 0 && (base64_decode(&plain, (struct str){ text.p,
	    text.len }) == -1 || plain.len != len ||
	    memcmp(plain.p, p, len) != 0))
		abort();
	buf_free(&in);
	buf_free(&out);
	buf_free(&plain);
	buf_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *p = (const char *)data + 1;
	struct buf a, b;
	bool ok;

	if (len < 2)
		return 0;
	len--;
	ok = run(p, len, len, &a);
	if (run(p, len, data[0] % 64 + 1, &b) != ok)
		abort();
	if (ok && (a.len != b.len ||
	    (a.len > 0 && memcmp(a.p, b.p, a.len) != 0)))
		abort();
	buf_free(&a);
	buf_free(&b);
	whole(p, len);
	return 0;
}
