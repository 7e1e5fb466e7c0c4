/*
 * smtpd, role receive: its place among the processes, and its settings.  See
 * README; what a client says is command.c's.
 */
#include <string.h>

#include "front.h"
#include "iplist.h"
#include "log.h"
#include "settings.h"
#include "smtpd.h"

struct smtp_conf smtp_conf;

static void
set_addresses(const struct val *all, const char *name, struct iplist **to)
{
	struct iplist *list;
	int line;

	list = iplist_parse(settings_text(all, "Protection", name), &line);
	if (list == NULL) {
		log_warnx("%s: line %d makes no sense", name, line);
		return;
	}
	iplist_free(*to);
	*to = list;
}

static void
add_rbl(struct str row, void *arg)
{
	struct rbls *r = arg;

	if (r->n == RBL_MAX || !rbl_parse(&r->v[r->n], row))
		log_warnx("RBLServers: %.*s is not used", (int)row.len, row.p);
	else
		r->n++;
}

static void
set_rbls(const struct val *all)
{
	struct rbls *r = &smtp_conf.rbls;

	while (r->n > 0)
		rbl_free(&r->v[--r->n]);
	if (settings_bool(all, "Protection", "UseRBL"))
		rows_each(settings_value(all, "Protection", "RBLServers"),
		    add_rbl, r);
}

static const struct val *
names(const struct val *all, const char *use, const char *table)
{
	return settings_bool(all, "Protection", use) ?
	    settings_value(all, "Protection", table) : NULL;
}

static enum smtp_whom
whom(const struct val *all, const char *name)
{
	const char *word = settings_text(all, "SMTP", name);

	if (strcmp(word, "Nobody") == 0)
		return WHOM_NOBODY;
	return strcmp(word, "NonClients") == 0 ? WHOM_NONCLIENTS :
	    WHOM_EVERYBODY;
}

bool
smtp_is_for(const struct smtp *s, enum smtp_whom whom)
{
	return whom == WHOM_EVERYBODY ||
	    (whom == WHOM_NONCLIENTS && !s->client);
}

static void
settings(const struct val *all)
{
	struct smtp_conf *c = &smtp_conf;
	int64_t size;

	front_settings(all);
	abuse_settings(all);
	ban_settings(all);
	set_addresses(all, "ClientIPs", &c->clients);
	set_addresses(all, "BlackListIPs", &c->black);
	set_addresses(all, "WhiteHoleIPs", &c->white);
	set_rbls(all);
	c->client_names = names(all, "ClientByName", "ClientNames");
	c->black_names = names(all, "BlackListByName", "BlackListNames");
	c->white_names = names(all, "WhiteHoleByName", "WhiteHoleNames");
	size = settings_int(all, "SMTP", "MaxMessageSize");
	c->max_size = size > 0 ? size : 0;
	c->max_rcpts = settings_int(all, "SMTP", "MaxRecipients");
	c->max_errors = settings_int(all, "SMTP", "MaxErrors");
	c->max_hops = settings_int(all, "SMTP", "MaxHops");
	c->timeout = settings_int(all, "SMTP", "InputTimeout");
	c->advertise_8bit = whom(all, "Advertise8BITMIME");
	c->advertise_auth = whom(all, "AdvertiseAUTH");
	c->force_auth = whom(all, "ForceAUTH");
	c->roaming = settings_int(all, "Protection", "TempClientTime") > 0;
	c->verify = whom(all, "VerifyReturnPath");
	c->reverse = whom(all, "ReverseConnect");
	c->wake_all = strcmp(settings_text(all, "SMTP", "AcceptWakeupsFrom"),
	    "Everybody") == 0;
}

static void
init(const struct proc_conf *conf)
{
	front_init(&smtp_front);
}

static void
peer_up(enum proc_id id, int instance, struct ipc *ipc)
{
	if (id == PROC_ROUTERD)
		abuse_routerd_up(ipc);
}

static void
peer_down(enum proc_id id, int instance, struct ipc *ipc)
{
	if (id == PROC_QUEUED)
		smtp_queued_down();
}

static const struct ipc_disp from_routerd[] = {
	{ IPC_TEMP_BLACK,	abuse_told },
	{ IPC_NONE, NULL }
};

static const struct ipc_disp from_queued[] = {
	{ IPC_SERVE, turned_serve },
	{ IPC_NONE, NULL }
};

static const struct ipc_disp none[] = {
	{ IPC_NONE, NULL }
};

int
main(int argc, char **argv)
{
	static const struct proc_def def = {
		.name = "smtpd",
		.tag = "SMTPI",
		.id = PROC_SMTPD,
		.sandbox = {
			.allow = SB_ACCEPT | SB_SOCKETPAIR,
			.empty_root = true,
			.noproc = true
		},
		.peers = {
			[PROC_AUTHD] = front_authd_disp,
			[PROC_ROUTERD] = from_routerd,
			[PROC_SENDER] = none,
			[PROC_QUEUED] = from_queued
		},
		.init = init,
		.settings = settings,
		.peer_up = peer_up,
		.peer_down = peer_down,
		FRONT_CALLS
	};

	return proc_run(argc, argv, &def);
}
