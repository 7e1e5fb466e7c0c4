/*
 * Incoming Mail Limit (manual 30): a loop, or anybody else, shall not fill an
 * account.  The broker counts each message that is about to be delivered,
 * whoever delivers it; with too many the account's queue is suspended until
 * its time begins anew, and its administrator hears of it once.  Runs in the
 * broker; counts are in its memory only, and a restart forgets them.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "dict.h"
#include "flow.h"
#include "log.h"
#include "stored.h"

enum { ACCOUNTS = 65536 };

static struct flows *flows;

/* Until its time begins anew. */
struct suspended {
	struct event	*timer;
	char		*path;
};

void
flow_limits(struct account *a, const char *limits)
{
	const char *err;
	struct val *d;

	a->flow_max = a->flow_seconds = 0;
	if (strstr(limits, "Flow") == NULL)
		return;
	if ((d = val_parse_all(limits, strlen(limits), &err)) == NULL)
		return;
	a->flow_max = dict_int(d, "FlowMax", 0);
	a->flow_seconds = dict_int(d, "FlowSeconds", 0);
	val_free(d);
}

static void
over(int fd, short what, void *arg)
{
	struct suspended *s = arg;
	struct msg_account_room m = { .path = s->path };

	ipc_send(proc_peer(PROC_QUEUED), IPC_ACCOUNT_ROOM, 0, &m, -1);
	event_free(s->timer);
	free(s->path);
	free(s);
}

static void
wake_after(const char *path, uint32_t seconds)
{
	struct timeval tv = { .tv_sec = seconds };
	struct suspended *s = xcalloc(1, sizeof(*s));

	s->path = xstrdup(path);
	s->timer = evtimer_new(proc_base(), over, s);
	if (s->timer != NULL && evtimer_add(s->timer, &tv) == 0)
		return;
	if (s->timer != NULL)	/* queued tries again by itself */
		event_free(s->timer);
	free(s->path);
	free(s);
}

static void
alert(const struct account *a)
{
	struct msg_flow_alert m = { .account = a->name, .in = 1,
		.messages = a->flow_max, .seconds = a->flow_seconds };

	log_msg(LOG_MAJOR, "%s gets more than %u messages within %u seconds: "
	    "its queue waits", a->name, a->flow_max, a->flow_seconds);
	ipc_send(proc_peer(PROC_AUTHD), IPC_FLOW_ALERT, 0, &m, -1);
}

bool
flow_admit(struct account *a)
{
	uint32_t left;
	bool first;

	if (flows == NULL)
		flows = flows_new(ACCOUNTS);
	if (flows_take(flows, a->path, 1, a->flow_max, a->flow_seconds, &left,
	    &first))
		return true;
	if (first) {
		alert(a);
		wake_after(a->path, left + 1);
	}
	jobs_fail(a, false, "the account gets too much mail, its queue waits");
	return false;
}
