/*
 * The Routing Table (manual 27) and tables of aliases, compiled so that the
 * first record that fits is found without a look at those that cannot.  Knows
 * text only.
 */
#ifndef ROUTERD_TABLE_H
#define ROUTERD_TABLE_H

#include "buf.h"

enum record_relay { REC_RELAY, REC_NORELAY, REC_RELAYALL };

/* What an address is routed for: bits, for a record may be for some only. */
enum route_mode { ROUTE_MAIL = 1, ROUTE_ACCESS = 2, ROUTE_SIGNAL = 4,
	ROUTE_ANY = 7 };

enum { RECORD_MAXSIDE = 1000 };		/* bytes left or right of the = */

struct record {
	uint32_t		 line;		/* from 1: its rank */
	enum record_relay	 relay;
	unsigned int		 modes;		/* enum route_mode */
	bool			 alias;		/* <local@domain>, else domain */
	char			*local;		/* lower case, "" in a domain's */
	char			*domain;	/* lower case, "" for main */
	char			*right;		/* as written */
	const char		*star;		/* in local or domain, or NULL */
	size_t			 head, tail;	/* lengths around the star */
	struct record		*next;		/* in its list */
};

/* The first line that makes no sense, and why (constant); line 0: none. */
struct table_bad {
	uint32_t	 line;
	const char	*why;
};

struct table;

/* NULL, and what is wrong, if one line makes no sense. */
struct table	*table_parse(const char *text, struct table_bad *);
/*
 * All that makes sense of it, for a table that was not checked: lines that do
 * not are logged under the table's name.
 */
struct table	*table_parse_lax(const char *text, const char *name);
const struct table_bad *table_bad(const struct table *);
void		 table_free(struct table *);
/*
 * The first record of that mode for this address; both parts in lower case.
 * star is what stands for the asterisk: offsets into local (alias) or domain.
 */
const struct record *table_find(const struct table *, enum route_mode,
		    struct str local, struct str domain, size_t *star,
		    size_t *starlen);

/*
 * table_record.c: one line into a record (free it with record_free).  NULL,
 * and *why NULL if the line is empty or a comment.
 */
struct record	*record_parse(struct str line, const char **why);
void		 record_free(struct record *);
#endif
