/*
 * Mailbox names and where they are on disk (DECISIONS, Mailboxes): A/B is
 * A.folder/B.mbox.  INBOX ignores case.
 */
#ifndef CG_STORE_NAME_H
#define CG_STORE_NAME_H

#include <stdbool.h>

struct buf;

enum { NAME_MAX_BYTES = 1000, NAME_MAX_DEPTH = 16, NAME_PATTERN = 2000 };

/* Could this be a mailbox of one's own account? */
bool	name_valid(const char *);
/* Path of a valid name, without the format's extension. */
bool	name_path(struct buf *, const char *);
/* LIST's wildcards: * is anything, % anything but a /. */
bool	name_matches(const char *pattern, const char *name);
/* The name as it is kept: INBOX in capitals, else itself. */
const char *name_canon(const char *);
#endif
