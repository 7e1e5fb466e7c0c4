/*
 * A message of BODY=BINARYMIME (RFC 3030) on its way in.  The mailboxes and
 * the queue hold lines, so parts that are none are made base64 as they come;
 * all else, line by line, stays.  Pure: body.c gets what comes out.
 */
#ifndef CG_SMTPD_BINARY_H
#define CG_SMTPD_BINARY_H

#include "buf.h"

enum {
	BINARY_MAXDEPTH = 32,		/* multiparts in one another */
	BINARY_MAXHEADER = 256 * 1024,	/* bytes of a part's header */
	BINARY_MAXBOUNDARY = 200
};

struct binary;

struct binary	*binary_new(void);	/* NULL: no memory */
void		 binary_free(struct binary *);
/*
 * The next bytes; or, with last, the end.  What can be said by now is appended
 * to out, lines with CRLF.  False: it is nothing that can be taken apart.
 */
bool		 binary_feed(struct binary *, const char *, size_t, bool last,
		    struct buf *out);
#endif
