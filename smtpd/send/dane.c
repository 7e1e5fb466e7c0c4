/*
 * What the Domain Name System says of a mail host's certificate: its TLSA
 * records (RFC 7672), asked for only where the host's addresses are authentic.
 * Runs in smtpd's sending role.  It must never take a failing question for a
 * "no": whoever can make it fail would choose what is sent in the clear.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dane.h"

enum { HEAD = 3 };

size_t
dane_records(const struct dns_answer *a, struct tlsa t[DANE_RECORDS],
    struct buf *keep)
{
	size_t n = 0, i;

	buf_reset(keep);
	for (i = 0; i < a->n && n < DANE_RECORDS; i++) {
		const struct dns_rr *rr = &a->rr[i];

		if (rr->len <= HEAD || rr->len > DANE_MAXDATA ||
		    !buf_add(keep, rr->data, rr->len))
			continue;
		t[n] = (struct tlsa){ .usage = rr->data[0],
			.selector = rr->data[1], .matching = rr->data[2],
			.len = rr->len - HEAD };
		n++;
	}
	for (i = 0, keep->len = 0; i < n; i++) {	/* it moves no more */
		t[i].data = (unsigned char *)keep->p + keep->len + HEAD;
		keep->len += t[i].len + HEAD;
	}
	return n;
}

static void	ask(struct dane *);

static void
told(const struct dns_answer *a, void *arg)
{
	struct dane *d = arg;
	enum dane_is is = DANE_NONE;

	if (a->status == DNS_TROUBLE)
		is = DANE_TROUBLE;
	else if (a->status == DNS_FOUND && a->authentic) {
		d->n = dane_records(a, d->tlsa, &d->keep);
		is = DANE_FOUND;
	} else if (d->at == 0 && d->names[1] != NULL) {
		d->at++;	/* the name that its alias has */
		ask(d);
		return;
	}
	d->cb(d, is, d->arg);
}

static void
ask(struct dane *d)
{
	char name[DNS_MAXNAME + 16];

	snprintf(name, sizeof(name), "_%u._tcp.%s", d->port, d->names[d->at]);
	dns_ask(name, DNS_TLSA, told, d);
}

const char *
dane_name(const struct dane *d)
{
	return d->names[d->at];
}

struct dane *
dane_ask(const struct dest_addr *a, dane_cb *cb, void *arg)
{
	struct dane *d = xcalloc(1, sizeof(*d));

	d->port = a->port;
	d->names[0] = xstrdup(*a->owner != '\0' ? a->owner : a->host);
	if (strcasecmp(d->names[0], a->host) != 0)
		d->names[1] = xstrdup(a->host);
	buf_init(&d->keep, DANE_RECORDS * DANE_MAXDATA + 1);
	d->cb = cb;
	d->arg = arg;
	ask(d);
	return d;
}

void
dane_free(struct dane *d)
{
	if (d == NULL)
		return;
	dns_cancel(d);
	buf_free(&d->keep);
	free(d->names[0]);
	free(d->names[1]);
	free(d);
}
