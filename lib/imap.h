/*
 * IMAP's grammar, as the front and the session both need it (RFC 3501, 9).
 * A whole command is one run of bytes: a literal in it stands as it came, its
 * "{n}" or "{n+}" and CRLF in front of its octets.
 */
#ifndef CG_IMAP_H
#define CG_IMAP_H

#include "buf.h"

/* What is announced; a name is here once all of it works. */
#define IMAP_CAPA	"IMAP4rev1 LITERAL+ ID ENABLE IDLE NAMESPACE UNSELECT " \
			"CHILDREN UIDPLUS MOVE ESEARCH CONDSTORE " \
			"LIST-EXTENDED LIST-STATUS SPECIAL-USE " \
			"CREATE-SPECIAL-USE STATUS=SIZE QUOTA " \
			"QUOTA=RES-STORAGE QUOTA=RES-MESSAGE " \
			"QUOTA=RES-MAILBOX"

enum {
	IMAP_MAXTAG = 256,
	IMAP_MAXRANGES = 20000,		/* of one set */
	/*
	 * Bytes of a session put aside.  Few need a hundred; a view with
	 * thousands of holes is still cheaper than a worker that is kept.
	 */
	IMAP_STATE_MAX = 16 * 1024
};

/* A literal's head at the end of a line: its size; "+" is no waiting. */
bool	imap_literal_head(struct str, uint64_t *size, bool *waits);

/* Each leaves the cursor behind it; false: there is no such thing. */
bool	imap_tag(struct cur *, struct str *);
bool	imap_atom(struct cur *, struct str *);
/* Their text is appended to a buffer.  NUL is refused. */
bool	imap_string(struct cur *, struct buf *);	/* quoted, literal */
bool	imap_astring(struct cur *, struct buf *);
bool	imap_list_mailbox(struct cur *, struct buf *);	/* may have % and * */
/* Skips over an atom, a string, NIL, or a list of such. */
bool	imap_skip(struct cur *);
/* A date-time in quotes; false, or seconds. */
bool	imap_date_time(struct cur *, int64_t *);

struct imap_range {
	uint32_t	 lo, hi;
};

/* A set of numbers: ranges in order that do not touch, and what has a *. */
struct imap_set {
	struct imap_range *v;
	uint32_t	 n, cap;
	uint32_t	 star;	/* lowest n of n:*, 0: none; a bare *: MAX */
};

/* "1:4,7,9:*".  Free it in either case. */
bool	imap_set(struct cur *, struct imap_set *);
void	imap_set_free(struct imap_set *);
/* Is n in it?  max: what * means. */
bool	imap_set_has(const struct imap_set *, uint32_t n, uint32_t max);
/* Adds a range behind all others, for sets that are made here. */
bool	imap_set_add(struct imap_set *, uint32_t lo, uint32_t hi);
/* "1:4,7" of one that has no *. */
void	imap_put_set(struct buf *, const struct imap_set *);

/* As an atom if that can be, else a quoted string, else a literal. */
void	imap_put_astring(struct buf *, struct str);
/* Quoted, or a literal where it must be. */
void	imap_put_string(struct buf *, struct str);
void	imap_put_number(struct buf *, uint64_t);
/* "21-Nov-2026 05:29:37 +0000", in quotes. */
void	imap_put_date_time(struct buf *, int64_t);
#endif
