/*
 * Any needle in any text: the search finds it exactly where a plain one in the
 * folded text does, in one piece and in many.  The first byte is the needle's
 * length, the second the size of pieces.
 */
#include <stdlib.h>
#include <string.h>

#include "fold.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str needle, text;
	struct needle n;
	struct finder f;
	struct buf b;
	bool want, got = false;
	size_t i, k, piece;

	if (size < 2 || size - 2 < data[0])
		return 0;
	needle = (struct str){ (const char *)data + 2, data[0] };
	text = (struct str){ needle.p + needle.len, size - 2 - needle.len };
	piece = data[1] % 16 + 1U;
	if (!needle_init(&n, needle))
		abort();
	buf_init(&b, 0);
	buf_reserve(&b, 0);
	fold_utf8(&b, text);
	want = memmem(b.p, b.len, n.p, n.len) != NULL;
	finder_init(&f);
	if (finder_find(&f, &n, text) != want)
		abort();
	finder_start(&f, &n);
	for (i = 0; i < text.len && !got; i += k) {
		k = text.len - i < piece ? text.len - i : piece;
		got = finder_feed(&f, text.p + i, k, i + k == text.len);
	}
	if (!got)
		got = finder_feed(&f, "", 0, true);
	if (got != want)
		abort();
	finder_free(&f);
	needle_free(&n);
	buf_free(&b);
	return 0;
}
