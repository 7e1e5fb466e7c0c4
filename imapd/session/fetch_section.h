/*
 * BODY[...]: a piece of a message as a literal, however long, made as the
 * client takes it.  Runs in the account's worker.
 */
#ifndef CG_IMAP_FETCH_SECTION_H
#define CG_IMAP_FETCH_SECTION_H

#include "fetch.h"
#include "search_text.h"

/* A literal on its way. */
struct section {
	bool		 active;
	uint64_t	 base, off, end;	/* on disk */
	uint64_t	 wire;		/* octets up to off, from base */
	uint64_t	 skip;		/* octets not to be sent */
	uint64_t	 left;		/* octets to send */
	char		 last;		/* the byte before off */
};

enum { SECTION_PIECE = 16 * 1024 };

/*
 * Writes the label and what it may of the rest; if active afterwards, the rest
 * comes from section_more().  False: the message cannot be read, and nothing
 * was written.
 */
bool	section_begin(struct section *, struct text *, struct fetch_cmd *,
	    const struct fetch_item *, struct buf *out);
/*
 * A piece more; not active any more at the end.  False: the message has become
 * shorter than was announced, and no answer is right now.
 */
bool	section_more(struct section *, struct text *, struct buf *out);
#endif
