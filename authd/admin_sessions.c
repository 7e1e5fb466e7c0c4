/*
 * KillAccountSessions and ClearAccountCache (manual 04b, Backup): an account's
 * sessions are ended, and whatever is known of its files is forgotten, so that
 * they may be copied, or others put in their place.  Runs in authd; stored
 * makes the account quiet for a moment.
 */
#include <string.h>

#include "authd.h"
#include "log.h"

static void
released(const struct ipc_pkt *pkt, void *arg)
{
	struct admin *a = arg;
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;

	if (m == NULL || m->code != 0)
		admin_later(a);
	else
		admin_done(a, NULL);
}

static void
quieted(const struct ipc_pkt *pkt, void *arg)
{
	struct admin *a = arg;
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;
	struct msg_account_release r = { .path = a->path,
		.newpath = a->path };

	if (m == NULL || m->code != 0) {
		admin_later(a);
		return;
	}
	account_forget(a->path);
	ipc_call(proc_peer(PROC_STORED), IPC_ACCOUNT_RELEASE, 0, &r, -1,
	    IPC_TIMEOUT, released, a);
}

static void
do_end(struct admin *a)
{
	struct msg_account_quiet m = { .path = a->path,
		.text = "an administrator has ended your session" };

	if (!admin_may(a, a->odomain, "BasicSettings") ||
	    admin_outranked(a)) {
		admin_fail(a, 501, "you have no right to do this");
		return;
	}
	account_log(LOG_PROBLEM, a->name, "sessions ended by %s", a->account);
	if (!admin_is_self(a))
		ticket_drop_account(a->name);
	ipc_call(proc_peer(PROC_STORED), IPC_ACCOUNT_QUIET, 0, &m, -1,
	    IPC_TIMEOUT, quieted, a);
}

void
admin_end_sessions(struct admin *a)
{
	admin_find(a, 0, do_end);
}
