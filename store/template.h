/*
 * What a new account has beside an empty INBOX (manual 20, Account Template).
 * Runs in delivery, in an account that nobody else knows of yet.
 *
 *	{ InitialMailboxes = (Sent, Drafts, ...); InitialSubscription = (...);
 *	  InitialMailboxAliases = { alias = "~boss/INBOX"; };
 *	  InitialWebPage = "<html>..."; }
 *
 * Names that no mailbox may have are left out; a single-mailbox account has no
 * further mailboxes and no web page.
 */
#ifndef CG_STORE_TEMPLATE_H
#define CG_STORE_TEMPLATE_H

struct acct;
struct val;

/*
 * Makes it all, but writes no account.info: the caller saves it.  Files are not
 * synced, either, but for those in folders.  -1 and errno.
 */
int	template_apply(struct acct *, const struct val *);
/* What a mailbox of that name is for: a class of folder.h, or "". */
const char *template_class(const char *name);
#endif
