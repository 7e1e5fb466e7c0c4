/* Account lists: rows that have all they need, or a line that is wrong. */
#include <stdlib.h>
#include <string.h>

#include "../../authd/import.h"
#include "dict.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct str text = { (const char *)p, len };
	struct import_list l;
	bool ok = import_parse(&l, text);
	size_t i;

	if (ok != (l.err == NULL))
		abort();
	for (i = 0; ok && i < l.nrows; i++) {
		const struct import_row *r = &l.rows[i];

		if (r->name == NULL || *r->name == '\0' || r->type == NULL ||
		    strchr(r->type, ' ') != NULL || r->settings == NULL ||
		    val_type(r->settings) != VAL_DICT || r->line < 2 ||
		    r->line > l.line)
			abort();
	}
	import_free(&l);
	return 0;
}
