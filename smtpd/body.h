/*
 * A message's text on its way from the wire to the queue file.  Pure: no
 * session, no file.  Bytes go in as they come, in pieces of any size; the
 * text for the disk comes out in a buf, with LF line ends, dots unstuffed,
 * and the header completed (manual 57).  Only CRLF . CRLF ends it; a bare CR
 * or LF is never a line end and makes the message one to be refused.
 */
#ifndef CG_SMTPD_BODY_H
#define CG_SMTPD_BODY_H

#include "buf.h"

enum { BODY_MAXHEADERLINE = 64 * 1024 };	/* bytes */

enum body_state {
	BODY_BOL,		/* behind CRLF */
	BODY_DOT,		/* CRLF . */
	BODY_DOTCR,		/* CRLF . CR */
	BODY_LINE,
	BODY_CR,		/* a CR inside a line, not yet in the text */
	BODY_END
};

struct body {
	enum body_state	 state;
	struct buf	*out;
	bool		 header;	/* not at the end of the header yet */
	bool		 first;		/* nor behind its first line */
	size_t		 line;		/* where a header line begins in out */
	bool		 dropped;	/* the field that goes on there */
	size_t		 fed;		/* out was so long, or was cut to that */
	bool		 counted;	/* its length is known: dots mean nothing */
	bool		 discard;	/* nothing more goes out */
	uint64_t	 size;		/* on the wire, without stuffing */

	bool		 bare;		/* a bare CR or LF was there */
	bool		 longline;	/* a header line was too long */
	bool		 date, message_id;
	bool		 no_tls;	/* "TLS-Required: No" */
	unsigned int	 hops;		/* Received fields */

	/* for what must be added */
	const char	*sender;	/* return-path */
	const char	*host;
	int64_t		 now;
	bool		 trusted;
	/* a submission's (RFC 6409): whose it is, or NULL */
	const char	*account;
	bool		 own_sender;	/* sender is a name of his */
	bool		 has_sender;	/* a Sender field */
	bool		 in_from;
	unsigned int	 nfrom;		/* From fields */
	size_t		 from_at;	/* in out, if from_len > 0 */
	size_t		 from_len;
};

/* out may hold something already (envelope, Received). */
void	body_start(struct body *, struct buf *out);
/* Takes bytes up to the end of the message; returns how many. */
size_t	body_feed(struct body *, const char *, size_t);
/* A counted one ends here, on a line's end whether it had one or not. */
void	body_end(struct body *);
/* How many bytes of out may be written and taken away (body_taken()). */
size_t	body_ready(const struct body *);
void	body_taken(struct body *, size_t);
/* So many more stand in out before the text. */
void	body_moved(struct body *, size_t);

/* header.c: one line of the header, complete, stands at the end of out. */
void	header_line(struct body *);
/* The message ended before its header did. */
void	header_stop(struct body *);

struct received {
	const char	*helo, *peer, *host, *rcpt;	/* rcpt: NULL, or one */
	bool		 verified;	/* helo is a name of peer */
	bool		 esmtp, utf8, tls, auth;
	uint64_t	 id;
	int64_t		 now;
};
void	header_received(struct buf *, const struct received *);
#endif
