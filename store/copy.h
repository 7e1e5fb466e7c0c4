/*
 * Messages from one mailbox to another of the same account, with their flags,
 * keywords (by name) and dates.  All or none, one sync.  MOVE is this and
 * box_expunge().  For workers only.
 */
#ifndef CG_STORE_COPY_H
#define CG_STORE_COPY_H

#include <stddef.h>
#include <stdint.h>

struct box;

struct copying;

/*
 * uids: n ascending UIDs of from; those that are not there are left out.
 * Their new ones in newuids[i], 0 where there was none; both arrays are used
 * to the end.  from and to may be the same.  NULL and errno.
 */
struct copying	*copy_begin(struct box *from, const uint32_t *uids, size_t n,
		    struct box *to, uint32_t *newuids);
/*
 * A MiB or so of it.  1: there is more; 0: all are there, and durable; -1 and
 * errno: none is.
 */
int		 copy_more(struct copying *);
/* Frees it, and undoes what is not durable. */
void		 copy_end(struct copying *);
/* All of that at once. */
int		 copy_messages(struct box *from, const uint32_t *uids,
		    size_t n, struct box *to, uint32_t *newuids);
/* Within what the account may keep?  0; -1 and EDQUOT, or another errno. */
int		 copy_fits(struct box *from, const uint32_t *uids, size_t n);
#endif
