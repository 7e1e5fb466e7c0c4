/*
 * Handshakes and logins of many clients leave holes between what the idle
 * ones keep: after a wave of them those pages go back to the system.  Runs in
 * the fronts and in the broker.
 */
#include <sys/time.h>

#include <event2/event.h>

#include <malloc.h>
#include <stddef.h>

#include "proc.h"
#include "trim.h"

enum {
	SECONDS = 5,
	WAVE = 64	/* as many more as make it worth it */
};

static unsigned		 trimmed;
static struct event	*trimmer;

static void
trim(int fd, short what, void *arg)
{
	malloc_trim(0);
}

void
trim_later(unsigned count)
{
	static const struct timeval tv = { SECONDS, 0 };

	if (trimmed > count)
		trimmed = count;
	if (count - trimmed < WAVE)
		return;
	if (trimmer == NULL)
		trimmer = event_new(proc_base(), -1, 0, trim, NULL);
	if (trimmer == NULL || event_pending(trimmer, EV_TIMEOUT, NULL) ||
	    event_add(trimmer, &tv) == -1)
		return;
	trimmed = count;
}
