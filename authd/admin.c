/*
 * The administration commands that authd carries out: the table, who asks,
 * whom he asks about, and the answers.  Runs in authd.  Every command checks
 * the caller's rights here, whatever pwdd may have thought.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "alerts.h"
#include "authd.h"
#include "file.h"
#include "idn.h"
#include "log.h"

enum { DATA_MAX = 60000, ARGS_MAX = 16 * 1024 * 1024, NAME_MAX_LEN = 500 };

static const struct verb {
	const char	*name;
	void		(*start)(struct admin *);
} verbs[] = {
	{ "CreateAccount",		admin_create },
	{ "RenameAccount",		admin_rename },
	{ "DeleteAccount",		admin_delete },
	{ "ImportAccounts",		admin_import },
	{ "GetAccount",			admin_get_settings },
	{ "GetAccountSettings",		admin_get_settings },
	{ "GetAccountEffectiveSettings", admin_get_effective },
	{ "UpdateAccountSettings",	admin_update_settings },
	{ "SetAccountSettings",		admin_set_settings },
	{ "SetAccountPassword",		admin_set_password },
	{ "VerifyAccountPassword",	admin_verify_password },
	{ "SetAccountAliases",		admin_set_aliases },
	{ "GetAccountRights",		admin_get_rights },
	{ "SetAccountRights",		admin_set_rights },
	{ "ListUnreadablePasswords",	admin_list_unreadable },
	{ "KillAccountSessions",	admin_end_sessions },
	{ "ClearAccountCache",		admin_end_sessions },
	{ "GetServerAlerts",		admin_get_alerts },
	{ "SetServerAlerts",		admin_set_alerts },
	{ "PostServerAlert",		admin_post_alert },
	{ "RemoveServerAlert",		admin_remove_alert },
	{ "GetDomainAlerts",		admin_get_alerts },
	{ "SetDomainAlerts",		admin_set_alerts },
	{ "PostDomainAlert",		admin_post_alert },
	{ "RemoveDomainAlert",		admin_remove_alert },
	{ "GetAccountAlerts",		admin_get_alerts },
	{ "SetAccountAlerts",		admin_set_alerts },
	{ "PostAccountAlert",		admin_post_alert },
	{ "RemoveAccountAlert",		admin_remove_alert },
	{ "GetClusterAlerts",		admin_cluster_alerts },
	{ "SetClusterAlerts",		admin_cluster_alerts },
	{ "PostClusterAlert",		admin_cluster_alerts },
	{ "RemoveClusterAlert",		admin_cluster_alerts },
	{ "Shutdown",			admin_shutdown },
	{ "Status",			admin_status },
	{ "Trace",			admin_trace },
	{ NULL,				NULL }
};

/* --- names --- */

