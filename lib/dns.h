/*
 * The Domain Name System, asked without waiting (c-ares): one resolver a
 * process, in the loop.  Only smtpd's sending role asks; it has the sockets.
 */
#ifndef CG_DNS_H
#define CG_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

struct event_base;

enum dns_type {
	DNS_A = 1, DNS_CNAME = 5, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16,
	DNS_AAAA = 28, DNS_TLSA = 52
};

enum dns_status {
	DNS_FOUND,
	DNS_NONE,	/* there is no such name */
	DNS_EMPTY,	/* there is, but it has no record of that type */
	DNS_TROUBLE	/* nobody knows now */
};

enum { DNS_MAXNAME = 255, DNS_MAXRECORDS = 64 };

struct dns_rr {
	uint16_t	 pref;		/* MX */
	char		*name;		/* MX, PTR: lower case, no final dot */
	unsigned char	*data;		/* the others: as on the wire */
	size_t		 len;
	uint32_t	 ttl;		/* seconds */
};

struct dns_answer {
	enum dns_status	 status;
	bool		 authentic;	/* by a resolver that we trust */
	char		 owner[DNS_MAXNAME + 1]; /* whose the records are: the
						    name, or its last alias */
	struct dns_rr	 rr[DNS_MAXRECORDS];
	size_t		 n;
};

/* Valid in the callback only. */
typedef void dns_cb(const struct dns_answer *, void *arg);

/*
 * Before the walls: reads the host's configuration; servers ("192.0.2.1,
 * 127.0.0.1:5353") instead of what it says, unless "" or NULL.  -1: none.
 */
int	dns_init(const char *servers);
/*
 * Is their word good for what is authentic?  If this is not said: only if they
 * are all on this host.
 */
void	dns_trust(bool);
/* In the loop from now on. */
void	dns_start(struct event_base *);
/* Calls back once, from the loop, never from within. */
void	dns_ask(const char *name, enum dns_type, dns_cb *, void *arg);
/* Whatever was asked with this argument: no answer is wanted any more. */
void	dns_cancel(void *arg);
/*
 * The records of that type in an answer from the wire, whoever owns them: the
 * resolver followed the aliases.  Never more than DNS_MAXRECORDS.  -1: it
 * is no such answer.  For dns.c, a unit test and the fuzz target.
 */
int	dns_parse(const unsigned char *, size_t, enum dns_type,
	    struct dns_answer *);
void	dns_answer_free(struct dns_answer *);
/* A TXT record's strings, one after the other.  false: it has none such. */
bool	dns_text(const struct dns_rr *, struct buf *);
#endif
