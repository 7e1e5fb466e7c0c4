/*
 * Outgoing Mail Limit of an account: a stolen password must not become a
 * flood.  Counted are recipients, for each is a message that somebody gets, of
 * all that comes in under the account's name, whichever smtpd took it: here is
 * where they all pass.  Counts are in memory only; a restart of queued gives
 * an account at most its limit once more.  The sync threads count, the loop
 * alerts.
 */
#include <pthread.h>
#include <stdint.h>

#include "flow.h"
#include "log.h"
#include "queued.h"

enum { ACCOUNTS = 65536 };

static pthread_mutex_t	 lock = PTHREAD_MUTEX_INITIALIZER;
static struct flows	*flows;

static bool
take(const char *account, const struct outflow *o, uint32_t n, bool *alert)
{
	uint32_t left;
	bool ok;

	pthread_mutex_lock(&lock);
	if (flows == NULL)
		flows = flows_new(ACCOUNTS);
	ok = flows_take(flows, account, n, o->rcpts, o->seconds, &left,
	    alert);
	pthread_mutex_unlock(&lock);
	return ok;
}

const char *
outflow_check(const char *account, const struct outflow *o, size_t rcpts,
    uint64_t size, const char **esc, bool *alert)
{
	if (o->size > 0 && size > o->size) {
		*esc = "5.3.4";
		return "too large a message for this account to send";
	}
	if (o->seconds == 0 || take(account, o, rcpts, alert))
		return NULL;
	if (rcpts > o->rcpts) {
		*esc = "5.5.3";
		return "more recipients than this account may send to";
	}
	*esc = "4.7.1";
	return "this account has sent all it may for now, try again later";
}

void
outflow_alert(const char *account, const struct outflow *o)
{
	struct msg_flow_alert m = { .account = account, .messages = o->rcpts,
		.seconds = o->seconds };

	log_msg(LOG_MAJOR, "%s wants to send more than %u messages within %u "
	    "seconds", account, o->rcpts, o->seconds);
	ipc_send(proc_peer(PROC_AUTHD), IPC_FLOW_ALERT, 0, &m, -1);
}
