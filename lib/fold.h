/*
 * Searching text whatever its case: Unicode full case folding of both sides,
 * over pieces of UTF-8 as they come.  Bytes that are no UTF-8 stand for
 * themselves.  Line ends are bytes like others.
 */
#ifndef CG_FOLD_H
#define CG_FOLD_H

#include "buf.h"

/* Appends the folded text; wrong bytes as they are. */
bool	fold_utf8(struct buf *, struct str);

/* What is searched for. */
struct needle {
	char	*p;		/* folded */
	size_t	 len;
	bool	 ascii;
	/* inside: where to look first */
	size_t	 a, b;
};

/* The text in UTF-8.  False: no memory.  An empty one is found in anything. */
bool	needle_init(struct needle *, struct str);
void	needle_free(struct needle *);

/* A search in one text for one needle. */
struct finder {
	const struct needle *needle;
	struct buf	 tail;		/* folded end of what was seen */
	struct buf	 work;
	char		 part[4];	/* an incomplete character */
	uint8_t		 npart;
	bool		 found;
};

/* May be started again and again, for one needle after another. */
void	finder_init(struct finder *);
void	finder_free(struct finder *);
void	finder_start(struct finder *, const struct needle *);
/*
 * The next piece of the text; true as soon as it is found (then stop).  A text
 * given in one piece, with last set, is never copied if it is ASCII.
 */
bool	finder_feed(struct finder *, const char *, size_t, bool last);

/* Is it in this text?  finder_start() and _feed() in one. */
bool	finder_find(struct finder *, const struct needle *, struct str);
#endif
