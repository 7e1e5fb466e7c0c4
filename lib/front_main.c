/*
 * The place among the processes of a front whose clients go to stored once
 * they have logged in: an empty root, authd, stored, and nothing else.
 */
#include "front.h"

static const struct front_def	*own;

static void
init(const struct proc_conf *conf)
{
	front_init(own);
}

int
front_main(int argc, char **argv, const char *name,
    const struct front_def *front, void (*settings)(const struct val *))
{
	const struct proc_def def = {
		.name = name,
		.tag = front->tag,
		.id = front->id,
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

	own = front;
	return proc_run(argc, argv, &def);
}
