/*
 * What the external authenticator is asked (manual 08): is that the password
 * (VRFY), is that the right digest or token (SASL), is there such a name
 * (NEW).  Runs in authd.
 */
#include <sys/queue.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "extauth.h"
#include "log.h"

/* --- passwords, digests, tokens --- */

struct verify {
	enum proof	 otherwise;
	proof_cb	*cb;
	void		*arg;
};

static void
verified(enum extauth_verdict v, struct str text, void *arg)
{
	struct verify *y = arg;

	y->cb(v == EXTAUTH_YES ? PROOF_YES : v == EXTAUTH_NO ? y->otherwise :
	    PROOF_LATER, y->arg);
	free(y);
}

/* "digest challenge", "token", or the password. */
static bool
make_rest(struct buf *rest, const struct claim *c, bool clear)
{
	struct str challenge = str_make(c->challenge);

	buf_add(rest, c->secret.p, c->secret.len);
	if (!clear && challenge.len > 0) {
		buf_putc(rest, ' ');
		buf_add(rest, challenge.p, challenge.len);
	}
	return !rest->failed && rest->len > 0 &&
	    helper_sendable((struct str){ rest->p, rest->len });
}

void
extauth_verify(const struct claim *c, enum proof otherwise, proof_cb *cb,
    void *arg)
{
	bool clear = method_is_clear(c->method);
	struct verify *y;
	struct buf rest;
	char verb[64] = "VRFY";

	buf_init(&rest, HELPER_LINE);
	if (!extauth_enabled() || c->secret.len == 0 ||
	    !make_rest(&rest, c, clear) ||
	    (y = calloc(1, sizeof(*y))) == NULL) {
		if (!extauth_enabled())
			log_warnx("%s may log in by the external "
			    "authenticator, but there is none", c->account);
		cb(otherwise, arg);
	} else {
		*y = (struct verify){ otherwise, cb, arg };
		if (!clear)
			snprintf(verb, sizeof(verb), "SASL(%s)", c->method);
		extauth_ask(verb, c->service, c->account,
		    (struct str){ rest.p, rest.len }, verified, y);
	}
	if (rest.p != NULL)
		explicit_bzero(rest.p, rest.cap);
	buf_free(&rest);
}

struct pause {
	enum proof	 proof;
	proof_cb	*cb;
	void		*arg;
};

static void
paused(evutil_socket_t fd, short what, void *arg)
{
	struct pause *p = arg;

	p->cb(p->proof, p->arg);
	free(p);
}

void
extauth_pause(enum proof proof, proof_cb *cb, void *arg)
{
	int ms = extauth_enabled() ? extauth_took() : 0;
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };
	struct pause *p = ms > 0 ? calloc(1, sizeof(*p)) : NULL;

	if (p != NULL) {
		*p = (struct pause){ proof, cb, arg };
		if (event_base_once(proc_base(), -1, EV_TIMEOUT, paused, p,
		    &tv) == 0)
			return;
		free(p);
	}
	cb(proof, arg);
}

/* --- unknown names --- */

/* One question a name, however many wait for the answer. */
struct asker {
	STAILQ_ENTRY(asker) entry;
	struct ipc_ref	 ref;
};

struct unknown {
	LIST_ENTRY(unknown) entry;
	char		*name;
	STAILQ_HEAD(, asker) askers;
};

static LIST_HEAD(, unknown) unknowns = LIST_HEAD_INITIALIZER(unknowns);

static void
done(struct ipc_ref ref, int code, const char *text)
{
	struct msg_done m = { .code = code, .text = text };

	ipc_answer(ref, IPC_DONE, &m, -1);
}

static void
named(enum extauth_verdict v, struct str text, void *arg)
{
	struct unknown *u = arg;
	struct asker *a;

	LIST_REMOVE(u, entry);
	while ((a = STAILQ_FIRST(&u->askers)) != NULL) {
		STAILQ_REMOVE_HEAD(&u->askers, entry);
		done(a->ref, v == EXTAUTH_YES ? 0 : v == EXTAUTH_NO ? 1 : 2,
		    v == EXTAUTH_YES ? "" : v == EXTAUTH_NO ? "unknown" :
		    "the external authenticator does not answer");
		free(a);
	}
	free(u->name);
	free(u);
}

static struct unknown *
find(const char *name)
{
	struct unknown *u;

	LIST_FOREACH(u, &unknowns, entry)
		if (strcmp(u->name, name) == 0)
			return u;
	return NULL;
}

void
extauth_new(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_name_unknown *m = pkt->m;
	struct ipc_ref ref = ipc_ref(ipc, pkt);
	bool first = false;
	struct unknown *u;
	struct asker *a;

	/* A line's words are separated by blanks. */
	if (!extauth_enabled() || strpbrk(m->name, " \t\r\n") != NULL) {
		done(ref, 1, "");
		return;
	}
	a = xcalloc(1, sizeof(*a));
	a->ref = ref;
	if ((u = find(m->name)) == NULL) {
		u = xcalloc(1, sizeof(*u));
		u->name = xstrdup(m->name);
		STAILQ_INIT(&u->askers);
		LIST_INSERT_HEAD(&unknowns, u, entry);
		first = true;
	}
	STAILQ_INSERT_TAIL(&u->askers, a, entry);
	if (first)
		extauth_ask("NEW", "", u->name, (struct str){ "", 0 }, named,
		    u);
}

/* --- what fronts may offer --- */

void
extauth_tell_front(struct ipc *front)
{
	struct msg_auth_offers m = { .tokens = extauth_has_tokens() };

	ipc_send(front, IPC_AUTH_OFFERS, 0, &m, -1);
}

void
extauth_tell_fronts(void)
{
	static const enum proc_id fronts[] = { PROC_SMTPD, PROC_POP3D,
		PROC_IMAPD, PROC_PWDD };
	struct ipc *ipc;
	size_t i;
	int n;

	for (i = 0; i < sizeof(fronts) / sizeof(fronts[0]); i++)
		for (n = 0; n < 64; n++)
			if ((ipc = proc_peer_n(fronts[i], n)) != NULL)
				extauth_tell_front(ipc);
}
