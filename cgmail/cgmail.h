/*
 * mail, sendmail and mailq: what cgmail's files tell one another.  Every one
 * of them ends with a status of <sysexits.h>.
 */
#ifndef CG_CGMAIL_H
#define CG_CGMAIL_H

#include <stdbool.h>
#include <stdio.h>
#include <sysexits.h>

#include "buf.h"

/* --- main.c --- */
extern const char *base_arg;		/* -d */
const char *base_dir(void);
const char *login_name(void);
const char *full_name(void);
/* "sendmail: text" on standard error, and out. */
void	quit(int status, const char *, ...)
	    __attribute__((noreturn, format(printf, 2, 3)));

int	mail_main(int argc, char **argv);
/* mode: what it does unless -b says otherwise: m or p. */
int	sendmail_main(int argc, char **argv, char mode);
int	mailq_main(void);

/* --- draft.c: a message on its way into Submitted/ --- */
struct draft {
	const char	*from;		/* return-path, or NULL */
	const char	*name;		/* for a missing From, or NULL */
	const char	*envid;		/* or NULL */
	const char	*notify;	/* or NULL */
	const char	*ret;		/* or NULL */
	char		**rcpts;
	size_t		 nrcpts;
	bool		 from_header;	/* -t: rcpts are taken out of To... */

	struct buf	 header;	/* as it came */
	bool		 in_body;
	size_t		 fields;	/* fields seen: none is no header */
	FILE		*out;
	char		*tmp, *sub;
	int		 dir;
	const char	*error;		/* for people; NULL while all is well */
	int		 status;	/* with it, of sysexits */
};

void	draft_start(struct draft *);
bool	draft_rcpt(struct draft *, const char *addr);
/* One line without its end. */
void	draft_line(struct draft *, const char *, size_t);
/* Durable, or status and error. */
int	draft_finish(struct draft *);
void	draft_drop(struct draft *);
/* A list of addresses with commas; each becomes a recipient. */
bool	draft_rcpts(struct draft *, const char *list);

/* --- smtp.c --- */
int	smtp_main(void);
#endif
