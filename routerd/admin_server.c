/*
 * Commands over the server's settings: modules, Router, IP address lists,
 * domain and account defaults.  Runs in routerd.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "router.h"
#include "settings.h"

static bool
need(struct command *c, const char *right)
{
	if (may(&c->who, right) || (strcmp(right, "Users") == 0 &&
	    may_domains(&c->who)))
		return true;
	answer(c, 501, "you have no right to do that");
	return false;
}

/* What is in force: defaults, what is set, and which values are pinned. */
static void
get_module(struct command *c, const char *module)
{
	const struct val *pins = config_pinned(module), *set;
	struct val *v, *list;
	size_t i;

	v = config_file(module) != NULL ? val_copy(config_file(module)) :
					  val_dict();
	for (i = 0; i < settings_count; i++)
		if (strcmp(settings_table[i].module, module) == 0 &&
		    dict_get(v, settings_table[i].name) == NULL &&
		    (set = settings_value(merged, module,
		    settings_table[i].name)) != NULL)
			dict_set(v, settings_table[i].name, val_copy(set));
	if (pins != NULL && val_count(pins) > 0) {
		list = val_array();
		for (i = 0; i < val_count(pins); i++) {
			dict_set(v, val_key(pins, i),
			    val_copy(val_at(pins, i)));
			val_append(list, val_string(val_key(pins, i)));
		}
		dict_set(v, "Pinned", list);
	}
	answer_val(c, v);
}

static void
set_module(struct command *c, const char *module, const struct val *v)
{
	struct val *new = val_copy(v);
	const char *err;

	dict_set(new, "Pinned", NULL);		/* as get_module showed it */
	if ((err = config_store(module, new)) == NULL)
		log_msg(LOG_MAJOR, "%s settings changed by %s", module,
		    c->who.account);
	answer_err(c, err);
	val_free(new);
}

static void
update_module(struct command *c, const char *module, const struct val *v)
{
	struct val *new = config_update(config_file(module), v);

	set_module(c, module, new);
	val_free(new);
}

