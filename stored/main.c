/*
 * stored, the broker: keeps each account with one holder, and never opens a
 * file in it.  See README.
 */
#include <stdlib.h>

#include "log.h"
#include "seal.h"
#include "settings.h"
#include "stored.h"

static const struct ipc_disp from_queued[] = {
	{ IPC_DELIVER, job_deliver },
	{ IPC_RESULT_ACK, job_acked },
	{ IPC_NONE, NULL }
};
static const struct ipc_disp from_authd[] = {
	{ IPC_GRANT, session_grant },
	{ IPC_ALERT, alert_tell },
	{ IPC_ACCOUNT_CHANGED, limits_changed },
	{ IPC_INBOX, inbox_given },
	{ IPC_ACCOUNT_INIT, admin_init },
	{ IPC_ACCOUNT_QUIET, admin_quiet },
	{ IPC_ACCOUNT_RELEASE, admin_release },
	{ IPC_ACCOUNT_MOVE, admin_move },
	{ IPC_NONE, NULL }
};
static const struct ipc_disp from_front[] = {
	{ IPC_SESSION, session_new },
	{ IPC_SESSION_REVIVE, idle_revive },
	{ IPC_SESSION_GONE, idle_gone },
	{ IPC_NONE, NULL }
};
static const struct ipc_disp from_delivery[] = {
	{ IPC_RESULT, job_result },
	{ IPC_NONE, NULL }
};
static const struct ipc_disp from_template[] = {
	{ IPC_SPAWNED, worker_spawned },
	{ IPC_NONE, NULL }
};
static const struct ipc_disp from_pwdd[] = {
	{ IPC_ADMIN, admin_request },
	{ IPC_NONE, NULL }
};
static const struct ipc_disp from_routerd[] = {
	{ IPC_DOMAIN_QUIET, domain_quiet },
	{ IPC_DOMAIN_RELEASE, domain_release },
	{ IPC_NONE, NULL }
};

static void
peer_up(enum proc_id id, int instance, struct ipc *ipc)
{
	if (id == PROC_QUEUED)
		jobs_list(ipc);
	else if (id == PROC_DELIVERY)
		accounts_delivery_new();
	else if (id == PROC_AUTHD)
		limits_stale_all();
}

static void
peer_down(enum proc_id id, int instance, struct ipc *ipc)
{
	if (id == PROC_POP3D || id == PROC_IMAPD) {
		sessions_front_down(id, instance);
		idle_front_down(id, instance);
	} else if (id == PROC_AUTHD)
		accounts_authd_gone();
	else if (id == PROC_ROUTERD)
		domains_routerd_gone();
}

static void
init(const struct proc_conf *conf)
{
	seal_start();
}

static void
settings(const struct val *all)
{
	log_set_level(settings_int(all, "LOCAL", "LogLevel"));
}

static void
status(struct val *d)
{
	dict_setf(d, "Accounts", "%u", accounts_count());
	dict_setf(d, "Workers", "%u", accounts_workers());
	dict_setf(d, "Sessions", "%u", sessions_count());
	dict_setf(d, "IdleSessions", "%u", idle_count());
	dict_setf(d, "Jobs", "%u", jobs_count());
}

static const char *const readable[] = { "Accounts", "Domains", NULL };

static const struct proc_def def = {
	.name = "stored",
	.tag = "STORED",
	.id = PROC_STORED,
	.sandbox = {
		.allow = SB_FILES_READ | SB_SOCKETPAIR | SB_PIDFD,
		.read = readable,
		.nofile = 65536,
		.noproc = true,
	},
	.peers = {
		[PROC_QUEUED] = from_queued,
		[PROC_AUTHD] = from_authd,
		[PROC_ROUTERD] = from_routerd,
		[PROC_PWDD] = from_pwdd,
		[PROC_POP3D] = from_front,
		[PROC_IMAPD] = from_front,
		[PROC_DELIVERY] = from_delivery,
		[PROC_TEMPLATE] = from_template,
	},
	.init = init,
	.start = accounts_start,
	.settings = settings,
	.peer_up = peer_up,
	.peer_down = peer_down,
	.status = status,
	.stop = accounts_stop,
};

int
main(int argc, char **argv)
{
	return proc_run(argc, argv, &def);
}
