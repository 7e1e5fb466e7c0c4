/*
 * Who else may do what in a mailbox (manual 23): kept in account.info, the key
 * ACL of its mailbox, a dictionary of identifiers and letters.  An identifier
 * is an account (of the owner's domain without one), anyone, or either with a
 * - before it: rights taken away.  For workers only.
 */
#ifndef CG_STORE_ACL_H
#define CG_STORE_ACL_H

#include <stdbool.h>

struct acct;
struct val;

enum {
	ACL_LOOKUP	= 1 << 0,	/* l */
	ACL_READ	= 1 << 1,	/* r */
	ACL_SEEN	= 1 << 2,	/* s */
	ACL_WRITE	= 1 << 3,	/* w */
	ACL_INSERT	= 1 << 4,	/* i */
	ACL_POST	= 1 << 5,	/* p */
	ACL_CREATE	= 1 << 6,	/* c */
	ACL_DELETE	= 1 << 7,	/* d */
	ACL_ADMIN	= 1 << 8,	/* a */
	ACL_ALL		= (1 << 9) - 1,
	ACL_TEXT	= 10		/* bytes of letters and a NUL */
};

/* False: a letter that is no right. */
bool		 acl_parse(const char *letters, unsigned *rights);
void		 acl_text(char *out, unsigned rights);
/* What a user, by his full name, may do; owner is the account's full name. */
unsigned	 acl_rights(struct acct *, const char *box, const char *owner,
		    const char *user);
/* The whole, or NULL: there is none. */
const struct val *acl_get(struct acct *, const char *box);
/*
 * "lr", "+lr" or "-lr" for an identifier, in memory: info_save() then.  NULL,
 * or what is wrong with it; nothing is changed then.
 */
const char	*acl_set(struct acct *, const char *box, const char *owner,
		    const char *who, const char *change);
/* A new mailbox has what the nearest one above it has; in memory. */
int		 acl_inherit(struct acct *, const char *box);
#endif
