/*
 * The Routing Table (manual 27) and tables of aliases, compiled so that the
 * first record that fits is found without scanning those that cannot.  Knows
 * text only.
 */
#ifndef ROUTERD_TABLE_H
#define ROUTERD_TABLE_H

#include "buf.h"

enum record_relay { REC_RELAY, REC_NORELAY, REC_RELAYALL };

struct record {
	uint32_t		 line;		/* from 1: its rank */
	enum record_relay	 relay;
	bool			 alias;		/* <local@domain>, else domain */
	char			*local;		/* lower case, "" in a domain's */
	char			*domain;	/* lower case, "" for main */
	char			*right;		/* as written */
	const char		*star;		/* in local or domain, or NULL */
	struct record		*next;		/* in its list */
};

struct table;

/* NULL and *line of the first record that makes no sense. */
struct table	*table_parse(const char *text, int *line);
/* All that makes sense of it: for a table that was not checked. */
struct table	*table_parse_lax(const char *text);
void		 table_free(struct table *);
/*
 * The first record for this address; both parts in lower case.  star is what
 * stands for the asterisk: offsets into local (alias) or domain.
 */
const struct record *table_find(const struct table *, struct str local,
		    struct str domain, size_t *star, size_t *starlen);
#endif