char *
lower(const char *s)
{
	char *copy, *p;

	if ((copy = strdup(s)) == NULL)
		return NULL;
	for (p = copy; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p |= 0x20;
	return copy;
}

/* Letters, digits and a few signs; anything of UTF-8 beyond ASCII. */
bool
name_valid(struct str s)
{
	unsigned char c;
	size_t i;

	if (s.len == 0 || s.len > 200 || s.p[0] == '.' ||
	    s.p[s.len - 1] == '.' || !utf8_valid(s))
		return false;
	for (i = 0; i < s.len; i++) {
		c = s.p[i];
		if (c < 0x80 && !isalnum(c) && strchr("._-+=&'", c) == NULL)
			return false;
		if (c == '.' && s.p[i + 1] == '.' && i + 1 < s.len)
			return false;
	}
	return true;
}

char *
admin_fullname(const struct admin *a, const char *name)
{
	const char *at = strrchr(name, '@');
	struct buf full;
	char *low, *ret;
	size_t n;

	if (strcmp(name, "*") == 0)
		return strdup(a->account);
	if (*name == '\0' || at == name || strlen(name) > NAME_MAX_LEN)
		return NULL;
	if ((low = lower(name)) == NULL)
		return NULL;
	n = at != NULL ? (size_t)(at - name) : strlen(name);
	buf_init(&full, 512);
	buf_add(&full, low, n);
	buf_printf(&full, "@%s", at == NULL || at[1] == '\0' ? a->domain :
	    domain_real(low + n + 1));
	free(low);
	if ((ret = buf_steal(&full)) == NULL)
		buf_free(&full);
	return ret;
}

/* --- answers --- */

void
admin_free(struct admin *a)
{
	val_free(a->args);
	val_free(a->rights);
	free(a->account);
	free(a->domain);
	secret_free(a->secret);
	free(a->name);
	free(a->odomain);
	free(a->path);
	free(a->newname);
	free(a->newdomain);
	free(a->newpath);
	free(a);
}

static void
send_answer(struct ipc_ref ref, int code, const char *text, const char *data,
    int fd)
{
	struct msg_admined m = { .code = code, .text = text, .data = data };

	ipc_answer(ref, IPC_ADMINED, &m, fd);
}

void
admin_fail(struct admin *a, int code, const char *text)
{
	send_answer(a->ref, code, text, "", -1);
	admin_free(a);
}

void
admin_later(struct admin *a)
{
	admin_fail(a, 501, "server is temporarily unable to do this");
}

void
admin_done(struct admin *a, struct val *data)
{
	struct buf text;
	int fd = -1;

	buf_init(&text, 0);
	if (data != NULL && !val_write(&text, data, false)) {
		admin_later(a);
	} else if (text.len <= DATA_MAX) {
		send_answer(a->ref, 200, "OK", text.len > 0 ? text.p : "", -1);
		admin_free(a);
	} else if ((fd = file_memfd("admined", text.p, text.len)) == -1) {
		admin_later(a);
	} else {
		send_answer(a->ref, 200, "OK", "", fd);
		admin_free(a);
	}
	val_free(data);
	buf_free(&text);
}

/* --- arguments --- */

const char *
admin_arg(const struct admin *a, size_t n)
{
	const char *text = NULL;

	if (n < val_count(a->args))
		text = val_text(val_at(a->args, n));
	return text != NULL ? text : "";
}

struct val *
admin_value(const struct admin *a, size_t n, enum val_type type)
{
	struct val *v;

	if (n >= val_count(a->args))
		return NULL;
	v = val_at(a->args, n);
	return val_type(v) == type ? v : NULL;
}

/* --- rights --- */

bool
admin_is_users(const struct admin *a)
{
	return dict_bool(a->rights, "Users", false);
}

/* Own domain, or one that names the caller's as its administrators'. */
static bool
administers(const struct admin *a, const char *domain)
{
	const struct val *v;
	char *low;
	bool same;

	if (strcasecmp(a->domain, domain) == 0)
		return true;
	if (!dict_bool(a->rights, "CanAdminSubDomains", false))
		return false;
	v = domain_setting(domain, "AdminDomainName");
	if (v == NULL || val_text(v) == NULL ||
	    (low = lower(val_text(v))) == NULL)
		return false;
	same = strcasecmp(domain_real(low), a->domain) == 0;
	free(low);
	return same;
}

bool
admin_may(const struct admin *a, const char *domain, const char *right)
{
	return admin_is_users(a) || (administers(a, domain) &&
	    dict_bool(a->rights, right, false));
}

bool
admin_administers(const struct admin *a, const char *domain)
{
	size_t i;

	if (admin_is_users(a))
		return true;
	if (!administers(a, domain))
		return false;
	/* A right of the server's says nothing of a domain. */
	for (i = 0; i < val_count(a->rights); i++)
		if (!rights_is_server(val_key(a->rights, i)))
			return true;
	return false;
}

bool
admin_reads(const struct admin *a, const char *domain)
{
	return dict_bool(a->rights, "DomainsRead", false) ||
	    admin_administers(a, domain);
}

bool
admin_is_self(const struct admin *a)
{
	return a->name != NULL && strcmp(a->name, a->account) == 0;
}

/*
 * Else whoever may set passwords could make himself the Master: by way of
 * postmaster's; or his domain's first administrator.
 */
bool
admin_name_outranks(const struct admin *a, const char *account,
    const char *domain)
{
	struct val *held = rights_granted(account, domain);
	bool more = held == NULL;
	const char *name;
	size_t i;

	for (i = 0; held != NULL && i < val_count(held); i++) {
		name = val_text(val_at(held, i));
		if (!dict_bool(a->rights, name, false) &&
		    (rights_is_server(name) || !admin_is_users(a)))
			more = true;
	}
	val_free(held);
	return more;
}

bool
admin_outranked(const struct admin *a)
{
	return admin_name_outranks(a, a->name, a->odomain);
}

/* --- finding the account --- */

bool
admin_keep_object(struct admin *a, const struct msg_routed *m)
{
	struct buf full;

	buf_init(&full, 512);
	buf_add(&full, m->host, strcspn(m->host, "@"));
	buf_putc(&full, '@');
	buf_puts(&full, m->domain);
	free(a->name);
	free(a->odomain);
	a->name = buf_steal(&full);
	a->odomain = strdup(m->domain);
	a->path = strdup(m->path);
	return a->name != NULL && a->odomain != NULL && a->path != NULL;
}

static void
found(const struct ipc_pkt *pkt, void *arg)
{
	struct admin *a = arg;
	const struct msg_routed *m;

	if (pkt == NULL || pkt->type != IPC_ROUTED ||
	    (m = pkt->m)->code == 2) {
		admin_later(a);
		return;
	}
	if (m->code != 0 || strcmp(m->module, "LOCAL") != 0 ||
	    *m->path == '\0') {
		admin_fail(a, 500, "unknown user account");
		return;
	}
	if (!admin_keep_object(a, m)) {
		admin_later(a);
		return;
	}
	/* An alias may have led into another domain. */
	if (!admin_is_self(a) && !admin_reads(a, a->odomain)) {
		admin_fail(a, 501, "you have no right to do this");
		return;
	}
	a->next(a);
}

void
admin_find(struct admin *a, size_t arg, void (*next)(struct admin *))
{
	struct msg_route r = { 0 };

	a->next = next;
	a->name = admin_fullname(a, admin_arg(a, arg));
	if (a->name == NULL) {
		admin_fail(a, 501, "illegal account name");
		return;
	}
	/* Whoever has no rights there learns nothing of names. */
	if (!admin_is_self(a) &&
	    !admin_reads(a, strrchr(a->name, '@') + 1)) {
		admin_fail(a, 501, "you have no right to do this");
		return;
	}
	r.address = a->name;
	r.peer = r.local = r.account = "";
	r.access = 1;
	ipc_call(proc_peer(PROC_ROUTERD), IPC_ROUTE, 0, &r, -1, IPC_TIMEOUT,
	    found, a);
}

/* --- the request --- */

static struct val *
read_args(struct ipc_pkt *pkt, const struct msg_admin *m)
{
	const char *err = NULL;
	struct val *args = NULL;
	char *text;
	size_t len;
	int fd;

	if ((fd = ipc_take_fd(pkt)) == -1)
		return val_parse_all(m->args, strlen(m->args), &err);
	if ((text = file_read_fd(fd, ARGS_MAX, &len)) != NULL) {
		args = val_parse_all(text, len, &err);
		explicit_bzero(text, len);
		free(text);
	}
	close(fd);
	return args;
}

struct admin *
admin_new(const struct ticket *t, struct val *args)
{
	struct admin *a;

	if ((a = calloc(1, sizeof(*a))) == NULL) {
		val_free(args);
		return NULL;
	}
	a->args = args;
	a->account = strdup(t->account);
	a->domain = strdup(t->domain);
	a->local = t->local;
	a->system = t->system;
	if (t->secret != NULL)
		a->secret = strdup(t->secret);
	a->rights = ticket_rights(t);
	if (a->account != NULL && a->domain != NULL && a->rights != NULL)
		return a;
	admin_free(a);
	return NULL;
}

void
admin_request(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_admin *m = pkt->m;
	struct ipc_ref ref = ipc_ref(ipc, pkt);
	const struct verb *v;
	struct ticket *t;
	struct admin *a;
	struct val *args;

	for (v = verbs; v->name != NULL; v++)
		if (strcasecmp(v->name, m->verb) == 0)
			break;
	t = ticket_find(m->ticket);
	args = read_args(pkt, m);
	if (v->name == NULL || args == NULL || val_type(args) != VAL_ARRAY) {
		val_free(args);
		send_answer(ref, 501, "unknown command or bad arguments", "",
		    -1);
		return;
	}
	if (t == NULL || (t->channel != ref.channel &&
	    proc_who(ipc, NULL) != PROC_ROUTERD)) {
		val_free(args);
		send_answer(ref, 501, "log in first", "", -1);
		return;
	}
	if ((a = admin_new(t, args)) == NULL) {
		send_answer(ref, 501, "out of memory", "", -1);
		return;
	}
	a->ref = ref;
	a->verb = v->name;
	log_msg(LOG_LOW, "%s: %s %s", a->account, a->verb,
	    admin_arg(a, 0));
	v->start(a);
}
