/*
 * Logins that fail: what the client hears, the one line of the log, and how
 * many there were of a name, an account and an address.  Runs in authd.  What
 * a client hears tells it nothing of which names exist, unless Hide Unknown
 * Account is off; no password gets into the log in a name's place.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "login_int.h"
#include "settings.h"

enum { LOGNAME_MAX = 128 };

uint64_t login_failed;

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
const char *
login_name(const struct login *l)
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

void
login_later(struct login *l, const char *why)
{
	log_msg(LOG_PROBLEM, "AUTH-LATER %s %s [%s] %s", l->service,
	    login_name(l), l->peer, why);
	login_answer(l, 2, "TEMP", "server is temporarily unable to check");
}

/* The one line a failure leaves; programs that ban addresses read it. */
static void
log_failure(const struct login *l, const char *why)
{
	login_failed++;
	log_msg(LOG_MAJOR, "AUTH-FAIL %s %s [%s] %s", l->service,
	    login_name(l), l->peer, why);
}

void
login_refuse(struct login *l, const char *why, const char *reason,
    const char *text)
{
	log_failure(l, why);
	login_answer(l, 1, reason, text);
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

void
login_forgive(const struct login *l)
{
	char *own = own_name(l);

	limit_clear(said_name(l), l->peer);
	limit_clear(own, l->peer);
	free(own);
}

enum login_lock
login_lock(const struct login *l)
{
	bool said = limit_blocked(said_name(l), l->peer), locked = said;
	char *own;

	/* A limit of the account's own may also be wider: it counts alone. */
	if ((own = own_name(l)) != NULL)
		locked = limit_blocked(own, l->peer);
	free(own);
	if (!locked)
		return LOCK_NONE;
	return said || !hide_unknown() ? LOCK_TOLD : LOCK_SILENT;
}

void
login_unproved(struct login *l, const char *why, bool unknown)
{
	const char *text = "incorrect account name or password";

	count_failure(l);
	if (!hide_unknown())
		text = unknown ? "unknown user account" : "incorrect password";
	login_refuse(l, why, "AUTH", text);
}
