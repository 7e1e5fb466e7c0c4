/*
 * The command table: accounts.  Data only; see cli.h for the patterns.  Runs
 * in pwdd and cgctl.
 */
#include "cli.h"

#define ADMIN	"Users, or a Domain Administrator"
#define OBJECTS	"Users, or CanCreateAccounts"
#define SELF	"Users, a Domain Administrator, or the account itself"

const struct cli_cmd cli_account[] = {
	{ "ListAccounts", "lstacnt", "[domainName]", PROC_ROUTERD, ADMIN,
	    "names of a domain's accounts" },
	{ "CreateAccount", "cracnt",
	    "accountName [accountType=MultiMailbox|TextMailbox|MailDirMailbox]"
	    " [EXTERNAL?] [settings{}]", PROC_AUTHD, OBJECTS,
	    "makes an account" },
	/* Ours, not the manual's: its file, sent to WebAdmin there. */
	{ "ImportAccounts", NULL,
	    "domainName [accountType=MultiMailbox|TextMailbox|MailDirMailbox]"
	    " [EXTERNAL?] DATA accountList", PROC_AUTHD, OBJECTS,
	    "makes the accounts of a tab-separated list, all or none" },
	{ "RenameAccount", "rnacnt", "oldAccountName INTO newAccountName",
	    PROC_AUTHD, OBJECTS, "gives an account another name" },
	{ "DeleteAccount", "dlacnt", "oldAccountName", PROC_AUTHD, OBJECTS,
	    "removes an account and all its mail" },
	{ "GetAccountSettings", "gtacnt", "accountName", PROC_AUTHD, SELF,
	    "settings that were set explicitly" },
	{ "GetAccount", NULL, "accountName", PROC_AUTHD, SELF,
	    "the same as GetAccountSettings" },
	{ "UpdateAccountSettings", "updacnt", "accountName newSettings{}",
	    PROC_AUTHD, ADMIN, "changes the settings given, keeps the others" },
	{ "SetAccountSettings", "stacnt", "accountName newSettings{}",
	    PROC_AUTHD, "Users", "replaces all settings" },
	{ "GetAccountEffectiveSettings", NULL, "accountName", PROC_AUTHD, SELF,
	    "settings with defaults filled in" },
	{ "SetAccountPassword", NULL,
	    "accountName TO/PASSWORD newPassword [METHOD method] [CHECK!]",
	    PROC_AUTHD, "Users, or BasicSettings", "sets the password" },
	{ "VerifyAccountPassword", NULL, "accountName PASSWORD password",
	    PROC_AUTHD, ADMIN, "tells if this is the password" },
	{ "KillAccountSessions", NULL, "accountName", PROC_AUTHD,
	    "Users, or BasicSettings", "ends an account's sessions" },
	{ "ClearAccountCache", NULL, "accountName", PROC_AUTHD,
	    "Users, or BasicSettings",
	    "has an account's files read anew; ends its sessions" },
	/* Ours, not the manual's: see DECISIONS, Password forms. */
	{ "ListUnreadablePasswords", NULL, "[domainName]", PROC_AUTHD,
	    "Users, or BasicSettings",
	    "accounts that need a new password: the vendor alone can read it"
	},
	{ "GetAccountRights", "gtacntrght", "accountName", PROC_AUTHD, ADMIN,
	    "administration rights granted" },
	{ "SetAccountRights", "stacntrght", "accountName newRights()",
	    PROC_AUTHD, "Master, or Users for rights in a domain",
	    "replaces the administration rights" },
	{ "GetAccountLocation", NULL, "accountName", PROC_ROUTERD, ADMIN,
	    "where the account's files are" },
	{ "GetAccountAliases", "gtacntals", "accountName", PROC_ROUTERD, ADMIN,
	    "an account's other names" },
	{ "SetAccountAliases", "stacntals", "accountName newAliases()",
	    PROC_AUTHD, "Users, or CanCreateAliases",
	    "replaces an account's other names" },
	{ "GetAccountRules", "gtacntrl", "accountName", PROC_MAX, ADMIN,
	    "an account's mail rules" },
	{ "SetAccountRules", "stacntrl", "accountName newRules()", PROC_MAX,
	    "Users, or CanModifyRules", "replaces the mail rules" },
	{ "GetAccountRPOP", NULL, "accountName", PROC_MAX, ADMIN,
	    "remote POP accounts polled" },
	{ "SetAccountRPOP", NULL, "accountName newRecords()", PROC_MAX,
	    "Users, or CanModifyRPOP", "replaces the remote POP accounts" },
	/* Clients of later servers ask for all of it, or for several. */
	{ "GetAccountInfo", "gtacntinf", "accountName [KEY keyName] [keys()]",
	    PROC_STORED, SELF, "one element of the account's info, or all" },
	{ "GetWebUser", "gtwusr", "accountName", PROC_MAX, ADMIN,
	    "web mail settings" },
	{ "SetWebUser", "stwusr", "accountName newSettings{}", PROC_MAX, ADMIN,
	    "replaces the web mail settings" },
	{ "GetAccountStat", NULL, "accountName [KEY keyName]", PROC_STORED,
	    SELF, "an account's statistics" },
	{ "ResetAccountStat", NULL, "accountName [KEY keyName]", PROC_STORED,
	    "Users, or BasicSettings", "clears an account's statistics" },
	{ .name = NULL }
};
