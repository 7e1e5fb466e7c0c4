/*
 * smtpd, role send: its place among the processes.  See README; how a message
 * goes is client.c's.  It must never be spoken to by anybody but queued, and
 * reads no file but those that queued opened for it.
 */
#include "dns.h"
#include "log.h"
#include "proc.h"
#include "send.h"
#include "settings.h"

/* While the host's configuration can still be read. */
static void
before(const struct proc_conf *conf)
{
	if (dns_init(val_text(dict_get(conf->conf, "Resolver"))) == -1)
		fatalx("no DNS servers");
}

static void
start(void)
{
	dns_start(proc_base());
}

const char *
send_helo(void)
{
	const char *name = settings_text(proc_settings(), "Main",
	    "DomainName");

	return name == NULL || *name == '\0' ? proc_conf()->hostname : name;
}

static void
settings(const struct val *all)
{
	log_set_level(settings_int(all, "SMTP", "LogLevel"));
}

/* What we have in hand, before anything else is given to us. */
static void
peer_up(enum proc_id id, int instance, struct ipc *ipc)
{
	struct msg_jobs_end end = { 0 };

	chan_down(ipc);
	chan_held(ipc);
	results_again(ipc);
	ipc_send(ipc, IPC_JOBS_END, 0, &end, -1);
}

static void
peer_down(enum proc_id id, int instance, struct ipc *ipc)
{
	chan_down(ipc);
}

static void
status(struct val *d)
{
	dict_setf(d, "Channels", "%zu", chan_count());
}

static const struct ipc_disp from_queued[] = {
	{ IPC_SEND_OPEN, chan_open },
	{ IPC_SEND_MAIL, chan_mail },
	{ IPC_SEND_CLOSE, chan_close },
	{ IPC_RESULT_ACK, result_ack },
	{ IPC_NONE, NULL }
};

int
main(int argc, char **argv)
{
	static const struct proc_def def = {
		.name = "smtpd-send",
		.tag = "SMTP",
		.id = PROC_SENDER,
		.sandbox = {
			.allow = SB_CONNECT,
			.empty_root = true,
			.noproc = true
		},
		.peers = { [PROC_QUEUED] = from_queued },
		.before = before,
		.start = start,
		.settings = settings,
		.peer_up = peer_up,
		.peer_down = peer_down,
		.status = status
	};

	return proc_run(argc, argv, &def);
}
