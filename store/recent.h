/* \Recent: messages that no session has seen yet.  For workers only. */
#ifndef CG_STORE_RECENT_H
#define CG_STORE_RECENT_H

#include <stdbool.h>
#include <stdint.h>

struct box;

/*
 * Tells the recent ones from the from-th record on; with take they are so no
 * longer.  That is not worth a sync, nor a modseq: after a crash they may be
 * recent again.
 */
void	recent_claim(struct box *, uint32_t from, bool take,
	    void (*)(void *, uint32_t uid), void *);
#endif
