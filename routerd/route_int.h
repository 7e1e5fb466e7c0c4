/*
 * What the files of the Router's engine share: an address on its way, and the
 * steps it goes through.  Nobody else includes this.
 */
#ifndef ROUTERD_ROUTE_INT_H
#define ROUTERD_ROUTE_INT_H

#include "route.h"

/* A step leaves the address to the next, has changed it, or has answered. */
enum step { PASS, AGAIN, DONE };

struct state {
	const struct route_env		*env;
	const struct route_query	*q;
	struct route_answer		*a;
	enum route_mode			 mode;
	char	 local[ROUTE_MAXLOCAL + 1];	/* as written, fit to be sent */
	char	 unquoted[ROUTE_MAXLOCAL + 1];
	const char *plain;		/* local without quotes it can spare */
	char	 lower[ROUTE_MAXLOCAL + 1];	/* plain in lower case */
	char	 domain[DOMAIN_MAXLEN + 1];	/* lower case */
	char	 alias[ROUTE_MAXLOCAL + 1];	/* the first that a record had */
	struct domain	*forced;	/* .here: no table any more */
	uint32_t	 line;		/* of the record that was applied */
	bool		 marked;	/* a record allowed relaying */
	bool		 wakeup;	/* x.com-wakeup: whose queue is x.com's? */
};

/* route.c */
enum step	route_refuse(struct state *, int smtp, const char *esc,
		    const char *text);
enum step	route_too_long(struct state *);
/* The Router starts again with a new address, domain or local part. */
enum step	route_set_address(struct state *, const char *);
enum step	route_set_domain(struct state *, struct str);
bool		route_set_local(struct state *, struct str);
/* A record's right side, with what its asterisk stood for. */
enum step	route_apply(struct state *, const struct record *, size_t star,
		    size_t starlen);
/* As if a record "Relay:<*@domain> = right" were applied. */
enum step	route_forward(struct state *, const char *right);
/* Is this sender one of ours?  Loopback is nobody's client by itself. */
bool		route_is_client(const struct state *);
/* Is there a route, or what an old host takes for one, in the local part? */
bool		route_is_simple(const struct state *);
/* The name without the suffix, if it has it. */
bool		route_suffix(const char *name, const char *suffix, size_t *len);

/* Modules: what is obviously theirs, and what is in the end. */
enum step	route_local_first(struct state *);	/* route_local.c */
enum step	route_local_final(struct state *);
enum step	route_smtp_first(struct state *);	/* route_smtp.c */
enum step	route_smtp_final(struct state *);
void		route_wakeup_end(struct state *);
enum step	route_list_first(struct state *);	/* route_local.c */
enum step	route_pipe_first(struct state *);	/* route_pipe.c */
#endif
