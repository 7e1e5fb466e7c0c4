/* Any bytes as a mailbox: opened, indexed, read, changed, compacted. */
#include "store.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct from_line f;

	(void)from_parse((const char *)data, len, &f);
	fuzz_put("INBOX.mbox", data, len);
	unlinkat(fuzz_account(), "INBOX.mbox.idx", 0);
	fuzz_use();
	return 0;
}
