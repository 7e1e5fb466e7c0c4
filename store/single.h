/*
 * Single-mailbox accounts: john.mbox in a domain's directory, with john.info,
 * john.mbox.idx and the like beside it.  All here runs in delivery, while
 * nobody else holds the account, and is durable when it returns 0; else -1
 * and errno.
 *
 * A worker may not see a directory that others' accounts share, so it is lent
 * one of its own, john.work: the mailbox is linked into it, so that the
 * account never goes out of sight, the rest moves in.  What is there is the
 * newer until it was taken back; whoever opens the account takes it back
 * first.
 */
#ifndef CG_STORE_SINGLE_H
#define CG_STORE_SINGLE_H

#include <stdbool.h>

/*
 * Is it one of those?  A single .mdir mailbox is a directory, with account.info
 * and the like in it, and needs none of this.
 */
bool	single_shares(const char *file);
/* The descriptor of its directory. */
int	single_lend(int dirfd, const char *file);
int	single_return(int dirfd, const char *file);
/* The mailbox's rename is the commit: the account is whole before and after. */
int	single_move(int dirfd, const char *file, int newdirfd,
	    const char *newfile);
int	single_remove(int dirfd, const char *file);
/* Clears a name for a new account; EEXIST if there is a mailbox. */
int	single_new(int dirfd, const char *file);
#endif
