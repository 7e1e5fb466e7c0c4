/*
 * Access.settings: which account was granted which rights, a file a domain.
 * Runs in authd, its only writer, so files once read are kept.  Server rights
 * count in the main domain's file only (manual 25).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "authd.h"
#include "file.h"
#include "log.h"
#include "settings.h"

enum { FILES_MAX = 1024, ACCESS_MAX = 4 * 1024 * 1024 };

enum kind {
	SERVER,		/* good everywhere */
	DOMAIN,		/* domain settings and objects */
	ACCOUNT		/* the account setting of that name may be changed */
};

/* Manual 04b, in its order. */
static const struct right {
	const char	*name;
	enum kind	 kind;
} rights[] = {
	{ "Master", SERVER },
	{ "Settings", SERVER },
	{ "Users", SERVER },
	{ "DomainsRead", SERVER },
	{ "Monitors", SERVER },
	{ "Directory", SERVER },
	{ "DomainAccessModes", DOMAIN },
	{ "AutoSignup", DOMAIN },
	{ "ExternalOnProvision", DOMAIN },
	{ "TrailerText", DOMAIN },
	{ "WebBanner", DOMAIN },
	{ "WebSitePrefix", DOMAIN },
	{ "Foldering", DOMAIN },
	{ "FolderIndex", DOMAIN },
	{ "RenameInPlace", DOMAIN },
	{ "AllWithForwarders", DOMAIN },
	{ "MailToAllAction", DOMAIN },
	{ "ExternalOnUnknown", DOMAIN },
	{ "MailToUnknown", DOMAIN },
	{ "MailRerouteAddress", DOMAIN },
	{ "SignalToUnknown", DOMAIN },
	{ "SignalRerouteAddress", DOMAIN },
	{ "AccessToUnknown", DOMAIN },
	{ "AccessRerouteAddress", DOMAIN },
	{ "CentralDirectory", DOMAIN },
	{ "CertificateType", DOMAIN },
	{ "KerberosKeys", DOMAIN },
	{ "RelayAddress", DOMAIN },
	{ "ForceSMTPAuth", DOMAIN },
	{ "recipientStatus", DOMAIN },
	{ "ServiceClasses", DOMAIN },
	{ "CanCreateAccounts", DOMAIN },
	{ "CanCreateSpecialAccounts", DOMAIN },
	{ "CanCreateGroups", DOMAIN },
	{ "CanCreateForwarders", DOMAIN },
	{ "CanCreateNamedTasks", DOMAIN },
	{ "CanCreateLists", DOMAIN },
	{ "CanAccessLists", DOMAIN },
	{ "CanCreateAliases", DOMAIN },
	{ "CanCreateTelnums", DOMAIN },
	{ "CanPostAlerts", DOMAIN },
	{ "CanAdminSubDomains", DOMAIN },
	{ "CanModifySkins", DOMAIN },
	{ "CanModifyPBXApps", DOMAIN },
	{ "CanModifyRules", DOMAIN },
	{ "CanModifyRPOP", DOMAIN },
	{ "CanAccessMailboxes", DOMAIN },
	{ "CanAccessWebSites", DOMAIN },
	{ "CanControlCalls", DOMAIN },
	{ "CanCreateWebUserSessions", DOMAIN },
	{ "CanImpersonate", DOMAIN },
	{ "CanControlAirSync", DOMAIN },
	{ "CanCreditAccounts", DOMAIN },
	{ "CanChargeAccounts", DOMAIN },
	{ "CanChargeReserves", DOMAIN },
	{ "BasicSettings", DOMAIN },
	{ "PSTNSettings", DOMAIN },
	{ "WebUserSettings", DOMAIN },
	{ "ServiceClass", ACCOUNT },
	{ "UseAppPassword", ACCOUNT },
	{ "PWDAllowed", ACCOUNT },
	{ "PasswordEncryption", ACCOUNT },
	{ "RequireAPOP", ACCOUNT },
	{ "UseKerberosPassword", ACCOUNT },
	{ "UseCertificateAuth", ACCOUNT },
	{ "UseSysPassword", ACCOUNT },
	{ "OSUserName", ACCOUNT },
	{ "UseExtPassword", ACCOUNT },
	{ "LogLogin", ACCOUNT },
	{ "FailedLoginFlows", ACCOUNT },
	{ "AccessModes", ACCOUNT },
	{ "MailInpFlow", ACCOUNT },
	{ "MailOutFlow", ACCOUNT },
	{ "MaxMessageSize", ACCOUNT },
	{ "MaxMailOutSize", ACCOUNT },
	{ "MailToAll", ACCOUNT },
	{ "AddMailTrailer", ACCOUNT },
	{ "QuotaNotice", ACCOUNT },
	{ "QuotaAlert", ACCOUNT },
	{ "QuotaSuspend", ACCOUNT },
	{ "RulesAllowed", ACCOUNT },
	{ "RPOPAllowed", ACCOUNT },
	{ "MaxAccountSize", ACCOUNT },
	{ "MaxMessages", ACCOUNT },
	{ "MaxMailboxes", ACCOUNT },
	{ "DefaultMailboxType", ACCOUNT },
	{ "MaxSignalContacts", ACCOUNT },
	{ "SignalRulesAllowed", ACCOUNT },
	{ "CallsLimit", ACCOUNT },
	{ "CallLogs", ACCOUNT },
	{ "DialogInfo", ACCOUNT },
	{ "CallInpFlow", ACCOUNT },
	{ "CallOutFlow", ACCOUNT },
	{ "RSIPAllowed", ACCOUNT },
	{ "AirSyncAllowed", ACCOUNT },
	{ "MaxRosterItems", ACCOUNT },
	{ "IMLogs", ACCOUNT },
	{ "NotifyOutFlow", ACCOUNT },
	{ "MaxWebSize", ACCOUNT },
	{ "MaxFileSize", ACCOUNT },
	{ "MaxWebFiles", ACCOUNT },
	{ "AddWebBanner", ACCOUNT },
	{ "DefaultWebPage", ACCOUNT },
	{ NULL, SERVER }
};

