/* What the root helper's files say to one another. */
#ifndef PRIV_H
#define PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "ipc.h"

enum { PRIV_NO = 'n', PRIV_YES = 'y', PRIV_LATER = 'l' };

/*
 * Asks PAM, in a process that does nothing else and then exits.  confdir is
 * a test's own directory of services, or "" for the system's.  A password
 * that is right becomes change, unless that is empty.
 */
char	priv_pam(const char *confdir, const char *user, struct str password,
	    struct str change);

/*
 * Is this a program that may be started: in one of the directories that
 * cgserver.conf lists, root's all the way, and nobody else may write to it?
 * NULL, or why not.
 */
const char *priv_trusts(const char *path);

/* --- priv_start.c: the programs that run --- */

void	programs_init(void);
void	programs_fd(struct ipc *, struct ipc_pkt *, void *);
void	programs_start(struct ipc *, struct ipc_pkt *, void *);
void	programs_kill(struct ipc *, struct ipc_pkt *, void *);
/* Whoever asked for them is gone, or the suite stops: none shall be left. */
void	programs_end(void);
void	programs_stop(void);

/* --- priv_inbox.c: files that are accounts' INBOXes --- */

void	inboxes_init(void);
void	inboxes_open(struct ipc *, struct ipc_pkt *, void *);
#endif
