/*
 * SetAccountAliases: routerd keeps an account's other names, but whether the
 * caller may give him some, or take them from him, is known here.  Runs in
 * authd.
 */
#include <string.h>
#include <unistd.h>

#include "authd.h"
#include "file.h"
#include "log.h"

static void
aliases_set(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;
	struct admin *a = arg;

	if (m == NULL) {
		admin_later(a);
		return;
	}
	if (m->code != 0) {
		admin_fail(a, 501, m->text);
		return;
	}
	account_log(LOG_MAJOR, a->name, "aliases changed by %s", a->account);
	admin_done(a, NULL);
}

static void
do_set(struct admin *a)
{
	struct msg_name_aliases m = { .name = a->name };
	struct val *given = admin_value(a, 1, VAL_ARRAY);
	struct buf b;
	int fd = -1;

	/* Mail for one who has more rights may go by these names. */
	if (!admin_may(a, a->odomain, "CanCreateAliases") ||
	    (!admin_is_users(a) && admin_outranked(a))) {
		admin_fail(a, 501, "you have no right to do this");
		return;
	}
	if (given == NULL) {
		admin_fail(a, 501, "an array is expected");
		return;
	}
	buf_init(&b, 0);
	if (!val_write(&b, given, false) ||
	    (fd = file_memfd("aliases", b.p, b.len)) == -1)
		admin_later(a);
	else
		ipc_call(proc_peer(PROC_ROUTERD), IPC_NAME_ALIASES, 0, &m, fd,
		    IPC_TIMEOUT, aliases_set, a);
	buf_free(&b);
}

void
admin_set_aliases(struct admin *a)
{
	admin_find(a, 0, do_set);
}
