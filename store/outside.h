/*
 * An INBOX that lies elsewhere (manual 18 and 35): a .mbox file of the system's,
 * which local mailers read and change at any time.  Its index, its cache and
 * account.info are in the account's directory as ever; the file itself is
 * known by the descriptor that the broker gave.
 *
 * Who looks at it or changes it holds the system's lock.  What others did
 * meanwhile is found by the file's size and times, and then every From_ line is
 * looked at.  A message that goes is taken out of the file at once, in place,
 * as the others would still see it: mbox_redo.c.
 */
#ifndef CG_STORE_OUTSIDE_H
#define CG_STORE_OUTSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "box.h"

enum outside_how { OUTSIDE_FILE = 1, OUTSIDE_RANGE };	/* flock, fcntl */

/* Takes the descriptor.  While INBOX is not open. */
void	acct_outside(struct acct *, int fd, enum outside_how);
void	outside_free(struct acct *);
/* Another file has its name now: this one is no use any more. */
bool	acct_outside_lost(const struct acct *);

/* Has somebody else written there, and is done with it? */
bool	acct_outside_news(const struct acct *);

/*
 * Around all that looks at the file or changes it, one inside the other if
 * need be.  A worker waits a little; -1 and EAGAIN: another program has it.
 * Does nothing, and well, for any other mailbox.
 */
int	outside_lock(struct box *);
/* wrote: what is different now is our doing. */
void	outside_unlock(struct box *, bool wrote);

/* A descriptor for the mailbox, or -1: ESTALE. */
int	outside_open(struct box *);
/*
 * With the lock: takes note of what others did since.  True if nothing helps
 * but to open it anew.
 */
bool	outside_changed(struct box *);
/*
 * Without it: is what was just read that message's?  True if nobody wrote since
 * the last look, or only behind; else its records are looked at again first.
 */
bool	outside_same(struct box *, const struct rec *);
/* How far its mail was counted, and what was found; 0: it was not. */
uint64_t outside_counted(const struct box *, uint64_t *gone,
	    uint64_t *messages);
void	outside_count(const struct box *, uint64_t gone, uint64_t messages);

/*
 * mbox_redo.c.  With the lock: the file gets the bytes of fd, which is "name"
 * in the account's directory and has size of them, durably.  Once that has
 * begun it is brought to its end, by whoever opens the mailbox next.
 */
int	outside_replace(struct box *, int fd, const char *name, uint64_t size);
/* What a killed one began. */
int	outside_redo(struct box *);
#endif
