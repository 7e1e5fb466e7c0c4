/* What a connection must be; policy.c says for whose sake. */
#ifndef CG_SEND_POLICY_H
#define CG_SEND_POLICY_H

#include <stdbool.h>

struct chan;

/* For c->addr: chan_connect() follows, or chan_try_next(); not at once. */
void	 policy_ask(struct chan *);
void	 policy_forget(struct chan *);
/* An SSL that minds it, or NULL. */
void	*policy_ssl(struct chan *);
/* TLS is up, as it has to be. */
void	 policy_secured(struct chan *);
/* It failed.  true: nobody is to try again. */
bool	 policy_failed(struct chan *);
/* There is none.  true: so the next host is tried. */
bool	 policy_unoffered(struct chan *);
#endif
