/*
 * What an account may send and get within a time, for those who count it
 * (queued, stored), and the alert when it is too much.  The administrator's
 * account shows it at his next login or in his open sessions.  Runs in authd;
 * it looks things up, and asks routerd who postmaster is.
 */
#include <stdlib.h>
#include <string.h>

#include "alerts.h"
#include "authd.h"
#include "log.h"
#include "settings.h"

void
flow_of_ticket(const struct ticket *t, struct msg_ticket_info *r)
{
	const struct account *a = t->path != NULL ? account_get(t->path) :
						    NULL;
	int64_t size;

	if (a == NULL)
		return;
	if (!val_flow(effective(a->settings, t->domain, "MailOutFlow"),
	    &r->outflow, &r->outtime))
		r->outflow = r->outtime = 0;
	if (val_int(effective(a->settings, t->domain, "MaxMailOutSize"),
	    &size) && size >= 0)
		r->outsize = size > 0 ? size : 1;
}

static void
routed(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_routed *m = pkt == NULL ? NULL : pkt->m;
	char *text = arg, *name;

	if (m == NULL || m->code != 0 || strcmp(m->module, "LOCAL") != 0 ||
	    *m->path == '\0') {
		log_msg(LOG_PROBLEM, "no administrator to be told: %s", text);
		free(text);
		return;
	}
	name = xasprintf("%.*s@%s", (int)strcspn(m->host, "@"), m->host,
	    m->domain);
	alerts_post(m->path, name, text);
	free(name);
	free(text);
}

void
flow_alert(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_flow_alert *m = pkt->m;
	bool full = strchr(m->account, '@') != NULL;
	struct msg_route r = { .address = "postmaster", .access = 1 };
	char *text;

	text = xasprintf("%.200s%s%s %s all the mail it may: %u messages "
	    "within %u seconds", m->account, full ? "" : "@",
	    full ? "" : main_domain(), m->in ? "gets" : "has sent",
	    m->messages, m->seconds);
	log_msg(LOG_CRASH, "MAIL-FLOW %s", text);
	ipc_call(proc_peer(PROC_ROUTERD), IPC_ROUTE, 0, &r, -1, IPC_TIMEOUT,
	    routed, text);
}
