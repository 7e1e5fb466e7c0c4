/*
 * Statistics of an account (manual 16): what was delivered to it, counted in
 * memory while it is held and kept in account.info, key #Stat.  Only where an
 * administrator wants them: each release of an account then writes that file.
 * What a killed process had counted is lost.
 */
#ifndef CG_STORE_STAT_H
#define CG_STORE_STAT_H

#include <stdbool.h>
#include <stddef.h>

struct acct;
struct delivery;

/* For all accounts of this process, from now on. */
void	stat_switch(bool on);
/* After a delivery: those that are stored count. */
void	stat_delivered(struct acct *, const struct delivery *, size_t);
/* What was counted is in account.info, in memory.  -1: it cannot be read. */
int	stat_note(struct acct *);
/* The same, durably, before the account is let go. */
void	stat_close(struct acct *);
#endif
