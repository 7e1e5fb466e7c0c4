/*
 * Commands on one account's settings, password and rights.  Runs in authd.
 * A password given is stored as the account's Password Encryption says, and
 * no stored form is ever told to anyone.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "alerts.h"
#include "authd.h"
#include "log.h"
#include "settings.h"

enum { SETTING_NAME_MAX = 128 };

/* --- new passwords --- */

/* The manual's words; A-crpt, the reversible one, is our sealed form. */
static bool
encrypt(struct buf *out, const char *how, struct str clear)
{
	if (strcasecmp(how, "clear") == 0)
		return buf_add(out, clear.p, clear.len);
	if (strcasecmp(how, "U-crpt") == 0 || strcasecmp(how, "UB-crpt") == 0)
		return password_crypt(out, clear);
	return password_seal(out, clear, &proof_key);
}

struct val *
password_prepare(const struct val *settings, const char *domain,
    struct str clear, bool admin, const char **err)
{
	struct val *v = NULL;
	struct buf out;
	size_t i;

	/* An administrator may bring one from elsewhere (manual 03). */
	if (admin && password_form(clear) == PASSWORD_ONEWAY)
		return val_bytes(clear.p, clear.len);
	if (clear.len > PASSWORD_MAX / 2) {
		*err = "this password is too long";
		return NULL;
	}
	for (i = 0; i < clear.len; i++)
		if (iscntrl((unsigned char)clear.p[i])) {
			*err = "a password cannot have such characters";
			return NULL;
		}
	if (clear.len == 0)
		return val_string("");
	buf_init(&out, 0);
	if (encrypt(&out, effective_text(settings, domain,
		"PasswordEncryption"), clear))
		v = val_bytes(out.p, out.len);
	else
		*err = "this password cannot be stored";
	if (out.p != NULL)
		explicit_bzero(out.p, out.cap);
	buf_free(&out);
	return v;
}

/* --- new settings --- */

static const char *
check_setting(const char *name, const struct val *v)
{
	const struct setting *s = settings_find("Account", name);
	static char text[256];
	const char *wrong;

	if (*name == '\0' || strlen(name) > SETTING_NAME_MAX)
		return "illegal setting name";
	if (s == NULL || settings_is_default(v) ||
	    (wrong = settings_check(s, v)) == NULL)
		return NULL;
	snprintf(text, sizeof(text), "%s: %s", name, wrong);
	return text;
}

/* One given setting into the new dictionary; NULL or what is wrong. */
static const char *
apply(struct val *new, const char *name, const struct val *v,
    const char *domain)
{
	const char *err = "out of memory";
	struct val *copy;

	if (settings_is_default(v)) {
		dict_set(new, name, NULL);
		return NULL;
	}
	if (strcmp(name, "Password") == 0) {
		if (val_text(v) == NULL)
			return "a password is a string";
		copy = password_prepare(new, domain, (struct str) {
		    val_text(v), val_len(v) }, true, &err);
	} else {
		copy = val_copy(v);
	}
	if (copy == NULL || dict_set(new, name, copy) == -1)
		return err;
	return NULL;
}

/* Alerts have commands of their own, which know what may be in one. */
static bool
is_alerts(const char *name)
{
	size_t i;

	for (i = 0; alerts_settings[i] != NULL; i++)
		if (strcmp(name, alerts_settings[i]) == 0)
			return true;
	return false;
}

/*
 * The password comes last: how it is stored may be among what is given.  A
 * domain administrator's settings beyond his rights are left out (manual 16).
 */
struct val *
settings_prepare(const struct val *old, const struct val *given,
    const char *domain, const struct val *limit, const char **err)
{
	size_t i;
	const char *name;
	struct val *new, *password = NULL;

	*err = NULL;
	new = old != NULL ? val_copy(old) : val_dict();
	if (new == NULL) {
		*err = "out of memory";
		return NULL;
	}
	for (i = 0; *err == NULL && i < val_count(given); i++) {
		name = val_key(given, i);
		if (is_alerts(name) ||
		    (limit != NULL && !rights_setting(limit, name)))
			continue;
		if (strcmp(name, "Password") == 0) {
			password = val_at(given, i);
			continue;
		}
		*err = check_setting(name, val_at(given, i));
		if (*err == NULL)
			*err = apply(new, name, val_at(given, i), domain);
	}
	if (*err == NULL && password != NULL)
		*err = apply(new, "Password", password, domain);
	if (*err == NULL)
		return new;
	val_free(new);
	return NULL;
}

