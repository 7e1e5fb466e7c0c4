/* What the parts of login.c share; nobody else includes it. */
#ifndef CG_LOGIN_INT_H
#define CG_LOGIN_INT_H

#include "authd.h"

struct login {
	struct ipc_ref	 ref;
	enum proc_id	 front;
	int		 instance;
	char		*service, *method, *name, *challenge, *peer;
	char		*secret;
	size_t		 secretlen;
	struct buf	 proof;		/* of ours, for the client */
	bool		 tls;
	bool		 shown;		/* EXTERNAL: by a good certificate */
	bool		 system;	/* it was the host's password */
	bool		 roams;		/* it makes its address a client's */
	/* Once routed. */
	char		*account, *domain, *path, *mailbox;
	char		*counted;	/* the account by the name that was said */
	char		*alerts;	/* for the client, a line each */
	unsigned char	 ticket[TICKET_LEN];
};

/* login.c: what ends a login; it is freed. */
void	login_answer(struct login *, int code, const char *reason,
	    const char *text);

/* login_fail.c: the first three end it, too. */
void	login_later(struct login *, const char *why);
void	login_refuse(struct login *, const char *why, const char *reason,
	    const char *text);
/* The same for a wrong proof or name: it is counted. */
void	login_unproved(struct login *, const char *why, bool unknown);
/* Were there too many failures?  Told: by a name that anybody may try. */
enum login_lock { LOCK_NONE, LOCK_TOLD, LOCK_SILENT };
enum login_lock login_lock(const struct login *);
void	login_forgive(const struct login *);
/* The name for a line of the log. */
const char *login_name(const struct login *);
#endif
