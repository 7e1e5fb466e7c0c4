/*
 * authd: who may.  Owns account directories as such, account.settings,
 * Access.settings, passwords, login limits, grants and session tickets; runs
 * as _cgauth in the base directory.  This file is its main(): which peer may
 * say what, and what is done when it starts.  It must never tell anyone a
 * stored password, nor block on a peer.
 */
#include <stdlib.h>
#include <string.h>

#include "alerts.h"
#include "authd.h"
#include "extauth.h"
#include "log.h"
#include "settings.h"

static const struct ipc_disp from_front[] = {
	{ IPC_AUTH,		login_auth },
	{ IPC_TICKET_END,	ticket_end },
	{ IPC_NONE,		NULL }
};

static const struct ipc_disp from_pwdd[] = {
	{ IPC_AUTH,		login_auth },
	{ IPC_AUTH_SOCKET,	login_socket },
	{ IPC_TICKET_END,	ticket_end },
	{ IPC_ADMIN,		admin_request },
	{ IPC_NONE,		NULL }
};

static const struct ipc_disp from_reader[] = {
	{ IPC_AUTH,		login_auth },
	{ IPC_TICKET_END,	ticket_end },
	{ IPC_ROAMING,		login_roaming },
	{ IPC_NONE,		NULL }
};

static const struct ipc_disp from_queued[] = {
	{ IPC_TICKET_CHECK,	ticket_check },
	{ IPC_FLOW_ALERT,	flow_alert },
	{ IPC_NONE,		NULL }
};

static const struct ipc_disp from_stored[] = {
	{ IPC_TICKET_CHECK,	ticket_check },
	{ IPC_ACCESS,		login_access },
	{ IPC_ALERT_TOLD,	alerts_told },
	{ IPC_LIMITS_ASK,	limits_ask },
	{ IPC_INBOX_ASK,	inbox_ask },
	{ IPC_ADMIN_ACCESS,	admin_access },
	{ IPC_FLOW_ALERT,	flow_alert },
	{ IPC_NONE,		NULL }
};

/* DeleteDomain removes accounts on behalf of whoever asked routerd. */
static const struct ipc_disp from_routerd[] = {
	{ IPC_TICKET_CHECK,	ticket_check },
	{ IPC_RIGHTS_CHECK,	domain_rights },
	{ IPC_ALL_CHECK,	domain_all_check },
	{ IPC_DOMAIN_MOVED,	domain_moved },
	{ IPC_ADMIN,		admin_request },
	{ IPC_NAME_UNKNOWN,	extauth_new },
	{ IPC_NONE,		NULL }
};

static const struct ipc_disp from_priv[] = {
	{ IPC_NONE,		NULL }
};

static void
init(const struct proc_conf *conf)
{
	account_init();
	proof_init();
}

static void
settings(const struct val *all)
{
	log_set_level(settings_int(all, "Main", "AccountsLogLevel"));
	effective_settings_changed();
	limits_tell("", NULL, "");
	/* The main domain's name may have changed. */
	rights_forget();
	alerts_forget();
	extauth_settings(all);
}

static void
start(void)
{
	slow_start();
	extauth_start();
	first_start();
}

static void
peer_up(enum proc_id id, int instance, struct ipc *ipc)
{
	if (id == PROC_ROUTERD)
		journal_routerd_up();
	if (id == PROC_ROUTERD || id == PROC_STORED)
		first_peer();
	if (id == PROC_PRIV)
		extauth_peer_up();
	if (id == PROC_SMTPD || id == PROC_POP3D || id == PROC_IMAPD ||
	    id == PROC_PWDD)
		extauth_tell_front(ipc);
}

static void
peer_down(enum proc_id id, int instance, struct ipc *ipc)
{
	ticket_drop_channel(ipc);
	if (id == PROC_PRIV)
		extauth_peer_down();
}

static void
status(struct val *dict)
{
	dict_setf(dict, "Logins", "%llu", (unsigned long long)login_ok);
	dict_setf(dict, "FailedLogins", "%llu",
	    (unsigned long long)login_failed);
	dict_setf(dict, "Tickets", "%zu", ticket_count());
	extauth_status(dict);
	dict_setf(dict, "WatchedFailures", "%zu", limit_count());
}

int
main(int argc, char **argv)
{
	static const char *const write[] = { "Accounts", "Domains", NULL };
	static const struct proc_def def = {
		.name = "authd",
		.tag = "AUTH",
		.id = PROC_AUTHD,
		.sandbox = {
			.allow = SB_FILES_READ | SB_FILES_WRITE |
			    SB_CHMOD_FD | SB_THREADS,
			.write = write,
		},
		.peers = {
			[PROC_SMTPD] = from_front,
			[PROC_POP3D] = from_reader,
			[PROC_IMAPD] = from_reader,
			[PROC_PWDD] = from_pwdd,
			[PROC_ROUTERD] = from_routerd,
			[PROC_QUEUED] = from_queued,
			[PROC_STORED] = from_stored,
			[PROC_PRIV] = from_priv,
		},
		.ready_later = true,
		.init = init,
		.start = start,
		.settings = settings,
		.tls = external_clients,
		.peer_up = peer_up,
		.peer_down = peer_down,
		.status = status,
	};

	return proc_run(argc, argv, &def);
}
