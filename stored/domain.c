/*
 * Domains that are renamed or removed: all their accounts are quiet until
 * routerd releases them, those too that somebody asks for meanwhile.  Part of
 * the broker.
 */
#include <stdlib.h>
#include <string.h>

#include "stored.h"

struct quiet {
	LIST_ENTRY(quiet) entry;
	char		*path;		/* Domains/x.com */
	char		*why;
	struct ipc_ref	 ref;
	bool		 wait;		/* routerd has not heard yet */
};
static LIST_HEAD(, quiet) quiets = LIST_HEAD_INITIALIZER(quiets);

static bool
is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

const char *
domain_quiet_why(const char *path)
{
	struct quiet *q;

	LIST_FOREACH(q, &quiets, entry)
		if (is_below(path, q->path))
			return q->why;
	return NULL;
}

static bool
is_still(const struct quiet *q)
{
	const struct account *a;
	uint32_t i;

	for (i = 0; i < accounts_ids(); i++)
		if ((a = account_by_id(i)) != NULL &&
		    is_below(a->path, q->path) && (a->held || a->forgetting ||
		    a->moving || a->worker != WORKER_NONE))
			return false;
	return true;
}

void
domain_still(void)
{
	struct quiet *q;

	LIST_FOREACH(q, &quiets, entry) {
		if (!q->wait || !is_still(q))
			continue;
		q->wait = false;
		answer_done(q->ref, 0, "");
	}
}

static void
drop(struct quiet *q)
{
	LIST_REMOVE(q, entry);
	free(q->path);
	free(q->why);
	free(q);
}

static void
release(const char *path, bool gone)
{
	struct quiet *q, *next;
	struct account *a;
	uint32_t i;

	for (q = LIST_FIRST(&quiets); q != NULL; q = next) {
		next = LIST_NEXT(q, entry);
		if (strcmp(q->path, path) == 0)
			drop(q);
	}
	for (i = 0; i < accounts_ids(); i++)
		if ((a = account_by_id(i)) != NULL && is_below(a->path, path))
			account_release(a, gone);
}

void
domain_quiet(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_domain_quiet *m = pkt->m;
	struct quiet *q = xcalloc(1, sizeof(*q));
	struct account *a;
	uint32_t i;

	q->path = xstrdup(m->path);
	q->why = xstrdup(m->text);
	q->ref = ipc_ref(ipc, pkt);
	q->wait = true;
	LIST_INSERT_HEAD(&quiets, q, entry);
	for (i = 0; i < accounts_ids(); i++)
		if ((a = account_by_id(i)) != NULL &&
		    is_below(a->path, q->path))
			account_hush(a, q->why);
	domain_still();
}

void
domain_release(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_domain_release *m = pkt->m;

	release(m->path, strcmp(m->path, m->newpath) != 0);
	limits_stale_all();
	answer_done(ipc_ref(ipc, pkt), 0, "");
}

/* Nobody will release them; what is not there any more will be seen. */
void
domains_routerd_gone(void)
{
	char *path;

	while (!LIST_EMPTY(&quiets)) {
		path = xstrdup(LIST_FIRST(&quiets)->path);
		release(path, false);
		free(path);
	}
}
