/* FETCH's items: whatever comes, an array within its bounds. */
#include <stdlib.h>

#include "imapd/session/fetch.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check(const struct fetch_cmd *f)
{
	const struct fetch_item *it;
	uint32_t i;

	if (f->nitems == 0 || f->nitems > FETCH_MAXITEMS)
		abort();
	for (i = 0; i < f->nitems; i++) {
		it = &f->items[i];
		if (it->path + it->npath > f->nnumbers ||
		    it->name + it->nnames > f->nnames)
			abort();
		if (it->kind == FETCH_SECTION && it->label.len < 6)
			abort();
		if (it->text == TEXT_MIME && it->npath == 0)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cur c = cur_make(data, len);
	struct fetch_cmd f;

	if (fetch_parse(&c, len % 2 == 1, &f) == NULL)
		check(&f);
	fetch_free(&f);
	return 0;
}
