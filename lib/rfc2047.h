/* Encoded words of headers (RFC 2047, and RFC 2231's language), as found. */
#ifndef CG_RFC2047_H
#define CG_RFC2047_H

#include "buf.h"

/*
 * Appends a field's body as UTF-8, for search and show: unfolded, encoded words
 * decoded, blanks between two of them dropped, what cannot be decoded as it is.
 */
bool	rfc2047_utf8(struct buf *, struct str body);
#endif
