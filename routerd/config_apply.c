/*
 * What the settings in force come to: how domains and the Router behave, and
 * telling everybody else, by cgserver.  Runs in routerd; writes no file.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "file.h"
#include "iplist.h"
#include "log.h"
#include "object.h"
#include "settings.h"

static struct buf told, wanted;		/* settings and listeners, as text */
static bool unseen;			/* nobody has asked whether they changed */

static enum unknown
unknown_mode(const char *text)
{
	static const struct {
		const char	*word;
		enum unknown	 mode;
	} words[] = {
		{ "Discard", UNKNOWN_DISCARD }, { "Rerouted", UNKNOWN_REROUTE },
		{ "Accept", UNKNOWN_ACCEPT }
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strncasecmp(text, words[i].word,
		    strlen(words[i].word)) == 0)
			return words[i].mode;
	return UNKNOWN_REJECT;
}

/* The domain's own value, or what is the default of all. */
const char *
domain_text(const struct domain *d, const char *name, const char *dflt)
{
	const struct val *v = dict_get(d->settings, name);

	return !settings_is_default(v) && val_text(v) != NULL ? val_text(v) :
	    dflt;
}

const struct val *
domain_setting(const struct domain *d, const char *name)
{
	const struct val *v = dict_get(d->settings, name);

	return settings_is_default(v) ?
	    settings_value(merged, "Domain", name) : v;
}

bool
domain_bool(const struct domain *d, const char *name)
{
	const char *text = domain_text(d, name, NULL);

	return text != NULL ? dict_bool(d->settings, name, false) :
	    settings_bool(merged, "Domain", name);
}

static enum toall
toall_mode(const struct domain *d)
{
	static const char *const words[] = { "anybody", "Clients",
		"Authenticated Users", "Authenticated Domain Users",
		"Authenticated Administrator", "nobody" };
	const char *text = domain_text(d, "MailToAllAction",
	    settings_text(merged, "Domain", "MailToAllAction"));
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(text, words[i]) == 0)
			return i;
	return TOALL_NOBODY;
}

static void
apply_domains(void)
{
	static const char *const mode[] = { "MailToUnknown",
		"AccessToUnknown" };
	static const char *const to[] = { "MailRerouteAddress",
		"AccessRerouteAddress" };
	int64_t limit = settings_int(merged, "Domain", "AccountsLimit");
	const char *dmode, *dto;
	struct domain *d;
	int i;

	for (d = names.first; d != NULL; d = d->next) {
		d->limit = dict_int(d->settings, "AccountsLimit", limit);
		d->consult = domain_bool(d, "ExternalOnUnknown");
		d->toall = toall_mode(d);
	}
	for (i = 0; i < 2; i++) {
		dmode = settings_text(merged, "Domain", mode[i]);
		dto = settings_text(merged, "Domain", to[i]);
		for (d = names.first; d != NULL; d = d->next) {
			d->unknown[i] = unknown_mode(domain_text(d, mode[i],
			    dmode));
			free(d->reroute[i]);
			d->reroute[i] = xstrdup(domain_text(d, to[i], dto));
		}
	}
}

static void
apply_router(void)
{
	const char *detail = settings_text(merged, "LOCAL", "AccountDetail");
	const char *from = settings_text(merged, "SMTP", "RelayToNonClients");
	const char *to = settings_text(merged, "SMTP", "RelayToClients");
	int line;

	table_free(env.table);
	env.table = table_parse_lax(settings_text(merged, "Router", "Table"),
	    "Routing Table");
	table_free(env.all_aliases);
	env.all_aliases = table_parse_lax(settings_text(merged, "Router",
	    "AllDomainAliases"), "All-Domain Aliases");
	iplist_free(env.clients);
	env.clients = iplist_parse(settings_text(merged, "Protection",
	    "ClientIPs"), &line);
	if (env.clients == NULL)
		log_msg(LOG_PROBLEM, "Client IP Addresses, line %d: not "
		    "understood; the list is not used", line);
	free(env.add_domain);
	env.add_domain = xstrdup(settings_text(merged, "Router", "AddDomain"));
	free(env.forward);
	env.forward = xstrdup(settings_text(merged, "SMTP", "ForwardTo"));
	temp_apply();
	env.direct_mailbox = settings_bool(merged, "LOCAL", "DirectMailbox");
	env.detail = strcasecmp(detail, "Disabled") == 0 ? DETAIL_OFF :
	    strcasecmp(detail, "Direct Mailbox") == 0 ? DETAIL_MAILBOX :
							DETAIL_ON;
	env.wake_all = strcmp(settings_text(merged, "SMTP",
	    "AcceptWakeupsFrom"), "Everybody") == 0;
	env.relay_from = strcmp(from, "Nobody") == 0 ? RELAY_NOBODY :
	    strcmp(from, "Everybody") == 0 ? RELAY_EVERYBODY : RELAY_CLIENTS;
	env.relay_backup = settings_bool(merged, "SMTP", "RelayToBackup");
	env.any_clients = *settings_text(merged, "Protection",
	    "ClientIPs") != '\0';
	env.relay_to = strcmp(to, "No") == 0 ? RELAY_TO_NO :
	    strcmp(to, "All") == 0 ? RELAY_TO_ALL : RELAY_TO_SIMPLE;
	if (!dict_bool(proc_conf()->conf, "LogAll", false))
		log_set_level(settings_int(merged, "Router", "LogLevel"));
}

bool
config_unseen(void)
{
	bool yes = unseen;

	unseen = false;
	return yes;
}

/* Everybody, by cgserver; what is as before is not sent again. */
static bool
tell(enum ipc_type type, const void *msg, const struct val *v,
    struct buf *last)
{
	struct buf text;
	int fd;

	buf_init(&text, 0);
	if (!val_write(&text, v, false) ||
	    (text.len == last->len && memcmp(text.p, last->p, text.len) == 0)) {
		buf_free(&text);
		return false;
	}
	fd = file_memfd(ipc_name(type), text.p, text.len);
	if (fd == -1)
		log_warn("%s", ipc_name(type));
	else
		ipc_send(proc_control(), type, 0, msg, fd);
	buf_free(last);
	*last = text;
	return true;
}

/* Ports = ({PortNumber=25;}, ...) of each module that listens. */
static struct val *
listeners(void)
{
	static const char *const modules[] = { "SMTP", "POP", "IMAP",
		"PWD" };
	struct val *want = val_dict();
	const struct val *ports;
	size_t i;

	for (i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		ports = dict_get(settings_value(merged, modules[i],
		    "Listener"), "Ports");
		dict_set(want, modules[i], ports != NULL ? val_copy(ports) :
		    val_array());
	}
	return want;
}

static void
tell_all(void)
{
	struct msg_ctl_settings m = {
		.level = settings_int(merged, "Main", "LogLevel")
	};
	struct msg_ctl_want w = { 0 };
	struct val *want = listeners();

	if (tell(IPC_CTL_SETTINGS, &m, merged, &told))
		unseen = true;
	tell(IPC_CTL_WANT, &w, want, &wanted);
	val_free(want);
}

void
config_apply(void)
{
	config_merge();
	apply_domains();
	apply_router();
	own_dns_ask();
	own_apply();
	index_apply();
	tell_all();
}
