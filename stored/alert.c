/*
 * Alerts that are posted while sessions are open (manual 37): the broker tells
 * the workers of the accounts meant, and the fronts of clients that are idle,
 * and authd whose sessions have heard it.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "stored.h"

/* "" is everybody, @domain its accounts, else the account's own name. */
static bool
is_meant(const struct account *a, const char *whom)
{
	const char *at;

	if (a->name == NULL)
		return false;
	if (*whom == '\0')
		return true;
	if (*whom != '@')
		return strcasecmp(a->name, whom) == 0;
	return (at = strrchr(a->name, '@')) != NULL &&
	    strcasecmp(at, whom) == 0;
}

/* POP has no way to say it within a session. */
static bool
has_imap(const struct account *a)
{
	const struct session *s;

	TAILQ_FOREACH(s, &a->sessions, next)
		if (s->given && strcmp(s->m.service, "IMAP") == 0)
			return true;
	return false;
}

static bool
tell(struct account *a, const char *text)
{
	struct msg_work_alert m = { .text = text };
	char line[600];
	bool heard = false;

	if (a->worker == WORKER_UP && has_imap(a))
		heard = ipc_send(a->ipc, IPC_WORK_ALERT, 0, &m, -1) == 0;
	snprintf(line, sizeof(line), "* OK [ALERT] %.500s\r\n", text);
	return idle_tell(a, line) > 0 || heard;
}

void
alert_tell(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_alert *m = pkt->m;
	struct msg_alert_told told = { .stamp = m->stamp };
	struct account *a;
	uint32_t id;

	for (id = 0; id < accounts_ids(); id++) {
		if ((a = account_by_id(id)) == NULL ||
		    !is_meant(a, m->account) || !tell(a, m->text))
			continue;
		told.path = a->path;
		ipc_send(ipc, IPC_ALERT_TOLD, 0, &told, -1);
	}
}
