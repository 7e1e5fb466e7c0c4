/* cgserver.conf from bytes: no crash, and an error that names a line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf c;
	char *err = NULL;

	if (conf_parse(&c, (const char *)data, size, &err) == -1) {
		if (err == NULL || strncmp(err, "line ", 5) != 0)
			abort();
		free(err);
	}
	conf_free(&c);
	return 0;
}
