/*
 * One AUTH, from the name to the answer: route, limits, proof, services, then
 * a grant at stored (POP, IMAP) or a session's ticket (SMTP, PWD).  Runs in
 * authd.  What a client hears tells it nothing of which names exist, unless
 * Hide Unknown Account is off.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "alerts.h"
#include "authd.h"
#include "log.h"
#include "settings.h"

enum { GRANT_SECONDS = 10, LOGNAME_MAX = 128 };

uint64_t login_ok, login_failed;

struct login {
	struct ipc_ref	 ref;
	enum proc_id	 front;
	int		 instance;
	char		*service, *method, *name, *challenge, *peer;
	char		*secret;
	size_t		 secretlen;
	struct buf	 proof;		/* of ours, for the client */
	bool		 tls;
	bool		 shown;		/* EXTERNAL: by a good certificate */
	bool		 system;	/* it was the host's password */
	bool		 roams;		/* it makes its address a client's */
	/* Once routed. */
	char		*account, *domain, *path, *mailbox;
	char		*counted;	/* the account by the name that was said */
	char		*alerts;	/* for the client, a line each */
	unsigned char	 ticket[TICKET_LEN];
};

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

static void
answer(struct login *l, int code, const char *reason, const char *text)
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

/* A name for one log line, whatever the client sent. */
static void
printable(char *out, size_t size, const char *name)
{
	size_t i;

	for (i = 0; i + 1 < size && name[i] != '\0'; i++)
		out[i] = (unsigned char)name[i] <= ' ' || name[i] == 0x7f ?
		    '?' : name[i];
	out[i] = '\0';
}

static bool
is_our_domain(const char *name)
{
	const struct val *all = proc_settings();

	return strcmp(name, main_domain()) == 0 ||
	    dict_get(dict_get(all, "Domains"), name) != NULL ||
	    dict_get(dict_get(all, "DomainAliases"), name) != NULL;
}

/* A name that is no account's may be a password in the wrong place. */
static const char *
logged_name(const struct login *l)
{
	static char name[LOGNAME_MAX];
	const char *at;

	if (l->account != NULL) {
		printable(name, sizeof(name), l->account);
		return name;
	}
	at = strrchr(l->name, '@');
	snprintf(name, sizeof(name), "*%s",
	    at != NULL && is_our_domain(at + 1) ? at : "");
	return name;
}

static void
later(struct login *l, const char *why)
{
	log_msg(LOG_PROBLEM, "AUTH-LATER %s %s [%s] %s", l->service,
	    logged_name(l), l->peer, why);
	answer(l, 2, "TEMP", "server is temporarily unable to check");
}

/* The one line a failure leaves; programs that ban addresses read it. */
static void
log_failure(const struct login *l, const char *why)
{
	login_failed++;
	log_msg(LOG_MAJOR, "AUTH-FAIL %s %s [%s] %s", l->service,
	    logged_name(l), l->peer, why);
}

static void
refuse(struct login *l, const char *why, const char *reason, const char *text)
{
	log_failure(l, why);
	answer(l, 1, reason, text);
}

static bool
hide_unknown(void)
{
	return settings_bool(proc_settings(), "Main", "HideAccountUnknown");
}

/*
 * Failures are counted twice.  By the name that was said, whether there is
 * such an account or not, with the defaults' limit: that lock is told.  And by
 * the account, with a limit of its own and over all its aliases: that one is
 * silent, as it would tell which names are one account, or are there at all.
 */
static const char *
said_name(const struct login *l)
{
	return l->counted != NULL ? l->counted : l->name;
}

/* In the same table; no name begins so. */
static char *
own_name(const struct login *l)
{
	return l->account != NULL ? xasprintf("=%s", l->account) : NULL;
}

