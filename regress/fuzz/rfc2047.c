/* Any bytes as a field with encoded words, in any charset they name. */
#include <stdlib.h>
#include <string.h>

#include "charset.h"
#include "mime_decode.h"
#include "rfc2047.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char *const charsets[] = {
	"iso-2022-jp", "utf-16", "gb18030", "windows-1252", "utf-7",
	"shift_jis", "none", "iso-2022-kr"
};

/* The same comes out however it is cut. */
static void
decode(enum mime_enc enc, const char *p, size_t n)
{
	struct decoder d;
	size_t whole, cut = 0, i;
	char *a, *b;

	if ((a = malloc(n + 2 * DECODER_ROOM)) == NULL ||
	    (b = malloc(n + 2 * DECODER_ROOM)) == NULL)
		abort();
	decoder_init(&d, enc);
	whole = decoder_run(&d, p, n, a);
	if (whole > n + DECODER_ROOM)
		abort();
	whole += decoder_end(&d, a + whole);
	decoder_init(&d, enc);
	for (i = 0; i < n; i++)
		cut += decoder_run(&d, p + i, 1, b + cut);
	cut += decoder_end(&d, b + cut);
	if (whole != cut || memcmp(a, b, cut) != 0)
		abort();
	free(a);
	free(b);
}

static void
convert(struct charset *c, const char *p, size_t n)
{
	struct buf b;

	buf_init(&b, 0);
	charset_utf8(c, p, n / 2, false, &b);
	charset_utf8(c, p + n / 2, n - n / 2, true, &b);
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	struct buf b;

	buf_init(&b, 0);
	rfc2047_utf8(&b, (struct str){ p, size });
	if (memchr(b.p != NULL ? b.p : "", '\n', b.len) != NULL &&
	    memmem(p, size, "=?", 2) == NULL)
		abort();
	buf_free(&b);
	decode(MIME_QP, p, size);
	decode(MIME_BASE64, p, size);
	if (size > 1)
		convert(charset_get(str_make(charsets[data[0] % 8])), p + 1,
		    size - 1);
	charset_known((struct str){ p, size });
	return 0;
}