/* --- settings --- */

static struct account *
load(struct admin *a)
{
	struct account *acc;

	if ((acc = account_get(a->path)) == NULL) {
		log_warn("%s: settings", a->path);
		admin_later(a);
	}
	return acc;
}

static void
tell(struct admin *a, struct val *v)
{
	size_t i;

	if (v == NULL) {
		admin_later(a);
		return;
	}
	dict_set(v, "Password", NULL);
	for (i = 0; alerts_settings[i] != NULL; i++)
		dict_set(v, alerts_settings[i], NULL);
	/* For other servers: his administrators', not the user's. */
	if (!admin_reads(a, a->odomain)) {
		dict_set(v, "PSTNGatewayPassword", NULL);
		dict_set(v, "SyncUserPassword", NULL);
	}
	admin_done(a, v);
}

static void
do_get(struct admin *a)
{
	struct account *acc;

	if ((acc = load(a)) != NULL)
		tell(a, val_copy(acc->settings));
}

void
admin_get_settings(struct admin *a)
{
	admin_find(a, 0, do_get);
}

static void
do_get_effective(struct admin *a)
{
	struct account *acc;

	if ((acc = load(a)) != NULL)
		tell(a, effective_all(acc->settings, a->odomain));
}

void
admin_get_effective(struct admin *a)
{
	admin_find(a, 0, do_get_effective);
}

static void
save(struct admin *a, struct val *new)
{
	if (account_save(a->path, new) == -1) {
		log_warn("%s: settings", a->path);
		admin_fail(a, 501, "settings cannot be written");
	} else {
		limits_tell(a->path, new, a->odomain);
		admin_done(a, NULL);
	}
	val_free(new);
}

/*
 * What replaces all keeps the password, as nobody can read it out; where INBOX
 * is; alerts.
 */
static struct val *
kept(const struct val *settings)
{
	static const char *const stays[] = { "Password", "ExternalINBOX" };
	struct val *base = val_dict(), *v;
	size_t i;

	if (base == NULL)
		return NULL;
	for (i = 0; i < sizeof(stays) / sizeof(stays[0]); i++)
		if ((v = dict_get(settings, stays[i])) != NULL)
			dict_set(base, stays[i], val_copy(v));
	for (i = 0; alerts_settings[i] != NULL; i++)
		if ((v = dict_get(settings, alerts_settings[i])) != NULL)
			dict_set(base, alerts_settings[i], val_copy(v));
	return base;
}

/* Who may change nothing of it is told so. */
static bool
may_any(const struct val *limit, const struct val *given)
{
	bool may = limit == NULL || val_count(given) == 0;
	size_t i;

	for (i = 0; i < val_count(given) && !may; i++)
		may = !is_alerts(val_key(given, i)) &&
		    rights_setting(limit, val_key(given, i));
	return may;
}

static void
change(struct admin *a, bool keep)
{
	const struct val *limit = admin_is_users(a) ? NULL : a->rights;
	struct val *given, *base = NULL, *new;
	struct account *acc;
	const char *err;

	if ((given = admin_value(a, 1, VAL_DICT)) == NULL) {
		admin_fail(a, 501, "a dictionary is expected");
		return;
	}
	/* Rights in that very domain; not the mere reader's. */
	if (!admin_administers(a, a->odomain) || admin_outranked(a)) {
		admin_fail(a, 501, "you have no right to do this");
		return;
	}
	if (!may_any(limit, given)) {
		admin_fail(a, 501, "you have no right to change these "
		    "settings");
		return;
	}
	if ((acc = load(a)) == NULL)
		return;
	if (!keep && limit == NULL)
		base = kept(acc->settings);
	new = settings_prepare(base != NULL ? base : acc->settings, given,
	    a->odomain, limit, &err);
	val_free(base);
	/* All mail that is there would go out of sight. */
	if (new != NULL && inbox_is_external(new) !=
	    inbox_is_external(acc->settings)) {
		val_free(new);
		new = NULL;
		err = "ExternalINBOX is decided when an account is made";
	}
	if (new == NULL)
		admin_fail(a, 501, err);
	else
		save(a, new);
}

