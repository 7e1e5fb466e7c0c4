/* Any bytes as a message's header, as a date, and as base64. */
#include <stdlib.h>
#include <string.h>

#include "rfc5322.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
as_header(struct str s)
{
	struct str header = s;
	struct field f;
	struct buf b;
	struct cur c;
	size_t used = 0;

	if ((header.len = header_end(s)) > s.len)
		abort();
	buf_init(&b, 0);
	for (c = cur_make(s.p, s.len); field_next(&c, &f);) {
		if (f.whole.p != s.p + used || f.whole.len == 0 ||
		    f.body.p + f.body.len > f.whole.p + f.whole.len)
			abort();
		used += f.whole.len;
		buf_reset(&b);
		field_unfold(&b, f.body);
		if (memchr(b.p, '\n', b.len) != NULL)
			abort();
		date_parse(f.body);
	}
	header_find(header, "Subject", &f);
	buf_free(&b);
}

static void
as_date(struct str s)
{
	char text[64];
	int64_t t;

	date_queue_parse(s);
	if ((t = date_parse(s)) == -1 || t > 253402300799)
		return;
	date_rfc5322(text, sizeof(text), t);
	if (date_parse(str_make(text)) != t)
		abort();
}

static void
as_base64(struct str s)
{
	struct buf raw, text;

	buf_init(&raw, 0);
	buf_init(&text, 0);
	if (base64_decode(&raw, s) == 0) {
		base64_encode(&text, raw.p, raw.len);
		if (text.len != s.len ||
		    (s.len > 0 && memcmp(text.p, s.p, s.len) != 0))
			abort();
	}
	buf_free(&raw);
	buf_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = { (const char *)data, size };

	as_header(s);
	as_date(s);
	as_base64(s);
	return 0;
}
