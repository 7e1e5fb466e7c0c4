/*
 * Reading one message after another, header and parts; looking for text in
 * fields of the header.  Runs in the account's worker.
 */
#ifndef CG_IMAP_SEARCH_TEXT_H
#define CG_IMAP_SEARCH_TEXT_H

#include "fold.h"
#include "mime.h"

struct box;
struct rec;

enum {
	TEXT_WINDOW = 256 * 1024,	/* of a message in memory */
	TEXT_FIRST = 8 * 1024		/* read first where that may do */
};

/* One reader serves a whole search: its memory is used again. */
struct text {
	struct box	*box;
	const struct rec *rec;
	char		*win;		/* bytes of the message from off on */
	uint64_t	 off;
	size_t		 len, cap;
	size_t		 ahead;		/* read at least so much at first */
	uint64_t	 header;	/* its length, 0: not yet looked for */
	struct buf	 head;		/* one that the window cannot hold */
	struct mime	 mime;
	bool		 gone;		/* nothing more can be read */
	bool		 parts;		/* mime is this message's */
	struct buf	 work, utf8;
	struct finder	 finder;
};

/* body: bodies will be looked at, too. */
void	text_init(struct text *, struct box *, bool body);
void	text_free(struct text *);
/* The next message; what was found out of the one before is forgotten. */
void	text_message(struct text *, const struct rec *);

/* The message's own header, with its empty line; false: it cannot be read. */
bool	text_head(struct text *, struct str *);
/*
 * So many bytes at an offset, together (at most RFC5322_MAXHEADER); fewer if
 * the message ends.
 */
bool	text_together(struct text *, uint64_t off, uint64_t len,
	    struct str *);
/* At most so many bytes at an offset, and a window; NULL: unreadable. */
const char *text_bytes(struct text *, uint64_t off, size_t want, size_t *);
/* Makes mime the message's tree of parts. */
bool	text_parts(struct text *);

/* Both: 1 yes, 0 no, -1 it cannot be read. */
int	text_header(struct text *, struct str name, struct needle *);
/* The day that its Date field names. */
int	text_sent(struct text *, int64_t *day);
#endif
