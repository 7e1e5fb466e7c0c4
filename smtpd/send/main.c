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

static const struct ipc_disp from_queued[] = {
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
		.start = start
	};

	return proc_run(argc, argv, &def);
}
