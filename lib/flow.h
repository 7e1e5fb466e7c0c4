/*
 * How many of something a name may have within a time: a bounded table.  A
 * name's time begins with the first of them, and anew when it is over.  When
 * there is no room, the one whose time is over first makes it.
 */
#ifndef CG_FLOW_H
#define CG_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct flows;

struct flows	*flows_new(size_t max);
void		 flows_free(struct flows *);
/*
 * n more, if they are then at most max within so many seconds.  Else false,
 * nothing is counted, *left is how long it lasts until it begins anew, and
 * *first whether this is the first that had too many since it began.
 */
bool		 flows_take(struct flows *, const char *name, uint32_t n,
		    uint32_t max, uint32_t seconds, uint32_t *left,
		    bool *first);
size_t		 flows_count(const struct flows *);
#endif
