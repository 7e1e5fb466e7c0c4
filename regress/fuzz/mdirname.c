/* Any name of a file in a .mdir mailbox: what is read of it is kept by ours. */
#include <stdlib.h>
#include <string.h>

#include "from.h"
#include "mdir_name.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[256], out[MDIR_NAME], again[MDIR_NAME];
	struct mdir_name n, m;

	if (size >= sizeof(name))
		size = sizeof(name) - 1;
	memcpy(name, data, size);
	name[size] = '\0';
	if (!mdir_name_parse(name, &n))
		return 0;
	if (n.flags & ~(uint32_t)MSG_FLAGS)
		abort();
	mdir_name_format(out, &n);
	if (!mdir_name_parse(out, &m) || m.uid != n.uid ||
	    m.flags != n.flags || m.keywords != n.keywords ||
	    m.date != n.date)
		abort();
	mdir_name_format(again, &m);
	if (strcmp(out, again) != 0)
		abort();
	return 0;
}
