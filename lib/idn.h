/*
 * Addresses beyond ASCII (RFC 6531): well-formed UTF-8, and the two forms of
 * a domain's name (RFC 5890).  Inside the suite a domain has one form, that of
 * its A-labels: "xn--exmple-cua.com"; people may write the other anywhere.
 */
#ifndef CG_IDN_H
#define CG_IDN_H

#include "buf.h"

bool	utf8_is_ascii(struct str);
/* Well-formed, and (beyond ASCII, which is not judged) no control character. */
bool	utf8_valid(struct str);
/* How many bytes of it, at most max, if no character is to be cut in two. */
size_t	utf8_fit(const char *, size_t max);
/*
 * Appends the name with A-labels, lower case.  A name in ASCII is appended as
 * it is, and not judged.  False: it cannot be a domain's name.
 */
bool	idn_ascii(struct buf *, struct str);
#endif
