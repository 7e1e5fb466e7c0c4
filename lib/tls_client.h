/*
 * TLS 1.2 and up as a client, for smtpd's sending role: with anybody, or with
 * whoever proves by a known authority to have one of two names.
 */
#ifndef CG_TLS_CLIENT_H
#define CG_TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Before the walls: the authorities in this PEM file, "" or NULL: Debian's.
 * Without any of them only unverified connections are possible.
 */
int	 tls_client_init(const char *cafile);
/*
 * An SSL for conn_tls_client(), or NULL.  host: told to the server, if it is
 * a name.  names: if not NULL, the certificate must be good for the one or
 * the other (the second may be NULL).
 */
void	*tls_client_ssl(const char *host, const char *const names[2]);
/* A TLSA record (RFC 6698). */
struct tlsa {
	uint8_t			 usage, selector, matching;
	const unsigned char	*data;
	size_t			 len;
};
/*
 * The same, but what counts is what the DNS says of that host's certificate
 * (RFC 7672); names: it, under which the records stand, and the domain.  *n:
 * how many of the records can be used; without any it is good for nobody,
 * and NULL is given.
 */
void	*tls_client_dane(const char *const names[2], const struct tlsa *,
	    size_t *n);
/* Did it fail because the certificate does not prove that? */
bool	 tls_client_doubts(void *ssl);
/* Who was it?  Known of those, too, who need not prove it. */
enum tls_proof { TLS_PROVED, TLS_MISMATCH, TLS_EXPIRED, TLS_UNTRUSTED };
enum tls_proof	 tls_client_proof(void *ssl);
#endif
