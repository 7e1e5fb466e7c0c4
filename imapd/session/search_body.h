/*
 * SEARCH's BODY and TEXT: all that is looked for in a message, in one pass over
 * its decoded text, which may be broken off anywhere and goes on later.
 */
#ifndef CG_IMAP_SEARCH_BODY_H
#define CG_IMAP_SEARCH_BODY_H

#include "fold.h"
#include "mime_decode.h"
#include "search_text.h"

struct charset;

enum body_at {
	BODY_ASK,		/* needles are still taken */
	BODY_NEXT,		/* before the next header or text */
	BODY_FIELDS,		/* in a header, between two fields */
	BODY_FIELD,
	BODY_STREAM,		/* in bytes of the message */
	BODY_DONE
};

struct body {
	struct text	*text;
	struct needle	**open;		/* not yet found */
	uint32_t	 nopen, cap;
	uint32_t	 nown;		/* the first ones: also in the header */
	enum body_at	 at;
	bool		 blanks;	/* some have blanks */
	bool		 inhead;	/* what is next comes behind a header */
	bool		 hit;		/* something was found just now */
	uint32_t	 part;
	struct finder	 finder;
	/* of a header: a copy, and where its next field is */
	struct buf	 head, field;
	size_t		 next, done;
	/* of bytes of the message */
	uint64_t	 off, end;
	struct decoder	 decoder;
	bool		 decode;
	struct charset	*charset;	/* NULL: none is needed */
	struct charset	*own;		/* the same, if it is ours */
	struct buf	 work, utf8;
};

void	body_init(struct body *, struct text *);
void	body_free(struct body *);
/* The text's message is another one now: nothing is asked. */
void	body_reset(struct body *);
/* Before the pass: needle.found tells, then.  header: TEXT.  False: memory. */
bool	body_ask(struct body *, struct needle *, bool header);
/*
 * Goes on until something was found, all is done (BODY_DONE), or *spent,
 * which it adds to, reaches the limit.  -1: the message cannot be read.
 */
int	body_run(struct body *, uint64_t *spent, uint64_t limit);
#endif
