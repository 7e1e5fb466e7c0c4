/*
 * The commands on alerts (manual 16): of the server, a domain, an account.
 * Runs in authd.  Each checks whether its caller may; a new alert is also
 * told to the sessions that are open.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alerts.h"
#include "log.h"

/* A file that somebody spoiled: what is in it is not written over. */
#define UNREADABLE	"the alerts there are cannot be read: see the log"

/* One line, as a client may see it; NULL: not fit. */
static struct val *
clean(const char *text)
{
	size_t n = text != NULL ? strlen(text) : 0, i;
	char line[ALERT_MAX + 1];

	if (n == 0 || n > ALERT_MAX)
		return NULL;
	for (i = 0; i <= n; i++)
		line[i] = i < n && ((unsigned char)text[i] < ' ' ||
		    text[i] == 0x7f) ? ' ' : text[i];
	return val_string(line);
}

static bool
is_stamp(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n >= 4 && n <= 20 && s[n] == '\0';
}

/* A whole set as an administrator gives it; NULL and *err. */
static struct val *
clean_all(const struct val *given, const char **err)
{
	struct val *set = val_dict(), *one;
	size_t i;

	*err = set == NULL ? "out of memory" :
	    val_count(given) > ALERTS_MAX ? "too many alerts" : NULL;
	for (i = 0; *err == NULL && i < val_count(given); i++) {
		one = clean(val_text(val_at(given, i)));
		if (!is_stamp(val_key(given, i)))
			*err = "a time stamp consists of digits";
		else if (one == NULL)
			*err = "an alert is a line of up to 400 bytes";
		if (*err == NULL)
			dict_set(set, val_key(given, i), one);
		else
			val_free(one);
	}
	if (*err == NULL)
		return set;
	val_free(set);
	return NULL;
}

static void
tell_sessions(const char *account, const char *stamp, const char *text)
{
	struct msg_alert m = { .account = account, .stamp = stamp,
		.text = text };

	ipc_send(proc_peer(PROC_STORED), IPC_ALERT, 0, &m, -1);
}

/* --- which set a command is about --- */

enum { OF_SERVER, OF_DOMAIN, OF_ACCOUNT };

static int
kind(const struct admin *a)
{
	return strstr(a->verb, "Server") != NULL ? OF_SERVER :
	    strstr(a->verb, "Domain") != NULL ? OF_DOMAIN : OF_ACCOUNT;
}

/* Where the alert, the stamp or the set stands among the arguments. */
static size_t
what_arg(const struct admin *a)
{
	return kind(a) == OF_SERVER ? 0 : 1;
}

/* Keeps the domain's name; false when it has answered. */
static bool
take_domain(struct admin *a)
{
	const char *name = admin_arg(a, 0);
	char *low = lower(*name != '\0' ? name : a->domain);

	free(a->odomain);
	a->odomain = low != NULL ? strdup(domain_real(low)) : NULL;
	free(low);
	if (a->odomain == NULL) {
		admin_later(a);
		return false;
	}
	if (!admin_may(a, a->odomain, "CanPostAlerts")) {
		admin_fail(a, 501, "you have no right to do this");
		return false;
	}
	if (alerts_of(a->odomain) != NULL)
		return true;
	admin_fail(a, 501, errno == EINVAL ? UNREADABLE : "unknown domain");
	return false;
}

/* Then next with a->odomain ("" for the server) or a->path. */
static void
dispatch(struct admin *a, void (*next)(struct admin *))
{
	/* Of a domain that has just been made, an older one's may be known. */
	alerts_forget();
	switch (kind(a)) {
	case OF_SERVER:
		if (!admin_is_users(a)) {
			admin_fail(a, 501, "you have no right to do this");
			return;
		}
		if ((a->odomain = strdup("")) == NULL)
			admin_later(a);
		else
			next(a);
		return;
	case OF_DOMAIN:
		if (take_domain(a))
			next(a);
		return;
	case OF_ACCOUNT:
		admin_find(a, 0, next);
		return;
	}
}

/* An alert keeps POP out once: nobody shall do that to his administrators. */
static bool
may_account(const struct admin *a)
{
	if (admin_is_self(a) && strncmp(a->verb, "Get", 3) == 0)
		return true;
	return admin_may(a, a->odomain, "CanPostAlerts") &&
	    (admin_is_users(a) || !admin_outranked(a));
}

/* A copy of the set; NULL when it has answered. */
static struct val *
current(struct admin *a)
{
	const struct val *set;
	struct account *acc;
	struct val *v;

	if (kind(a) != OF_ACCOUNT) {
		if ((set = alerts_of(a->odomain)) == NULL) {
			admin_fail(a, 501, UNREADABLE);
			return NULL;
		}
	} else if (!may_account(a)) {
		admin_fail(a, 501, "you have no right to do this");
		return NULL;
	} else {
		acc = account_get(a->path);
		set = acc != NULL ? dict_get(acc->settings,
		    alerts_settings[0]) : NULL;
	}
	v = set != NULL ? val_copy(set) : val_dict();
	if (v == NULL)
		admin_later(a);
	return v;
}