static void
do_update(struct admin *a)
{
	change(a, true);
}

void
admin_update_settings(struct admin *a)
{
	admin_find(a, 0, do_update);
}

/* Manual 16: not for domain administrators. */
static void
do_set(struct admin *a)
{
	if (admin_is_users(a))
		change(a, false);
	else
		admin_fail(a, 501, "you have no right to do this");
}

void
admin_set_settings(struct admin *a)
{
	admin_find(a, 0, do_set);
}

/* --- passwords --- */

static struct str
arg_bytes(const struct admin *a, size_t n)
{
	struct val *v = admin_value(a, n, VAL_STRING);

	if (v == NULL)
		return (struct str) { "", 0 };
	return (struct str) { val_text(v), val_len(v) };
}

/* Own password: if the account may; another's: with BasicSettings. */
static const char *
password_forbidden(const struct admin *a, const struct account *acc,
    bool check)
{
	bool allowed = effective_bool(acc->settings, a->odomain, "PWDAllowed");

	if (admin_may(a, a->odomain, "BasicSettings") && !admin_outranked(a))
		return check && !allowed ?
		    "this account's password may not be modified" : NULL;
	if (!admin_is_self(a))
		return "you have no right to do this";
	return allowed ? NULL : "you may not modify your password";
}

static void
os_changed(enum proof proof, void *arg)
{
	struct admin *a = arg;

	if (proof == PROOF_SYSTEM) {
		account_log(LOG_PROBLEM, a->name, "OS password changed");
		admin_done(a, NULL);
	} else if (proof == PROOF_LATER)
		admin_later(a);
	else
		admin_fail(a, 501, "the operating system refuses that "
		    "password");
}

/* The host's password, by who came in with it. */
static void
change_os(struct admin *a, struct account *acc, struct str to)
{
	struct claim c = { .account = a->name, .domain = a->odomain,
		.path = a->path, .service = "PWD", .change = to };

	if (a->secret == NULL) {
		admin_fail(a, 501, "your password is the operating system's: "
		    "change it there, or by PWD");
		return;
	}
	c.secret = str_make(a->secret);
	proof_os(&c, acc, os_changed, a);
}

static void
do_set_password(struct admin *a)
{
	const char *method = admin_arg(a, 2), *err;
	bool check = strcasecmp(admin_arg(a, 3), "YES") == 0;
	struct str clear = arg_bytes(a, 1);
	struct val *new, *password;
	struct account *acc;

	if ((acc = load(a)) == NULL)
		return;
	if ((err = password_forbidden(a, acc, check)) != NULL) {
		admin_fail(a, 501, err);
		return;
	}
	/* The vendor's other passwords; all other words mean this one. */
	if (strcasecmp(method, "SIP") == 0 ||
	    strcasecmp(method, "RADIUS") == 0) {
		admin_fail(a, 501, "there is no password of this kind");
		return;
	}
	if (clear.len == 0 && (check || admin_is_self(a))) {
		admin_fail(a, 501, "the new password is empty");
		return;
	}
	/* Manual 43: the old one says which of both is changed. */
	if (a->system && admin_is_self(a)) {
		change_os(a, acc, clear);
		return;
	}
	err = "out of memory";
	password = password_prepare(acc->settings, a->odomain, clear,
	    false, &err);
	if (password == NULL) {
		admin_fail(a, 501, err);
		return;
	}
	if ((new = val_copy(acc->settings)) == NULL) {
		val_free(password);
		admin_later(a);
		return;
	}
	dict_set(new, "Password", password);
	account_log(LOG_PROBLEM, a->name, "password changed by %s",
	    a->account);
	save(a, new);
}

void
admin_set_password(struct admin *a)
{
	admin_find(a, 0, do_set_password);
}

/* For one who cannot set it: wrong ones a minute, for each account. */
enum { GUESSES = 10, GUESS_SECONDS = 60 };

