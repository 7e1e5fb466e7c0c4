/*
 * Is that the password?  First the CommuniGate one, then the host's (manual
 * 08).  Runs in authd, the only process that sees stored passwords; it logs
 * none.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "authd.h"
#include "log.h"

struct password_key proof_key;

static unsigned char mark_key[PASSWORD_KEYLEN];

static const struct method {
	const char	*name;
	/* NULL: the secret is the password itself. */
	bool		(*digest)(struct str clear, struct str challenge,
			    struct str hex);
} methods[] = {
	{ "PLAIN",	NULL },
	{ "LOGIN",	NULL },
	{ "USER",	NULL },
	{ "CRAM-MD5",	password_cram_md5 },
	{ "APOP",	password_apop },
	{ NULL,		NULL }
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

	return m != NULL && m->digest == NULL;
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
read_key(const char *hex)
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
		proof_key.k[i] = hi << 4 | lo;
	}
	return true;
}

void
proof_init(void)
{
	const char *hex = dict_str(proc_conf()->conf, "PasswordKey", "");

	if (!password_init())
		fatalx("OpenSSL lacks a digest or cipher that is needed");
	arc4random_buf(mark_key, sizeof(mark_key));
	proof_key.set = read_key(hex);
	if (!proof_key.set)
		log_warnx("no PasswordKey: sealed passwords cannot be used");
}

static struct str
stored_password(const struct account *a)
{
	const struct val *v = dict_get(a->settings, "Password");

	if (v == NULL || val_text(v) == NULL)
		return (struct str) { "", 0 };
	return (struct str) { val_text(v), val_len(v) };
}

/* A crypt is slow by intent: once passed, a keyed digest speaks for it. */
static bool
verify_slow(struct account *a, struct str stored, struct str clear)
{
	unsigned char mark[PASSWORD_MARKLEN];

	if (!password_mark(mark, mark_key, clear))
		return false;
	if (a->marked && CRYPTO_memcmp(mark, a->mark, sizeof(mark)) == 0)
		return true;
	if (!password_verify(stored, clear, &proof_key))
		return false;
	memcpy(a->mark, mark, sizeof(mark));
	a->marked = true;
	return true;
}

enum proof
proof_own(struct account *a, struct str clear)
{
	struct str stored = stored_password(a);
	bool ok;

	if (password_form(stored) == PASSWORD_VENDOR)
		return PROOF_UNREADABLE;
	if (clear.len == 0)
		return PROOF_NO;
	ok = password_slow(stored) ? verify_slow(a, stored, clear) :
				     password_verify(stored, clear, &proof_key);
	return ok ? PROOF_YES : PROOF_NO;
}

static enum proof
proof_digest(struct account *a, const struct method *m, const struct claim *c)
{
	struct str stored = stored_password(a);
	struct buf clear;
	bool ok;

	if (password_form(stored) == PASSWORD_VENDOR)
		return PROOF_UNREADABLE;
	if (stored.len == 0)
		return PROOF_NO;
	buf_init(&clear, 0);
	ok = password_reveal(&clear, stored, &proof_key) &&
	    m->digest((struct str) { clear.p, clear.len },
		str_make(c->challenge), c->secret);
	if (clear.p != NULL)
		explicit_bzero(clear.p, clear.cap);
	buf_free(&clear);
	return ok ? PROOF_YES : PROOF_NO;
}

/* --- the host's password, by the root helper --- */

struct os_check {
	void		(*cb)(enum proof, void *);
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
		proof = m->code == 0 ? PROOF_YES :
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

static void
check_os(const struct claim *c, struct account *a, enum proof otherwise,
    void (*cb)(enum proof, void *), void *arg)
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
	if (!os_name(&user, effective_text(a->settings, c->domain,
		"OSUserName"), c->account) || c->secret.len == 0 ||
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
	ipc_call(priv, IPC_OS_CHECK, 0, &m, -1, IPC_TIMEOUT, os_checked, o);
	buf_free(&user);
}

void
proof_check(const struct claim *c, void (*cb)(enum proof, void *), void *arg)
{
	const struct method *m = method_find(c->method);
	enum proof proof = PROOF_OFF;
	struct account *a;

	if ((a = account_get(c->path)) == NULL) {
		log_warn("%s: settings", c->path);
		cb(PROOF_LATER, arg);
		return;
	}
	if (m == NULL) {
		cb(PROOF_NO, arg);
		return;
	}
	if (effective_bool(a->settings, c->domain, "UseAppPassword"))
		proof = m->digest != NULL ? proof_digest(a, m, c) :
					    proof_own(a, c->secret);
	if (proof != PROOF_YES && m->digest == NULL &&
	    effective_bool(a->settings, c->domain, "UseSysPassword")) {
		check_os(c, a, proof == PROOF_OFF ? PROOF_NO : proof, cb, arg);
		return;
	}
	cb(proof, arg);
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

void
proof_nobody(const struct claim *c)
{
	const struct method *m = method_find(c->method);
	struct account a = { 0 };

	if (m == NULL || !effective_bool(NULL, c->domain, "UseAppPassword"))
		return;
	a.settings = nobody(effective_text(NULL, c->domain,
	    "PasswordEncryption"), c->domain);
	if (a.settings == NULL)
		return;
	if (m->digest != NULL)
		proof_digest(&a, m, c);
	else
		proof_own(&a, c->secret);
}
