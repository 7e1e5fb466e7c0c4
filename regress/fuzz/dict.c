/*
 * Any bytes as a dictionary: what is read must be written so that it reads
 * the same again, pretty or not.
 */
#include <stdlib.h>
#include <string.h>

#include "dict.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
same(const struct val *v, bool pretty, const struct buf *want)
{
	const char *err;
	struct buf text, again;
	struct val *back;

	buf_init(&text, 0);
	buf_init(&again, 0);
	val_write(&text, v, pretty);
	if ((back = val_parse_all(text.p, text.len, &err)) == NULL)
		abort();
	val_write(&again, back, false);
	if (again.len != want->len || memcmp(again.p, want->p, want->len) != 0)
		abort();
	val_free(back);
	buf_free(&text);
	buf_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cur c = cur_make(data, size);
	struct val *v, *copy;
	const char *err;
	struct buf b;
	int64_t n;

	buf_init(&b, 0);
	while (val_word(&c, &b))
		;
	buf_reset(&b);
	if ((v = val_parse_all((const char *)data, size, &err)) == NULL) {
		if (err == NULL)
			abort();
		buf_free(&b);
		return 0;
	}
	val_write(&b, v, false);
	copy = val_copy(v);
	same(copy, false, &b);
	same(v, true, &b);
	val_int(v, &n);
	val_free(v);
	val_free(copy);
	buf_free(&b);
	return 0;
}
