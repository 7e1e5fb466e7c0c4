/*
 * What a FETCH command asks for.  fetch_parse() copies all that it keeps, so
 * that the answer may be made long after the command's bytes are gone.
 */
#ifndef CG_IMAP_FETCH_H
#define CG_IMAP_FETCH_H

#include "buf.h"

enum {
	FETCH_MAXITEMS = 512,
	FETCH_MAXPATH = 200,	/* numbers of one section */
	FETCH_MAXNAMES = 1000	/* fields of one section */
};

enum fetch_kind {
	FETCH_UID,
	FETCH_FLAGS,
	FETCH_DATE,
	FETCH_SIZE,
	FETCH_MODSEQ,
	FETCH_ENVELOPE,
	FETCH_BODY,		/* structure without extensions */
	FETCH_BODYSTRUCTURE,
	FETCH_SECTION
};

enum fetch_text {
	TEXT_ALL,		/* BODY[], BODY[1.2] */
	TEXT_HEADER,
	TEXT_FIELDS,
	TEXT_FIELDS_NOT,
	TEXT_BODY,		/* BODY[TEXT], BODY[1.2.TEXT] */
	TEXT_MIME
};

struct fetch_item {
	enum fetch_kind	 kind;
	/* FETCH_SECTION */
	enum fetch_text	 text;
	bool		 peek;		/* does not set \Seen */
	bool		 partial;
	uint32_t	 off, len;	/* of a partial */
	uint32_t	 path, npath;	/* in numbers[] */
	uint32_t	 name, nnames;	/* in names[] */
	struct str	 label;		/* BODY[1.MIME], RFC822.TEXT */
};

struct fetch_cmd {
	struct fetch_item *items;
	uint32_t	 nitems, itemcap;
	uint32_t	*numbers;
	uint32_t	 nnumbers, numbercap;
	struct str	*names;
	uint32_t	 nnames, namecap;
	struct buf	 text;		/* what labels and names point into */
	/* What the items need, in all. */
	bool		 seen;		/* sets \Seen */
	bool		 summary;	/* structure or envelope */
	bool		 sections;
	bool		 bodies;	/* more than headers */
	bool		 modseq;
	bool		 uid, flags;	/* they are told */
	/* (CHANGEDSINCE n) */
	bool		 since;
	uint64_t	 modified;
};

/*
 * What stands behind the set: items and modifiers, to the end of the line.
 * uid: UID is told even if it is not asked for.  NULL, or what is wrong with
 * it.  Free it in either case.
 */
const char	*fetch_parse(struct cur *, bool uid, struct fetch_cmd *);
void		 fetch_free(struct fetch_cmd *);
#endif
