/* The text of a report (RFC 3462 to 3464), made in the loop. */
#ifndef CG_QUEUED_DSN_H
#define CG_QUEUED_DSN_H

#include "buf.h"
#include "queued.h"

enum dsn_return {
	DSN_HEADERS,
	DSN_MESSAGE
};

enum { DSN_BOUNDARY = 40 };

struct dsn_text {
	struct buf	 head;		/* envelope, beginning of the header */
	size_t		 body;		/* where the message starts in it */
	struct buf	 parts;		/* its end, and the first parts */
	char		 boundary[DSN_BOUNDARY];
	enum dsn_return	 what;
	bool		 utf8;		/* the sender takes UTF-8: RFC 6533 */
	bool		 eightbit;	/* so much is there already */
};

/* Whom a report goes to: the return-path, or "" if it must go nowhere. */
const char *dsn_to(const struct msg *);
/* About the recipients marked as reporting; copy may be "". */
bool	dsn_compose(struct dsn_text *, const struct msg *, uint64_t id,
	    const char *copy);
void	dsn_text_free(struct dsn_text *);
#endif
