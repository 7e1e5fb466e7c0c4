/* Mailbox names on the wire: modified UTF-7 (RFC 3501 5.1.3). */
#ifndef CG_UTF7_H
#define CG_UTF7_H

#include "buf.h"

/*
 * Appends the UTF-8 of a name as sent.  False: not the one right form (8-bit
 * bytes, controls, bad base64, stray bits, encoded ASCII, "&AA-&BB-", lone
 * surrogates); the buffer is as before.
 */
bool	utf7_decode(struct buf *, struct str);
/* The other way; false if it is not UTF-8. */
bool	utf7_encode(struct buf *, struct str);
#endif
