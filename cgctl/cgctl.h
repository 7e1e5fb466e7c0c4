/* What the files of cgctl share. */
#ifndef CGCTL_CGCTL_H
#define CGCTL_CGCTL_H

#include <stdio.h>

#include "conf.h"
#include "dict.h"

enum { EXIT_USAGE = 2 };

extern struct conf	 conf;
extern const char	*conf_file;	/* -f's, or NULL */

/* cgctl.c */
void	usage(void) __attribute__((noreturn));
/* Tells of one of cgctl's own words; false: there is no such. */
bool	usage_word(const char *);
void	fail(const char *, ...)
	    __attribute__((noreturn, format(printf, 1, 2)));

/* help.c: names like this one, to standard error. */
void	suggest(const char *name);

/* unknown.c: of settings that may be misspelt, to standard error. */
struct cli_cmd;
void	note_unknown(const struct cli_cmd *, const struct val *args);

/* queue.c: what `cgctl queue' can do. */
void	queue_help(FILE *);

/* talk.c */
/* Connects and logs in.  -1: nobody answers there (said if loud). */
int	talk_open(bool loud);
void	talk_close(void);
/*
 * One command line; data (NULL if there is none) is the caller's.  The code
 * of the answer; text is its text, good until the next call.
 */
int	talk(const char *line, struct val **data, const char **text);

/* A line from the terminal, which is the caller's; NULL: there is none. */
char	*talk_ask(const char *prompt, bool secret);

/*
 * Prints what comes into the log, from its end (from: 0) or some bytes before
 * it, and is wanted, until turn (which may be NULL) says false; that is asked
 * at least every second.
 */
void	log_follow(long from, bool (*wanted)(const char *),
	    bool (*turn)(void));

/* The files of these names: argc and argv without cgctl's own. */
int	do_start(int argc, char **argv);
int	do_stop(int argc, char **argv);
int	do_restart(int argc, char **argv);
int	do_status(int argc, char **argv);
int	do_log(int argc, char **argv);
int	do_queue(int argc, char **argv);
int	do_trace(int argc, char **argv);
int	do_help(int argc, char **argv);
/* The server's process, if it runs: or 0. */
pid_t	server_pid(void);
#endif
