/* Any bytes as a name on the wire: what is taken has that one form. */
#include <stdlib.h>
#include <string.h>

#include "utf7.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
there_and_back(struct str s, bool (*there)(struct buf *, struct str),
    bool (*back)(struct buf *, struct str), bool must)
{
	struct buf a, b;

	buf_init(&a, 0);
	buf_init(&b, 0);
	if (there(&a, s)) {
		if (back(&b, (struct str){ a.p, a.len })) {
			if (b.len != s.len ||
			    (s.len > 0 && memcmp(b.p, s.p, s.len) != 0))
				abort();
		} else if (must)
			abort();
	}
	buf_free(&a);
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = { (const char *)data, size };

	there_and_back(s, utf7_decode, utf7_encode, true);
	/* Controls can be written but are not read. */
	there_and_back(s, utf7_encode, utf7_decode, false);
	return 0;
}