static int
store_own(const char *path, struct val *set)
{
	struct account *acc = account_get(path);
	struct val *new = acc != NULL ? val_copy(acc->settings) : NULL;
	int ret;

	if (new == NULL) {
		val_free(set);
		return -1;
	}
	if (val_count(set) == 0) {
		val_free(set);
		set = NULL;
	}
	dict_set(new, alerts_settings[0], set);
	ret = account_save(path, new);
	val_free(new);
	return ret;
}

/* Takes the set; false when it has answered. */
static bool
store(struct admin *a, struct val *set)
{
	int ret = kind(a) == OF_ACCOUNT ? store_own(a->path, set) :
	    alerts_set(a->odomain, set);

	if (ret == 0)
		return true;
	log_warn("alerts cannot be written");
	admin_fail(a, 501, "alerts cannot be written");
	return false;
}

/* --- the commands --- */

static void
do_get(struct admin *a)
{
	struct val *set = current(a);

	if (set != NULL)
		admin_done(a, set);
}

void
admin_get_alerts(struct admin *a)
{
	dispatch(a, do_get);
}

static void
do_set(struct admin *a)
{
	struct val *given = admin_value(a, what_arg(a), VAL_DICT), *set;
	const char *err = "a dictionary is expected";

	if ((set = current(a)) == NULL)
		return;
	val_free(set);
	set = given != NULL ? clean_all(given, &err) : NULL;
	if (set == NULL)
		admin_fail(a, 501, err);
	else if (store(a, set))
		admin_done(a, NULL);
}

void
admin_set_alerts(struct admin *a)
{
	dispatch(a, do_set);
}

static void
do_post(struct admin *a)
{
	struct val *set = current(a), *text;
	char stamp[32], *to;

	if (set == NULL)
		return;
	text = clean(admin_arg(a, what_arg(a)));
	if (text == NULL || val_count(set) >= ALERTS_MAX) {
		admin_fail(a, 501, text == NULL ?
		    "an alert is a line of up to 400 bytes" :
		    "too many alerts: remove some");
		val_free(text);
		val_free(set);
		return;
	}
	alerts_stamp(stamp, set);
	dict_set(set, stamp, val_copy(text));
	to = kind(a) == OF_ACCOUNT ? xstrdup(a->name) :
	    xasprintf("%s%s", *a->odomain != '\0' ? "@" : "", a->odomain);
	if (store(a, set)) {
		tell_sessions(to, stamp, val_text(text));
		admin_done(a, NULL);
	}
	free(to);
	val_free(text);
}

void
admin_post_alert(struct admin *a)
{
	dispatch(a, do_post);
}

static bool
waits(const struct val *set, const char *text)
{
	size_t i;

	for (i = 0; i < val_count(set); i++)
		if (val_text(val_at(set, i)) != NULL &&
		    strcmp(val_text(val_at(set, i)), text) == 0)
			return true;
	return false;
}

void
alerts_post(const char *path, const char *name, const char *text)
{
	struct account *acc = account_get(path);
	const struct val *own = acc != NULL ? dict_get(acc->settings,
	    alerts_settings[0]) : NULL;
	struct val *line = clean(text), *set;
	char stamp[32];

	set = own != NULL ? val_copy(own) : val_dict();
	if (acc == NULL || line == NULL || set == NULL ||
	    val_count(set) >= ALERTS_MAX || waits(set, val_text(line))) {
		val_free(line);
		val_free(set);
		return;
	}
	alerts_stamp(stamp, set);
	dict_set(set, stamp, val_copy(line));
	if (store_own(path, set) == 0)
		tell_sessions(name, stamp, val_text(line));
	else
		log_warn("%s: an alert cannot be written", path);
	val_free(line);
}

static void
do_remove(struct admin *a)
{
	const char *stamp = admin_arg(a, what_arg(a));
	struct val *set = current(a);

	if (set == NULL)
		return;
	if (dict_get(set, stamp) == NULL) {
		val_free(set);
		admin_fail(a, 501, "there is no such alert");
		return;
	}
	dict_set(set, stamp, NULL);
	if (store(a, set))
		admin_done(a, NULL);
}

void
admin_remove_alert(struct admin *a)
{
	dispatch(a, do_remove);
}

void
admin_cluster_alerts(struct admin *a)
{
	admin_fail(a, 501, "this server is not a member of a Dynamic "
	    "Cluster");
}
