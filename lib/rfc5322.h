/* The header of a message: fields, folding, what must be added (manual 57). */
#ifndef CG_RFC5322_H
#define CG_RFC5322_H

#include "buf.h"

enum {
	RFC5322_MAXHEADER = 1024 * 1024	/* bytes of header that are looked at */
};

struct field {
	struct str	name;		/* without the colon */
	struct str	body;		/* after the colon, folding kept */
	struct str	whole;		/* with its line ends */
};

/* Next field at the cursor; false at the empty line, or where none is. */
bool	field_next(struct cur *, struct field *);
/* Body without folding and outer white space. */
bool	field_unfold(struct buf *, struct str body);
/* First field of that name in a header; false if there is none. */
bool	header_find(struct str header, const char *name, struct field *);
/* Length of the header with its empty line; whole length if there is none. */
size_t	header_end(struct str message);
/* "Sat, 21 Nov 2026 10:00:00 +0000" */
void	date_rfc5322(char *, size_t, int64_t when);
/* Www Mmm dd hh:mm:ss yyyy, GMT, for From_ lines. */
void	date_from(char *, size_t, int64_t when);
/* dd-mm-yyyy hh:mm:ss, GMT, for queue files; and back, or -1. */
void	date_queue(char *, size_t, int64_t when);
int64_t	date_queue_parse(struct str);
/* An IMAP, RFC 5322 or From_ date to seconds, or -1. */
int64_t	date_parse(struct str);
/* A name, quoted: control characters become blanks. */
void	phrase_quote(struct buf *, const char *);
/* <random.time@host>, with the brackets. */
void	message_id(char *, size_t, const char *host);

/* base64: standard alphabet; decoding refuses anything else.  -1 or 0. */
bool	base64_encode(struct buf *, const void *, size_t);
int	base64_decode(struct buf *, struct str);
#endif
