/*
 * Any needle in any text: the search finds it exactly where a plain one in the
 * folded text does, in one piece and, with another needle, in many.  The first byte is the needle's
 * length, the second the size of pieces.
 */
#include <stdlib.h>
#include <string.h>

#include "fold.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static bool
stands_in(const struct needle *n, struct str text)
{
	struct buf b;
	bool yes;

	buf_init(&b, 0);
	buf_reserve(&b, 0);
	fold_utf8(&b, text);
	yes = memmem(b.p, b.len, n->p, n->len) != NULL;
	buf_free(&b);
	return yes;
}

/* Two at once, in pieces. */
static void
together(struct needle *n, struct str text, size_t piece)
{
	struct needle *open[2] = { &n[0], &n[1] };
	struct finder f;
	bool all = false;
	size_t i, k;

	finder_init(&f);
	finder_start(&f, open, 2);
	for (i = 0; i < text.len && !all; i += k) {
		k = text.len - i < piece ? text.len - i : piece;
		all = finder_feed(&f, text.p + i, k, i + k == text.len);
	}
	if (!all)
		finder_feed(&f, "", 0, true);
	finder_free(&f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str needle, half, text;
	struct needle n[2];
	struct finder f;
	int i;

	if (size < 2 || size - 2 < data[0])
		return 0;
	needle = (struct str){ (const char *)data + 2, data[0] };
	half = (struct str){ needle.p + needle.len / 2, needle.len / 2 };
	text = (struct str){ needle.p + needle.len, size - 2 - needle.len };
	if (!needle_init(&n[0], needle) || !needle_init(&n[1], half))
		abort();
	finder_init(&f);
	for (i = 0; i < 2; i++)
		if (finder_find(&f, &n[i], text) != stands_in(&n[i], text))
			abort();
	finder_free(&f);
	together(n, text, data[1] % 16 + 1U);
	for (i = 0; i < 2; i++) {
		if (n[i].found != stands_in(&n[i], text))
			abort();
		needle_free(&n[i]);
	}
	return 0;
}
