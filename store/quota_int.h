/* What the files of limits share. */
#ifndef CG_STORE_QUOTA_INT_H
#define CG_STORE_QUOTA_INT_H

#include "quota.h"

struct quota_entry {
	char		*name;
	bool		 open;
	uint64_t	 bytes, messages;	/* when it was closed */
};

struct quota {
	struct quota_limits limits;
	char		*text, *name;
	/* What account.info says of the notice. */
	enum { NOTICE_UNKNOWN, NOTICE_NONE, NOTICE_SENT } noticed;
	bool		 writing;		/* it, which is never refused */
	int64_t		 retry;			/* it failed: not before */
	bool		 known;
	bool		 freed;
	struct quota_entry *v;
	size_t		 n, cap;
	uint64_t	 bytes, messages;	/* of the closed ones */
};

/* The account's, made if need be. */
struct quota *quota_get(struct acct *);

/* quota_usage.c */
struct quota_entry *quota_enter(struct quota *, const char *name);
void	quota_set_closed(struct quota *, struct quota_entry *,
	    uint64_t bytes, uint64_t messages);

/*
 * quota_file.c.  Entries of all mailboxes but INBOX, as the last holder of the
 * account left them; false: they must be counted.  There is no such file
 * while somebody who holds the account might change one of them.
 */
bool	quota_load(struct acct *);
void	quota_save(struct acct *);
#endif
