/*
 * A SASL conversation of a front's client, from the mechanism's name to
 * authd's answer: lib/sasl makes the steps; where the mechanism proves the
 * server too, authd's proof is sent before the front hears of the login.
 * Runs in every front; secrets are wiped as soon as they were answered.
 */
#include <stdlib.h>
#include <string.h>

#include "front_int.h"
#include "log.h"
#include "rfc5322.h"

enum { MAXANSWER = 8192, TICKET_MAX = 16 };

struct front_sasl {
	const struct front_sasl_def *def;
	struct sasl_env	 env;
	struct sasl	 sa;
	/* The answer, held until the client has seen the server's proof. */
	bool		 held;
	/* Likewise a refusal, until it has seen why. */
	bool		 refused;
	char		*reason, *text;
	char		*account, *mailbox, *alerts;
	unsigned char	 ticket[TICKET_MAX];
	size_t		 ticketlen;
};

void
front_sasl_forget(struct front_session *s)
{
	struct front_sasl *f = s->sasl;
	struct msg_ticket_end end;

	if (f == NULL)
		return;
	s->sasl = NULL;
	if (f->held) {
		end.ticket = (struct ipc_str){ f->ticket, f->ticketlen };
		ipc_send(proc_peer(PROC_AUTHD), IPC_TICKET_END, s->id, &end,
		    -1);
	}
	sasl_wipe(&f->sa);
	free(f->account);
	free(f->mailbox);
	free(f->alerts);
	free(f->reason);
	free(f->text);
	explicit_bzero(f, sizeof(*f));
	free(f);
}

static void
failed(struct front_session *s, enum sasl_result r)
{
	const struct front_sasl_def *def = s->sasl->def;

	if (r == SASL_NO)
		front_log(s, LOG_MAJOR, "%s refused: nonce or channel binding "
		    "is not this connection's", s->sasl->sa.mech->name);
	front_sasl_forget(s);
	def->failed(s, r);
}

static void
told(struct front_session *s, const struct msg_authed *m)
{
	const struct front_sasl_def *def = s->sasl->def;

	front_sasl_forget(s);
	def->authed(s, m);
}

static void
later(struct front_session *s, const struct front_sasl_def *def)
{
	struct msg_authed m = { .code = 2, .reason = "TEMP",
		.text = "out of memory", .account = "", .mailbox = "",
		.proof = "" };

	def->authed(s, &m);
}

static void
prompt(struct front_session *s, const char *text, size_t len)
{
	const char *p = s->sasl->def->prompt;
	struct buf b;

	buf_init(&b, MAXANSWER);
	buf_puts(&b, p);
	if (len > 0)
		buf_add(&b, text, len);
	buf_puts(&b, "\r\n");
	conn_write(s->conn, b.p, b.len);
	buf_free(&b);
}

/* The answer is kept; the server's proof goes first. */
static bool
hold(struct front_session *s, const struct msg_authed *m)
{
	struct front_sasl *f = s->sasl;
	struct buf b;
	bool ok;

	if (m->ticket.len > sizeof(f->ticket))
		return false;
	memcpy(f->ticket, m->ticket.p, m->ticket.len);
	f->ticketlen = m->ticket.len;
	f->held = true;
	f->account = strdup(m->account);
	f->mailbox = strdup(m->mailbox);
	f->alerts = strdup(m->alerts != NULL ? m->alerts : "");
	buf_init(&b, MAXANSWER);
	ok = f->account != NULL && f->mailbox != NULL && f->alerts != NULL &&
	    base64_encode(&b, m->proof, strlen(m->proof));
	if (ok)
		prompt(s, b.p, b.len);
	buf_free(&b);
	return ok;
}

/* A token's: the client hears why, and says so, before it is told. */
static bool
hold_refusal(struct front_session *s, const struct sasl_mech *mech,
    const struct msg_authed *m)
{
	const char *why = sasl_oauth_refusal(mech);
	struct front_sasl *f = s->sasl;
	struct buf b;

	f->reason = strdup(m->reason);
	f->text = strdup(m->text);
	buf_init(&b, MAXANSWER);
	f->refused = f->reason != NULL && f->text != NULL &&
	    base64_encode(&b, why, strlen(why));
	if (f->refused)
		prompt(s, b.p, b.len);
	buf_free(&b);
	return f->refused;
}

static void
tell_refusal(struct front_session *s)
{
	struct front_sasl *f = s->sasl;
	char *reason = f->reason, *text = f->text;
	struct msg_authed m = { .code = 1, .reason = reason, .text = text,
		.account = "", .mailbox = "", .proof = "", .alerts = "" };

	f->reason = f->text = NULL;
	told(s, &m);
	free(reason);
	free(text);
}

