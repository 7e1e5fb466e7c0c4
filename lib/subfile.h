/*
 * Files of Submitted/ (manual 33): a message whose header also says its
 * envelope.  cgmail writes them (to see early what queued would refuse, it
 * reads them too), queued makes queue files of them.
 *
 *	To, Cc, Bcc		the recipients, unless there is
 *	Envelope-To		which then says them alone
 *	Envelope-Ignore		addresses that are taken out of To, Cc, Bcc
 *	Return-Path		the return-path; else From's or Sender's address
 *	Envelope-ID		ENVID of the DSN extension
 *	Envelope-Notify		NEVER, or some of SUCCESS,FAILURE,DELAY
 *	Envelope-Return		FULL or HDRS
 *
 * Bcc, Return-Path and the Envelope- fields are removed.
 */
#ifndef CG_SUBFILE_H
#define CG_SUBFILE_H

#include "buf.h"

enum { SUBFILE_MAXRCPTS = 10000 };

/* Who submits it, and where. */
struct subfile_by {
	const char	*domain;	/* for addresses without one */
	const char	*login;		/* the submitter's name */
	const char	*fullname;	/* for a missing From, or NULL */
	bool		 trusted;	/* may bear any name */
	int64_t		 now;
};

struct subfile {
	char		*sender;	/* return-path without <> */
	char		*envid;		/* xtext, or NULL */
	char		 ret;		/* H, F, _ */
	unsigned int	 notify;	/* QN_ bits of qfile.h */
	char		**rcpts;
	size_t		 nrcpts;
	struct buf	 header;	/* as it goes out, empty line too */
	size_t		 body;		/* offset in the text of what follows */
};

/*
 * text: the beginning of a file with its whole header.  -1 and *why: a
 * constant text; nothing to free then.
 */
int	subfile_parse(struct subfile *, struct str text,
	    const struct subfile_by *, const char **why);
void	subfile_free(struct subfile *);
/*
 * Bytes as the queue holds them, LF line ends only: CRLF and bare CR become
 * LF.  cr carries a CR at the end of one piece into the next; start with
 * false.  Returns the length, in place.
 */
size_t	subfile_lf(char *, size_t, bool *cr);
/* NOTIFY's words to bits, 0 if they are wrong; RET's to a letter, or 0. */
unsigned int subfile_notify(struct str);
char	subfile_ret(struct str);
#endif
