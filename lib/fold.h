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
	bool	 found;		/* in what the finder was fed */
	/* inside: where to look first */
	size_t	 a, b;
};

/* The text in UTF-8.  False: no memory.  An empty one is found in anything. */
bool	needle_init(struct needle *, struct str);
void	needle_free(struct needle *);

/* A search in one text for some needles at once. */
struct finder {
	struct needle	**open;		/* not yet found */
	size_t		 nopen;
	size_t		 longest;	/* of them, bytes */
	struct needle	*one;		/* finder_find()'s */
	struct buf	 tail;		/* folded end of what was seen */
	struct buf	 work;
	char		 part[4];	/* an incomplete character */
	uint8_t		 npart;
};

/* May be started again and again, for one text after another. */
void	finder_init(struct finder *);
void	finder_free(struct finder *);
/*
 * The array is the finder's now: the first nopen are those that are still
 * searched for, in any order.
 */
void	finder_start(struct finder *, struct needle **, size_t n);
/*
 * The next piece of the text; true as soon as all are found (then stop).  A
 * text given in one piece, with last set, is never copied if it is ASCII.
 */
bool	finder_feed(struct finder *, const char *, size_t, bool last);

/* Is it in this text?  finder_start() and _feed() in one. */
bool	finder_find(struct finder *, struct needle *, struct str);
#endif
