/*
 * Banned lines: any patterns, any text, and the same answer whatever the
 * pieces are.  The input is two arrays and a text, \1 between them.
 */
#include <stdlib.h>
#include <string.h>

#include "banned.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct val *
array(const uint8_t **p, const uint8_t *end)
{
	const uint8_t *stop = memchr(*p, 1, end - *p);
	const char *err;
	struct val *v;

	if (stop == NULL)
		stop = end;
	v = val_parse_all((const char *)*p, stop - *p, &err);
	*p = stop < end ? stop + 1 : end;
	return v;
}

static bool
meets(struct banned *b, const uint8_t *p, size_t len, size_t piece)
{
	struct banned_scan *s = banned_scan(b);
	size_t at, n;
	bool met;

	for (at = 0; at < len; at += n) {
		n = len - at < piece ? len - at : piece;
		(void)banned_feed(s, (const char *)p + at, n);
	}
	met = banned_end(s) != NULL;
	banned_scan_free(s);
	return met;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;
	struct val *header = array(&p, end), *body = array(&p, end);
	const char *err;
	struct banned *b = banned_make(header, body, &err);

	if (b != NULL && meets(b, p, end - p, len) != meets(b, p, end - p, 1))
		abort();
	banned_unref(b);
	val_free(header);
	val_free(body);
	return 0;
}
