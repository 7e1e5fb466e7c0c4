/*
 * What IMAP asks for most, kept beside a mailbox in A.mbox.dat: of each
 * message its envelope, its structure and the table of its parts.  It may be
 * deleted at any time.  Each entry tells by itself that it is whole and whose
 * it is; one that is not is made anew from the message.  For workers only.
 */
#ifndef CG_STORE_CACHE_H
#define CG_STORE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

struct box;
struct rec;

/* Good until the next call for this box, but for cache_flush(). */
struct summary {
	struct str	 envelope;	/* as IMAP sends it: (...) */
	struct str	 body;		/* BODY, not extensible */
	struct str	 bodystructure;
	struct str	 parts;		/* lib/mime's table: mime_unpack() */
};

/* -1 and errno: the message could not be read. */
int	box_summary(struct box *, const struct rec *, struct summary *);
/* Is it there without reading the message? */
bool	box_summary_known(struct box *, const struct rec *);
/* Writes out what is only in memory; at the end of a command. */
void	cache_flush(struct box *);
/*
 * When nobody waits: makes what is missing, and drops what is of messages that
 * are gone.  Nothing if it was not used.
 */
void	cache_tidy(struct box *);
/* Closes it with its box. */
void	cache_close(struct box *);
#endif
