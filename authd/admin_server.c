/*
 * Shutdown, Status and Trace: authd asks cgserver, as it alone knows who may.
 * Runs in authd.
 */
#include <string.h>
#include <strings.h>

#include "authd.h"
#include "log.h"

/* Longer than cgctl takes to ask again, and not much longer. */
enum { TRACE_SECONDS = 10, PROCESS_MAX = 32 };

void
admin_shutdown(struct admin *a)
{
	struct msg_ctl_shutdown m = { 0 };

	if (!dict_bool(a->rights, "Monitors", false)) {
		admin_fail(a, 501, "you have no right to do this");
		return;
	}
	m.restart = strcasecmp(admin_arg(a, 0), "YES") == 0;
	log_msg(LOG_MAJOR, "shutdown asked for by %s", a->account);
	if (ipc_send(proc_control(), IPC_CTL_SHUTDOWN, 0, &m, -1) == -1)
		admin_later(a);
	else
		admin_done(a, NULL);
}

static void
state_told(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ctl_state *m = pkt != NULL ? pkt->m : NULL;
	struct admin *a = arg;
	const char *err = NULL;
	struct val *v;

	if (m == NULL || pkt->type != IPC_CTL_STATE ||
	    (v = val_parse_all(m->text, strlen(m->text), &err)) == NULL)
		admin_later(a);
	else
		admin_done(a, v);
}

void
admin_status(struct admin *a)
{
	struct msg_ctl_status m = { 0 };

	if (!dict_bool(a->rights, "Monitors", false)) {
		admin_fail(a, 501, "you have no right to do this");
		return;
	}
	ipc_call(proc_control(), IPC_CTL_STATUS, 0, &m, -1, IPC_TIMEOUT,
	    state_told, a);
}

static void
trace_told(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;
	struct admin *a = arg;

	if (m == NULL)
		admin_later(a);
	else if (m->code != 0)
		admin_fail(a, 501, m->text);
	else
		admin_done(a, NULL);
}

/* Names of the suite's processes are short. */
static const char *
process_arg(const struct admin *a, size_t n)
{
	const char *name = admin_arg(a, n);

	return strlen(name) <= PROCESS_MAX ? name : "?";
}

void
admin_trace(struct admin *a)
{
	struct msg_ctl_trace m = { .name = process_arg(a, 0),
		.peer = process_arg(a, 2),
		.seconds = *admin_arg(a, 1) != '\0' ? 0 : TRACE_SECONDS };

	if (!dict_bool(a->rights, "Master", false)) {
		admin_fail(a, 501, "you have no right to do this");
		return;
	}
	ipc_call(proc_control(), IPC_CTL_TRACE, 0, &m, -1, IPC_TIMEOUT,
	    trace_told, a);
}
