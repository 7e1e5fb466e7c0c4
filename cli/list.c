/*
 * The command table: mailing lists.  Data only; see cli.h for the patterns.
 * Runs in pwdd and cgctl.
 */
#include "cli.h"

#define ADMIN	"Users, or a Domain Administrator"
#define LISTS	"Users, or CanCreateLists"
#define OWNER	"Users, CanAccessLists, or the list's owner"

const struct cli_cmd cli_list[] = {
	{ "ListLists", NULL, "[domainName]", PROC_MAX, ADMIN,
	    "names of a domain's mailing lists" },
	{ "GetDomainLists", NULL, "[domainName]", PROC_MAX, ADMIN,
	    "a domain's lists with their numbers of subscribers" },
	{ "GetAccountLists", NULL, "accountName", PROC_MAX, ADMIN,
	    "lists that belong to an account" },
	{ "CreateList", NULL, "listName FOR accountName", PROC_MAX, LISTS,
	    "makes a mailing list" },
	{ "RenameList", NULL, "listName INTO newName", PROC_MAX, LISTS,
	    "gives a list another name" },
	{ "DeleteList", NULL, "listName", PROC_MAX, LISTS, "removes a list" },
	{ "GetList", NULL, "listName", PROC_MAX, OWNER, "a list's settings" },
	{ "UpdateList", NULL, "listName newSettings{}", PROC_MAX, OWNER,
	    "changes the settings given" },
	{ "List", NULL,
	    "listName operation=subscribe|feed|digest|index|null|banned|"
	    "unsubscribe [SILENTLY?] [CONFIRM?] subscriber...", PROC_MAX,
	    OWNER, "changes one subscription" },
	{ "ListSubscribers", NULL, "listName [filter [limit]]", PROC_MAX,
	    OWNER, "a list's subscribers" },
	{ "SetPostingMode", NULL,
	    "listName FOR subscriberAddress [postingMode]", PROC_MAX, OWNER,
	    "how a subscriber's messages are moderated" },
	{ .name = NULL }
};
