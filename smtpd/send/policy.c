/*
 * What a connection to a host must be, and for whose sake: the administrator's
 * (manual 29), the host's by DANE, or the domain's by MTA-STS, in this order;
 * mail that says "TLS-Required: No" minds the first only (RFC 8689).  What
 * fails by a policy is tried with the next host, then later; only the
 * administrator's word makes it fail for good.  Runs in smtpd's sending role.
 */
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "dane.h"
#include "log.h"
#include "policy.h"
#include "send.h"
#include "tls_client.h"
#include "tlsrpt.h"

static void
not_there(struct chan *c, const char *result, const char *why)
{
	outcome_set(&c->last, LATER, "4.7.5", "%s: %s", c->addr->host, why);
	tlsrpt_bad(c, result);
	chan_try_next(c);
}

/* --- MTA-STS --- */

static void
by_sts(struct chan *c)
{
	bool allowed;

	if (c->sts.mx == NULL || c->sts.mode == STS_NONE) {
		chan_connect(c);
		return;
	}
	allowed = sts_allows(&c->sts, c->addr->host);
	c->policy = POLICY_STS;
	c->testing = c->sts.mode == STS_TESTING;
	c->vouched = allowed;
	if (!c->testing)
		c->secure = SECURE_MUST;
	if (allowed)
		chan_connect(c);
	else if (!c->testing)
		not_there(c, "validation-failure",
		    "no mail host by the domain's MTA-STS policy");
	else {
		tlsrpt_bad(c, "validation-failure");
		chan_connect(c);
	}
}

static void
got_sts(const struct sts_policy *p, void *arg)
{
	struct chan *c = arg;

	c->sts_wait = NULL;
	c->sts_known = true;
	if (p != NULL) {
		c->sts = *p;
		c->sts.mx = strdup(p->mx);
	}
	by_sts(c);
}

static void
need_sts(struct chan *c)
{
	if (!send_conf.sts || !dest_is_domain(c->dest))
		chan_connect(c);
	else if (c->sts_known)
		by_sts(c);
	else
		c->sts_wait = sts_ask(c->host, got_sts, c);
}

/* --- DANE --- */

static void
got_tlsa(struct dane *d, enum dane_is is, void *arg)
{
	struct chan *c = arg;

	if (is == DANE_FOUND) {
		c->policy = POLICY_DANE;
		c->secure = SECURE_MUST;
		chan_connect(c);
		return;
	}
	dane_free(c->dane);
	c->dane = NULL;
	if (is == DANE_NONE)
		need_sts(c);
	else {
		c->policy = POLICY_DANE;
		not_there(c, "dnssec-invalid",
		    "the DNS does not answer about its TLSA records");
	}
}

void
policy_ask(struct chan *c)
{
	dane_free(c->dane);
	c->dane = NULL;
	c->secure = send_secure(c->host);
	c->policy = c->secure == SECURE_MUST ? POLICY_LIST : POLICY_NONE;
	c->testing = c->proven = false;
	c->vouched = c->addr->authentic || !dest_is_domain(c->dest);
	if (c->policy == POLICY_LIST || c->lax)
		chan_connect(c);
	else if (send_conf.dane && c->addr->authentic)
		c->dane = dane_ask(c->addr, got_tlsa, c);
	else
		need_sts(c);
}

void
policy_forget(struct chan *c)
{
	sts_cancel(c->sts_wait);
	dane_free(c->dane);
	free(c->sts.mx);
}

/* --- TLS, as it wants it --- */

void *
policy_ssl(struct chan *c)
{
	const char *both[2] = { c->host, c->addr->host };
	const char *itself[2] = { c->addr->host, NULL };
	const char *dane[2] = { NULL, NULL };
	void *ssl;
	size_t n;

	if (c->policy == POLICY_LIST && (!c->login || c->wake != NULL))
		return tls_client_ssl(c->addr->host, both);
	if (c->policy == POLICY_STS && !c->testing)
		return tls_client_ssl(c->addr->host, itself);
	if (c->policy != POLICY_DANE)
		return tls_client_ssl(c->addr->host, NULL);
	dane[0] = dane_name(c->dane);
	dane[1] = dest_is_domain(c->dest) ? c->host : NULL;
	n = c->dane->n;
	ssl = tls_client_dane(dane, c->dane->tlsa, &n);
	/* None that can be used: with anybody, but encrypted. */
	return n == 0 ? tls_client_ssl(c->addr->host, NULL) : ssl;
}

static const char *
result_of(void *ssl)
{
	static const char *const results[] = {
		[TLS_PROVED] = "validation-failure",
		[TLS_MISMATCH] = "certificate-host-mismatch",
		[TLS_EXPIRED] = "certificate-expired",
		[TLS_UNTRUSTED] = "certificate-not-trusted"
	};

	return results[tls_client_proof(ssl)];
}

void
policy_secured(struct chan *c)
{
	bool proved = tls_client_proof(c->ssl) == TLS_PROVED;

	c->proven = proved && c->vouched;
	if (c->testing && !proved)
		tlsrpt_bad(c, result_of(c->ssl));
	else if (!c->testing || c->vouched)
		tlsrpt_good(c);
}

bool
policy_failed(struct chan *c)
{
	tlsrpt_bad(c, c->policy == POLICY_DANE && tls_client_doubts(c->ssl) ?
	    "validation-failure" : result_of(c->ssl));
	return c->policy == POLICY_LIST;
}

bool
policy_unoffered(struct chan *c)
{
	tlsrpt_bad(c, "starttls-not-supported");
	if (c->policy == POLICY_LIST || c->secure != SECURE_MUST)
		return false;
	outcome_set(&c->last, LATER, "4.7.10", "%s offers no TLS, which the "
	    "policy of %s wants", c->addr->host, c->host);
	chan_try_next(c);
	return true;
}
