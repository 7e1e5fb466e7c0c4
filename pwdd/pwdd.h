/* What the files of pwdd share. */
#ifndef PWDD_PWDD_H
#define PWDD_PWDD_H

#include "buf.h"
#include "front.h"
#include "sasl.h"

enum { TICKET_LEN = 16, PWDD_MAXLOGIN = 4096 };

struct session {
	bool			 waiting;	/* for an owner's answer */
	struct front_session	*fs;
	bool			 authed;
	bool			 unix_socket;
	bool			 inl;		/* INLINE was said */
	int			 errors;
	char			 name[513];	/* USER's, until PASS */
	char			 account[513];
	char			 stamp[513];	/* APOP's */
	uint8_t			 ticket[TICKET_LEN];
};

/* session.c */
void	session_start(struct front_session *);
void	session_line(struct front_session *, char *, size_t);
void	session_too_long(struct front_session *);
void	session_silent(struct front_session *);
/* Those that wait for an answer are told it first. */
void	session_stop(struct front_session *);
void	session_end(struct front_session *);
/* An owner has answered: the next line, or the end. */
void	session_answered(struct session *);
void	session_settings(const struct val *);
/* One line to the client. */
void	say(struct session *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
/* The same, counted: a client with too many errors is sent away. */
void	say_error(struct session *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
void	session_greet(struct session *);

/* login.c */
void	login_user(struct session *, struct cur);
void	login_pass(struct session *, struct cur);
void	login_apop(struct session *, struct cur);
void	login_auth(struct session *, struct cur);
void	login_sasl_line(struct session *, const char *line);
void	login_socket(struct session *);

struct val;
/* local.c: NULL if it cannot be answered here. */
struct val *local_command(const char *name, const struct val *args);

/* command.c */
void	command_line(struct session *, char *line, size_t len);
void	command_newpass(struct session *, struct cur);
void	command_help(struct session *, const char *name);
#endif
