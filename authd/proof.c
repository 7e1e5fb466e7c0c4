/*
 * Is that the password?  First the CommuniGate one, then the host's, then an
 * external program's (manual 08).  Runs in authd, the only process that sees
 * stored passwords; it logs none.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "authd.h"
#include "extauth.h"
#include "log.h"

struct password_key proof_key;

static unsigned char mark_key[PASSWORD_KEYLEN];

static const struct method {
	const char	*name;
	bool		clear;		/* the secret is the password itself */
	bool		(*digest)(struct str clear, struct str challenge,
			    struct str hex);
	/* The same, with a proof of the server's own. */
	bool		(*mutual)(struct str clear, struct str challenge,
			    struct str hex, struct buf *final);
	unsigned int	scram;		/* 1 or 256 */
	bool		token;		/* the external program alone knows */
} methods[] = {
	{ .name = "PLAIN", .clear = true },
	{ .name = "LOGIN", .clear = true },
	{ .name = "USER", .clear = true },
	{ .name = "CRAM-MD5", .digest = password_cram_md5 },
	{ .name = "APOP", .digest = password_apop },
	{ .name = "DIGEST-MD5", .mutual = password_digest_md5 },
	{ .name = "SCRAM-SHA-1", .scram = 1 },
	{ .name = "SCRAM-SHA-1-PLUS", .scram = 1 },
	{ .name = "SCRAM-SHA-256", .scram = 256 },
	{ .name = "SCRAM-SHA-256-PLUS", .scram = 256 },
	{ .name = "OAUTHBEARER", .token = true },
	{ .name = "XOAUTH2", .token = true },
	{ .name = NULL }
};

static const struct method *
method_find(const char *name)
{
	const struct method *m;

	for (m = methods; m->name != NULL; m++)
		if (strcasecmp(m->name, name) == 0)
			return m;
	return NULL;
}

bool
method_is_clear(const char *name)
{
	const struct method *m = method_find(name);

	return m != NULL && m->clear;
}