/* Older names, and settings whose right is called otherwise. */
static const struct {
	const char	*old, *name;
} synonyms[] = {
	{ "Unlimited", "Master" },
	{ "AllDomains", "Users" },
	{ "Domains", "Users" },
	{ "Accounts", "Users" },
	{ "Monitor", "Monitors" },
	{ "Server", "Settings" },
	{ "ForceSMTPAUTH", "ForceSMTPAuth" },
	{ "FailedLoginFlow", "FailedLoginFlows" },
	{ NULL, NULL }
};

static struct val *files;	/* domain to its Access.settings */

static const struct right *
right_find(const char *name)
{
	const struct right *r;
	size_t i;

	for (i = 0; synonyms[i].old != NULL; i++)
		if (strcasecmp(synonyms[i].old, name) == 0)
			name = synonyms[i].name;
	for (r = rights; r->name != NULL; r++)
		if (strcasecmp(r->name, name) == 0)
			return r;
	return NULL;
}

const char *
rights_canonical(const char *name)
{
	const struct right *r = right_find(name);

	return r != NULL ? r->name : NULL;
}

bool
rights_is_server(const char *name)
{
	const struct right *r = right_find(name);

	return r != NULL && r->kind == SERVER;
}

bool
rights_setting(const struct val *held, const char *setting)
{
	const struct right *r = right_find(setting);
	const char *other = settings_right(setting);

	if (other != NULL)
		return dict_bool(held, other, false);
	if (r != NULL && r->kind == ACCOUNT)
		return dict_bool(held, r->name, false);
	if (strncasecmp(setting, "PSTN", 4) == 0)
		return dict_bool(held, "PSTNSettings", false);
	/* Password, RealName, custom ones; but not what else we know. */
	return dict_bool(held, "BasicSettings", false) &&
	    (strcmp(setting, "Password") == 0 ||
		settings_find("Account", setting) == NULL);
}

/* --- the files --- */

static bool
is_main(const char *domain)
{
	return strcasecmp(domain, main_domain()) == 0;
}

/* The directory that a domain's Access.settings is in. */
int
rights_dir(const char *domain)
{
	struct buf path;
	int fd = -1;

	buf_init(&path, 0);
	if (is_main(domain))
		buf_puts(&path, "Accounts/Settings");
	else
		buf_printf(&path, "Domains/%s/Settings", domain);
	if (!path.failed)
		fd = file_open_beneath(proc_basefd(), path.p,
		    O_RDONLY | O_DIRECTORY, 0);
	buf_free(&path);
	return fd;
}

/* NULL with errno ENOENT: there is none. */
static struct val *
read_access(const char *domain)
{
	const char *err = NULL;
	struct val *v = NULL;
	int dfd, fd, saved;

	if ((dfd = rights_dir(domain)) == -1)
		return NULL;
	fd = file_open_beneath(dfd, "Access.settings", O_RDONLY, 0);
	saved = errno;
	close(dfd);
	errno = saved;
	if (fd == -1)
		return NULL;
	v = val_read_fd(fd, &err);
	close(fd);
	if (v != NULL && val_type(v) == VAL_DICT)
		return v;
	val_free(v);
	log_warnx("%s: Access.settings cannot be read: %s", domain,
	    err != NULL ? err : "no dictionary");
	errno = EINVAL;
	return NULL;
}

