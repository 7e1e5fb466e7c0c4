/*
 * One AUTH, from the name to the answer: route, limits, proof, services, then
 * a grant at stored (POP, IMAP) or a session's ticket (SMTP, PWD).  Runs in
 * authd.  What a client hears tells it nothing of which names exist, unless
 * Hide Unknown Account is off.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "alerts.h"
#include "log.h"
#include "login_int.h"
#include "settings.h"

enum { GRANT_SECONDS = 10 };

uint64_t login_ok;

/* Which of the account's services (AccessModes) a front's login needs. */
static const struct {
	const char	*service, *mode;
	bool		 grant;		/* stored opens the account */
} services[] = {
	{ "POP",	"POP",	true },
	{ "IMAP",	"IMAP",	true },
	{ "SMTP",	"Relay", false },
	{ "PWD",	"PWD",	false },
};

static void
login_free(struct login *l)
{
	free(l->service);
	free(l->method);
	free(l->name);
	free(l->challenge);
	free(l->peer);
	if (l->secret != NULL)
		explicit_bzero(l->secret, l->secretlen);
	free(l->secret);
	buf_free(&l->proof);
	free(l->account);
	free(l->domain);
	free(l->path);
	free(l->mailbox);
	free(l->counted);
	free(l->alerts);
	explicit_bzero(l->ticket, sizeof(l->ticket));
	free(l);
}

void
login_answer(struct login *l, int code, const char *reason, const char *text)
{
	struct msg_authed m = { .code = code, .reason = reason, .text = text };

	m.account = code == 0 ? l->account : "";
	m.mailbox = code == 0 ? l->mailbox : "";
	m.roams = code == 0 && l->roams;
	m.alerts = code == 0 && l->alerts != NULL ? l->alerts : "";
	m.proof = code == 0 && l->proof.len > 0 ? l->proof.p : "";
	if (code == 0) {
		m.ticket.p = l->ticket;
		m.ticket.len = sizeof(l->ticket);
	}
	ipc_answer(l->ref, IPC_AUTHED, &m, -1);
	login_free(l);
}

/* --- the end of a good login --- */

static void
granted(const struct ipc_pkt *pkt, void *arg)
{
	struct login *l = arg;
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;

	if (m == NULL || pkt->type != IPC_DONE || m->code != 0) {
		login_later(l, m != NULL ? m->text : "stored does not answer");
		return;
	}
	login_ok++;
	login_answer(l, 0, "", "");
}

static void
ask_grant(struct login *l)
{
	const struct account *a = account_get(l->path);
	struct msg_grant m = { .limits = "" };
	struct buf limits;

	buf_init(&limits, 0);
	if (a != NULL && account_limits(&limits, a->settings, l->path,
		l->domain))
		m.limits = limits.p;
	arc4random_buf(l->ticket, sizeof(l->ticket));
	m.ticket.p = l->ticket;
	m.ticket.len = sizeof(l->ticket);
	m.account = l->account;
	m.path = l->path;
	m.mailbox = l->mailbox;
	m.service = l->service;
	m.front = l->front;
	m.instance = l->instance;
	m.seconds = GRANT_SECONDS;
	ipc_call(proc_peer(PROC_STORED), IPC_GRANT, 0, &m, -1, IPC_TIMEOUT,
	    granted, l);
	buf_free(&limits);
}

static void
give_ticket(struct login *l, bool local)
{
	struct ticket *t;

	t = ticket_new(l->account, l->domain, l->path, local,
	    l->ref.channel);
	if (t == NULL) {
		login_later(l, "out of memory");
		return;
	}
	t->system = l->system;
	/* poppwd's NEWPASS comes without the old one (manual 43). */
	if (l->system && strcmp(l->service, "PWD") == 0)
		t->secret = strdup(l->secret);
	memcpy(l->ticket, t->id, sizeof(l->ticket));
	login_ok++;
	login_answer(l, 0, "", "");
}

static bool
insecure(const struct login *l)
{
	return method_is_clear(l->method) && !l->tls;
}

