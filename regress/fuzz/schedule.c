/* Schedules: any dictionary is one, or is refused with a reason. */
#include <stdlib.h>

#include "schedule.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct tm tm = { .tm_wday = 3, .tm_hour = 12 };
	const char *err, *why;
	struct schedule s;
	struct val *v;
	int64_t pause;

	if ((v = val_parse_all((const char *)p, len, &err)) == NULL)
		return 0;
	if ((schedule_parse(&s, v, &why) == 0) != (why == NULL))
		abort();
	for (tm.tm_wday = 0; tm.tm_wday < 7; tm.tm_wday++)
		if (schedule_open(&s, &tm, &pause) && pause < 0)
			abort();
	schedule_free(&s);
	val_free(v);
	return 0;
}
