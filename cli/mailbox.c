/*
 * The command table: mailboxes.  Data only; see cli.h for the patterns.  Runs
 * in pwdd and cgctl.
 */
#include "cli.h"

#define OWNER	"the account itself, Users, or CanAccessMailboxes"

const struct cli_cmd cli_mailbox[] = {
	{ "ListMailboxes", "lstmbx",
	    "accountName [FILTER filter] [AUTH authAccountName]", PROC_STORED,
	    OWNER, "an account's mailboxes" },
	{ "CreateMailbox", NULL,
	    "accountName MAILBOX mailboxName [AUTH authAccountName] "
	    "[CLASS class]", PROC_STORED, OWNER, "makes a mailbox" },
	{ "DeleteMailbox", NULL,
	    "accountName MAILBOX|MAILBOXES mailboxName [AUTH authAccountName]",
	    PROC_STORED, OWNER,
	    "removes a mailbox; MAILBOXES: with its nested" },
	{ "RenameMailbox", NULL,
	    "accountName MAILBOX|MAILBOXES mailboxName INTO newMailboxName "
	    "[AUTH authAccountName]", PROC_STORED, OWNER,
	    "gives a mailbox another name; MAILBOXES: its nested, too" },
	{ "GetMailboxInfo", NULL,
	    "accountName MAILBOX mailboxName [AUTH authAccountName]",
	    PROC_STORED, OWNER, "a mailbox's internal data" },
	{ "GetMailboxACL", NULL,
	    "accountName MAILBOX mailboxName [AUTH authAccountName]",
	    PROC_STORED, OWNER, "who may do what in a mailbox" },
	{ "SetMailboxACL", NULL,
	    "accountName MAILBOX mailboxName [AUTH authAccountName] newACL{}",
	    PROC_STORED, OWNER, "changes who may do what" },
	{ "GetMailboxRights", NULL,
	    "accountName MAILBOX mailboxName AUTH authAccountName", PROC_STORED,
	    OWNER, "what one user may do in a mailbox" },
	{ "SetMailboxClass", NULL,
	    "accountName MAILBOX mailboxName [AUTH authAccountName] "
	    "CLASS class", PROC_STORED, OWNER, "says what a mailbox is for" },
	{ "GetAccountSubscription", NULL, "accountName", PROC_STORED, OWNER,
	    "mailboxes subscribed to" },
	{ "SetAccountSubscription", NULL, "accountName newSubscription()",
	    PROC_STORED, OWNER, "replaces the subscription" },
	{ "GetMailboxAliases", NULL, "accountName", PROC_STORED, OWNER,
	    "names that stand for other mailboxes" },
	{ "SetMailboxAliases", NULL, "accountName newAliases{}", PROC_STORED,
	    OWNER, "replaces these names" },
	{ .name = NULL }
};
