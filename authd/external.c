/*
 * EXTERNAL: whose certificate is it?  The front has seen that the client has
 * the key; that one of our authorities vouches for the name is checked here,
 * so that a front can be nobody whose certificate it has not been shown.
 * Runs in authd.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "authd.h"
#include "log.h"
#include "tls.h"

enum { CHAIN_MAX = 8, NAME_MAXLEN = 512 };

static X509_STORE *authorities;		/* NULL: nobody comes so */

void
external_clients(const char *pem, size_t len)
{
	const char *text = tls_clients(pem, len, &len);
	X509_STORE *store;
	X509 *cert;
	BIO *bio;

	X509_STORE_free(authorities);
	authorities = NULL;
	if (text == NULL || len > INT_MAX)
		return;
	bio = BIO_new_mem_buf(text, (int)len);
	if (bio == NULL || (store = X509_STORE_new()) == NULL) {
		BIO_free(bio);
		return;
	}
	while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		X509_STORE_add_cert(store, cert);
		X509_free(cert);
	}
	ERR_clear_error();
	BIO_free(bio);
	authorities = store;
}

/* The first is the client's own. */
static STACK_OF(X509) *
take_chain(struct str der)
{
	const unsigned char *p = (const unsigned char *)der.p;
	const unsigned char *end = p + der.len;
	STACK_OF(X509) *chain = sk_X509_new_null();
	X509 *cert;

	while (chain != NULL && p < end && sk_X509_num(chain) < CHAIN_MAX) {
		if ((cert = d2i_X509(NULL, &p, end - p)) == NULL)
			break;
		if (sk_X509_push(chain, cert) == 0) {
			X509_free(cert);
			break;
		}
	}
	ERR_clear_error();
	return chain;
}

static bool
is_vouched(STACK_OF(X509) *chain)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool ok;

	ok = ctx != NULL && X509_STORE_CTX_init(ctx, authorities,
	    sk_X509_value(chain, 0), chain) == 1 &&
	    X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT) == 1;
	if (ok) {
		X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_PARTIAL_CHAIN);
		ok = X509_verify_cert(ctx) == 1;
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

/* A name of the certificate's; the first that may be is taken. */
static bool
take(char **name, const char *wanted, const char *p, size_t len)
{
	char text[NAME_MAXLEN + 1];

	if (len == 0 || memchr(p, '\0', len) != NULL ||
	    !str_copy((struct str) { p, len }, text, sizeof(text)) ||
	    (*wanted != '\0' && strcasecmp(text, wanted) != 0))
		return false;
	*name = lower(text);
	return *name != NULL;
}

/* True if it has any mail address, wanted or not. */
static bool
take_addresses(X509 *cert, const char *wanted, char **name)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL,
	    NULL);
	const ASN1_IA5STRING *s;
	const GENERAL_NAME *g;
	bool any = false;
	int i;

	for (i = 0; i < sk_GENERAL_NAME_num(all) && *name == NULL; i++) {
		g = sk_GENERAL_NAME_value(all, i);
		if (g->type != GEN_EMAIL)
			continue;
		s = g->d.rfc822Name;
		any = true;
		take(name, wanted, (const char *)ASN1_STRING_get0_data(s),
		    ASN1_STRING_length(s));
	}
	GENERAL_NAMES_free(all);
	return any;
}

static bool
take_entry(X509 *cert, int nid, const char *wanted, char **name)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, nid, -1), len;
	unsigned char *text;

	if (at == -1)
		return false;
	len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(
	    X509_NAME_get_entry(subject, at)));
	if (len >= 0) {
		take(name, wanted, (char *)text, len);
		OPENSSL_free(text);
	}
	return true;
}

char *
external_name(struct str certs, const char *wanted, const char **why)
{
	STACK_OF(X509) *chain = NULL;
	char *name = NULL;
	X509 *cert;

	if (authorities == NULL)
		*why = "no-client-certificates-here";
	else if ((chain = take_chain(certs)) == NULL ||
	    sk_X509_num(chain) == 0)
		*why = "no-certificate";
	else if (!is_vouched(chain))
		*why = "certificate-not-trusted";
	else {
		*why = "certificate-for-others";
		cert = sk_X509_value(chain, 0);
		/* The common name, only where there is no address. */
		if (!take_addresses(cert, wanted, &name) &&
		    !take_entry(cert, NID_pkcs9_emailAddress, wanted, &name))
			take_entry(cert, NID_commonName, wanted, &name);
	}
	sk_X509_pop_free(chain, X509_free);
	return name;
}
