/*
 * Banned lines (manual 07): a message that has one of them, in its header or
 * its body, is refused.  A pattern is a whole line, case counts, an asterisk
 * is any text; in the header it is a whole field, folding and all.  The text
 * is looked at as it passes, in pieces of any size, with LF line ends; what
 * is remembered of it is bounded by the number of patterns.
 */
#ifndef CG_BANNED_H
#define CG_BANNED_H

#include "dict.h"

enum { BANNED_MAX = 1000, BANNED_LINE = 4000 };	/* patterns; bytes of one */

struct banned;
struct banned_scan;

/*
 * Two arrays of patterns, either may be NULL.  NULL when they are empty, or
 * make no sense: then *err says why (constant text).  What is without sense
 * in a file is better found than obeyed in part.
 */
struct banned	*banned_make(const struct val *header, const struct val *body,
		    const char **err);
void		 banned_unref(struct banned *);

/* A message; NULL: no memory.  It keeps its patterns until it is freed. */
struct banned_scan *banned_scan(struct banned *);
/* The pattern that is met, now or before; or NULL. */
const char	*banned_feed(struct banned_scan *, const char *, size_t);
/* The same, at its end. */
const char	*banned_end(struct banned_scan *);
void		 banned_scan_free(struct banned_scan *);
#endif