/* The name in AccessModes, and does stored open the account for it? */
static const char *
mode_of(const char *service, bool *grant)
{
	size_t i;

	for (i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		if (strcmp(services[i].service, service) == 0) {
			*grant = services[i].grant;
			return services[i].mode;
		}
	*grant = false;
	return service;
}

/* What keeps the account from this service: for the client, the log; NULL. */
static const char *
shut_out(const struct val *s, const char *domain, const char *mode,
    const char *peer, bool tls, const char **why)
{
	if (!service_enabled(s, domain, mode) ||
	    (tls && !service_enabled(s, domain, "TLS"))) {
		*why = "service-disabled";
		return "this service is disabled for this account";
	}
	if (!is_client_ip(peer) && !service_enabled(s, domain, "Mobile")) {
		*why = "mobile-disabled";
		return "this account cannot be used from your address";
	}
	return NULL;
}

/*
 * IMAP shows alerts beside the login; POP can show one as an error only, and
 * the client comes again (manual 36).  True: it was answered so.
 */
static bool
alerted(struct login *l, struct account *a)
{
	bool imap = strcmp(l->service, "IMAP") == 0;

	l->alerts = alerts_show(a, l->domain, imap);
	if (l->alerts == NULL || imap)
		return false;
	log_msg(LOG_PROBLEM, "%s %s [%s] is shown an alert", l->service,
	    l->account, l->peer);
	login_answer(l, 1, "ALERT", l->alerts);
	return true;
}

/*
 * Read, then send (manual 07): routerd hears that it may relay from there for
 * a while, unless it may not at all.
 */
static bool
roaming(const struct login *l, const struct val *s)
{
	struct msg_roaming m = { .peers = l->peer, .how = 1 };

	if (settings_int(proc_settings(), "Protection", "TempClientTime") == 0
	    || *l->peer == '\0' || !service_enabled(s, l->domain, "Relay"))
		return false;
	ipc_send(proc_peer(PROC_ROUTERD), IPC_ROAMING, 0, &m, -1);
	return true;
}

/*
 * The password was right: may he come in by this door?  Said only now, so
 * that these answers tell strangers nothing.
 */
static void
admit(struct login *l, struct account *a)
{
	const struct val *s = a->settings;
	const char *mode, *text, *why;
	bool grant;

	mode = mode_of(l->service, &grant);
	if (insecure(l) && effective_bool(s, l->domain, "RequireAPOP")) {
		login_refuse(l, "secure-method-required", "PRIVACYREQUIRED",
		    "this account requires a secure login method");
		return;
	}
	if ((text = shut_out(s, l->domain, mode, l->peer, l->tls, &why)) !=
	    NULL) {
		login_refuse(l, why, "NOSERVICE", text);
		return;
	}
	login_forgive(l);
	l->roams = grant && roaming(l, s);
	if (effective_bool(s, l->domain, "LogLogin"))
		log_msg(LOG_CRASH, "AUTH-OK %s %s [%s]", l->service,
		    login_name(l), l->peer);
	if (grant && alerted(l, a))
		return;
	if (grant)
		ask_grant(l);
	else
		give_ticket(l, false);
}

static void
proved(enum proof proof, void *arg)
{
	struct login *l = arg;
	struct account *a;

	switch (proof) {
	case PROOF_SYSTEM:
		l->system = true;
		/* FALLTHROUGH */
	case PROOF_YES:
		if ((a = account_get(l->path)) == NULL)
			login_later(l, "account settings cannot be read");
		else
			admit(l, a);
		break;
	case PROOF_NO:
		login_unproved(l, "wrong-password", false);
		break;
	case PROOF_UNREADABLE:
		login_unproved(l, "unreadable-password (stored by the vendor's "
				"A-crpt: set a new one)", false);
		break;
	case PROOF_COSTLY:
		login_unproved(l, "costly-password (its stored form takes too "
				"long to check: set a new one)", false);
		break;
	case PROOF_OFF:
		login_unproved(l, "passwords-disabled", false);
		break;
	case PROOF_LATER:
		login_later(l, "password cannot be checked");
		break;
	}
}

static void
make_claim(struct login *l, struct claim *c)
{
	c->account = l->account;
	c->domain = l->domain != NULL ? l->domain : "";
	c->path = l->path;
	c->method = l->method;
	c->service = l->service;
	c->challenge = l->challenge;
	c->secret = (struct str) { l->secret, l->secretlen };
	c->change = (struct str) { "", 0 };
	c->said = l->name;
	c->proof = &l->proof;
}

static void
refused_silently(enum proof proof, void *arg)
{
	struct login *l = arg;

	login_refuse(l, "too-many-failures", "AUTH",
	    "incorrect account name or password");
}

static bool
locked_out(struct login *l)
{
	struct claim c;

	switch (login_lock(l)) {
	case LOCK_NONE:
		return false;
	case LOCK_TOLD:
		login_refuse(l, "too-many-failures", "LIMIT",
		    "too many failed login attempts, try again later");
		return true;
	case LOCK_SILENT:
		break;
	}
	make_claim(l, &c);
	proof_nobody(&c, refused_silently, l);
	return true;
}

static void
proved_nobody(enum proof proof, void *arg)
{
	login_unproved(arg, "unknown-account", true);
}

static void
unknown(struct login *l)
{
	struct claim c;

	if (locked_out(l))
		return;
	make_claim(l, &c);
	proof_nobody(&c, proved_nobody, l);
}

/* Nobody's; the Router has taken off what else there may be but box#. */
static void
keep_name(struct login *l, const struct msg_routed *m)
{
	const char *hash = strchr(m->host, '#');
	const char *name = hash != NULL ? hash + 1 : m->host;

	if (*m->domain == '\0')
		return;
	l->domain = strdup(m->domain);
	l->counted = xasprintf("%.*s@%s", (int)strcspn(name, "@"), name,
	    m->domain);
}

static bool
keep_route(struct login *l, const struct msg_routed *m)
{
	struct buf full;

	buf_init(&full, 512);
	buf_add(&full, m->host, strcspn(m->host, "@"));
	buf_putc(&full, '@');
	buf_puts(&full, m->domain);
	l->account = buf_steal(&full);
	l->domain = strdup(m->domain);
	l->counted = xasprintf("%s@%s", m->alias, m->domain);
	l->path = strdup(m->path);
	l->mailbox = strdup(m->address);
	return l->account != NULL && l->domain != NULL && l->path != NULL &&
	    l->mailbox != NULL;
}

/* By a certificate, unless the account may not. */
static void
shown(struct login *l)
{
	const struct account *a = account_get(l->path);

	proved(a != NULL && !effective_bool(a->settings, l->domain,
	    "UseCertificateAuth") ? PROOF_OFF : PROOF_YES, l);
}

static void
routed(const struct ipc_pkt *pkt, void *arg)
{
	struct login *l = arg;
	const struct msg_routed *m;
	struct claim c;

	if (pkt == NULL || pkt->type != IPC_ROUTED ||
	    (m = pkt->m)->code == 2) {
		login_later(l, "name cannot be routed");
		return;
	}
	if (m->code != 0 || strcmp(m->module, "LOCAL") != 0 ||
	    *m->path == '\0') {
		keep_name(l, m);
		unknown(l);
		return;
	}
	if (!keep_route(l, m)) {
		login_later(l, "out of memory");
		return;
	}
	if (locked_out(l))
		return;
	if (l->shown) {
		shown(l);
		return;
	}
	make_claim(l, &c);
	proof_check(&c, proved, l);
}

/*
 * An idle session comes back: nothing is proved again, but it must still be
 * what it was.  A renamed or removed account's have been ended.
 */
void
login_access(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_access *m = pkt->m;
	struct msg_done r = { .code = 1, .text = "the account is gone" };
	const char *domain = strchr(m->account, '@'), *why;
	struct account *a = account_get(m->path);
	bool grant;

	if (a != NULL && domain != NULL) {
		r.text = shut_out(a->settings, domain + 1,
		    mode_of(m->service, &grant), m->peer, m->tls, &why);
		r.code = r.text != NULL;
		if (r.text == NULL)
			r.text = "";
		else
			log_msg(LOG_MAJOR, "%s %s [%s] may not go on: %s",
			    m->service, m->account, m->peer, why);
	}
	ipc_answer(ipc_ref(ipc, pkt), IPC_DONE, &r, -1);
}

/* Who is still there, or has left: only authd says who came. */
void
login_roaming(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_roaming *m = pkt->m;
	struct msg_roaming r = { .peers = m->peers, .how = m->how == 0 ? 0 :
		2 };

	ipc_send(proc_peer(PROC_ROUTERD), IPC_ROAMING, 0, &r, -1);
}

/* --- the beginning --- */

static struct login *
login_new(struct ipc *ipc, struct ipc_pkt *pkt, const struct msg_auth *m)
{
	struct login *l;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return NULL;
	buf_init(&l->proof, 64);
	l->ref = ipc_ref(ipc, pkt);
	l->front = proc_who(ipc, &l->instance);
	l->tls = m->tls;
	l->service = strdup(m->service);
	l->method = strdup(m->method);
	l->name = lower(m->name);
	l->challenge = strdup(m->challenge);
	l->peer = strdup(m->peer);
	l->secretlen = m->secret.len;
	if ((l->secret = malloc(m->secret.len + 1)) != NULL) {
		if (m->secret.len > 0)
			memcpy(l->secret, m->secret.p, m->secret.len);
		l->secret[m->secret.len] = '\0';
	}
	if (l->service != NULL && l->method != NULL && l->name != NULL &&
	    l->challenge != NULL && l->peer != NULL && l->secret != NULL)
		return l;
	login_free(l);
	return NULL;
}

/*
 * PLAIN may name whom to act for.  Nobody may be another yet; clients that
 * send their own name there are fine.
 */
static bool
acts_for_other(const struct msg_auth *m)
{
	return *m->authz != '\0' && strcasecmp(m->authz, m->name) != 0;
}

/* The certificate says who; false when it has been answered. */
static bool
take_certificate(struct login *l, const struct msg_auth *m)
{
	const char *why;
	char *name;

	name = external_name((struct str) { m->certs.p, m->certs.len },
	    m->authz, &why);
	if (name == NULL) {
		login_refuse(l, why, "AUTH", "your certificate opens nothing here");
		return false;
	}
	free(l->name);
	l->name = name;
	l->shown = true;
	return true;
}

void
login_auth(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_auth *m = pkt->m;
	struct msg_authed busy = { .code = 2, .reason = "TEMP",
		.text = "out of memory", .account = "", .mailbox = "",
		.proof = "" };
	struct msg_route r = { 0 };
	struct login *l;

	if ((l = login_new(ipc, pkt, m)) == NULL) {
		ipc_answer(ipc_ref(ipc, pkt), IPC_AUTHED, &busy, -1);
		return;
	}
	if (insecure(l) && !is_client_ip(l->peer) &&
	    !settings_bool(proc_settings(), "Main", "ClearTextLogin")) {
		login_refuse(l, "clear-text-refused", "PRIVACYREQUIRED",
		    "use TLS or a secure login method");
		return;
	}
	if (method_is_token(l->method) && !l->tls) {
		login_refuse(l, "token-without-TLS", "PRIVACYREQUIRED",
		    "tokens need TLS");
		return;
	}
	/* From the server's own address to itself is no other host. */
	if (!is_client_ip(l->peer) && strcmp(l->peer, m->local) != 0 &&
	    settings_bool(proc_settings(), "Protection", "ClientsOnlyLogin")) {
		login_refuse(l, "not-a-client-address", "NOSERVICE",
		    "logins are not accepted from your address");
		return;
	}
	if (strcasecmp(l->method, "EXTERNAL") == 0) {
		if (!take_certificate(l, m))
			return;
	} else if (*l->name == '\0' || acts_for_other(m)) {
		unknown(l);
		return;
	}
	/* A mailbox's name keeps its case. */
	r.address = l->shown ? l->name : m->name;
	r.peer = m->peer;
	r.local = m->local;
	r.account = "";
	r.access = 1;
	r.consult = 1;
	ipc_call(proc_peer(PROC_ROUTERD), IPC_ROUTE, 0, &r, -1, IPC_TIMEOUT,
	    routed, l);
}

void
login_socket(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_auth_socket *m = pkt->m;
	struct msg_auth as = { .service = m->service, .method = "SOCKET",
		.name = "postmaster", .authz = "", .challenge = "",
		.peer = "", .local = "" };
	struct msg_authed no = { .code = 1, .reason = "AUTH",
		.text = "log in first", .account = "", .mailbox = "",
		.proof = "" };
	struct login *l;
	int fd = ipc_take_fd(pkt);
	bool owner = is_from_owner(fd);

	if (fd != -1)
		close(fd);
	if (!owner || (l = login_new(ipc, pkt, &as)) == NULL) {
		ipc_answer(ipc_ref(ipc, pkt), IPC_AUTHED, &no, -1);
		return;
	}
	l->domain = strdup(main_domain());
	l->account = xasprintf("postmaster@%s", main_domain());
	l->mailbox = strdup("");
	if (l->domain == NULL || l->mailbox == NULL)
		login_later(l, "out of memory");
	else
		give_ticket(l, true);
}