static void
verified(enum proof proof, void *arg)
{
	struct admin *a = arg;

	if (proof == PROOF_NO)
		limit_failed(a->name, a->account, GUESSES, GUESS_SECONDS);
	if (proof == PROOF_YES)
		admin_done(a, NULL);
	else if (proof == PROOF_LATER)
		admin_later(a);
	else
		admin_fail(a, 501, "incorrect password");
}

static void
do_verify(struct admin *a)
{
	struct account *acc;

	/* Nor may he guess the password of one who has more rights. */
	if (!admin_administers(a, a->odomain) || admin_outranked(a)) {
		admin_fail(a, 501, "you have no right to do this");
		return;
	}
	if (!admin_may(a, a->odomain, "BasicSettings") &&
	    limit_blocked(a->name, a->account)) {
		admin_fail(a, 501, "too many wrong passwords, try again "
		    "later");
		return;
	}
	if ((acc = load(a)) == NULL)
		return;
	proof_own(acc, arg_bytes(a, 1), verified, a);
}

void
admin_verify_password(struct admin *a)
{
	admin_find(a, 0, do_verify);
}

/* --- rights --- */

static void
do_get_rights(struct admin *a)
{
	struct val *array;

	if (!admin_reads(a, a->odomain))
		admin_fail(a, 501, "you have no right to do this");
	else if ((array = rights_granted(a->name, a->odomain)) == NULL)
		admin_later(a);
	else
		admin_done(a, array);
}

void
admin_get_rights(struct admin *a)
{
	admin_find(a, 0, do_get_rights);
}

/* Canonical names of what may be granted; NULL and what is wrong. */
static struct val *
check_rights(const struct admin *a, const struct val *given,
    const char **err)
{
	static char unknown[80];
	const char *text, *name;
	bool server, ismain = strcasecmp(a->odomain, main_domain()) == 0;
	struct val *array;
	size_t i;

	*err = NULL;
	if ((array = val_array()) == NULL) {
		*err = "out of memory";
		return NULL;
	}
	for (i = 0; i < val_count(given) && *err == NULL; i++) {
		text = val_text(val_at(given, i));
		name = text != NULL ? rights_canonical(text) : NULL;
		server = name != NULL && rights_is_server(name);
		if (name == NULL) {
			snprintf(unknown, sizeof(unknown),
			    "unknown access right: %s",
			    text != NULL ? text : "an array or dictionary");
			*err = unknown;
		} else if (server && !ismain)
			*err = "this right is for accounts of the main domain";
		else
			val_append(array, val_string(name));
	}
	if (*err == NULL)
		return array;
	val_free(array);
	return NULL;
}

static bool
has_text(const struct val *array, const char *text)
{
	size_t i;

	for (i = 0; i < val_count(array); i++)
		if (strcmp(val_text(val_at(array, i)), text) == 0)
			return true;
	return false;
}

/* Master for the main domain's accounts; Users is enough for others'. */
static void
do_set_rights(struct admin *a)
{
	bool ismain = strcasecmp(a->odomain, main_domain()) == 0;
	struct val *given, *array;
	const char *err;
	int ret;

	if (!dict_bool(a->rights, ismain ? "Master" : "Users", false)) {
		admin_fail(a, 501, "you have no right to do this");
		return;
	}
	if ((given = admin_value(a, 1, VAL_ARRAY)) == NULL) {
		admin_fail(a, 501, "an array is expected");
		return;
	}
	if ((array = check_rights(a, given, &err)) == NULL) {
		admin_fail(a, 501, err);
		return;
	}
	/* Nobody else might be left who could give it back. */
	if (admin_is_self(a) && dict_bool(a->rights, "Master", false) &&
	    !has_text(array, "Master")) {
		val_free(array);
		admin_fail(a, 501, "you cannot take the right Master from "
		    "yourself");
		return;
	}
	ret = rights_set(a->name, a->odomain,
	    val_count(array) > 0 ? array : NULL);
	val_free(array);
	if (ret == -1) {
		log_warn("%s: Access.settings", a->odomain);
		admin_fail(a, 501, "rights cannot be written");
		return;
	}
	account_log(LOG_MAJOR, a->name, "rights changed by %s", a->account);
	admin_done(a, NULL);
}

void
admin_set_rights(struct admin *a)
{
	admin_find(a, 0, do_set_rights);
}
