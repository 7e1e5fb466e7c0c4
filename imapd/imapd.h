/* What imapd's own files tell one another. */
#ifndef CG_IMAPD_H
#define CG_IMAPD_H

#include "front.h"
#include "imap.h"
#include "sasl.h"

enum {
	IMAPD_MAXLINE = 4096,	/* bytes; the longest are AUTHENTICATE's */
	IMAPD_MAXCMD = 8192	/* a command with its literals */
};

struct imapd_conf {
	unsigned int	 max_errors;
	int		 timeout;	/* seconds before login */
};
extern struct imapd_conf	imapd_conf;

struct imap {
	struct front_session	*front;
	unsigned int		 errors;
	char			 tag[IMAP_MAXTAG + 1];
	/* input.c's: a command that is not whole yet. */
	struct buf		 cmd;
	size_t			 from;		/* behind its last literal */
	size_t			 literal;	/* bytes of one to come */
};

/* --- client.c --- */
extern const struct front_def	imapd_front;
/* A line to the client, behind the command's tag: "OK done". */
void		 imapd_reply(struct imap *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));
/* Likewise, and it counts; one too many ends the session. */
void		 imapd_error(struct imap *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));

/* --- input.c: lines become commands --- */
enum imapd_in { IN_MORE, IN_WHOLE, IN_REFUSED, IN_HOPELESS };
/*
 * One more line.  IN_WHOLE: p->cmd has a command, without its last CRLF, and
 * in front of each literal its "{n}" and CRLF.  IN_REFUSED: too long, and the
 * client waits with the rest; IN_HOPELESS: it does not.
 */
enum imapd_in	 input_line(struct imap *, const char *, size_t,
		    bool bare_lf);
void		 input_forget(struct imap *);

/* --- command.c --- */
void		 imapd_command(struct imap *, struct cur *);
void		 imapd_capabilities(struct imap *, struct buf *);

/* --- login.c --- */
void		 cmd_login(struct imap *, struct cur *);
void		 cmd_authenticate(struct imap *, struct cur *);
void		 login_line(struct imap *, const char *line, size_t);
void		 login_forget(struct imap *);
#endif
