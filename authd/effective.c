/*
 * What is in force for an account: its own setting, else its service class's,
 * else the domain's default, else the server's, else the table's.  Runs in
 * authd; only looks things up.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "addr.h"
#include "authd.h"
#include "idn.h"
#include "iplist.h"
#include "log.h"
#include "settings.h"

static struct iplist *clients;

/* Unset, and set to "default", are one thing (manual 17). */
static const struct val *
set_value(const struct val *dict, const char *name)
{
	const struct val *v = dict_get(dict, name);

	return settings_is_default(v) ? NULL : v;
}

const struct val *
domain_setting(const char *domain, const char *name)
{
	const struct val *v;

	v = set_value(dict_get(dict_get(proc_settings(), "Domains"), domain),
	    name);
	if (v != NULL || settings_find("Domain", name) == NULL)
		return v;
	return settings_value(proc_settings(), "Domain", name);
}

void
account_log(int level, const char *name, const char *fmt, ...)
{
	int64_t most = LOG_PROBLEM;
	char tag[256], text[1024];
	va_list ap;

	(void)val_int(domain_setting(strrchr(name, '@') + 1,
	    "AccountsLogLevel"), &most);
	if (level > most && !dict_bool(proc_conf()->conf, "LogAll", false))
		return;
	snprintf(tag, sizeof(tag), "ACCOUNT(%s)", name);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_always(level, tag, "%s", text);
}

const char *
domain_real(const char *name)
{
	static char ascii[ADDR_MAXDOMAIN + 1];
	struct buf b;

	if (!utf8_is_ascii(str_make(name))) {
		buf_init(&b, sizeof(ascii));
		if (idn_ascii(&b, str_make(name)) && str_copy(
		    (struct str){ b.p, b.len }, ascii, sizeof(ascii)))
			name = ascii;
		buf_free(&b);
	}
	return dict_str(dict_get(proc_settings(), "DomainAliases"), name,
	    name);
}

/* What the account's class of services sets, or NULL. */
static const struct val *
class_settings(const struct val *settings, const char *domain)
{
	const struct val *defaults = domain_setting(domain, "AccountDefaults");
	const struct val *all = dict_get(proc_settings(), "Account");
	const struct val *v, *class;
	const char *name;

	if ((v = set_value(settings, "ServiceClass")) == NULL &&
	    (v = set_value(defaults, "ServiceClass")) == NULL)
		v = set_value(all, "ServiceClass");
	if (v == NULL || (name = val_text(v)) == NULL || *name == '\0')
		return NULL;
	class = dict_get(dict_get(defaults, "ServiceClasses"), name);
	return class != NULL ? class :
	    dict_get(dict_get(all, "ServiceClasses"), name);
}

const struct val *
effective(const struct val *settings, const char *domain, const char *name)
{
	const struct val *v;

	if ((v = set_value(settings, name)) != NULL ||
	    (v = set_value(class_settings(settings, domain), name)) != NULL)
		return v;
	v = set_value(domain_setting(domain, "AccountDefaults"), name);
	if (v != NULL)
		return v;
	if (settings_find("Account", name) == NULL)
		return set_value(dict_get(proc_settings(), "Account"), name);
	return settings_value(proc_settings(), "Account", name);
}

const char *
effective_text(const struct val *settings, const char *domain,
    const char *name)
{
	const struct val *v = effective(settings, domain, name);
	const char *text = v != NULL ? val_text(v) : NULL;

	return text != NULL ? text : "";
}

bool
effective_bool(const struct val *settings, const char *domain,
    const char *name)
{
	static const char *const yes[] = { "YES", "True", "1", "Enabled" };
	const char *text = effective_text(settings, domain, name);
	size_t i;

	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (strcasecmp(text, yes[i]) == 0)
			return true;
	return false;
}

/* Adds what dict has and all has not. */
static void
fill(struct val *all, const struct val *dict)
{
	size_t i;

	for (i = 0; i < val_count(dict); i++)
		if (dict_get(all, val_key(dict, i)) == NULL &&
		    set_value(dict, val_key(dict, i)) != NULL)
			dict_set(all, val_key(dict, i),
			    val_copy(val_at(dict, i)));
}

struct val *
effective_all(const struct val *settings, const char *domain)
{
	const struct val *v;
	struct val *all;
	size_t i;

	if ((all = val_dict()) == NULL)
		return NULL;
	fill(all, settings);
	fill(all, class_settings(settings, domain));
	fill(all, domain_setting(domain, "AccountDefaults"));
	fill(all, dict_get(proc_settings(), "Account"));
	for (i = 0; i < settings_count; i++) {
		if (strcmp(settings_table[i].module, "Account") != 0 ||
		    dict_get(all, settings_table[i].name) != NULL)
			continue;
		v = settings_value(proc_settings(), "Account",
		    settings_table[i].name);
		if (v != NULL)
			dict_set(all, settings_table[i].name, val_copy(v));
	}
	return all;
}

/*
 * Enabled services: All, None, one name, or an array of names, which may
 * begin with a number (a vendor's count).
 */
static bool
modes_have(const struct val *modes, const char *service)
{
	const char *text;
	size_t i;

	if (modes == NULL)
		return true;
	if ((text = val_text(modes)) != NULL)
		return strcasecmp(text, "All") == 0 ||
		    strcasecmp(text, service) == 0;
	for (i = 0; i < val_count(modes); i++) {
		text = val_text(val_at(modes, i));
		if (text != NULL && (strcasecmp(text, service) == 0 ||
		    strcasecmp(text, "All") == 0))
			return true;
	}
	return false;
}

bool
service_enabled(const struct val *settings, const char *domain,
    const char *service)
{
	return modes_have(effective(settings, domain, "AccessModes"),
		   service) &&
	    modes_have(domain_setting(domain, "DomainAccessModes"), service);
}

const char *
main_domain(void)
{
	const char *name;

	name = dict_str(dict_get(proc_settings(), "Main"), "DomainName", "");
	return *name != '\0' ? name : proc_conf()->hostname;
}

void
effective_settings_changed(void)
{
	const char *text;
	int line;

	iplist_free(clients);
	clients = NULL;
	text = dict_str(dict_get(proc_settings(), "Protection"), "ClientIPs",
	    "");
	if (*text == '\0')
		return;
	if ((clients = iplist_parse(text, &line)) == NULL)
		log_warnx("Client IP Addresses: line %d makes no sense", line);
}

bool
is_client_ip(const char *peer)
{
	return *peer == '\0' || ip_is_loopback(peer) ||
	    (clients != NULL && iplist_has(clients, peer));
}
