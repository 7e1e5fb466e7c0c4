/*
 * imapd: its place among the processes, and its settings.  See README; what a
 * client says is command.c's.
 */
#include "imapd.h"
#include "settings.h"

struct imapd_conf imapd_conf;

static void
settings(const struct val *all)
{
	front_settings(all);
	imapd_conf.max_errors = settings_int(all, "IMAP", "MaxErrors");
	imapd_conf.timeout = settings_int(all, "IMAP", "LoginTimeout");
}

static void
init(const struct proc_conf *conf)
{
	front_init(&imapd_front);
}

int
main(int argc, char **argv)
{
	static const struct proc_def def = {
		.name = "imapd",
		.tag = "IMAP",
		.id = PROC_IMAPD,
		.sandbox = {
			.allow = SB_ACCEPT | SB_SOCKETPAIR,
			.empty_root = true,
			.noproc = true
		},
		.peers = {
			[PROC_AUTHD] = front_authd_disp,
			[PROC_STORED] = front_stored_disp
		},
		.init = init,
		.settings = settings,
		.peer_down = front_peer_down,
		FRONT_CALLS
	};

	return proc_run(argc, argv, &def);
}
