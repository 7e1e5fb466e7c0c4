/* TLSA records of a mail host (RFC 7672). */
#ifndef CG_SEND_DANE_H
#define CG_SEND_DANE_H

#include "buf.h"
#include "dns.h"
#include "send.h"
#include "tls_client.h"

enum { DANE_RECORDS = 16, DANE_MAXDATA = 4096 };

enum dane_is {
	DANE_NONE,	/* it has none, or nobody vouches for them */
	DANE_FOUND,
	DANE_TROUBLE	/* nobody knows now: not to be sent there */
};

struct dane;
typedef void dane_cb(struct dane *, enum dane_is, void *arg);
struct dane {
	char		*names[2];	/* the alias' end, the host itself */
	int		 at;		/* of them: whose records it has */
	uint16_t	 port;
	struct tlsa	 tlsa[DANE_RECORDS];
	size_t		 n;		/* 0: there were, but all bad */
	struct buf	 keep;		/* their bytes */
	dane_cb		*cb;
	void		*arg;
};

/* Calls back once, from the loop. */
struct dane	*dane_ask(const struct dest_addr *, dane_cb *, void *arg);
void		 dane_free(struct dane *);
/* Under which name its records stand. */
const char	*dane_name(const struct dane *);
/* An answer's TLSA records, whatever is in it; keep holds their bytes. */
size_t		 dane_records(const struct dns_answer *,
		    struct tlsa[DANE_RECORDS], struct buf *keep);
#endif
