/* Any text as a row of blacklists, a table of names, an answer to judge. */
#include <stdlib.h>

#include "lib/rbl.c"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct val *table;
	struct rbl r;
	char *text;

	if (rbl_parse(&r, (struct str){ (const char *)data, len })) {
		if (!addr_valid_domain(str_make(r.zone)))
			abort();
		rbl_hit(&r, "127.0.0.2\n::1\nx\n");
		rbl_free(&r);
	}
	if ((text = str_dup((struct str){ (const char *)data, len })) == NULL)
		return 0;
	if (rbl_parse(&r, str_make("bl.example"))) {
		rbl_hit(&r, text);
		rbl_free(&r);
	}
	table = val_string(text);
	rows_match(table, "mail.host.example");
	val_free(table);
	free(text);
	return 0;
}
