/* Any bytes as account.info: read, and written over. */
#include "store.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct box_info bi, again;
	struct info in;

	fuzz_put("account.info", data, len);
	if (!info_init(&in, fuzz_account(), "account.info"))
		return 0;
	(void)info_get(&in, "INBOX", &bi);
	bi.uidvalidity = 1;
	bi.uidnext = 2;
	bi.modseq = 3;
	if (info_put(&in, "INBOX", &bi) == 0) {
		info_free(&in);
		if (!info_init(&in, fuzz_account(), "account.info"))
			return 0;
		if (info_get(&in, "INBOX", &again) != 1 || again.uidnext != 2)
			abort();
	}
	info_free(&in);
	return 0;
}
