/*
 * The line that separates messages in a .mbox file.  Ours has one width:
 *
 *	From <return-path>(FFFFFFFFKKKKKKKK-UUUUUUUUUU-LLLLLLLLLLLL) Www Mmm dd
 *	    hh:mm:ss yyyy
 *
 * so that flags are changed by overwriting a few bytes.  Everybody else's is
 * read as it comes (manual 23): any order, any width, or no comment at all.
 */
#ifndef CG_STORE_FROM_H
#define CG_STORE_FROM_H

#include "buf.h"

enum {
	MSG_SEEN	= 1 << 0,	/* R */
	MSG_ANSWERED	= 1 << 1,	/* A */
	MSG_FLAGGED	= 1 << 2,	/* F */
	MSG_DELETED	= 1 << 3,	/* D */
	MSG_DRAFT	= 1 << 4,	/* T */
	MSG_SERVICE	= 1 << 5,	/* S */
	MSG_RECENT	= 1 << 6,	/* r */
	MSG_EXPUNGED	= 1 << 7,	/* X: gone, its bytes are garbage */
	MSG_FLAGS	= 0xff
};

enum {
	FROM_MAX = 2048,	/* a longer line is no From_ line */
	FROM_PATHMAX = 512,
	FROM_EMPTY = 75,	/* ours with an empty return-path */
	FROM_FLAGS = 8,
	FROM_TAIL = 68,		/* ours, from its ( to its LF, both counted */
	FROM_NOLENGTH = -1
};

#define FROM_UNKNOWN 999999999999LL	/* length of one being written */

struct from_line {
	struct str	path;		/* without <> */
	uint32_t	flags;
	uint32_t	keywords;
	uint32_t	uid;		/* 0: none */
	int64_t		length;		/* FROM_NOLENGTH: none */
	int64_t		date;		/* 0 if unreadable */
	bool		fixed;		/* ours: flags may be overwritten */
};

/* Is this line (without its LF) a separator, and what does it say? */
bool	from_parse(const char *, size_t, struct from_line *);
/* Writes ours, LF and all; out holds FROM_MAX.  Returns its length. */
size_t	from_format(char *out, const struct from_line *);
/* The eight letters of the flags field. */
void	from_flags(char *out, uint32_t flags);
#endif