static void
answered(struct front_session *s, const struct msg_authed *m)
{
	const struct front_sasl_def *def = s->sasl->def;
	const struct sasl_mech *mech = s->sasl->sa.mech;

	sasl_wipe(&s->sasl->sa);
	if (m != NULL && m->code == 1 && mech->needs & SASL_TOKENS &&
	    hold_refusal(s, mech, m))
		return;
	if (m == NULL || m->code != 0 || *m->proof == '\0')
		told(s, m);
	else if (!hold(s, m)) {
		front_sasl_forget(s);
		later(s, def);
	}
}

static void
release(struct front_session *s)
{
	struct front_sasl *f = s->sasl;
	unsigned char ticket[TICKET_MAX];
	struct msg_authed m = { .reason = "", .text = "", .proof = "" };
	char *account = f->account, *mailbox = f->mailbox;
	char *alerts = f->alerts;

	memcpy(ticket, f->ticket, sizeof(ticket));
	m.account = account;
	m.mailbox = mailbox;
	m.alerts = alerts;
	m.ticket = (struct ipc_str){ ticket, f->ticketlen };
	f->held = false;
	f->account = f->mailbox = f->alerts = NULL;
	told(s, &m);
	explicit_bzero(ticket, sizeof(ticket));
	free(account);
	free(mailbox);
	free(alerts);
}

static void
step(struct front_session *s, const char *line)
{
	struct sasl *sa = &s->sasl->sa;
	enum sasl_result r;
	struct buf out;

	buf_init(&out, MAXANSWER);
	r = sasl_step(sa, line, &out);
	if (r == SASL_MORE)
		prompt(s, out.p, out.len);
	else if (r == SASL_DONE)
		front_auth(s, sa->mech->name, sa->name, sa->authz, sa->secret,
		    sa->secretlen, sa->challenge, answered);
	else
		failed(s, r);
	buf_free(&out);
}

/* The client has nothing to say to the server's proof, or is not content. */
void
front_sasl_line(struct front_session *s, const char *line)
{
	if (s->sasl->refused)
		tell_refusal(s);
	else if (!s->sasl->held)
		step(s, line);
	else if (*line == '\0' || strcmp(line, "=") == 0)
		release(s);
	else
		failed(s, strcmp(line, "*") == 0 ? SASL_CANCEL : SASL_BAD);
}

static bool
binding(void *arg, struct str type, struct buf *out)
{
	struct front_session *s = arg;

	return conn_binding(s->conn, type, out);
}

/* Can the external authenticator judge tokens now? */
static bool tokens;

static void
got_offers(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_auth_offers *m = pkt->m;

	tokens = m->tokens != 0;
}

const struct ipc_disp front_authd_disp[] = {
	{ IPC_AUTH_OFFERS,	got_offers },
	{ IPC_NONE,		NULL }
};

bool
front_is_token(const char *method)
{
	const struct sasl_mech *m = sasl_find(str_make(method));

	return m != NULL && (m->needs & SASL_TOKENS) != 0;
}

unsigned int
front_sasl_offers(const struct front_session *s)
{
	unsigned int offers = front_clear_ok(s) ? SASL_CLEAR_OK : 0;

	if (front_sasl_secure())
		offers |= SASL_SECURE;
	if (!s->tls)
		return offers;
	if (tokens)
		offers |= SASL_TOKENS;
	return offers | SASL_BOUND |
	    (conn_certs(s->conn, NULL) ? SASL_CERT : 0);
}

/*
 * Passwords in the clear are refused by the front itself, with a reason; what
 * is only not announced may be used.
 */
const struct sasl_mech *
front_sasl_find(const struct front_session *s, struct str name)
{
	const struct sasl_mech *m = sasl_find(name);

	if (m == NULL || (m->needs & ~(SASL_CLEAR_OK | SASL_SECURE) &
	    ~front_sasl_offers(s)) != 0)
		return NULL;
	return m;
}

void
front_sasl(struct front_session *s, const struct front_sasl_def *def,
    const struct sasl_mech *mech, const char *first)
{
	struct front_sasl *f;

	front_sasl_forget(s);
	if ((f = calloc(1, sizeof(*f))) == NULL) {
		later(s, def);
		return;
	}
	s->sasl = f;
	f->def = def;
	f->env = (struct sasl_env){ .host = front_hostname(),
		.saltkey = front_salt_key(), .offers = front_sasl_offers(s),
		.binding = binding, .arg = s };
	sasl_start(&f->sa, mech, &f->env);
	step(s, first);
}
