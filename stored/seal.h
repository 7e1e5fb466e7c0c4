/*
 * What a front keeps of an idle session and must not read, change or use for
 * another: sealed by a key that only the broker has, and lost with it.
 */
#ifndef CG_SEAL_H
#define CG_SEAL_H

#include "buf.h"

enum { SEAL_EXTRA = 16 };	/* bytes that sealing adds */

/* All of it must be the same again; serial is never used twice. */
struct seal_id {
	uint64_t	 serial;
	const char	*path;		/* the account's */
	uint32_t	 front;
	uint32_t	 instance;
	uint32_t	 number;	/* the front's own of that session */
};

/* A fresh random key; before the walls. */
void	seal_start(void);
/* Each adds to the buffer; -1: it cannot be, or it is not what was sealed. */
int	seal_close(const struct seal_id *, const void *, size_t, struct buf *);
int	seal_open(const struct seal_id *, const void *, size_t, struct buf *);
#endif
