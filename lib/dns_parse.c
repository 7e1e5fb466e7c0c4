/*
 * What stands in an answer of the Domain Name System.  The bytes are a
 * stranger's; c-ares knows how names are compressed, the rest is counted
 * here.  Pure: no socket, no memory of earlier answers.
 */
#include <ares.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "dns.h"

enum {
	HEADER = 12, QUESTION = 4, RECORD = 10,
	RCODE_OK = 0, RCODE_NXDOMAIN = 3, CLASS_IN = 1
};

struct wire {
	const unsigned char	*p;
	size_t			 len;
	size_t			 at;
};

static unsigned int
u16(const struct wire *w, size_t at)
{
	return (unsigned int)w->p[at] << 8 | w->p[at + 1];
}

/* The name at this place; its length there in *used.  NULL: none. */
static char *
name_at(const struct wire *w, size_t at, size_t *used)
{
	char *name, *own, *p;
	long n;

	if (at >= w->len || ares_expand_name(w->p + at, w->p, (int)w->len,
	    &name, &n) != ARES_SUCCESS)
		return NULL;
	own = strlen(name) <= DNS_MAXNAME ? strdup(name) : NULL;
	ares_free_string(name);
	for (p = own; p != NULL && *p != '\0'; p++)
		*p = tolower((unsigned char)*p);
	*used = (size_t)n;
	return own;
}

static bool
skip_name(struct wire *w)
{
	size_t used;
	char *name = name_at(w, w->at, &used);

	free(name);
	if (name == NULL)
		return false;
	w->at += used;
	return true;
}

/* Its data, len bytes at w->at. */
static int
take(const struct wire *w, size_t len, enum dns_type type, struct dns_rr *rr)
{
	size_t skip = type == DNS_MX ? 2 : 0, used;

	if (type != DNS_MX && type != DNS_PTR && type != DNS_CNAME) {
		if ((rr->data = malloc(len > 0 ? len : 1)) == NULL)
			return -1;
		memcpy(rr->data, w->p + w->at, len);
		rr->len = len;
		return 0;
	}
	if (len <= skip)
		return -1;
	if (type == DNS_MX)
		rr->pref = u16(w, w->at);
	if ((rr->name = name_at(w, w->at + skip, &used)) == NULL)
		return -1;
	return 0;
}

static bool
sane(enum dns_type type, size_t len)
{
	return type == DNS_A ? len == 4 : type != DNS_AAAA || len == 16;
}

/* The records that answer: their owner is the end of a chain of aliases. */
static bool
note_owner(const struct wire *w, size_t at, struct dns_answer *a)
{
	size_t used;
	char *name = name_at(w, at, &used);
	bool ok = name != NULL;

	if (ok)
		memcpy(a->owner, name, strlen(name) + 1);
	free(name);
	return ok;
}

static int
records(struct wire *w, unsigned int count, enum dns_type type,
    struct dns_answer *a)
{
	struct dns_rr *rr;
	size_t len, head, name;

	for (; count > 0 && a->n < DNS_MAXRECORDS; count--) {
		name = w->at;
		if (!skip_name(w) || w->len - w->at < RECORD)
			return -1;
		head = w->at;
		len = u16(w, head + 8);
		w->at += RECORD;
		if (w->len - w->at < len)
			return -1;
		if (u16(w, head) == type && u16(w, head + 2) == CLASS_IN &&
		    sane(type, len)) {
			rr = &a->rr[a->n];
			rr->ttl = (uint32_t)u16(w, head + 4) << 16 |
			    u16(w, head + 6);
			a->n++;
			if (take(w, len, type, rr) == -1 ||
			    (a->n == 1 && !note_owner(w, name, a)))
				return -1;
		}
		w->at += len;
	}
	return 0;
}

int
dns_parse(const unsigned char *p, size_t len, enum dns_type type,
    struct dns_answer *a)
{
	struct wire w = { p, len, HEADER };
	unsigned int q, rcode;

	memset(a, 0, sizeof(*a));
	a->status = DNS_TROUBLE;
	if (len < HEADER || len > 65535)
		return -1;
	rcode = p[3] & 0x0f;
	a->authentic = p[3] & 0x20;
	for (q = u16(&w, 4); q > 0; q--) {
		if (!skip_name(&w) || w.len - w.at < QUESTION)
			return -1;
		w.at += QUESTION;
	}
	if (rcode == RCODE_NXDOMAIN) {
		a->status = DNS_NONE;
		return 0;
	}
	if (rcode != RCODE_OK || records(&w, u16(&w, 6), type, a) == -1)
		return -1;
	a->status = a->n > 0 ? DNS_FOUND : DNS_EMPTY;
	return 0;
}

void
dns_answer_free(struct dns_answer *a)
{
	size_t i;

	for (i = 0; i < a->n; i++) {
		free(a->rr[i].name);
		free(a->rr[i].data);
	}
	a->n = 0;
}

bool
dns_text(const struct dns_rr *rr, struct buf *b)
{
	size_t at, n;

	for (at = 0; at < rr->len; at += n + 1) {
		n = rr->data[at];
		if (n > rr->len - at - 1 ||
		    !buf_add(b, (const char *)rr->data + at + 1, n))
			return false;
	}
	return rr->len > 0;
}
