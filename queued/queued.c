/*
 * queued: the owner of Queue/, BadFiles/ and ForeignQueue/.  It takes
 * messages from the fronts and from Submitted/, makes them durable, routes
 * each recipient, schedules the deliveries, and reports what failed.  Its
 * loop must never make a call that joins a journal transaction (create,
 * rename, unlink, write, sync): threads do that (sync.c, disk.c).
 */
#include <string.h>

#include "log.h"
#include "queued.h"

static bool stopping;

const char *
queue_domain(void)
{
	const char *name = settings_text(proc_settings(), "Main",
	    "DomainName");

	return name == NULL || *name == '\0' ? proc_conf()->hostname : name;
}

int64_t
queue_int(const char *name)
{
	return settings_int(proc_settings(), "Queue", name);
}

const char *
queue_text(const char *name)
{
	return settings_text(proc_settings(), "Queue", name);
}

bool
queue_stopping(void)
{
	return stopping;
}

void
queue_status_dict(struct val *d)
{
	struct lqueue *lq;
	size_t local = 0, remote = 0, delayed = 0, hang = 0;

	RB_FOREACH(lq, lqtree, &lqueues) {
		if (lq->kind == QUEUE_LOCAL)
			local += lq->waiting;
		else
			remote += lq->waiting;
		delayed += lq->delayed;
		hang += lqueue_hangs(lq);
	}
	dict_setf(d, "Messages", "%zu", msg_count());
	dict_setf(d, "LocalWaiting", "%zu", local);
	dict_setf(d, "LocalActive", "%zu", local_flight());
	dict_setf(d, "RemoteWaiting", "%zu", remote);
	dict_setf(d, "QueuesDelayed", "%zu", delayed);
	dict_setf(d, "DeliveriesHang", "%zu", hang);
	dict_set(d, "Space", val_string(tmp_space() ? "YES" : "NO"));
	dict_set(d, "Loading", val_string(load_busy() ? "YES" : "NO"));
}

static void
before(const struct proc_conf *conf)
{
	submit_before();
}

static void
init(const struct proc_conf *conf)
{
	disk_init();
	submit_init();
}

static void
settings(const struct val *all)
{
	submit_settings(all);
	disk.dirsync = settings_bool(all, "Queue", "DirectorySync");
	log_set_level(settings_int(all, "Queue", "LogLevel"));
	log_set_level_of("DEQUEUER", settings_int(all, "Queue",
	    "DequeuerLogLevel"));
	tcp_settings(all);
	wake_settings(all);
	lqueue_holds();
}

static void
start(void)
{
	sync_start();
	tmp_init();
	load_scan();
	tmp_start();
	byhand_load();
	load_start();
	sched_start();
}

static void
peer_up(enum proc_id id, int instance, struct ipc *ipc)
{
	if (id == PROC_STORED)
		local_up(ipc);
	else if (id == PROC_SENDER)
		remote_up(ipc);
}

static void
peer_down(enum proc_id id, int instance, struct ipc *ipc)
{
	if (id == PROC_STORED)
		local_down(ipc);
	else if (id == PROC_SENDER) {
		remote_down(ipc);
		wake_sender_down();
	} else if (id == PROC_SMTPD)
		tmp_peer_down(ipc);
}

static void
drained(void)
{
	proc_exit(0);
}

/* What is promised is finished: nobody gets a new file meanwhile. */
static void
stop(void)
{
	stopping = true;
	stat_tell();
	sync_drain(drained);
}

static const struct ipc_disp from_smtpd[] = {
	{ IPC_QUEUE_TMP, tmp_request },
	{ IPC_COMMIT, commit_request },
	{ IPC_ABORT, tmp_abort },
	{ IPC_WAKE, wake_request },
	{ IPC_NONE, NULL }
};

static const struct ipc_disp from_stored[] = {
	{ IPC_RESULT, local_result },
	{ IPC_JOB_HELD, local_held },
	{ IPC_ACCOUNT_ROOM, local_room },
	{ IPC_JOBS_END, local_end },
	{ IPC_NONE, NULL }
};

static const struct ipc_disp from_sender[] = {
	{ IPC_SEND_NEXT, remote_next },
	{ IPC_SENT, remote_sent },
	{ IPC_SEND_END, remote_closed },
	{ IPC_WAKE_SENT, wake_sent },
	{ IPC_SERVE, wake_serve },
	{ IPC_JOB_HELD, remote_held },
	{ IPC_JOBS_END, remote_end },
	{ IPC_NONE, NULL }
};

static const struct ipc_disp from_pwdd[] = {
	{ IPC_ADMIN, admin_request },
	{ IPC_NONE, NULL }
};

static const struct ipc_disp nothing[] = {
	{ IPC_NONE, NULL }
};

static const char *const dirs[] = {
	"Queue", "BadFiles", "ForeignQueue", "Submitted", NULL
};

static const struct proc_def def = {
	.name = "queued",
	.tag = "QUEUE",
	.id = PROC_QUEUED,
	.sandbox = {
		.allow = SB_FILES_READ | SB_FILES_WRITE | SB_THREADS |
		    SB_LEASE | SB_INOTIFY,
		.write = dirs
	},
	.peers = {
		[PROC_SMTPD] = from_smtpd,
		[PROC_STORED] = from_stored,
		[PROC_PWDD] = from_pwdd,
		[PROC_SENDER] = from_sender,
		[PROC_AUTHD] = nothing,
		[PROC_ROUTERD] = nothing
	},
	.before = before,
	.init = init,
	.start = start,
	.settings = settings,
	.peer_up = peer_up,
	.peer_down = peer_down,
	.status = queue_status_dict,
	.stop = stop
};

int
main(int argc, char *argv[])
{
	return proc_run(argc, argv, &def);
}
