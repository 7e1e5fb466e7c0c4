/*
 * The Router (manual 27): an address in, a destination out.  Knows names,
 * tables and settings handed to it; no files, no IPC, no time.
 */
#ifndef ROUTERD_ROUTE_H
#define ROUTERD_ROUTE_H

#include "names.h"
#include "table.h"

struct iplist;

enum detail { DETAIL_OFF, DETAIL_ON, DETAIL_MAILBOX };

/* Manual 29: Relay to non-Clients if received from, Relay to Clients. */
enum relay_from { RELAY_NOBODY, RELAY_CLIENTS, RELAY_EVERYBODY };
enum relay_to { RELAY_TO_NO, RELAY_TO_SIMPLE, RELAY_TO_ALL };

enum { ROUTE_MAXSTEPS = 50, ROUTE_MAXLOCAL = 1000 };

struct route_env {
	struct names		*names;
	struct table		*table;
	struct table		*all_aliases;	/* All-Domain Aliases */
	struct iplist		*clients;	/* may be NULL */
	bool			 any_clients;	/* there are some */
	struct map		*addresses;	/* own IP address to domain */
	struct map		*unassigned;	/* own ones that mean none */
	char			*add_domain;	/* "" for none */
	char			*forward;	/* hosts for all mail, NULL: none */
	bool			 direct_mailbox;
	enum detail		 detail;
	enum relay_from		 relay_from;
	enum relay_to		 relay_to;
	bool			 wake_all;	/* strangers may wake queues */
	bool			 relay_backup;	/* to hosts we back up */
	/* Is that a client's address for a while?  NULL: none is. */
	bool			 (*is_roaming)(const char *ip);
};

struct route_query {
	const char	*address;
	const char	*peer;		/* or "" */
	const char	*local;		/* or "" */
	const char	*account;	/* authenticated sender, or "" */
	char		 source[64];	/* ROUTED's, if it is remote */
	bool		 client;	/* whatever its address is */
	bool		 access;	/* a login name */
	bool		 signal;	/* neither mail nor login */
	bool		 consulted;	/* the external authenticator has been */
};

/* As ROUTED in ipc.def. */
struct route_answer {
	int	 code;
	int	 smtp;
	char	 esc[16];
	char	 text[256];
	char	 module[16];
	char	 host[513];
	char	 address[1025];
	char	 path[1025];
	char	 domain[256];
	char	 alias[513];
	bool	 relay;
	bool	 backup;	/* to be relayed, if we are a backup for domain */
	bool	 by_host;	/* or if domain's mail host is a client's ... */
	bool	 by_mx;		/* ... as its MX records say, if it has some */
	bool	 consult;	/* "host@domain" is to be asked for */
};

void	route_address(const struct route_env *, const struct route_query *,
	    struct route_answer *);
/* Text of an address in the environment's map of own addresses. */
bool	route_literal_ip(const char *domain, char *ip, size_t);
#endif
