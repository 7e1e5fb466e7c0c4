/*
 * TLS contexts of a client: one that trusts anybody, for wherever encryption
 * is better than none, and the authorities for where it must be the right
 * one.  Runs in smtpd's sending role; reads its file before the walls only.
 */
#include <arpa/inet.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "log.h"
#include "tls_client.h"

static const char debian_authorities[] = "/etc/ssl/certs/ca-certificates.crt";

static SSL_CTX *ctx;

int
tls_client_init(const char *cafile)
{
	const char *file = cafile != NULL && *cafile != '\0' ? cafile :
	    debian_authorities;

	ctx = SSL_CTX_new(TLS_client_method());
	if (ctx == NULL ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_dane_enable(ctx) != 1)
		return -1;
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (SSL_CTX_load_verify_file(ctx, file) != 1) {
		ERR_clear_error();
		log_warnx("no authorities in %s: nobody's certificate can be "
		    "checked", file);
	}
	return 0;
}

static bool
is_address(const char *name)
{
	unsigned char ip[16];

	return *name == '[' || inet_pton(AF_INET, name, ip) == 1 ||
	    inet_pton(AF_INET6, name, ip) == 1;
}

/* A name that is another's is noted, even where anybody is welcome. */
static bool
name_is(SSL *ssl, const char *const names[2])
{
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (SSL_set1_host(ssl, names[0]) != 1)
		return false;
	return names[1] == NULL || SSL_add1_host(ssl, names[1]) == 1;
}

void *
tls_client_ssl(const char *host, const char *const names[2])
{
	const char *const itself[2] = { host, NULL };
	SSL *ssl = SSL_new(ctx);

	if (ssl == NULL)
		return NULL;
	SSL_set_connect_state(ssl);
	if (names != NULL)
		SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	if ((!is_address(host) && SSL_set_tlsext_host_name(ssl, host) != 1) ||
	    !name_is(ssl, names != NULL ? names : itself)) {
		SSL_free(ssl);
		return NULL;
	}
	return ssl;
}

enum { DANE_TA = 2, DANE_EE = 3 };

/* Usages that need common authorities mean nothing here (RFC 7672, 3.1.3). */
static bool
is_usable(const struct tlsa *t)
{
	return t->usage == DANE_TA ||
	    t->usage == DANE_EE;
}

void *
tls_client_dane(const char *const names[2], const struct tlsa *t, size_t *n)
{
	SSL *ssl = SSL_new(ctx);
	size_t i, good = 0;

	if (ssl == NULL || SSL_dane_enable(ssl, names[0]) != 1 ||
	    (names[1] != NULL && SSL_add1_host(ssl, names[1]) != 1)) {
		SSL_free(ssl);
		return NULL;
	}
	for (i = 0; i < *n; i++)
		if (is_usable(&t[i]) && SSL_dane_tlsa_add(ssl, t[i].usage,
		    t[i].selector, t[i].matching, t[i].data, t[i].len) == 1)
			good++;
	ERR_clear_error();
	*n = good;
	if (good == 0) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	SSL_set_connect_state(ssl);
	return ssl;
}

bool
tls_client_doubts(void *ssl)
{
	return SSL_get_verify_mode(ssl) == SSL_VERIFY_PEER &&
	    SSL_get_verify_result(ssl) != X509_V_OK;
}

enum tls_proof
tls_client_proof(void *ssl)
{
	switch (SSL_get_verify_result(ssl)) {
	case X509_V_OK:
		return TLS_PROVED;
	case X509_V_ERR_HOSTNAME_MISMATCH:
		return TLS_MISMATCH;
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_EXPIRED;
	default:
		return TLS_UNTRUSTED;
	}
}
