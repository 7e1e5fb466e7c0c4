/* What pop3d's own files tell one another. */
#ifndef CG_POP3D_H
#define CG_POP3D_H

#include "front.h"
#include "sasl.h"

enum {
	POP_MAXLINE = 4096,		/* bytes; the longest are AUTH's */
	POP_MAXSTAMP = 256
};

struct pop_conf {
	unsigned int	 max_errors;
	int		 timeout;	/* seconds before login */
};
extern struct pop_conf	pop_conf;

enum pop_state {
	POP_START	= 1 << 0,
	POP_USER	= 1 << 1,	/* a name, no password yet */
	POP_SASL	= 1 << 2,	/* in the middle of AUTH */
	POP_ANY		= POP_START | POP_USER
};

struct pop {
	struct front_session	*front;
	enum pop_state		 state;
	unsigned int		 errors;
	char			*user;
	char			 stamp[POP_MAXSTAMP];
};

/* --- command.c --- */
void	pop_command(struct pop *, const char *line);

/* --- client.c --- */
extern const struct front_def pop_front;
void	pop_reply(struct pop *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
/* -ERR; false if that was one too many and the session has ended. */
bool	pop_error(struct pop *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));

/* --- login.c --- */
void	cmd_user(struct pop *, struct cur *);
void	cmd_pass(struct pop *, struct cur *);
void	cmd_apop(struct pop *, struct cur *);
void	cmd_auth(struct pop *, struct cur *);
void	login_line(struct pop *, const char *line);
void	login_forget(struct pop *);
#endif
