/*
 * pwdd: the front of the PWD protocol and of the administration language.
 * Owns nothing; runs as _cgadm in an empty root.  This file is its main().
 * It must never decide what a user may: it passes his ticket on.
 */
#include <stdlib.h>

#include "log.h"
#include "pwdd.h"

static const struct front_def front = {
	.module = "PWD",
	.tag = "PWD",
	.id = PROC_PWDD,
	.size = sizeof(struct session),
	.maxline = PWDD_MAXLOGIN,
	.start = session_start,
	.line = session_line,
	.too_long = session_too_long,
	.silent = session_silent,
	.stop = session_stop,
	.end = session_end,
	.busy = "501 too many connections, try again later\r\n",
};

/* Owners only answer here. */
static const struct ipc_disp from_owner[] = {
	{ IPC_NONE,	NULL }
};

static void
init(const struct proc_conf *conf)
{
	front_init(&front);
}

static void
settings(const struct val *all)
{
	front_settings(all);
	session_settings(all);
}

int
main(int argc, char **argv)
{
	static const struct proc_def def = {
		.name = "pwdd",
		.tag = "PWD",
		.id = PROC_PWDD,
		.sandbox = {
			.allow = SB_ACCEPT | SB_SOCKETPAIR,
			.empty_root = true,
		},
		.peers = {
			[PROC_AUTHD] = front_authd_disp,
			[PROC_ROUTERD] = from_owner,
			[PROC_QUEUED] = from_owner,
			[PROC_STORED] = front_stored_disp,
		},
		.init = init,
		.settings = settings,
		FRONT_CALLS
	};

	return proc_run(argc, argv, &def);
}
