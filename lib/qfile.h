/*
 * The envelope of a queue file (reference/queue-file, queue-file(5)): what
 * smtpd and queued write before the message, and what queued reads back.
 *
 * A writer makes the whole envelope in a buf, in this order, then writes it
 * and the message, with LF line ends, to the file it was given:
 *
 *	qfile_from()		P line, and e if there is an ENVID
 *	qfile_options()		O line; none for ""
 *	qfile_source()		S line
 *	qfile_local()		A line; none for ""
 *	qfile_rcpt() ...	R lines, each with its o if there is an ORCPT
 *	qfile_end()		z line to be filled in at commit, empty line
 *
 * All return false, and the buf is marked failed, when a value could not
 * stand on a line of its own: a control character, or too long.
 */
#ifndef CG_QFILE_H
#define CG_QFILE_H

#include "buf.h"

enum {
	QFILE_MAXENVELOPE = 16 * 1024 * 1024,	/* bytes */
	QFILE_MAXVALUE = 1024,			/* bytes of an address */
	QFILE_ZLEN = 31,			/* z line without its LF */
	QFILE_DIGITS = 4,			/* attempts, in an R line */
	QFILE_DIGITS_AT = 22,			/* behind its status letter */
	QFILE_MAXATTEMPTS = 9999
};

/* NOTIFY of RFC 3461; QN_DEFAULT when the sender did not say. */
enum {
	QN_SUCCESS	= 1 << 0,
	QN_FAILURE	= 1 << 1,
	QN_DELAY	= 1 << 2,
	QN_NEVER	= 1 << 3,
	QN_SAID		= 1 << 4,	/* by the sender: then no more than that */
	QN_DEFAULT	= QN_FAILURE
};

/*
 * sender: return-path without <>, "" for none.  ret: 'H', 'F' or '_' (RET
 * not given).  envid: xtext as it came in ENVID=, or NULL.
 */
bool	qfile_from(struct buf *, int64_t now, const char *sender, char ret,
	    const char *envid);
/*
 * Letters: T (trusted source; queued's alone), 8 (BODY=8BITMIME), A (mail to
 * all: into INBOX, whatever rules there are; queued's alone), R (REQUIRETLS),
 * N (its header says "TLS-Required: No"), U (SMTPUTF8), C
 * (from a client by its host's name), X (to the sender: its
 * header says "X-Special-Delivery: test", no file has that), _ (room that N
 * did not need).
 */
bool	qfile_options(struct buf *, const char *letters);
/* account: of an authenticated sender, or NULL.  tag: "SMTP".  peer: an IP. */
bool	qfile_source(struct buf *, const char *account, const char *tag,
	    const char *peer);
/* The local IP address that the client came to. */
bool	qfile_local(struct buf *, const char *ip);
/* addr without <>.  orcpt: "rfc822;xtext" as it came in ORCPT=, or NULL. */
bool	qfile_rcpt(struct buf *, int64_t now, const char *addr,
	    unsigned int notify, const char *orcpt);
bool	qfile_end(struct buf *);
/* The filled-in z line: QFILE_ZLEN bytes and a NUL. */
void	qfile_z(char line[QFILE_ZLEN + 1], uint64_t len, uint32_t crc);

/* What stands in an envelope. */
struct qfile_rcpt {
	char		 status;	/* W, D, F */
	unsigned int	 attempts;
	unsigned int	 notify;	/* QN_ bits */
	size_t		 at;		/* offset of the status letter */
	char		*addr;
	char		*orcpt;		/* or NULL */
};

struct qfile {
	char		*sender;	/* "" for <> */
	int64_t		 time;
	char		 ret;
	char		*envid;		/* or NULL */
	char		*options;	/* "" */
	char		*account;	/* or NULL */
	char		*tag;		/* "" */
	char		*peer;		/* "" */
	char		*local;		/* "" */
	uint64_t	 about;		/* the message a DSN reports, or 0 */
	char		*about_rcpts;	/* and which of its R lines: "0F,3D" */
	char		*source;	/* the Submitted file it was, or NULL */
	char		*passed;	/* groups it went through, or "" */
	struct qfile_rcpt *rcpts;
	size_t		 nrcpts;
	bool		 z;		/* there is a z line */
	bool		 filled;	/* and it is filled in */
	uint64_t	 zlen;
	uint32_t	 zcrc;
	size_t		 zat;		/* its offset */
	size_t		 body;		/* offset of the message */
	bool		 receipt;	/* queued's: it has Return-Receipt-To */
	bool		 test;		/* and X-Special-Delivery: test */
	bool		 utf8;		/* more than ASCII in its headers */
	char		*text;		/* what the strings above point into */
};

/* A DSN's line of its own: which recipients of which message it reports. */
bool	qfile_about(struct buf *, uint64_t id, const char *rcpts);
/*
 * A copy's for a group's members: the groups it went through, blanks between
 * them.  What it is a copy of stands in a d line, with the letter G, or P if
 * it is not the last of several copies.
 */
bool	qfile_passed(struct buf *, const char *groups);
/* Which file of Submitted/ this message was made of, as queued names it. */
bool	qfile_made_of(struct buf *, const char *source);

/*
 * Reads an envelope from the beginning of a file.  0: done, free it; 1: the
 * envelope goes on behind these bytes; -1: not an envelope, *why says so.
 */
int	qfile_parse(struct qfile *, const char *, size_t, const char **why);
void	qfile_free(struct qfile *);

/* xtext of RFC 3461.  Decoding fails on what is none. */
bool	xtext_encode(struct buf *, struct str);
bool	xtext_decode(struct buf *, struct str);
#endif
