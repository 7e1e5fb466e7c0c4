/*
 * For stored: may whoever holds this ticket do something with an account's
 * data, and as whom?  The account is found, the caller's rights are looked up
 * anew.  Runs in authd; it changes nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "authd.h"
#include "log.h"

struct access {
	struct ipc_ref	 ref;
	struct admin	*who;		/* the caller, and the object found */
	char		*right;
	bool		 self;
	/* Whose rights shall bound what is done: AUTH's. */
	char		*actas, *actdomain;
	bool		 all;
};

/* What stored must know of the account's settings. */
static const char *const limits[] = { "MaxWebSize", "MaxWebFiles",
	"MaxFileSize" };

static void
access_free(struct access *x)
{
	admin_free(x->who);
	free(x->right);
	free(x->actas);
	free(x->actdomain);
	free(x);
}

static void
refuse(struct access *x, unsigned reply, const char *text)
{
	struct msg_admin_accessed m = { .code = 1, .reply = reply,
		.text = text };

	ipc_answer(x->ref, IPC_ADMIN_ACCESSED, &m, -1);
	access_free(x);
}

static bool
put_limits(struct buf *b, const struct access *x)
{
	const struct account *acct = account_get(x->who->path);
	struct val *d = val_dict();
	const struct val *v;
	size_t i;
	bool ok = acct != NULL && d != NULL;

	for (i = 0; ok && i < sizeof(limits) / sizeof(limits[0]); i++) {
		v = effective(acct->settings, x->who->odomain, limits[i]);
		if (v != NULL && dict_set(d, limits[i], val_copy(v)) == -1)
			ok = false;
	}
	ok = ok && val_write(b, d, false) && b->len <= 4096;
	val_free(d);
	return ok;
}

static void
grant(struct access *x)
{
	struct msg_admin_accessed m = { .account = x->who->name,
		.path = x->who->path, .actas = x->actas, .all = x->all };
	struct buf b;

	buf_init(&b, 0);
	if (put_limits(&b, x)) {
		m.limits = b.p;
		ipc_answer(x->ref, IPC_ADMIN_ACCESSED, &m, -1);
		access_free(x);
	} else
		refuse(x, 501, "the account's settings cannot be read now");
	buf_free(&b);
}

static bool
may(const struct access *x, const char *domain)
{
	return (x->self && admin_is_self(x->who)) ||
	    (*x->right != '\0' ? admin_may(x->who, domain, x->right)
			       : admin_reads(x->who, domain));
}

/* --- AUTH --- */

/* The account by its real name; what it may by its own rights. */
static void
acting(struct access *x, const struct msg_routed *m)
{
	struct admin as = { .account = NULL };

	if (!admin_keep_object(&as, m))
		fatalx("out of memory");
	free(x->actas);
	free(x->actdomain);
	x->actas = as.name;
	x->actdomain = as.odomain;
	free(as.path);
	as.account = x->actas;
	as.domain = x->actdomain;
	as.rights = rights_dict(as.account, as.domain, false);
	x->all = strcmp(x->actas, x->who->name) == 0 ||
	    admin_may(&as, x->who->odomain, "CanAccessMailboxes");
	val_free(as.rights);
}

static void
found_actas(const struct ipc_pkt *pkt, void *arg)
{
	struct access *x = arg;
	const struct msg_routed *m = pkt != NULL ? pkt->m : NULL;

	if (m == NULL || m->code == 2)
		refuse(x, 501, "server is temporarily unable to do this");
	else if (m->code == 0 && strcmp(m->module, "LOCAL") == 0 &&
	    *m->path != '\0') {
		acting(x, m);
		grant(x);
	} else if (admin_reads(x->who, strrchr(x->actas, '@') + 1))
		refuse(x, 500, "unknown user account in AUTH");
	else
		grant(x);	/* who has no rights there learns no names */
}

/* --- the account --- */

static void
route(const char *name, ipc_answer_cb *cb, struct access *x)
{
	struct msg_route r = { .address = name, .access = 1 };

	ipc_call(proc_peer(PROC_ROUTERD), IPC_ROUTE, 0, &r, -1, IPC_TIMEOUT,
	    cb, x);
}

static void
found(const struct ipc_pkt *pkt, void *arg)
{
	struct access *x = arg;
	const struct msg_routed *m = pkt != NULL ? pkt->m : NULL;

	if (m == NULL || m->code == 2)
		refuse(x, 501, "server is temporarily unable to do this");
	else if (m->code != 0 || strcmp(m->module, "LOCAL") != 0 ||
	    *m->path == '\0')
		refuse(x, 500, "unknown user account");
	else if (!admin_keep_object(x->who, m))
		refuse(x, 501, "out of memory");
	else if (!may(x, x->who->odomain) || (!admin_is_self(x->who) &&
	    !admin_is_users(x->who) && admin_outranked(x->who)))
		refuse(x, 501, "you have no right to do this");
	else if (x->actas != NULL)
		route(x->actas, found_actas, x);
	else
		grant(x);
}

static void
start(struct access *x, const struct msg_admin_access *m)
{
	x->who->name = admin_fullname(x->who, m->object);
	if (*m->actas != '\0')
		x->actas = admin_fullname(x->who, m->actas);
	if (x->who->name == NULL || (*m->actas != '\0' && x->actas == NULL))
		refuse(x, 501, "illegal account name");
	else if (!may(x, strrchr(x->who->name, '@') + 1))
		refuse(x, 501, "you have no right to do this");
	else
		route(x->who->name, found, x);
}

void
admin_access(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_admin_access *m = pkt->m;
	struct msg_admin_accessed no = { .code = 1, .reply = 501,
		.text = "log in first" };
	struct ticket *t = ticket_find(m->ticket);
	struct admin *who = t != NULL ? admin_new(t, NULL) : NULL;
	struct access *x;

	if (who == NULL) {
		ipc_answer(ipc_ref(ipc, pkt), IPC_ADMIN_ACCESSED, &no, -1);
		return;
	}
	x = xcalloc(1, sizeof(*x));
	x->ref = ipc_ref(ipc, pkt);
	x->who = who;
	x->right = xstrdup(m->right);
	x->self = m->self;
	start(x, m);
}
