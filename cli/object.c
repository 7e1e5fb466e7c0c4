/*
 * The command table: groups, forwarders and alerts.  Data only; see cli.h for
 * the patterns.  Runs in pwdd and cgctl.
 */
#include "cli.h"

#define ADMIN	"Users, or a Domain Administrator"
#define GROUPS	"Users, or CanCreateGroups"
#define FORWARD	"Users, or CanCreateForwarders"
#define ALERTS	"Users, or CanPostAlerts"

const struct cli_cmd cli_object[] = {
	{ "ListGroups", NULL, "[domainName]", PROC_ROUTERD, ADMIN,
	    "names of a domain's groups" },
	{ "CreateGroup", NULL, "groupName [settings{}]", PROC_ROUTERD, GROUPS,
	    "makes a group" },
	{ "RenameGroup", NULL, "oldGroupName INTO newGroupName",
	    PROC_ROUTERD, GROUPS, "gives a group another name" },
	{ "DeleteGroup", NULL, "groupName", PROC_ROUTERD, GROUPS,
	    "removes a group" },
	{ "GetGroup", NULL, "groupName", PROC_ROUTERD, ADMIN,
	    "a group's settings and members" },
	{ "SetGroup", NULL, "groupName newSettings{}", PROC_ROUTERD, GROUPS,
	    "replaces a group's settings and members" },
	{ "ListForwarders", NULL, "[domainName]", PROC_ROUTERD, ADMIN,
	    "names of a domain's forwarders" },
	{ "CreateForwarder", NULL, "forwarderName TO address", PROC_ROUTERD,
	    FORWARD, "makes a name that sends mail elsewhere" },
	{ "RenameForwarder", NULL, "oldForwarderName INTO newForwarderName",
	    PROC_ROUTERD, FORWARD, "gives a forwarder another name" },
	{ "DeleteForwarder", NULL, "forwarderName", PROC_ROUTERD, FORWARD,
	    "removes a forwarder" },
	{ "GetForwarder", NULL, "forwarderName", PROC_ROUTERD, ADMIN,
	    "where a forwarder sends mail" },
	{ "FindForwarders", NULL, "domainName TO address", PROC_ROUTERD, ADMIN,
	    "forwarders of a domain that lead to an address" },
	{ "GetDomainAlerts", "gtalrt", "[domainName]", PROC_AUTHD, ALERTS,
	    "a domain's alerts" },
	{ "SetDomainAlerts", "stalrt", "[domainName] newAlerts{}", PROC_AUTHD,
	    ALERTS, "replaces a domain's alerts" },
	{ "PostDomainAlert", NULL, "[domainName ALERT] newAlert", PROC_AUTHD,
	    ALERTS, "shows a text to all users of a domain" },
	{ "RemoveDomainAlert", NULL, "[domainName ALERT] timeStamp", PROC_AUTHD,
	    ALERTS, "takes an alert back" },
	{ "GetAccountAlerts", NULL, "accountName", PROC_AUTHD, ALERTS,
	    "alerts that an account has not seen yet" },
	{ "SetAccountAlerts", NULL, "accountName newAlerts{}", PROC_AUTHD,
	    ALERTS, "replaces an account's alerts" },
	{ "PostAccountAlert", NULL, "accountName ALERT newAlert", PROC_AUTHD,
	    ALERTS, "shows a text to a user" },
	{ "RemoveAccountAlert", NULL, "accountName ALERT timeStamp",
	    PROC_AUTHD, ALERTS, "takes an alert back" },
	{ "GetServerAlerts", NULL, "", PROC_AUTHD, "Users",
	    "alerts of the whole server" },
	{ "SetServerAlerts", NULL, "newAlerts{}", PROC_AUTHD, "Users",
	    "replaces the server's alerts" },
	{ "PostServerAlert", NULL, "newAlert", PROC_AUTHD, "Users",
	    "shows a text to all users" },
	{ "RemoveServerAlert", NULL, "timeStamp", PROC_AUTHD, "Users",
	    "takes a server alert back" },
	{ "GetClusterAlerts", NULL, "", PROC_MAX, "Users",
	    "alerts of the cluster" },
	{ "SetClusterAlerts", NULL, "newAlerts{}", PROC_MAX, "Users",
	    "replaces the cluster's alerts" },
	{ "PostClusterAlert", NULL, "newAlert", PROC_MAX, "Users",
	    "shows a text to all users of the cluster" },
	{ "RemoveClusterAlert", NULL, "timeStamp", PROC_MAX, "Users",
	    "takes a cluster alert back" },
	{ .name = NULL }
};
