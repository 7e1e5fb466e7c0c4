/*
 * What a process without sockets asks the Domain Name System: smtpd's sending
 * role finds it (DNS_FIND, HOST_TRY).  Answers are kept for a short while, the
 * same question is asked once at a time, no more than a few hundred are open,
 * and each has an end, whether the sending role lives or not: LOOK_TROUBLE.
 */
#ifndef CG_LOOKUP_H
#define CG_LOOKUP_H

#include <sys/queue.h>

#include "buf.h"
#include "dns.h"

/* Not a record: does a host greet that takes the domain's mail? */
enum { LOOK_HOST = 0 };

enum look_status {
	LOOK_FOUND,
	LOOK_NONE,		/* no such name; LOOK_HOST: no such host */
	LOOK_EMPTY,		/* there is, but not such a record */
	LOOK_TROUBLE		/* nobody knows now; LOOK_HOST: not now */
};

/* What somebody waits for; all zero at first. */
LIST_HEAD(looks, look);

/* records are lines, as DNS_FOUND has them; gone after the callback. */
typedef void look_cb(enum look_status, const char *records, void *arg);

/*
 * quick: within a few seconds (a blacklist's).  The callback may come at
 * once, from within, if the answer is known.  It may cancel, ask, and free
 * what looks stands in.
 */
void	look_up(struct looks *, const char *name, int type, bool quick,
	    look_cb *, void *arg);
/* Whatever was asked for this one: no answer is wanted any more. */
void	look_cancel(struct looks *);
/* d.c.b.a.zone, or nibbles of an IPv6 address; false: it does not fit. */
bool	look_reversed(const char *ip, const char *zone, char *out, size_t);
/* Open questions; for the status. */
size_t	look_open(void);
#endif