/* FailedLoginFlow = (count, period) */
static void
count_as(const char *name, const char *peer, const struct val *flow)
{
	struct val *pair;
	int64_t count, period;

	if (flow == NULL || val_type(flow) != VAL_ARRAY || val_count(flow) < 2)
		return;
	/* Through a dictionary, which knows the units. */
	if ((pair = val_dict()) == NULL)
		return;
	dict_set(pair, "n", val_copy(val_at(flow, 0)));
	dict_set(pair, "t", val_copy(val_at(flow, 1)));
	count = dict_int(pair, "n", 0);
	period = dict_int(pair, "t", 0);
	val_free(pair);
	if (count > 0 && period > 0)
		limit_failed(name, peer, count, period);
}

/* Whoever guesses at many names' passwords need not send us mail either. */
static void
count_address(const char *peer)
{
	struct msg_temp_black m = { .peer = peer,
		.why = "too many failed logins" };
	uint32_t count, period;

	if (is_client_ip(peer) || !settings_flow(proc_settings(), "SMTP",
	    "ErrorFlow", &count, &period) ||
	    !limit_failed("=", peer, count, period))
		return;
	m.seconds = settings_int(proc_settings(), "SMTP", "BlockTime");
	ipc_send(proc_peer(PROC_ROUTERD), IPC_TEMP_BLACK, 0, &m, -1);
}

static void
count_failure(const struct login *l)
{
	const char *domain = l->domain != NULL ? l->domain : "";
	struct account *a;
	char *own = own_name(l);

	count_as(said_name(l), l->peer,
	    effective(NULL, domain, "FailedLoginFlow"));
	count_address(l->peer);
	if (own != NULL && l->path != NULL &&
	    (a = account_get(l->path)) != NULL)
		count_as(own, l->peer,
		    effective(a->settings, domain, "FailedLoginFlow"));
	free(own);
}

static void
forget_failures(const struct login *l)
{
	char *own = own_name(l);

	limit_clear(said_name(l), l->peer);
	limit_clear(own, l->peer);
	free(own);
}

static void
refuse_proof(struct login *l, const char *why, bool unknown)
{
	const char *text = "incorrect account name or password";

	count_failure(l);
	if (!hide_unknown())
		text = unknown ? "unknown user account" : "incorrect password";
	refuse(l, why, "AUTH", text);
}

/* --- the end of a good login --- */

static void
granted(const struct ipc_pkt *pkt, void *arg)
{
	struct login *l = arg;
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;

	if (m == NULL || pkt->type != IPC_DONE || m->code != 0) {
		later(l, m != NULL ? m->text : "stored does not answer");
		return;
	}
	login_ok++;
	answer(l, 0, "", "");
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
		later(l, "out of memory");
		return;
	}
	t->system = l->system;
	/* poppwd's NEWPASS comes without the old one (manual 43). */
	if (l->system && strcmp(l->service, "PWD") == 0)
		t->secret = strdup(l->secret);
	memcpy(l->ticket, t->id, sizeof(l->ticket));
	login_ok++;
	answer(l, 0, "", "");
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
	answer(l, 1, "ALERT", l->alerts);
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
		refuse(l, "secure-method-required", "PRIVACYREQUIRED",
		    "this account requires a secure login method");
		return;
	}
	if ((text = shut_out(s, l->domain, mode, l->peer, l->tls, &why)) !=
	    NULL) {
		refuse(l, why, "NOSERVICE", text);
		return;
	}
	forget_failures(l);
	l->roams = grant && roaming(l, s);
	if (effective_bool(s, l->domain, "LogLogin"))
		log_msg(LOG_CRASH, "AUTH-OK %s %s [%s]", l->service,
		    logged_name(l), l->peer);
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
			later(l, "account settings cannot be read");
		else
			admit(l, a);
		break;
	case PROOF_NO:
		refuse_proof(l, "wrong-password", false);
		break;
	case PROOF_UNREADABLE:
		refuse_proof(l, "unreadable-password (stored by the vendor's "
				"A-crpt: set a new one)", false);
		break;
	case PROOF_COSTLY:
		refuse_proof(l, "costly-password (its stored form takes too "
				"long to check: set a new one)", false);
		break;
	case PROOF_OFF:
		refuse_proof(l, "passwords-disabled", false);
		break;
	case PROOF_LATER:
		later(l, "password cannot be checked");
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

	refuse(l, "too-many-failures", "AUTH",
	    "incorrect account name or password");
}