/* What accounts and domains have is not the server's own (manual 04b). */
static const char *
right_for(const char *module)
{
	static const char *const users[] = { "Account", "Domain", "Template" };
	size_t i;

	for (i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		if (module != NULL && strcmp(module, users[i]) == 0)
			return "Users";
	return "Settings";
}

static bool
is_module_to_come(const char *name)
{
	static const char *const later[] = { "ACAP", "FTP", "HTTP", "HTTPA",
		"HTTPU", "LDAP", "LIST", "MAPI", "PIPE", "RADIUS", "RPOP",
		"SIP", "SNMP", "TFTP", "XIMSS", "XMPP" };
	size_t i;

	for (i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		if (strcasecmp(later[i], name) == 0)
			return true;
	return false;
}

static const char *
named_module(struct command *c)
{
	const char *module = config_module(arg_text(c, 0));

	if (!need(c, right_for(module)))
		return NULL;
	if (module == NULL)
		answer(c, 501, is_module_to_come(arg_text(c, 0)) ?
		    "this module is not available yet" : "unknown module");
	return module;
}

static void
do_get_module(struct command *c)
{
	const char *module = named_module(c);

	if (module != NULL)
		get_module(c, module);
}

static void
do_set_module(struct command *c)
{
	const char *module = named_module(c);

	if (module != NULL)
		set_module(c, module, arg_val(c, 1, VAL_DICT));
}

static void
do_update_module(struct command *c)
{
	const char *module = named_module(c);

	if (module != NULL)
		update_module(c, module, arg_val(c, 1, VAL_DICT));
}

/* One text of a module: the Routing Table, a list of addresses. */
static void
get_text(struct command *c, const char *module, const char *name)
{
	const struct val *v;

	if (!need(c, "Settings"))
		return;
	v = settings_value(merged, module, name);
	answer_val(c, v != NULL ? val_copy(v) : val_string(""));
}

static void
set_text(struct command *c, const char *module, const char *name)
{
	struct val *v = val_dict();

	dict_set(v, name, val_string(arg_text(c, 0)));
	update_module(c, module, v);
	val_free(v);
}

static void
do_get_router_table(struct command *c)
{
	get_text(c, "Router", "Table");
}

static void
do_set_router_table(struct command *c)
{
	if (need(c, "Settings"))
		set_text(c, "Router", "Table");
}

static void
set_ips(struct command *c, const char *name)
{
	if (need(c, "Settings"))
		set_text(c, "Protection", name);
}

static void
do_get_client_ips(struct command *c)
{
	get_text(c, "Protection", "ClientIPs");
}

static void
do_set_client_ips(struct command *c)
{
	set_ips(c, "ClientIPs");
}

static void
do_get_black_ips(struct command *c)
{
	get_text(c, "Protection", "BlackListIPs");
}

static void
do_set_black_ips(struct command *c)
{
	set_ips(c, "BlackListIPs");
}

static void
do_get_white_ips(struct command *c)
{
	get_text(c, "Protection", "WhiteHoleIPs");
}

static void
do_set_white_ips(struct command *c)
{
	set_ips(c, "WhiteHoleIPs");
}

static void
do_get_protection(struct command *c)
{
	if (need(c, "Settings"))
		get_module(c, "Protection");
}

static void
do_set_protection(struct command *c)
{
	if (need(c, "Settings"))
		set_module(c, "Protection", arg_val(c, 0, VAL_DICT));
}

static void
do_get_banned(struct command *c)
{
	if (need(c, "Settings"))
		get_module(c, "Banned");
}

static void
do_set_banned(struct command *c)
{
	if (need(c, "Settings"))
		set_module(c, "Banned", arg_val(c, 0, VAL_DICT));
}

static void
do_get_router(struct command *c)
{
	if (need(c, "Settings"))
		get_module(c, "Router");
}

static void
do_set_router(struct command *c)
{
	if (need(c, "Settings"))
		set_module(c, "Router", arg_val(c, 0, VAL_DICT));
}

static void
do_update_router(struct command *c)
{
	if (need(c, "Settings"))
		update_module(c, "Router", arg_val(c, 0, VAL_DICT));
}

static void
do_get_queue(struct command *c)
{
	if (need(c, "Settings"))
		get_module(c, "Queue");
}

static void
do_set_queue(struct command *c)
{
	if (need(c, "Settings"))
		set_module(c, "Queue", arg_val(c, 0, VAL_DICT));
}

static void
do_get_log(struct command *c)
{
	if (need(c, "Settings"))
		get_module(c, "Log");
}

static void
do_update_log(struct command *c)
{
	if (need(c, "Settings"))
		update_module(c, "Log", arg_val(c, 0, VAL_DICT));
}

static void
do_get_domain_defaults(struct command *c)
{
	if (need(c, "Users"))
		get_module(c, "Domain");
}

static void
do_set_domain_defaults(struct command *c)
{
	if (need(c, "Users"))
		set_module(c, "Domain", arg_val(c, 0, VAL_DICT));
}

static void
do_update_domain_defaults(struct command *c)
{
	if (need(c, "Users"))
		update_module(c, "Domain", arg_val(c, 0, VAL_DICT));
}

static void
do_get_all_defaults(struct command *c)
{
	if (need(c, "Users"))
		get_module(c, "Account");
}

static void
do_set_all_defaults(struct command *c)
{
	if (need(c, "Users"))
		set_module(c, "Account", arg_val(c, 0, VAL_DICT));
}

static void
do_update_all_defaults(struct command *c)
{
	if (need(c, "Users"))
		update_module(c, "Account", arg_val(c, 0, VAL_DICT));
}

static void
do_route(struct command *c)
{
	struct route_query q = { .address = arg_text(c, 0), .peer = "",
		.local = "", .account = c->who.account };
	struct route_answer a;
	struct val *v;

	if (!may(&c->who, "Settings") && !need(c, "Users"))
		return;
	q.access = strcasecmp(arg_text(c, 1), "access") == 0;
	q.signal = strcasecmp(arg_text(c, 1), "signal") == 0;
	if (strlen(q.address) > 1024) {
		answer(c, 501, "the address is too long");
		return;
	}
	route_address(&env, &q, &a);
	if (a.code != 0) {
		answer(c, 501, a.text);
		return;
	}
	v = val_array();
	val_append(v, val_string(a.module));
	val_append(v, val_string(a.host));
	val_append(v, val_string(a.address));
	answer_val(c, v);
}

static void
do_refresh(struct command *c)
{
	if (need(c, "Settings"))
		own_refresh(c);
}

const struct verb verbs_server[] = {
	{ "RefreshOSData", do_refresh },
	{ "GetModule", do_get_module },
	{ "SetModule", do_set_module },
	{ "UpdateModule", do_update_module },
	{ "GetRouterTable", do_get_router_table },
	{ "SetRouterTable", do_set_router_table },
	{ "GetRouterSettings", do_get_router },
	{ "SetRouterSettings", do_set_router },
	{ "UpdateRouterSettings", do_update_router },
	{ "GetClientIPs", do_get_client_ips },
	{ "SetClientIPs", do_set_client_ips },
	{ "GetBlacklistedIPs", do_get_black_ips },
	{ "SetBlacklistedIPs", do_set_black_ips },
	{ "GetWhiteHoleIPs", do_get_white_ips },
	{ "SetWhiteHoleIPs", do_set_white_ips },
	{ "GetProtection", do_get_protection },
	{ "SetProtection", do_set_protection },
	{ "GetBanned", do_get_banned },
	{ "SetBanned", do_set_banned },
	{ "GetQueueSettings", do_get_queue },
	{ "SetQueueSettings", do_set_queue },
	{ "GetLogSettings", do_get_log },
	{ "UpdateLogSettings", do_update_log },
	{ "GetDomainDefaults", do_get_domain_defaults },
	{ "SetDomainDefaults", do_set_domain_defaults },
	{ "UpdateDomainDefaults", do_update_domain_defaults },
	{ "GetAllAccountsDefaults", do_get_all_defaults },
	{ "SetAllAccountsDefaults", do_set_all_defaults },
	{ "UpdateAllAccountsDefaults", do_update_all_defaults },
	{ "GetServerAccountDefaults", do_get_all_defaults },
	{ "SetServerAccountDefaults", do_set_all_defaults },
	{ "UpdateServerAccountDefaults", do_update_all_defaults },
	{ "Route", do_route },
	{ NULL, NULL }
};
