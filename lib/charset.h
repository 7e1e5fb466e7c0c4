/*
 * Charsets to UTF-8.  The tables are in the ICU library, so this works in an
 * empty root.  Converters are opened at first use and kept; one thread only.
 */
#ifndef CG_CHARSET_H
#define CG_CHARSET_H

#include "buf.h"

struct charset;

/*
 * The charset of that name, any case; empty: us-ascii.  Never NULL: an unknown
 * one is read as latin1.  The same converter is given to all who ask: use it
 * to its end, then reset it for the next text.  Belongs to this module.
 */
struct charset	*charset_get(struct str name);
/* Is it one that can be converted?  For SEARCH CHARSET. */
bool		 charset_known(struct str name);
/*
 * True: UTF-8 or US-ASCII, whose bytes are the text already (they may be
 * wrong: fold.h takes them as they are).
 */
bool		 charset_is_utf8(const struct charset *);
void		 charset_reset(struct charset *);
/*
 * Appends the UTF-8 of n bytes; what is an incomplete character is kept for
 * the next call, unless this is the last.  Wrong bytes become U+FFFD.  False
 * if the buffer is full.
 */
bool		 charset_utf8(struct charset *, const char *, size_t, bool last,
		    struct buf *);
/*
 * One's own, in the state that it is in: for whoever must break off in the
 * middle of a text while others ask for that charset.  NULL: no memory.
 */
struct charset	*charset_fork(const struct charset *);
void		 charset_free(struct charset *);
#endif
