/*
 * A weekly schedule (manual 15): on which days, between which times of day,
 * something may be done, and how long to pause between two such times.
 */
#ifndef CG_SCHEDULE_H
#define CG_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "dict.h"

struct schedule_slot {
	unsigned int	 days;		/* bit 0: Sunday */
	int		 from, till;	/* minutes of the day */
	int64_t		 pause;		/* seconds */
};

struct schedule {
	struct schedule_slot *slots;
	size_t		 n;
	bool		 always;	/* nothing was written */
};

/*
 * Of an array of {Days=; From=; Till=; Pause=;}.  What makes no sense allows
 * nothing: then -1 and *why (a constant text), and the rest is in force.
 */
int	schedule_parse(struct schedule *, const struct val *,
	    const char **why);
void	schedule_free(struct schedule *);
/* Is this local time within it?  Then the pause that goes with it. */
bool	schedule_open(const struct schedule *, const struct tm *,
	    int64_t *pause);
#endif
