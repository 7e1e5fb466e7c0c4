/* What the files of lib/mime share; nobody else includes it. */
#ifndef CG_MIME_INT_H
#define CG_MIME_INT_H

#include "mime.h"

/* A piece of mime.kept; len 0: NIL. */
struct piece {
	uint32_t	 off, len;
};

enum env {
	ENV_DATE, ENV_SUBJECT, ENV_FROM, ENV_SENDER, ENV_REPLYTO, ENV_TO,
	ENV_CC, ENV_BCC, ENV_INREPLYTO, ENV_MESSAGEID, ENV_N
};

enum head {
	HEAD_TYPE, HEAD_SUBTYPE, HEAD_PARAMS, HEAD_ID, HEAD_DESCRIPTION,
	HEAD_ENCODING, HEAD_MD5, HEAD_DISPOSITION, HEAD_LANGUAGE,
	HEAD_LOCATION, HEAD_N
};

/* A part's header as IMAP wants it, piece by piece. */
struct mime_head {
	struct piece	 head[HEAD_N];
	struct piece	 env[ENV_N];	/* of messages */
	uint32_t	 seen;		/* which fields there were */
	bool		 overflow;	/* a leaf by a limit only */
	bool		 digest;	/* its children are messages */
};

/* RFC 5322 words (mime_word.c); comments nest at most so deep. */
enum { WORD_MAXNEST = 100 };

/* White space, line ends and comments; true if there were any. */
bool	word_skip(struct cur *);
/* The same; b (may be NULL) is the text of the last comment, if any. */
bool	word_comment(struct cur *, struct buf *b);
/* Appends the text of the quoted string at the cursor, as far as it goes. */
bool	word_quoted(struct cur *, struct buf *);
/* A body on one line: a fold is one space, outer white space is removed. */
bool	word_unfold(struct buf *, struct str body);
/* A token of RFC 2045; empty: there is none. */
struct str	word_token(struct cur *);

/*
 * A field of a part's header, body with its line ends (mime_head.c); false: no
 * memory.  A boundary goes to mime.boundary, which is empty when a part begins.
 */
bool	mime_field(struct mime *, uint32_t part, struct str line);
/* Does anybody want a field of that name?  message: also the envelope's. */
bool	mime_wanted(struct str name, bool message);

/*
 * The parameters at the cursor (mime_param.c): appends ("charset" "utf-8"),
 * nothing if there are none.  The values of the two names go to their buffers,
 * if these are not NULL.
 */
bool	mime_params(struct buf *, struct cur *, struct buf *tmp,
	    struct buf *boundary, struct buf *charset);
/* The addresses of a body as a list (mime_addr.c); nothing if there is none. */
bool	mime_addresses(struct buf *, struct str body, struct buf tmp[2]);
#endif
