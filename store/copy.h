/*
 * Messages from one mailbox to another of the same account, with their flags,
 * keywords (by name) and dates.  For workers only.
 */
#ifndef CG_STORE_COPY_H
#define CG_STORE_COPY_H

#include <stddef.h>
#include <stdint.h>

struct box;

/*
 * uids: n ascending UIDs of from; those that are not there are left out.
 * Their new ones in newuids[i], 0 where there was none.  All or none, one
 * sync: durable when it returns 0; else -1 and errno.  from and to may be the
 * same.  MOVE is this and box_expunge().
 */
int	copy_messages(struct box *from, const uint32_t *uids, size_t n,
	    struct box *to, uint32_t *newuids);
/* Within what the account may keep?  0; -1 and EDQUOT, or another errno. */
int	copy_fits(struct box *from, const uint32_t *uids, size_t n);
#endif
