/*
 * What accounts may keep, as the broker carries it: authd tells it with a
 * grant or a change, or is asked before the first delivery; whoever holds the
 * account hears of it before the work that it is for.  The broker reads none
 * of it.  It remembers for whose accounts mail waits because they are full,
 * and tells queued when that may be over.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "stored.h"

/* By path: an account of which nothing else is known comes again. */
enum { KEPT = 16384 };
static struct kept {
	char	*path, *limits;
} kept[KEPT];

static struct kept *
slot(const char *path)
{
	uint32_t h = 2166136261u;

	for (; *path != '\0'; path++)
		h = (h ^ (unsigned char)*path) * 16777619u;
	return &kept[h % KEPT];
}

static void
drop(struct kept *k)
{
	free(k->path);
	free(k->limits);
	k->path = k->limits = NULL;
}

static void
keep(const char *path, const char *limits)
{
	struct kept *k = slot(path);

	drop(k);
	k->path = xstrdup(path);
	k->limits = xstrdup(limits);
}

static void
forget(const char *path)
{
	struct kept *k = slot(path);

	if (k->path != NULL && strcmp(k->path, path) == 0)
		drop(k);
}

void
limits_tell(const struct account *a, struct ipc *holder)
{
	struct msg_limits m = { .path = a->path, .limits = a->limits };

	if (a->limits != NULL && *a->limits != '\0')
		ipc_send(holder, IPC_LIMITS, 0, &m, -1);
}

static void
try_again(struct account *a)
{
	struct msg_account_room m = { .path = a->path };

	if (!a->full)
		return;
	a->full = false;
	ipc_send(proc_peer(PROC_QUEUED), IPC_ACCOUNT_ROOM, 0, &m, -1);
}

void
limits_take(struct account *a, const char *limits)
{
	struct msg_limits m = { .path = a->path, .limits = limits };

	a->limits_stale = false;
	keep(a->path, limits);
	if (a->limits != NULL && strcmp(a->limits, limits) == 0)
		return;
	free(a->limits);
	a->limits = xstrdup(limits);
	flow_limits(a, limits);
	inbox_limits(a, limits);
	if (a->held)
		ipc_send(proc_peer(PROC_DELIVERY), IPC_LIMITS, 0, &m, -1);
	if (a->ipc != NULL)
		ipc_send(a->ipc, IPC_LIMITS, 0, &m, -1);
	try_again(a);
}

static void
recall(struct account *a)
{
	const struct kept *k = slot(a->path);
	char *limits;

	if (k->path == NULL || strcmp(k->path, a->path) != 0)
		return;
	limits = xstrdup(k->limits);
	limits_take(a, limits);
	free(limits);
}

static void
answered(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_limits *m = pkt != NULL ? pkt->m : NULL;
	struct account *a = arg;

	a->limits_asked = false;
	if (m == NULL || m->code == 2) {
		jobs_fail(a, false, "the account's limits are not known now");
		if (a->limits == NULL) {
			sessions_refuse(a, "the account cannot be opened now");
			requests_refuse(a, "the account cannot be opened now");
		}
	} else if (m->code == 0)
		limits_take(a, m->limits);
	else {	/* settings that nobody can read set none */
		limits_take(a, "");
		forget(a->path);
	}
	account_run(a);
}

static void
ask(struct account *a)
{
	struct msg_limits_ask m = { .account = a->name, .path = a->path };

	if (a->limits_asked)
		return;
	a->limits_asked = true;
	a->limits_stale = false;
	ipc_call(proc_peer(PROC_AUTHD), IPC_LIMITS_ASK, 0, &m, -1, IPC_TIMEOUT,
	    answered, a);
}

bool
limits_some(struct account *a, const char *name)
{
	if (a->name == NULL)
		a->name = xstrdup(name);
	if (a->limits == NULL)
		recall(a);
	if (a->limits == NULL)
		ask(a);
	return a->limits != NULL;
}

bool
limits_known(struct account *a, const char *name)
{
	if (!limits_some(a, name))
		return false;
	if (a->limits_stale || a->limits_asked)
		ask(a);
	return !a->limits_asked;
}

void
limits_result(struct account *a, const struct msg_result *m)
{
	if (m->code == 0)
		a->full = false;
	else if (m->code == 2 && (strcmp(m->esc, "4.2.2") == 0 ||
	    strcmp(m->esc, "4.2.1") == 0))
		a->full = true;
}

void
limits_room(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	try_again(arg);
	account_run(arg);
}

/* Defaults may be others now: each is asked for when it is needed. */
void
limits_stale_all(void)
{
	struct account *a;
	uint32_t i;

	for (i = 0; i < KEPT; i++)
		drop(&kept[i]);
	for (i = 0; i < accounts_ids(); i++) {
		if ((a = account_by_id(i)) == NULL || a->limits == NULL)
			continue;
		a->limits_stale = true;
		/* A client that is there now, or mail that waits. */
		if (a->name != NULL && (a->worker != WORKER_NONE || a->full))
			ask(a);
	}
}

void
limits_changed(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_account_changed *m = pkt->m;
	struct account *a;

	if (*m->path == '\0') {
		limits_stale_all();
		return;
	}
	if ((a = account_find(m->path)) != NULL)
		limits_take(a, m->limits);
	else
		forget(m->path);
	idle_account(ipc, pkt, arg);
	if (a != NULL)
		account_run(a);
}

void
limits_forget(struct account *a)
{
	forget(a->path);
	free(a->name);
	free(a->limits);
	a->name = a->limits = NULL;
	a->full = false;
}