/* A limit of the account's own may also be wider: then it counts alone. */
static bool
locked_out(struct login *l)
{
	bool said = limit_blocked(said_name(l), l->peer), locked = said;
	struct claim c;
	char *own;

	if ((own = own_name(l)) != NULL)
		locked = limit_blocked(own, l->peer);
	free(own);
	if (!locked)
		return false;
	if (said || !hide_unknown()) {
		refuse(l, "too-many-failures", "LIMIT",
		    "too many failed login attempts, try again later");
		return true;
	}
	make_claim(l, &c);
	proof_nobody(&c, refused_silently, l);
	return true;
}

static void
proved_nobody(enum proof proof, void *arg)
{
	refuse_proof(arg, "unknown-account", true);
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
		later(l, "name cannot be routed");
		return;
	}
	if (m->code != 0 || strcmp(m->module, "LOCAL") != 0 ||
	    *m->path == '\0') {
		keep_name(l, m);
		unknown(l);
		return;
	}
	if (!keep_route(l, m)) {
		later(l, "out of memory");
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
		refuse(l, why, "AUTH", "your certificate opens nothing here");
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
		refuse(l, "clear-text-refused", "PRIVACYREQUIRED",
		    "use TLS or a secure login method");
		return;
	}
	if (method_is_token(l->method) && !l->tls) {
		refuse(l, "token-without-TLS", "PRIVACYREQUIRED",
		    "tokens need TLS");
		return;
	}
	/* From the server's own address to itself is no other host. */
	if (!is_client_ip(l->peer) && strcmp(l->peer, m->local) != 0 &&
	    settings_bool(proc_settings(), "Protection", "ClientsOnlyLogin")) {
		refuse(l, "not-a-client-address", "NOSERVICE",
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

static bool
option_is(int fd, int option, int wanted)
{
	int v;
	socklen_t len = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, option, &v, &len) == 0 &&
	    len == sizeof(v) && v == wanted;
}

/*
 * Was it accepted at cgctl.sock?  Whoever asks holds other sockets with root
 * at their far end, his own channel to cgserver for one; but what is accepted
 * has the name that cgserver bound, and no front can bind.
 */
static bool
is_from_cgctl(int fd)
{
	const char *name = dict_str(proc_conf()->conf, "ControlSocket", "");
	struct sockaddr_un sun;
	const size_t head = offsetof(struct sockaddr_un, sun_path);
	socklen_t len = sizeof(sun);

	if (!option_is(fd, SO_DOMAIN, AF_UNIX) ||
	    !option_is(fd, SO_TYPE, SOCK_STREAM) ||
	    !option_is(fd, SO_ACCEPTCONN, 0))
		return false;
	memset(&sun, 0, sizeof(sun));
	if (getsockname(fd, (struct sockaddr *)&sun, &len) == -1 ||
	    len > sizeof(sun) || *name == '\0')
		return false;
	return len == head + strlen(name) + 1 &&
	    memcmp(sun.sun_path, name, len - head) == 0;
}

/* root, and whoever runs the suite: by what the kernel says of the socket. */
static bool
is_owner(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (fd == -1 || !is_from_cgctl(fd) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return false;
	return cred.uid == 0 ||
	    cred.uid == (uid_t)dict_int(proc_conf()->conf, "OwnerUid", 0);
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
	bool owner = is_owner(fd);

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
		later(l, "out of memory");
	else
		give_ticket(l, true);
}
