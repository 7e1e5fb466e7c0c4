/* Between the template and what runs in its children. */
#ifndef CG_WORKER_H
#define CG_WORKER_H

#include "proc.h"

struct acct;
struct imap_session;

/*
 * A child's whole life: takes the account's directory and the channel to the
 * broker; single is a mailbox file in it for single-mailbox accounts.
 */
void	worker_main(int dirfd, const char *single, const char *path, int io)
	    __attribute__((noreturn));

/* worker_live.c: settings in force, also those that change later. */
struct live {
	int		 pop_timeout, pop_errors, pop_level;
	int		 imap_timeout, imap_errors, imap_level;
	int		 idle;		/* IdleTime */
	bool		 statistics;
	char		 field[128];	/* EnvelopeRecipientsField */
};

void	live_set(const struct val *all);	/* the template */
void	live_inherit(void);		/* a worker, before all else */
/* The first call, and one after a change, sets log levels, too. */
const struct live *live(void);

/* worker_admin.c */
void	admin_command(struct ipc *, struct ipc_pkt *, struct acct *);

/* worker_main.c: its last login stands in account.info as it is in memory. */
void	login_noted(struct acct *);

/* worker_idle.c */
void	idle_start(struct ipc *broker, struct acct *);
/* True: it was handed back, for it has been silent; nothing of it is left. */
bool	idle_hand(uint32_t id, struct imap_session *);
/* The broker says that some who are handed back wait for news. */
void	idle_watched(void);
/* After each turn of the loop: tells what changed in its mailboxes. */
void	idle_news(struct acct *);
#endif