bool
method_is_token(const char *name)
{
	const struct method *m = method_find(name);

	return m != NULL && m->token;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
read_key(unsigned char key[PASSWORD_KEYLEN], const char *hex)
{
	int hi, lo;
	size_t i;

	if (strlen(hex) != 2 * PASSWORD_KEYLEN)
		return false;
	for (i = 0; i < PASSWORD_KEYLEN; i++) {
		hi = hex_digit(hex[i * 2]);
		lo = hex_digit(hex[i * 2 + 1]);
		if (hi == -1 || lo == -1)
			return false;
		key[i] = hi << 4 | lo;
	}
	return true;
}

void
proof_init(void)
{
	const struct val *conf = proc_conf()->conf;
	unsigned char salts[PASSWORD_KEYLEN] = { 0 };

	if (!password_init())
		fatalx("OpenSSL lacks a digest or cipher that is needed");
	arc4random_buf(mark_key, sizeof(mark_key));
	proof_key.set = read_key(proof_key.k,
	    dict_str(conf, "PasswordKey", ""));
	if (!proof_key.set)
		log_warnx("no PasswordKey: sealed passwords cannot be used");
	(void)read_key(salts, dict_str(conf, "SaltKey", ""));
	scram_init(salts);
}

static struct str
stored_password(const struct account *a)
{
	const struct val *v = dict_get(a->settings, "Password");

	if (v == NULL || val_text(v) == NULL)
		return (struct str) { "", 0 };
	return (struct str) { val_text(v), val_len(v) };
}

/* --- slow forms --- */

/*
 * A crypt is slow by intent: a thread checks it, and once passed, a keyed
 * digest speaks for it.
 */
struct slow_check {
	char		*path;		/* NULL: nobody's */
	proof_cb	*cb;
	void		*arg;
};

/* Unless the password was changed meanwhile. */
static void
mark(const char *path, struct str stored, struct str clear)
{
	struct account *a = path != NULL ? account_get(path) : NULL;
	struct str now;

	if (a == NULL)
		return;
	now = stored_password(a);
	if (now.len == stored.len && memcmp(now.p, stored.p, now.len) == 0)
		a->marked = password_mark(a->mark, mark_key, clear);
}

static void
slow_checked(bool ok, struct str stored, struct str clear, void *arg)
{
	struct slow_check *s = arg;

	if (ok)
		mark(s->path, stored, clear);
	s->cb(ok ? PROOF_YES : PROOF_NO, s->arg);
	free(s->path);
	free(s);
}

static bool
is_marked(const struct account *a, struct str clear)
{
	unsigned char m[PASSWORD_MARKLEN];

	return a->marked && password_mark(m, mark_key, clear) &&
	    CRYPTO_memcmp(m, a->mark, sizeof(m)) == 0;
}

static void
check_slow(const struct account *a, struct str stored, struct str clear,
    proof_cb *cb, void *arg)
{
	struct slow_check *s;

	if (is_marked(a, clear)) {
		cb(PROOF_YES, arg);
		return;
	}
	if (password_costly(stored)) {
		cb(PROOF_COSTLY, arg);
		return;
	}
	s = xcalloc(1, sizeof(*s));
	s->path = a->path != NULL ? xstrdup(a->path) : NULL;
	s->cb = cb;
	s->arg = arg;
	if (slow_verify(stored, clear, slow_checked, s))
		return;
	free(s->path);
	free(s);
	cb(PROOF_LATER, arg);
}

void
proof_own(struct account *a, struct str clear, proof_cb *cb, void *arg)
{
	struct str stored = stored_password(a);

	if (password_form(stored) == PASSWORD_VENDOR)
		cb(PROOF_UNREADABLE, arg);
	else if (clear.len == 0)
		cb(PROOF_NO, arg);
	else if (password_slow(stored))
		check_slow(a, stored, clear, cb, arg);
	else
		cb(password_verify(stored, clear, &proof_key) ? PROOF_YES :
		    PROOF_NO, arg);
}

static bool
digest_is(const struct method *m, struct str clear, const struct claim *c)
{
	struct str challenge = str_make(c->challenge);

	return m->digest != NULL ? m->digest(clear, challenge, c->secret) :
	    m->mutual(clear, challenge, c->secret, c->proof);
}

static void
proof_digest(struct account *a, const struct method *m, const struct claim *c,
    proof_cb *cb, void *arg)
{
	struct str stored = stored_password(a), text = { "", 0 };
	enum proof proof = PROOF_NO;
	struct buf clear;

	if (password_form(stored) == PASSWORD_VENDOR) {
		cb(PROOF_UNREADABLE, arg);
		return;
	}
	buf_init(&clear, 0);
	if (stored.len > 0 && password_reveal(&clear, stored, &proof_key) &&
	    clear.len > 0)
		text = (struct str) { clear.p, clear.len };
	if (m->scram)
		scram_check(c, text, m->scram == 256, cb, arg);
	else if (text.len > 0 && digest_is(m, text, c))
		proof = PROOF_YES;
	if (clear.p != NULL)
		explicit_bzero(clear.p, clear.cap);
	buf_free(&clear);
	if (!m->scram)
		cb(proof, arg);
}

/* --- the host's password, by the root helper --- */

struct os_check {
	proof_cb	*cb;
	void		*arg;
	enum proof	 otherwise;
};

static void
os_checked(const struct ipc_pkt *pkt, void *arg)
{
	struct os_check *o = arg;
	enum proof proof = PROOF_LATER;
	const struct msg_done *m;

	if (pkt != NULL && pkt->type == IPC_DONE) {
		m = pkt->m;
		proof = m->code == 0 ? PROOF_SYSTEM :
		    m->code == 1     ? o->otherwise :
				       PROOF_LATER;
	}
	o->cb(proof, o->arg);
	free(o);
}

/* The account's name with the setting's * replaced (manual 20). */
static bool
os_name(struct buf *out, const char *setting, const char *account)
{
	size_t n = strcspn(account, "@");

	for (; *setting != '\0'; setting++) {
		if (*setting == '*')
			buf_add(out, account, n);
		else
			buf_putc(out, *setting);
	}
	return !out->failed && out->len > 0 && out->len <= 64;
}

/*
 * Whoever sets accounts' defaults does not become the Master by naming
 * himself there: a default must have the account's name in it.
 */
static const char *
os_setting(const struct claim *c, const struct account *a)
{
	const char *text = effective_text(a->settings, c->domain,
	    "OSUserName");

	if (dict_get(a->settings, "OSUserName") != NULL ||
	    strchr(text, '*') != NULL ||
	    !rights_has_server(c->account, c->domain))
		return text;
	log_warnx("%s has rights of the server's: its OS user must be named "
	    "in its own settings", c->account);
	return "";
}

static void
check_os(const struct claim *c, struct account *a, enum proof otherwise,
    proof_cb *cb, void *arg)
{
	struct ipc *priv = proc_peer(PROC_PRIV);
	struct msg_os_check m = { 0 };
	struct os_check *o;
	struct buf user;

	if (priv == NULL) {
		log_warnx("%s may use its OS password, but OS passwords are "
			  "switched off", c->account);
		cb(otherwise, arg);
		return;
	}
	buf_init(&user, 0);
	if (!os_name(&user, os_setting(c, a), c->account) ||
	    c->secret.len == 0 ||
	    (o = calloc(1, sizeof(*o))) == NULL) {
		buf_free(&user);
		cb(otherwise, arg);
		return;
	}
	o->cb = cb;
	o->arg = arg;
	o->otherwise = otherwise;
	m.user = user.p;
	m.service = c->service;
	m.password.p = c->secret.p;
	m.password.len = c->secret.len;
	m.change.p = c->change.p;
	m.change.len = c->change.len;
	ipc_call(priv, IPC_OS_CHECK, 0, &m, -1, IPC_TIMEOUT, os_checked, o);
	buf_free(&user);
}

void
proof_os(const struct claim *c, struct account *a, proof_cb *cb, void *arg)
{
	check_os(c, a, PROOF_NO, cb, arg);
}

/* --- a login's claim --- */

struct check {
	struct claim	 claim;
	proof_cb	*cb;
	void		*arg;
};

static void
end_check(struct check *k, enum proof proof)
{
	proof_cb *cb = k->cb;
	void *arg = k->arg;

	free(k);
	cb(proof, arg);
}

/* Whatever came before: a yes of the external program counts. */
static void
check_external(struct check *k, enum proof proof)
{
	const struct method *m = method_find(k->claim.method);
	struct claim c = k->claim;
	proof_cb *cb = k->cb;
	void *arg = k->arg;
	struct account *a;

	if (proof == PROOF_YES || proof == PROOF_SYSTEM ||
	    (!m->clear && m->digest == NULL && !m->token)) {
		end_check(k, proof);
		return;
	}
	if ((a = account_get(c.path)) == NULL) {
		end_check(k, PROOF_LATER);
		return;
	}
	if (!effective_bool(a->settings, c.domain, "UseExtPassword")) {
		end_check(k, proof);
		return;
	}
	free(k);
	extauth_verify(&c, proof == PROOF_OFF ? PROOF_NO : proof, cb, arg);
}

static void
os_told(enum proof proof, void *arg)
{
	check_external(arg, proof);
}

/* The suite's own password is told; if it was not that, the host's may be. */
static void
own_checked(enum proof proof, void *arg)
{
	struct check *k = arg;
	struct account *a;

	if (proof == PROOF_YES || proof == PROOF_LATER) {
		end_check(k, proof);
		return;
	}
	if (!method_is_clear(k->claim.method)) {
		check_external(k, proof);
		return;
	}
	if ((a = account_get(k->claim.path)) == NULL)
		end_check(k, PROOF_LATER);
	else if (effective_bool(a->settings, k->claim.domain,
	    "UseSysPassword"))
		check_os(&k->claim, a, proof == PROOF_OFF ? PROOF_NO : proof,
		    os_told, k);
	else
		check_external(k, proof);
}

void
proof_check(const struct claim *c, proof_cb *cb, void *arg)
{
	const struct method *m = method_find(c->method);
	struct account *a;
	struct check *k;

	if ((a = account_get(c->path)) == NULL) {
		log_warn("%s: settings", c->path);
		cb(PROOF_LATER, arg);
		return;
	}
	if (m == NULL) {
		cb(PROOF_NO, arg);
		return;
	}
	k = xcalloc(1, sizeof(*k));
	*k = (struct check) { *c, cb, arg };
	if (m->token)
		check_external(k, PROOF_NO);
	else if (!effective_bool(a->settings, c->domain, "UseAppPassword"))
		own_checked(PROOF_OFF, k);
	else if (m->clear)
		proof_own(a, c->secret, own_checked, k);
	else
		proof_digest(a, m, &k->claim, own_checked, k);
}

/* Settings with a password of that form that nobody knows. */
static struct val *
nobody(const char *how, const char *domain)
{
	static struct val *made;	/* by form */
	struct val *settings = dict_get(made, how), *v = NULL;
	struct buf clear;
	const char *err;

	if (settings != NULL)
		return settings;
	if (made == NULL && (made = val_dict()) == NULL)
		return NULL;
	buf_init(&clear, 0);
	if (password_random(&clear, 16))
		v = password_prepare(NULL, domain, (struct str) { clear.p,
		    clear.len }, false, &err);
	buf_free(&clear);
	if (v == NULL || (settings = val_dict()) == NULL) {
		val_free(v);
		return NULL;
	}
	dict_set(settings, "Password", v);
	dict_set(made, how, settings);
	return settings;
}

struct nobody {
	bool		 external;	/* there it would have been asked */
	proof_cb	*cb;
	void		*arg;
};

static void
nobody_checked(enum proof proof, void *arg)
{
	struct nobody n = *(struct nobody *)arg;

	free(arg);
	if (n.external)
		extauth_pause(proof, n.cb, n.arg);
	else
		n.cb(proof, n.arg);
}

void
proof_nobody(const struct claim *c, proof_cb *cb, void *arg)
{
	const struct method *m = method_find(c->method);
	struct account a = { 0 };
	struct nobody *n = xcalloc(1, sizeof(*n));

	*n = (struct nobody){ m != NULL && (m->clear || m->token) &&
	    effective_bool(NULL, c->domain, "UseExtPassword"), cb, arg };

	if (m != NULL && !m->token &&
	    effective_bool(NULL, c->domain, "UseAppPassword"))
		a.settings = nobody(effective_text(NULL, c->domain,
		    "PasswordEncryption"), c->domain);
	if (a.settings == NULL)
		nobody_checked(PROOF_NO, n);
	else if (m->clear)
		proof_own(&a, c->secret, nobody_checked, n);
	else
		proof_digest(&a, m, c, nobody_checked, n);
}
