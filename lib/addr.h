/*
 * Mail addresses: RFC 5321 paths with source routes, RFC 5322 header lists
 * with groups and comments, and the % and ! forms of manual 27.  UTF-8 is
 * taken wherever RFC 6531 has it; what comes out has domains in ASCII (idn.h).
 */
#ifndef CG_ADDR_H
#define CG_ADDR_H

#include "buf.h"

enum { ADDR_MAXLOCAL = 256, ADDR_MAXDOMAIN = 255, ADDR_MAX = 1000 };

/*
 * A path at the cursor, "<...>" or (lax) bare, as MAIL FROM and RCPT TO have
 * it: the mailbox without brackets, quotes kept, source route removed.  An
 * empty path gives "".  The cursor is left behind it.  -1: not a path.
 */
int	addr_path(struct cur *, struct buf *out, bool lax);
/*
 * A copy with its domain in ASCII, or as it is if it is no address; free it.
 * NULL: no memory.
 */
char	*addr_dup(struct str);
/* Splits at the last @ outside quotes; domain is empty if there is none. */
bool	addr_split(struct str, struct str *local, struct str *domain);
/*
 * The Router's view (manual 27): which domain first?  Understands <@a:b@c>,
 * a!b, b%c@a; local comes back in the % notation.  -1 on nonsense.
 */
int	addr_route_parse(struct str, struct buf *local, struct buf *domain);
/* Could this be a local part, a domain name, an address literal? */
bool	addr_valid_local(struct str);
bool	addr_valid_domain(struct str);
bool	addr_valid_literal(struct str);		/* [1.2.3.4], [IPv6:...] */
/*
 * The mailboxes of a header field's body; calls back with each address;
 * names may be empty.  Returns how many, or -1 on a line that is no list.
 */
int	addr_list(struct str body, void (*cb)(struct str addr, struct str name,
	    void *), void *);
/* Quotes a local part for an address if it must be. */
bool	addr_quote_local(struct buf *, struct str);
#endif
