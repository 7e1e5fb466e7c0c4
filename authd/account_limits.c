/*
 * What an account may keep, for stored: from its settings or their defaults,
 * and from the LOCAL module's.  Runs in authd; only looks things up.
 */
#include <string.h>
#include <strings.h>

#include "authd.h"
#include "log.h"
#include "settings.h"

enum { TEXT_MAX = 900, NAME_MAX_LEN = 400, LIMITS_MAX = 2048 };

/* A value that cannot be is as good as none. */
static int64_t
number(const struct val *settings, const char *domain, const char *name)
{
	const struct val *v = effective(settings, domain, name);
	int64_t n;

	if (v == NULL || settings_check(settings_find("Account", name), v) !=
	    NULL || !val_int(v, &n))
		return settings_int(NULL, "Account", name);
	return n;
}

static int
put(struct val *d, const char *key, int64_t n)
{
	if (n < 0)
		return 0;
	return dict_setf(d, key, "%lld", (long long)n);
}

const char *
account_format(const struct val *settings, const char *domain)
{
	const struct val *v = effective(settings, domain,
	    "DefaultMailboxType");
	const char *type = v != NULL ? val_text(v) : NULL;

	return type != NULL && strcasecmp(type, "MailDirMailbox") == 0 ?
	    "MailDirMailbox" : "TextMailbox";
}

/* Where it is not what every account has. */
static int
put_format(struct val *d, const struct val *settings, const char *domain)
{
	const char *type = account_format(settings, domain);

	return strcmp(type, "TextMailbox") == 0 ? 0 :
	    dict_setf(d, "Format", "%s", type);
}

/* Its INBOX lies elsewhere, and is locked in that way. */
static int
put_external(struct val *d, const struct val *settings, const char *domain)
{
	return !inbox_is_external(settings) ? 0 :
	    dict_setf(d, "External", "%s", inbox_lock(domain));
}

/* What it may get: its own limit, or what LOCAL sets for all (manual 30). */
static int
put_flow(struct val *d, const struct val *settings, const char *domain)
{
	uint32_t max, seconds;

	if (!val_flow(effective(settings, domain, "MailInpFlow"), &max,
	    &seconds)) {
		max = settings_int(proc_settings(), "LOCAL", "FlowMessages");
		seconds = settings_int(proc_settings(), "LOCAL", "FlowTime");
		if (max == 0)
			return 0;
	}
	return put(d, "FlowMax", max) == -1 ? -1 :
	    put(d, "FlowSeconds", seconds);
}

/*
 * Mail waits from the lower of both percentages on, if the module keeps it at
 * all (manual 30).
 */
static int64_t
suspend(const struct val *settings, const char *domain)
{
	int64_t own = number(settings, domain, "QuotaSuspend");
	int64_t all = settings_int(proc_settings(), "LOCAL", "FullPercent");

	if (own == 0 ||
	    settings_int(proc_settings(), "LOCAL", "KeepFull") == 0)
		return 0;
	return own < all ? own : all;
}

/* Accounts/js.sub/john.macnt: whom a notice is for. */
static int
put_name(struct val *d, const char *path, const char *domain)
{
	const char *last = strrchr(path, '/'), *dot;

	last = last != NULL ? last + 1 : path;
	if ((dot = strrchr(last, '.')) == NULL ||
	    (size_t)(dot - last) + strlen(domain) > NAME_MAX_LEN)
		return 0;
	return dict_setf(d, "Name", "%.*s@%s", (int)(dot - last), last,
	    domain);
}

static int
fill(struct val *d, const struct val *settings, const char *path,
    const char *domain)
{
	const char *text = settings_text(proc_settings(), "LOCAL",
	    "AlertText");

	/* Manual 18: without that service mail waits, LOCAL says how long. */
	if (!service_enabled(settings, domain, "Mail") &&
	    dict_setf(d, "Closed", "YES") == -1)
		return -1;
	if (put(d, "Size", number(settings, domain, "MaxMessageSize")) == -1 ||
	    put(d, "Bytes", number(settings, domain, "MaxAccountSize")) == -1 ||
	    put(d, "Messages", number(settings, domain, "MaxMessages")) == -1 ||
	    put(d, "Mailboxes", number(settings, domain, "MaxMailboxes")) ==
	    -1)
		return -1;
	if (put_flow(d, settings, domain) == -1)
		return -1;
	if (val_count(d) == 0)
		return put_format(d, settings, domain);
	if (number(settings, domain, "QuotaNotice") > 0 &&
	    put_name(d, path, domain) == -1)
		return -1;
	if (put(d, "Suspend", suspend(settings, domain)) == -1 ||
	    put(d, "Alert", number(settings, domain, "QuotaAlert")) == -1 ||
	    put(d, "Notice", number(settings, domain, "QuotaNotice")) == -1)
		return -1;
	if (dict_setf(d, "Text", "%.*s", TEXT_MAX, text) == -1)
		return -1;
	return put_format(d, settings, domain);
}

bool
account_limits(struct buf *b, const struct val *settings, const char *path,
    const char *domain)
{
	struct val *d = val_dict();
	bool good;

	buf_reset(b);
	good = d != NULL && fill(d, settings, path, domain) == 0 &&
	    put_external(d, settings, domain) == 0;
	if (good && val_count(d) == 0)
		good = buf_puts(b, "");
	else if (good)
		good = val_write(b, d, false) && b->len <= LIMITS_MAX;
	val_free(d);
	return good;
}

/* "john" is the main domain's. */
static const char *
domain_of(const char *name)
{
	const char *at = strrchr(name, '@');

	return at != NULL ? at + 1 : main_domain();
}

void
limits_ask(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_limits_ask *m = pkt->m;
	struct msg_limits r = { .code = 1, .path = m->path, .limits = "" };
	const struct account *a = account_get(m->path);
	struct buf b;

	buf_init(&b, LIMITS_MAX + TEXT_MAX);
	/* Its INBOX may lie elsewhere: nobody may guess that it does not. */
	if (inbox_has_location(domain_of(m->account)))
		r.code = 2;
	if (a != NULL && account_limits(&b, a->settings, m->path,
	    domain_of(m->account))) {
		r.code = 0;
		r.limits = b.p;
	}
	ipc_answer(ipc_ref(ipc, pkt), IPC_LIMITS, &r, -1);
	buf_free(&b);
}

void
limits_tell(const char *path, const struct val *settings, const char *domain)
{
	struct msg_account_changed m = { .path = path, .limits = "" };
	struct buf b;

	buf_init(&b, LIMITS_MAX + TEXT_MAX);
	if (*path != '\0' && account_limits(&b, settings, path, domain))
		m.limits = b.p;
	else
		m.path = "";	/* they are asked for when they are needed */
	ipc_send(proc_peer(PROC_STORED), IPC_ACCOUNT_CHANGED, 0, &m, -1);
	buf_free(&b);
}
