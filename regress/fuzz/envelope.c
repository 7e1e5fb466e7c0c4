/*
 * Any bytes as the fields that IMAP takes apart: addresses, parameters, texts.
 * The first byte chooses the field.
 */
#include <stdlib.h>
#include <string.h>

#include "mime.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char *const fields[] = {
	"To", "From", "Subject", "Content-Type", "Content-Disposition",
	"Content-Language", "Content-Transfer-Encoding", "Content-ID"
};

/* Parentheses fit, and quotes and literals end. */
static void
whole(const struct buf *b)
{
	struct cur c = cur_make(b->p, b->len);
	uint64_t n;
	int ch, nest = 0;

	while ((ch = cur_get(&c)) != -1) {
		nest += (ch == '(') - (ch == ')');
		if (ch == '{' && (!cur_u64(&c, &n, b->len) ||
		    !cur_lit(&c, "}\r\n") || !cur_skip(&c, n)))
			abort();
		while (ch == '"' && (ch = cur_get(&c)) != '"') {
			if (ch == -1)
				abort();
			if (ch == '\\')
				cur_get(&c);
			ch = '"';
		}
		if (nest < 0 || ch == '\r' || ch == '\n')
			abort();
	}
	if (nest != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf b, out;
	struct mime m;

	if (size < 1)
		return 0;
	buf_init(&b, 0);
	buf_init(&out, 0);
	mime_init(&m);
	buf_printf(&b, "%s: ", fields[data[0] % 8]);
	buf_add(&b, data + 1, size - 1);
	buf_puts(&b, "\n\nbody\n");
	if (mime_scan_mem(&m, b.p, b.len) == -1 ||
	    !mime_envelope(&m, &out))
		abort();
	whole(&out);
	buf_reset(&out);
	if (!mime_bodystructure(&m, &out, true))
		abort();
	whole(&out);
	mime_free(&m);
	buf_free(&b);
	buf_free(&out);
	return 0;
}
