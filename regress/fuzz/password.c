/* Any bytes as a stored password: checked, revealed, never a crash. */
#include <string.h>

#include "password.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct password_key key = { .set = true };
	struct str stored = { (const char *)data, len };
	struct buf out;

	if (!password_init())
		return 0;
	/* A crypt may ask for any amount of work: not the parser's matter. */
	if (password_slow(stored))
		return 0;
	password_verify(stored, str_make("password"), &key);
	buf_init(&out, 0);
	password_reveal(&out, stored, &key);
	password_cram_md5(stored, stored, stored);
	password_apop(stored, stored, stored);
	buf_free(&out);
	return 0;
}
