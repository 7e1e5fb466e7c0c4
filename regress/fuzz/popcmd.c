/* POP command lines. */
#include <stdlib.h>

#include "pop3d/session/session.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct pop_cmd cmd;

	pop_parse((const char *)data, len, &cmd);
	if (cmd.nargs > 2)
		abort();
	return 0;
}
