/*
 * What became of each recipient, kept until queued says that it knows: a
 * restart of queued must not send a message again that has arrived.  Runs in
 * smtpd's sending role.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "proc.h"
#include "send.h"

struct result {
	TAILQ_ENTRY(result)	 entry;
	uint64_t		 id;
	uint32_t		 rcpt;
	bool			 dsn;
	struct outcome		 o;
	char			*host;
};
static TAILQ_HEAD(, result) results = TAILQ_HEAD_INITIALIZER(results);

void
outcome_set(struct outcome *o, enum verdict v, const char *esc,
    const char *fmt, ...)
{
	va_list ap;

	o->verdict = v;
	snprintf(o->esc, sizeof(o->esc), "%s", esc);
	va_start(ap, fmt);
	vsnprintf(o->text, sizeof(o->text), fmt, ap);
	va_end(ap);
}

static void
tell(struct ipc *ipc, const struct result *r)
{
	struct msg_sent m = {
		.id = r->id,
		.rcpt = r->rcpt,
		.code = r->o.verdict,
		.dsn = r->dsn,
		.esc = r->o.esc,
		.text = r->o.text,
		.host = r->host
	};

	ipc_send(ipc, IPC_SENT, 0, &m, -1);
}

void
result_send(uint64_t id, uint32_t rcpt, bool dsn, const char *host,
    const struct outcome *o)
{
	struct result *r = calloc(1, sizeof(*r));

	if (r == NULL || (r->host = strdup(host)) == NULL)
		fatal("results");	/* else it might be sent again */
	r->id = id;
	r->rcpt = rcpt;
	r->dsn = dsn;
	r->o = *o;
	TAILQ_INSERT_TAIL(&results, r, entry);
	tell(proc_peer(PROC_QUEUED), r);
}

void
result_ack(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_result_ack *a = pkt->m;
	struct result *r;

	TAILQ_FOREACH(r, &results, entry)
		if (r->id == a->id && r->rcpt == a->rcpt)
			break;
	if (r == NULL)
		return;
	TAILQ_REMOVE(&results, r, entry);
	free(r->host);
	free(r);
}

void
results_again(struct ipc *ipc)
{
	const struct result *r;

	TAILQ_FOREACH(r, &results, entry)
		tell(ipc, r);
}
