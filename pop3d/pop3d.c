/*
 * pop3d: its place among the processes, and its settings.  See README; what a
 * client says is command.c's.
 */
#include "pop3d.h"
#include "settings.h"

struct pop_conf pop_conf;

static void
settings(const struct val *all)
{
	front_settings(all);
	pop_conf.max_errors = settings_int(all, "POP", "MaxErrors");
	pop_conf.timeout = settings_int(all, "POP", "InputTimeout");
}

static void
init(const struct proc_conf *conf)
{
	front_init(&pop_front);
}

int
main(int argc, char **argv)
{
	static const struct proc_def def = {
		.name = "pop3d",
		.tag = "POP",
		.id = PROC_POP3D,
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
