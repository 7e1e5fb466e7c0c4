/*
 * MTA-STS (RFC 8461): what a domain wants of connections to its mail hosts.
 * Apart from send.h, for tests: sts_parse.c is pure.
 */
#ifndef CG_SEND_STS_H
#define CG_SEND_STS_H

#include "buf.h"

enum {
	STS_ID = 33,			/* of a policy, with its NUL */
	STS_NAME = 255,
	STS_MAXMX = 3000,		/* bytes of hosts that it names */
	STS_MAXAGE = 31557600		/* seconds */
};

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };

struct sts_policy {
	enum sts_mode	 mode;
	uint32_t	 max_age;
	char		*mx;		/* names, *.name; blanks between */
};

/* A TXT record's text: is it one, and which policy is the newest? */
bool	sts_record(const char *, char id[STS_ID]);
/* A policy's text.  true: free p->mx. */
bool	sts_policy(struct sts_policy *, const char *, size_t);
/* May that host have the domain's mail? */
bool	sts_allows(const struct sts_policy *, const char *host);

/* --- sts.c: asked for, and remembered --- */
struct val;
struct sts_wait;
/* NULL: it wants nothing.  The policy is valid in the callback. */
typedef void sts_cb(const struct sts_policy *, void *arg);
/* Calls back once, from the loop. */
struct sts_wait	*sts_ask(const char *domain, sts_cb *, void *arg);
void		 sts_cancel(struct sts_wait *);
/*
 * All policies that are in force, for the next life; and from the last, NULL
 * if there was none: before that nobody is answered.
 */
void		 sts_save(struct val *dict);
void		 sts_load(const struct val *dict);
#endif
