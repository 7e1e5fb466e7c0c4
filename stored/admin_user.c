/*
 * Commands on a user's data: in the broker, which reads none of it.  authd says
 * whether the caller may, and where the account is; the account's worker acts.
 * A command waits here until the worker is there, and is given once: if the
 * worker dies over it, its caller hears so.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "log.h"
#include "stored.h"

struct request {
	TAILQ_ENTRY(request)	 next;
	struct account		*account;	/* NULL: authd is asked */
	struct ipc_ref		 ref;
	const struct verb	*verb;
	bool			 given;
	int			 fd;		/* long arguments */
	char			*args;
	/* What authd said. */
	char			*name, *actas, *limits;
	bool			 all;
};

enum {
	REQUEST_TIMEOUT = 110000,	/* less than pwdd's patience */
	MAXREQUESTS = 10000
};

/* The right of a domain administrator's that is needed, "" for any. */
static const struct verb {
	const char	*name;
	const char	*right;
	bool		 self;		/* the account itself may */
} verbs[] = {
	{ "ListMailboxes",		"CanAccessMailboxes",	true },
	{ "CreateMailbox",		"CanAccessMailboxes",	true },
	{ "DeleteMailbox",		"CanAccessMailboxes",	true },
	{ "RenameMailbox",		"CanAccessMailboxes",	true },
	{ "GetMailboxInfo",		"CanAccessMailboxes",	true },
	{ "GetMailboxACL",		"CanAccessMailboxes",	true },
	{ "SetMailboxACL",		"CanAccessMailboxes",	true },
	{ "GetMailboxRights",		"CanAccessMailboxes",	true },
	{ "SetMailboxClass",		"CanAccessMailboxes",	true },
	{ "GetAccountSubscription",	"CanAccessMailboxes",	true },
	{ "SetAccountSubscription",	"CanAccessMailboxes",	true },
	{ "GetMailboxAliases",		"CanAccessMailboxes",	true },
	{ "SetMailboxAliases",		"CanAccessMailboxes",	true },
	{ "GetWebFile",			"CanAccessWebSites",	true },
	{ "PutWebFile",			"CanAccessWebSites",	true },
	{ "RenameWebFile",		"CanAccessWebSites",	true },
	{ "DeleteWebFile",		"CanAccessWebSites",	true },
	{ "ListWebFiles",		"CanAccessWebSites",	true },
	{ "GetWebFilesInfo",		"CanAccessWebSites",	true },
	{ "GetAccountInfo",		"",			true },
	{ "GetAccountStat",		"",			true },
	{ "ResetAccountStat",		"BasicSettings",	false }
};

static unsigned count;

static const struct verb *
find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcasecmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static void
answer(struct ipc_ref ref, unsigned code, const char *text)
{
	struct msg_admined m = { .code = code, .text = text };

	ipc_answer(ref, IPC_ADMINED, &m, -1);
}

static void
request_free(struct request *r)
{
	if (r->account != NULL)
		TAILQ_REMOVE(&r->account->requests, r, next);
	if (r->fd != -1)
		close(r->fd);
	if (r->args != NULL)
		explicit_bzero(r->args, strlen(r->args));
	free(r->args);
	free(r->name);
	free(r->actas);
	free(r->limits);
	free(r);
	count--;
}

static void
refuse(struct request *r, unsigned code, const char *text)
{
	answer(r->ref, code, text);
	request_free(r);
}

/* --- the worker --- */

static void
done(const struct ipc_pkt *pkt, void *arg)
{
	struct request *r = arg;
	struct account *a = r->account;

	if (pkt == NULL)
		refuse(r, 501, "the account does not answer, try again");
	else {
		ipc_answer(r->ref, IPC_ADMINED, pkt->m, pkt->fd != -1 ?
		    dup(pkt->fd) : -1);
		request_free(r);
	}
	account_run(a);
}

bool
requests_waiting(const struct account *a)
{
	const struct request *r = TAILQ_LAST(&a->requests, requests);

	return r != NULL && !r->given;
}

const char *
requests_name(const struct account *a)
{
	return TAILQ_LAST(&a->requests, requests)->name;
}

void
requests_give(struct account *a)
{
	struct msg_work_admin m = { 0 };
	struct request *r;
	int fd;

	TAILQ_FOREACH(r, &a->requests, next) {
		if (r->given)
			continue;
		r->given = true;
		m.verb = r->verb->name;
		m.args = r->args;
		m.account = r->name;
		m.actas = r->actas;
		m.all = r->all;
		m.limits = r->limits;
		fd = r->fd;
		r->fd = -1;
		ipc_call(a->ipc, IPC_WORK_ADMIN, 0, &m, fd, REQUEST_TIMEOUT,
		    done, r);
	}
}

void
requests_refuse(struct account *a, const char *text)
{
	struct request *r, *next;

	TAILQ_FOREACH_SAFE(r, &a->requests, next, next)
		if (!r->given)
			refuse(r, 501, text);
}

/* --- who may --- */

static void
accessed(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_admin_accessed *m = pkt != NULL ? pkt->m : NULL;
	struct request *r = arg;
	struct account *a;

	if (m == NULL || m->code == 2) {
		refuse(r, 501, "server is temporarily unable to do this");
		return;
	}
	if (m->code != 0) {
		refuse(r, m->reply, m->text);
		return;
	}
	a = account_get(m->path);
	if (a->quiet) {
		refuse(r, 501, a->why);
		account_run(a);
		return;
	}
	r->name = xstrdup(m->account);
	r->actas = xstrdup(m->actas);
	r->limits = xstrdup(m->limits);
	r->all = m->all;
	r->account = a;
	TAILQ_INSERT_TAIL(&a->requests, r, next);
	account_run(a);
}

void
admin_request(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_admin *m = pkt->m;
	struct msg_admin_access q = { .ticket = m->ticket,
		.object = m->object, .actas = m->actas };
	const struct verb *v = find_verb(m->verb);
	struct request *r;

	if (v == NULL || count >= MAXREQUESTS) {
		answer(ipc_ref(ipc, pkt), 501, v == NULL ?
		    "this command is not available yet" :
		    "too many commands at once, try again");
		return;
	}
	r = xcalloc(1, sizeof(*r));
	r->ref = ipc_ref(ipc, pkt);
	r->verb = v;
	r->fd = ipc_take_fd(pkt);
	r->args = xstrdup(m->args);
	count++;
	q.right = v->right;
	q.self = v->self;
	ipc_call(proc_peer(PROC_AUTHD), IPC_ADMIN_ACCESS, 0, &q, -1,
	    IPC_TIMEOUT, accessed, r);
}