/* From memory or disk; an absent file is an empty one. */
static const struct val *
access_of(const char *domain)
{
	struct val *v;

	if ((v = dict_get(files, domain)) != NULL)
		return v;
	if ((v = read_access(domain)) == NULL &&
	    (errno != ENOENT || (v = val_dict()) == NULL))
		return NULL;
	if (files != NULL && val_count(files) >= FILES_MAX)
		rights_forget();
	if (files == NULL && (files = val_dict()) == NULL) {
		val_free(v);
		return NULL;
	}
	return dict_set(files, domain, v) == 0 ? v : NULL;
}

void
rights_forget(void)
{
	val_free(files);
	files = NULL;
}

static char *
local_part(const char *account)
{
	return strndup(account, strcspn(account, "@"));
}

static void
grant(struct val *array, const char *name, bool is_main_domain)
{
	const struct right *r = name != NULL ? right_find(name) : NULL;

	if (r != NULL && (r->kind != SERVER || is_main_domain))
		val_append(array, val_string(r->name));
}

/* Files have (Master, ...); {Master=YES;} and one word are read as well. */
struct val *
rights_granted(const char *account, const char *domain)
{
	bool ismain = is_main(domain);
	const struct val *v = NULL;
	struct val *array;
	char *local;
	size_t i;

	if ((array = val_array()) == NULL)
		return NULL;
	if ((local = local_part(account)) != NULL)
		v = dict_get(access_of(domain), local);
	free(local);
	if (v == NULL)
		return array;
	switch (val_type(v)) {
	case VAL_ARRAY:
		for (i = 0; i < val_count(v); i++)
			grant(array, val_text(val_at(v, i)), ismain);
		break;
	case VAL_DICT:
		for (i = 0; i < val_count(v); i++)
			if (dict_bool(v, val_key(v, i), false))
				grant(array, val_key(v, i), ismain);
		break;
	default:
		grant(array, val_text(v), ismain);
		break;
	}
	return array;
}

bool
rights_has_server(const char *account, const char *domain)
{
	struct val *held = rights_granted(account, domain);
	bool has = held == NULL;
	size_t i;

	for (i = 0; i < val_count(held); i++)
		if (rights_is_server(val_text(val_at(held, i))))
			has = true;
	val_free(held);
	return has;
}

struct val *
rights_dict(const char *account, const char *domain, bool local)
{
	struct val *array, *dict;
	const struct right *r;
	size_t i;

	if ((dict = val_dict()) == NULL)
		return NULL;
	if (local) {
		dict_set(dict, "Master", val_string("YES"));
	} else if ((array = rights_granted(account, domain)) != NULL) {
		for (i = 0; i < val_count(array); i++)
			dict_set(dict, val_text(val_at(array, i)),
			    val_string("YES"));
		val_free(array);
	}
	if (!dict_bool(dict, "Master", false))
		return dict;
	for (r = rights; r->name != NULL && r->kind == SERVER; r++)
		dict_set(dict, r->name, val_string("YES"));
	return dict;
}

static int
write_access(const char *domain, struct val *v)
{
	int dfd, ret;

	if ((dfd = rights_dir(domain)) == -1)
		return -1;
	ret = val_write_file_alone(dfd, "Access.settings", 0600, v);
	close(dfd);
	if (ret == 0)
		dict_set(files, domain, v);
	return ret;
}

int
rights_set(const char *account, const char *domain, const struct val *array)
{
	const struct val *old = access_of(domain);
	struct val *v;
	char *local;

	if (old == NULL || (v = val_copy(old)) == NULL)
		return -1;
	if ((local = local_part(account)) == NULL) {
		val_free(v);
		return -1;
	}
	if (array == NULL && dict_get(v, local) == NULL) {
		free(local);
		val_free(v);
		return 0;
	}
	dict_set(v, local, array != NULL ? val_copy(array) : NULL);
	free(local);
	if (write_access(domain, v) == -1) {
		val_free(v);
		return -1;
	}
	return 0;
}

int
rights_rename(const char *account, const char *domain,
    const char *newaccount, const char *newdomain)
{
	struct val *array;
	int ret;

	if ((array = rights_granted(account, domain)) == NULL)
		return -1;
	/*
	 * Rights are for a domain: they do not move to another; nor does it
	 * get any that stand there under its new name.
	 */
	ret = rights_set(newaccount, newdomain, val_count(array) > 0 &&
	    strcmp(domain, newdomain) == 0 ? array : NULL);
	if (ret == 0)
		ret = rights_set(account, domain, NULL);
	val_free(array);
	return ret;
}

int
rights_first(void)
{
	struct val *v, *array;
	int ret;

	if ((v = read_access(main_domain())) != NULL) {
		val_free(v);
		return 0;
	}
	if (errno != ENOENT)
		return -1;
	if ((array = val_array()) == NULL)
		return -1;
	val_append(array, val_string("Master"));
	ret = rights_set("postmaster", main_domain(), array);
	val_free(array);
	return ret;
}
