/*
 * TLS 1.2 and up as a client, for smtpd's sending role: with anybody, or with
 * whoever proves by a known authority to have one of two names.
 */
#ifndef CG_TLS_CLIENT_H
#define CG_TLS_CLIENT_H

#include <stdbool.h>

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
/* Did it fail because the certificate does not prove that? */
bool	 tls_client_doubts(void *ssl);
#endif
