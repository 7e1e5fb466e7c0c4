/*
 * How much an account may keep, and how much it does: in delivery and in
 * workers, for whoever holds the account alone.  Limits come from authd by
 * way of the broker.  Usage is bytes on disk of messages that are not
 * expunged, From_ lines counted; it is added up when first asked for, from
 * the indexes' heads where those are whole, and kept up to date from then on.
 * What may be wrong is forgotten and added up anew.
 */
#ifndef CG_STORE_QUOTA_H
#define CG_STORE_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct acct;
struct box;
struct delivery;

#define QUOTA_NONE	UINT64_MAX	/* no limit */

struct quota_limits {
	uint64_t	 bytes, messages, mailboxes;
	/* Percent of bytes and of messages; 0: never. */
	unsigned	 suspend;	/* deliveries wait */
	unsigned	 alert;		/* sessions are told */
	unsigned	 notice;	/* a letter is sent */
	const char	*text;		/* what sessions are told */
	const char	*name;		/* whom letters are for */
	bool		 closed;	/* no mail is taken in: it waits */
	uint64_t	 size;		/* of one message that comes in */
};

struct quota_usage {
	uint64_t	 bytes, messages, mailboxes;
};

/*
 * From now on, in LIMITS' words: "" for no limits, or a dictionary of Size,
 * Bytes, Messages, Mailboxes, Suspend, Alert, Notice, Name, Text, Closed; and
 * Format, the type of new mailboxes.
 */
void	quota_limit(struct acct *, const char *limits);
/* The ones in force; never NULL. */
const struct quota_limits *quota_limits(const struct acct *);
/* -1 and errno if it cannot be found out now. */
int	quota_usage(struct acct *, struct quota_usage *);
/* May so much be added?  0; -1 and EDQUOT, or another errno. */
int	quota_room(struct acct *, uint64_t bytes, uint64_t messages);
int	quota_mailbox_room(struct acct *);
/*
 * Settles those deliveries that must not be stored: 4.2.2 for one that shall
 * wait until the account has room, 5.2.2 for one that does not fit, 4.2.1 for
 * all while the account takes none, 5.2.3 for one that is too large by itself.
 */
void	quota_admit(struct box *, struct delivery *, size_t);
/*
 * What to tell a client whose account is nearly full, or NULL; not again for
 * ten minutes, which account.info remembers (manual 12).
 */
const char *quota_alert(struct acct *);
/*
 * Writes a letter into INBOX if so much is used that one is due; true if it
 * did.  After whatever may have changed that.
 */
bool	quota_notice(struct acct *);
/* So much of a limit is used, the higher of the two; -1: not known. */
int	quota_percent(struct acct *);
/* Was anything removed since this was last asked?  Deliveries may fit now. */
bool	quota_freed(struct acct *);

/* For box.c and folder*.c: what else happens to mailboxes. */
void	quota_opened(struct box *);
void	quota_closing(struct box *);
void	quota_removed(struct acct *, const char *name);
void	quota_expunged(struct acct *);
void	quota_forget(struct acct *);
/* Before a mailbox other than INBOX may change. */
void	quota_touch(struct acct *);
/* All its mailboxes are closed. */
void	quota_free(struct acct *);
#endif
