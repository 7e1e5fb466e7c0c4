/*
 * Tables of manual 07: blacklists kept in the DNS, and names of hosts.  Pure.
 */
#ifndef CG_RBL_H
#define CG_RBL_H

#include "dict.h"

struct iplist;

/* What a DNS blacklist must answer for a host to be on it, unless told. */
#define RBL_RESULTS	"127.0.0.2-127.1.255.255"
/* The name of an address that has none, so that a pattern can mean it. */
#define RBL_NO_NAME	"host name is unknown"

enum { RBL_MAX = 32 };

struct rbl {
	char		*zone;
	struct iplist	*results;
};

struct rbls {
	struct rbl	 v[RBL_MAX];
	size_t		 n;
};

/*
 * "zone", or "zone 127.0.0.2-127.0.0.9, 127.0.0.64/26": only these results
 * count.  false: it makes no sense.
 */
bool	rbl_parse(struct rbl *, struct str);
void	rbl_free(struct rbl *);
/* Is one of the addresses, a line each, among its results? */
bool	rbl_hit(const struct rbl *, const char *records);

/*
 * A table is an array of texts, or a text of lines.  Each row that is not
 * empty is told; ; begins a comment.
 */
void	rows_each(const struct val *, void (*)(struct str, void *), void *);
/* Does one of the rows match the name?  * stands for anything. */
bool	rows_match(const struct val *, const char *name);
#endif
