/* TLS 1.2 and up for the fronts; a self-signed certificate for a first start. */
#ifndef CG_TLS_H
#define CG_TLS_H

#include <stdbool.h>
#include <stddef.h>

struct tls_ctx;
struct buf;

/*
 * PEM: private key, certificate, chain; or several of these, each after a line
 * TLS_PAIR, of which the client's server name chooses one, else the first; and
 * after a line TLS_CLIENTS, the authorities whose certificates clients are
 * asked for.  What clients show is not checked here.  NULL and a logged reason.
 */
#define TLS_PAIR	"cgate: pair"
#define TLS_CLIENTS	"cgate: clients"
struct tls_ctx	*tls_server(const char *pem, size_t);
/* The text behind the line TLS_CLIENTS, or NULL. */
const char	*tls_clients(const char *pem, size_t, size_t *len);
/* Sessions in progress go on: OpenSSL counts what they need of it. */
void		 tls_free(struct tls_ctx *);
/*
 * The key that seals session tickets, TLS_TICKETKEY random bytes; processes
 * that share it resume one another's sessions.
 */
enum { TLS_TICKETKEY = 80 };
bool		 tls_ticket_key(struct tls_ctx *, const void *);
void		*tls_ssl(struct tls_ctx *);	/* a new SSL *, for conn.c */
/* A fresh EC P-256 key and a certificate for the name, ten years. */
int		 tls_selfsigned(const char *name, struct buf *pem);
#endif
