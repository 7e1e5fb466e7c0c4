/*
 * Messages as trees of parts (RFC 2045-2049, 2231), as real mail has them:
 * one bounded, tolerant pass over a message as it lies on disk, with LF or
 * CRLF ends of lines, gives each part's place; and what IMAP asks of them
 * (RFC 3501 7.4.2).  Whatever the bytes are, there is a tree.
 */
#ifndef CG_MIME_H
#define CG_MIME_H

#include <sys/types.h>

#include "buf.h"

enum {
	MIME_MAXDEPTH = 100,		/* levels; deeper ones are leaves */
	MIME_MAXPARTS = 20000,		/* then the rest is one leaf */
	MIME_MAXFIELD = 1024 * 1024,	/* bytes of a field that are used */
	MIME_MAXKEPT = 8 * 1024 * 1024,	/* bytes kept of all fields */
	MIME_MAXPARAMS = 100,		/* parameters of a field */
	MIME_MAXADDRS = 20000,		/* addresses of a field */
	MIME_MAXBOUNDARY = 1000,	/* bytes of a boundary */
	MIME_WINDOW = 64 * 1024		/* bytes read at a time */
};

#define MIME_NONE UINT32_MAX

enum mime_kind {
	MIME_LEAF,
	MIME_TEXT,		/* a leaf of type text */
	MIME_MULTIPART,		/* its children are parts (perhaps none) */
	MIME_MESSAGE		/* message/rfc822: one child, the message */
};

/* Content-Transfer-Encoding. */
enum mime_enc {
	MIME_7BIT, MIME_8BIT, MIME_BINARY, MIME_QP, MIME_BASE64,
	MIME_UNKNOWN		/* uuencode and others: not decoded */
};

/*
 * Offsets and lengths are bytes on disk; "wire" is octets as sent, every line
 * end as CRLF.  A body does not have the line end that belongs to the boundary
 * after it.  A header has its empty line.
 */
struct mime_part {
	uint32_t	 parent, child, next;	/* indices, or MIME_NONE */
	uint8_t		 kind, enc;
	uint16_t	 depth;			/* 0: the message itself */
	uint64_t	 head, headlen, headwire;
	uint64_t	 body, bodylen, bodywire;
	uint64_t	 lines;			/* of the body: LFs in it */
	uint32_t	 charset, charsetlen;	/* inside: see mime_charset */
};

struct mime_head;

struct mime {
	struct mime_part	*part;	/* part[0] is the message */
	uint32_t	 nparts, cap;
	uint64_t	 size, wire;	/* of the whole message */
	/* inside: what was kept of headers, ready to be sent */
	struct mime_head	*heads;
	struct buf	 kept;
	struct buf	 field, boundary, names, tmp[2];
	char		*window;
};

/* Bytes at an offset: how many, 0 at the end, -1 and errno. */
typedef ssize_t	mime_read(void *arg, uint64_t off, void *, size_t);

/* One struct serves many scans: its memory is used again. */
void	mime_init(struct mime *);
void	mime_free(struct mime *);
/*
 * Scans size bytes (fewer, if read gives fewer).  -1 and errno: read failed,
 * or no memory; nothing in the bytes makes it fail.
 */
int	mime_scan(struct mime *, mime_read *, void *arg, uint64_t size);
/* The same of bytes in memory: no copy. */
int	mime_scan_mem(struct mime *, const void *, size_t);

/* The forms of IMAP, as on the wire, with parentheses; after a scan only. */
bool	mime_envelope(const struct mime *, struct buf *);
bool	mime_bodystructure(const struct mime *, struct buf *, bool extended);

/* The part table alone, for the cache: sections and search work after it. */
bool	mime_pack(const struct mime *, struct buf *);
/* False (and no parts) if these cannot be the bytes of mime_pack(). */
bool	mime_unpack(struct mime *, struct str);

/* A part's charset as its header has it; empty: none is given. */
struct str	mime_charset(const struct mime *, const struct mime_part *);

/* What a section says behind its numbers. */
enum mime_what { MIME_BODY, MIME_HEADER, MIME_BODYTEXT, MIME_MIMEHEADER };

/* A piece of the message. */
struct mime_range {
	uint64_t	 off, len;	/* on disk; len 0: empty */
	uint64_t	 wire;		/* octets as sent; if equal to len, these
					   are the bytes on disk */
	const struct mime_part *part;	/* whose header or body it is */
};

/*
 * BODY[1.2.TEXT] is {1, 2}, 2, MIME_BODYTEXT; BODY[] is n = 0 and MIME_BODY.
 * HEADER and TEXT are of messages, MIME of parts (n > 0).  False if there is
 * no such part, or it has no such thing.  HEADER.FIELDS: ask for MIME_HEADER.
 */
bool	mime_section(const struct mime *, const uint32_t *num, size_t n,
	    enum mime_what, struct mime_range *);

/*
 * Appends the text of a string as IMAP's grammar wants it: quoted, or as a
 * literal when there are bytes that a quoted one cannot have.  NUL is left out.
 */
bool	mime_string(struct buf *, struct str);
#endif
