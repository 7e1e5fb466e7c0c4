/*
 * What a SEARCH command asks for: a tree of keys.  search_parse() copies all
 * that it keeps, so that the search may go on long after the command's bytes
 * are gone.
 */
#ifndef CG_IMAP_SEARCH_H
#define CG_IMAP_SEARCH_H

#include "buf.h"
#include "fold.h"
#include "imap.h"

enum {
	SEARCH_MAXDEPTH = 500,	/* of NOT, OR and parentheses */
	SEARCH_MAXKEYS = 20000
};

enum search_key {
	SEARCH_ALL,		/* anything */
	SEARCH_FLAGS,		/* number: MSG_ bits; all of them set */
	SEARCH_KEYWORD,		/* text: its name; number: bits of the box */
	SEARCH_SET,		/* set: of numbers, or of UIDs */
	SEARCH_UID,
	SEARCH_BEFORE,		/* number: a day */
	SEARCH_ON,
	SEARCH_SINCE,
	SEARCH_LARGER,		/* number: octets */
	SEARCH_SMALLER,
	SEARCH_MODSEQ,
	SEARCH_SENTBEFORE,
	SEARCH_SENTON,
	SEARCH_SENTSINCE,
	SEARCH_HEADER,		/* field: name; text: what it has */
	SEARCH_BODY,
	SEARCH_TEXT,
	SEARCH_AND,		/* child, and those next to it */
	SEARCH_OR
};

/* RETURN (...) of ESEARCH. */
enum {
	RETURN_MIN = 1 << 0,
	RETURN_MAX = 1 << 1,
	RETURN_ALL = 1 << 2,
	RETURN_COUNT = 1 << 3
};

/* What must be read of a message to judge a key; the cheap ones first. */
enum search_cost { COST_RECORD, COST_HEADER, COST_BODY };

struct search_node {
	uint8_t		 key;
	uint8_t		 cost;
	bool		 not;
	uint32_t	 child, next;	/* nodes; 0: none */
	int64_t		 number;
	struct imap_set	 set;
	struct str	 field, text;
	struct needle	 needle;	/* of text, folded; text is in UTF-8 */
	/* the judge's: the message that was asked, and what is known of it */
	uint64_t	 asked, known;
	bool		 yes;
};

struct search_cmd {
	struct search_node *nodes;	/* the first is an AND of all */
	uint32_t	 nnodes, cap;
	struct buf	 text;		/* what fields and texts point into */
	struct str	 charset;
	unsigned	 ret;		/* RETURN_ bits; 0: a plain SEARCH */
	bool		 esearch;
	bool		 modseq;	/* a MODSEQ key is there */
	uint8_t		 cost;		/* the highest of all */
	bool		 badcharset;	/* answer NO [BADCHARSET] */
};

/*
 * What stands behind SEARCH, to the end of the line.  NULL, or what is wrong
 * with it.  Free it in either case.
 */
const char	*search_parse(struct cur *, struct search_cmd *);
void		 search_free(struct search_cmd *);

/* Days since 1 January 1970 of a day in the calendar. */
int64_t		 search_day(int year, int month, int day);
/* Of a Date field's text, as written there, whatever its time; false: none. */
bool		 search_date(struct str, int64_t *);
#endif
