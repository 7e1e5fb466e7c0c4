/*
 * Names of commands that later servers of this kind have and that are for
 * modules still to come: whoever asks for one is told so, not that he has
 * mistyped it.  Data only; a name goes from here when its command gets a row
 * in a table.  Runs in pwdd and cgctl.
 */
#include <string.h>

#include "cli.h"

static const char *const names[] = {
	/* accounts */
	"SetAccountType", "VerifyAccountIdentity", "GetAccountMailRules",
	"SetAccountMailRules", "UpdateAccountMailRule", "GetAccountSignalRules",
	"SetAccountSignalRules", "UpdateAccountSignalRule", "GetAccountRPOPs",
	"SetAccountRPOPs", "GetAccountRSIPs", "SetAccountRSIPs",
	"UpdateScheduledTask", "GetAccountTelnums", "SetAccountTelnums",
	"ModifyAccountTelnums", "GetAccountACL", "SetAccountACL",
	"GetAccountACLRights", "GetAccountPresence", "GetAccountPrefs",
	"SetAccountPrefs", "UpdateAccountPrefs", "GetAccountEffectivePrefs",
	"GetAccountDefaultPrefs", "SetAccountDefaultPrefs",
	"UpdateAccountDefaultPrefs", "GetServerAccountPrefs",
	"SetServerAccountPrefs", "UpdateServerAccountPrefs",
	"GetClusterAccountPrefs", "SetClusterAccountPrefs",
	"UpdateClusterAccountPrefs", "RemoveAccountSubset", "Dataset", "Roster",
	"Balance", "DeleteAccountPushDevice", "ListAccountSessions",
	"FindAccountSession", "GetAccountOneSetting", "GetEffectiveWebUser",
	"GetEffectiveAccountPrefs", "UpdateWebUser",
	/* domains and what is in them */
	"ListDomainObjects", "ListDomainTelnums", "ListServerTelnums",
	"ListClusterTelnums", "InsertDirectoryRecords",
	"DeleteDirectoryRecords", "CreateDomainStorage", "ListDomainStorage",
	"CreateAccountStorage", "ListAccountStorage", "SuspendDomain",
	"ResumeDomain", "GetDomainLocation", "GetDomainRules", "SetDomainRules",
	"UpdateWebUserDefaults", "GetServerWebUserDefaults",
	"SetServerWebUserDefaults", "GetClusterWebUserDefaults",
	"SetClusterWebUserDefaults", "GetDomainMailRules",
	"SetDomainMailRules",
	"GetDomainSignalRules", "SetDomainSignalRules", "GetServerTrustedCerts",
	"SetServerTrustedCerts", "GetClusterTrustedCerts",
	"SetClusterTrustedCerts", "ListDomainNamedTasks", "CreateNamedTask",
	"RenameNamedTask", "DeleteNamedTask", "GetNamedTask", "UpdateNamedTask",
	/* mailboxes and files */
	"UpdateMailboxInfo", "ReadStorageFile", "WriteStorageFile",
	"RenameStorageFile", "DeleteStorageFile", "ListStorageFiles",
	"GetStorageFileInfo", "ReadStorageFileAttr", "UpdateStorageFileAttr",
	"GetFileSubscription", "SetFileSubscription",
	/* lists */
	"ReadSubscribers", "GetSubscriberInfo", "ProcessBounce",
	/* web mail and other sessions */
	"FindWebUserSession", "CreateXIMSSSession", "GetSession", "KillSession",
	"BlessSession",
	/* calls */
	"StartPBXTask", "SendTaskEvent", "KillNode", "ReadNodeStatus",
	"GetDialogInfo", "CreateDomainPBX", "ListDomainPBXFiles",
	"ReadDomainPBXFile", "StoreDomainPBXFile", "DeleteDomainPBXFile",
	"CreateServerPBX", "ListServerPBXFiles", "ReadServerPBXFile",
	"StoreServerPBXFile", "DeleteServerPBXFile", "ListStockPBXFiles",
	"ReadStockPBXFile", "CreateClusterPBX", "ListClusterPBXFiles",
	"ReadClusterPBXFile", "StoreClusterPBXFile", "DeleteClusterPBXFile",
	/* the server */
	"GetSignalSettings", "SetSignalSettings", "GetMediaServerSettings",
	"SetMediaServerSettings", "GetSessionSettings", "SetSessionSettings",
	"GetClusterSettings", "SetClusterSettings", "UpdateClusterSettings",
	"GetNetwork", "SetNetwork", "GetClusterNetwork", "SetClusterNetwork",
	"GetDNRSettings", "SetDNRSettings", "GetServerMailRules",
	"SetServerMailRules", "GetServerSignalRules", "SetServerSignalRules",
	"GetClusterMailRules", "SetClusterMailRules", "GetClusterSignalRules",
	"SetClusterSignalRules", "GetClusterRouterSettings",
	"SetClusterRouterSettings", "UpdateClusterRouterSettings",
	"GetServerIntercept", "SetServerIntercept", "GetClusterIntercept",
	"SetClusterIntercept", "GetLANIPs", "SetLANIPs", "GetClusterLANIPs",
	"SetClusterLANIPs", "GetNATedIPs", "SetNATedIPs", "GetClusterNATedIPs",
	"SetClusterNATedIPs", "GetNATSiteIPs", "SetNATSiteIPs",
	"GetClusterNATSiteIPs", "SetClusterNATSiteIPs", "GetDebugIPs",
	"SetDebugIPs", "GetClusterDebugIPs", "SetClusterDebugIPs",
	"GetDeniedIPs", "SetDeniedIPs", "GetClusterDeniedIPs",
	"SetClusterDeniedIPs", "SetTempBlacklistedIPs", "GetIPState",
	"GetStatElement", "SetStatElement", "GetNextStatName",
	"GetServerSettings", "UpdateServerSettings", "GetMessageQueueInfo",
	"RejectQueueMessages", "GetCurrentController", "SetLogAll",
	"DumpAllObjects", "SetTrace", "TestLoop",
	/* the Directory */
	"ListDirectoryUnits", "CreateDirectoryUnit", "RelocateDirectoryUnit",
	"DeleteDirectoryUnit", "GetDirectoryUnit", "SetDirectoryUnit",
	"GetDirectoryAccessRights", "SetDirectoryAccessRights"
};

/* In the table's spelling; NULL: there is such a command, or no such name. */
static const char *
to_come(struct str name)
{
	const struct cli_cmd *c = cli_find(name);
	size_t i;

	if (c != NULL)
		return c->owner == PROC_MAX ? c->name : NULL;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_caseeq(name, names[i]))
			return names[i];
	return NULL;
}

const char *
cli_unavailable(struct str name)
{
	const char *s = to_come(name);

	if (s == NULL)
		return NULL;
	return strstr(s, "Cluster") != NULL ?
	    "this server is not a member of a Dynamic Cluster" :
	    "this command is not available yet";
}
