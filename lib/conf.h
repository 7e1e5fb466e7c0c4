/*
 * cgserver.conf(5): what must be known before Settings/ can be read.  Read by
 * cgserver alone (and by cgctl and cgmail for the base directory); it is
 * root's file and trusted, but its errors are told by line.
 */
#ifndef CG_CONF_H
#define CG_CONF_H

#include <sys/types.h>

#include "dict.h"
#include "proc.h"

struct conf_listen {
	char	*module;	/* SMTP */
	char	*address;	/* 127.0.0.1, ::, "" for all */
	int	 port;		/* 0: any free one ("auto") */
	bool	 tls;
	bool	 submission;
};

struct conf_user {
	const char	*name;	/* _cgauth */
	char		*alias;	/* the name or number given for it */
	uid_t		 uid;
	gid_t		 gid;
	bool		 known;
};

struct conf_tls {
	char	*key, *cert;
};

struct conf {
	char			*file;
	char			*base;
	char			*libexec;
	char			*hostname;
	char			*tls_key, *tls_cert;
	struct conf_tls		*tls_more;	/* for other names */
	size_t			 ntls_more;
	bool			 tls_given;
	char			*tls_clients;	/* authorities, or NULL */
	char			*password_key;
	char			*pam_dir;
	char			*authorities;	/* whom we believe, or NULL */
	char			*resolver;	/* DNS servers, or NULL */
	char			*resolver_trusted; /* YES, NO, or NULL */
	bool			 weak;
	bool			 os_passwords;	/* start authd-priv */
	struct conf_user	*users;		/* as conf_users[] */
	int			 processes[PROC_MAX];
	struct conf_listen	*listen;
	size_t			 nlisten;
	struct val		*pinned;	/* module to dictionary */
	struct val		*trusted;	/* array of user names */
	struct val		*helpers;	/* array of directories */
	struct val		*external;	/* the same, of INBOXes */
	struct conf_user	 helper_user;	/* whom their programs run as */
};

enum { CONF_USERS = 10, CONF_MAXSIZE = 1024 * 1024 };

/* Defaults, then the text.  -1 and *err ("line 7: ..."), which is owned. */
int	conf_parse(struct conf *, const char *text, size_t, char **err);
/* The file; a missing one gives the defaults if it is the usual one. */
int	conf_load(struct conf *, const char *path, bool must, char **err);
void	conf_free(struct conf *);
/* Users by name or number; -1 and *err if root needs one that is not there. */
int	conf_find_users(struct conf *, char **err);
const struct conf_user *conf_user_of(const struct conf *, enum proc_id);
#endif
