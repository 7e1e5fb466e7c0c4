/* TLS 1.2 and up for the fronts; a self-signed certificate for a first start. */
#ifndef CG_TLS_H
#define CG_TLS_H

#include <stdbool.h>
#include <stddef.h>

struct tls_ctx;
struct buf;

/* PEM: private key, certificate, chain.  NULL and a logged reason. */
struct tls_ctx	*tls_server(const char *pem, size_t);
/* Sessions in progress keep theirs: contexts are counted. */
struct tls_ctx	*tls_ref(struct tls_ctx *);
void		 tls_unref(struct tls_ctx *);
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
