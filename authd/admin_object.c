/*
 * Commands that make, rename and remove accounts.  Runs in authd.  The order
 * of steps is what keeps a crash from leaving half an account: stored is made
 * quiet first, a rename on disk is the commit, routerd hears of it after.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "authd.h"
#include "log.h"

/* --- create --- */

static void
created(int code, const char *text, void *arg)
{
	struct admin *a = arg;

	if (code == 0)
		admin_done(a, NULL);
	else
		admin_fail(a, 501, *text != '\0' ? text :
		    "the account cannot be made");
}

const char *
account_type(const char *type)
{
	static const char *const types[] = { "MultiMailbox", "TextMailbox",
		"MailDirMailbox" };
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcasecmp(type, types[i]) == 0)
			return types[i];
	return NULL;
}

const char *
account_may_create(const struct admin *a, const char *domain, const char *type)
{
	if (!admin_may(a, domain, "CanCreateAccounts") ||
	    (strcmp(type, "MultiMailbox") != 0 &&
		!admin_may(a, domain, "CanCreateSpecialAccounts")))
		return "you have no right to do this";
	return NULL;
}

/* The Account Template with what was given on top of it. */
struct val *
initial_settings(const struct admin *a, const char *domain,
    const struct val *given, const char **err)
{
	const struct val *limit = admin_is_users(a) ? NULL : a->rights;
	struct val *template = template_settings(domain);
	struct val *base, *v;

	base = settings_prepare(NULL, template, domain, NULL, err);
	val_free(template);
	if (base == NULL || given == NULL)
		return base;
	v = settings_prepare(base, given, domain, limit, err);
	val_free(base);
	/* An INBOX within the account is everybody's right. */
	if (v != NULL && !dict_bool(given, "ExternalINBOX", true) &&
	    dict_set(v, "ExternalINBOX", val_string("NO")) == -1) {
		*err = "out of memory";
		val_free(v);
		return NULL;
	}
	return v;
}

/*
 * With an INBOX that lies elsewhere, because it is asked for or by default?
 * That may be any user's of the system: server administrators alone may say.
 */
const char *
initial_external(const struct admin *a, const char *domain, const char *type,
    bool external, struct val *settings)
{
	if (!external && !effective_bool(settings, domain, "ExternalINBOX"))
		return NULL;
	if (!admin_is_users(a))
		return "you have no right to make accounts with an external "
		    "INBOX";
	if (strcmp(type, "MultiMailbox") != 0)
		return "only a MultiMailbox account can have an external INBOX";
	if (!inbox_has_location(domain))
		return "the domain's ExternalLocation does not say where "
		    "external mailboxes are";
	return dict_set(settings, "ExternalINBOX", val_string("YES")) == 0 ?
	    NULL : "out of memory";
}

static const char *
check_name(const char *name)
{
	const char *at = name != NULL ? strrchr(name, '@') : NULL;

	if (at == NULL ||
	    !name_valid((struct str) { name, at - name }))
		return "illegal account name";
	return NULL;
}

void
admin_create(struct admin *a)
{
	const char *type = admin_arg(a, 1), *err;
	struct val *settings;

	a->name = admin_fullname(a, admin_arg(a, 0));
	if ((err = check_name(a->name)) != NULL) {
		admin_fail(a, 501, err);
		return;
	}
	a->odomain = strdup(strrchr(a->name, '@') + 1);
	if (*type == '\0')
		type = "MultiMailbox";
	if (a->odomain == NULL) {
		admin_later(a);
		return;
	}
	/* Rights may stand there from an account that went in another way. */
	if ((err = account_may_create(a, a->odomain, type)) == NULL &&
	    admin_outranked(a))
		err = "this name has rights that you have not";
	if (err != NULL) {
		admin_fail(a, 501, err);
		return;
	}
	if ((type = account_type(type)) == NULL) {
		admin_fail(a, 501, "accounts of this type cannot be made: "
		    "MultiMailbox, TextMailbox or MailDirMailbox");
		return;
	}
	settings = initial_settings(a, a->odomain,
	    admin_value(a, 3, VAL_DICT), &err);
	if (settings != NULL)
		err = initial_external(a, a->odomain, type,
		    *admin_arg(a, 2) != '\0', settings);
	if (err != NULL) {
		val_free(settings);
		admin_fail(a, 501, err);
		return;
	}
	create_account(a->name, type, settings, created, a);
}

/* --- what removing and renaming have in common --- */

void
admin_ignored(const struct ipc_pkt *pkt, void *arg)
{
}

/* Told whatever happens: else mail to the account waits for ever. */
static void
release(const struct admin *a, const char *newpath)
{
	struct msg_account_release m = { .path = a->path,
		.newpath = newpath };

	ipc_call(proc_peer(PROC_STORED), IPC_ACCOUNT_RELEASE, 0, &m, -1,
	    IPC_TIMEOUT, admin_ignored, NULL);
}

static bool
answered(const struct ipc_pkt *pkt, const char **text)
{
	const struct msg_done *m;

	*text = "server is temporarily unable to do this";
	if (pkt == NULL || pkt->type != IPC_DONE)
		return false;
	m = pkt->m;
	if (m->code != 0 && *m->text != '\0')
		*text = m->text;
	return m->code == 0;
}

static void
quiet(struct admin *a, const char *text,
    void (*then)(const struct ipc_pkt *, void *))
{
	struct msg_account_quiet m = { .path = a->path, .text = text };

	ipc_call(proc_peer(PROC_STORED), IPC_ACCOUNT_QUIET, 0, &m, -1,
	    IPC_TIMEOUT, then, a);
}

/* A name that is an alias or routed elsewhere is not the object itself. */
static bool
is_object(const struct admin *a)
{
	char *asked = admin_fullname(a, admin_arg(a, 0));
	size_t n = strcspn(a->name, "@");
	bool ok;

	ok = asked != NULL && strncasecmp(asked, a->name, n) == 0 &&
	    asked[n] == '@';
	free(asked);
	return ok;
}

static bool
may_change_object(struct admin *a)
{
	if (!is_object(a)) {
		admin_fail(a, 501, "this is another name of an account");
		return false;
	}
	if (!admin_may(a, a->odomain, "CanCreateAccounts") ||
	    admin_outranked(a)) {
		admin_fail(a, 501, "you have no right to do this");
		return false;
	}
	return true;
}

/* --- delete --- */

static void
name_removed(const struct ipc_pkt *pkt, void *arg)
{
	struct admin *a = arg;

	if (pkt == NULL)
		journal_again(a->name, "", a->path, true, 1);
	else
		journal_end(1);
	release(a, "");
	account_log(LOG_PROBLEM, a->name, "removed by %s", a->account);
	admin_done(a, NULL);
}

static void
delete_done(struct admin *a, bool gone)
{
	struct msg_name_remove m = { .name = a->name, .gone = 1 };

	if (!gone) {
		log_warnx("%s: cannot be removed", a->path);
		journal_end(1);
		release(a, a->path);
		admin_fail(a, 501, "the account cannot be removed");
		return;
	}
	ticket_drop_account(a->name);
	if (rights_set(a->name, a->odomain, NULL) == -1)
		log_warn("%s: Access.settings", a->odomain);
	ipc_call(proc_peer(PROC_ROUTERD), IPC_NAME_REMOVE, 0, &m, -1,
	    IPC_TIMEOUT, name_removed, a);
}

static void
delete_moved(const struct ipc_pkt *pkt, void *arg)
{
	struct admin *a = arg;
	bool gone = !path_is_there(a->path);

	if (gone)
		single_forget(a->path);
	delete_done(a, gone);
}

static void
delete_quiet(const struct ipc_pkt *pkt, void *arg)
{
	struct admin *a = arg;
	const char *text;

	if (!answered(pkt, &text)) {
		release(a, a->path);
		admin_fail(a, 501, text);
		return;
	}
	journal_remove(a->name, a->path);
	if (account_is_single(a->path)) {
		single_move(a->path, "", delete_moved, a);
		return;
	}
	delete_done(a, create_retire(a->path) == 0);
}

static void
do_delete(struct admin *a)
{
	if (!may_change_object(a))
		return;
	if (admin_is_self(a)) {
		admin_fail(a, 501, "you cannot remove your own account");
		return;
	}
	quiet(a, "the account is being removed", delete_quiet);
}

void
admin_delete(struct admin *a)
{
	admin_find(a, 0, do_delete);
}

/* --- rename --- */

static void
rename_undo(struct admin *a, const char *text)
{
	struct msg_name_remove m = { .name = a->newname };

	ipc_call(proc_peer(PROC_ROUTERD), IPC_NAME_REMOVE, 0, &m, -1,
	    IPC_TIMEOUT, admin_ignored, NULL);
	release(a, a->path);
	admin_fail(a, 501, text);
}

static int
rename_one(const char *from, const char *to)
{
	const char *a, *b;
	int fa, fb, ret = -1;

	if ((fa = path_parent(from, &a)) == -1)
		return -1;
	if ((fb = path_parent(to, &b)) != -1) {
		ret = renameat(fa, a, fb, b);
		close(fb);
	}
	close(fa);
	return ret;
}

static int
rename_files(const char *from, const char *to)
{
	int saved;

	account_forget(from);
	if (rename_one(from, to) == -1)
		return -1;
	if (sync_parent(to) == 0 && sync_parent(from) == 0)
		return 0;
	saved = errno;
	rename_one(to, from);
	errno = saved;
	return -1;
}

static bool
is_external(const char *path)
{
	const struct account *acct = account_get(path);

	return acct != NULL && inbox_is_external(acct->settings);
}

static void
rename_published(const struct ipc_pkt *pkt, void *arg)
{
	struct admin *a = arg;

	if (pkt == NULL)
		journal_again(a->newname, a->name, a->newpath, false, 2);
	else
		journal_end(2);
	release(a, a->newpath);
	account_log(LOG_PROBLEM, a->name, "renamed into %s by %s", a->newname,
	    a->account);
	if (is_external(a->newpath))
		account_log(LOG_MAJOR, a->newname, "has the external INBOX of "
		    "that name; mail in %s's stays there", a->name);
	admin_done(a, NULL);
}

static void
rename_done(struct admin *a, bool ok)
{
	struct msg_name_publish m = { 0 };

	if (!ok) {
		log_warnx("%s: cannot be renamed", a->path);
		journal_end(2);
		rename_undo(a, "the account cannot be renamed");
		return;
	}
	ticket_drop_account(a->name);
	if (rights_rename(a->name, a->odomain, a->newname, a->newdomain) == -1)
		log_warn("%s: Access.settings", a->odomain);
	m.name = a->newname;
	m.from = a->name;
	m.path = a->newpath;
	ipc_call(proc_peer(PROC_ROUTERD), IPC_NAME_PUBLISH, 0, &m, -1,
	    IPC_TIMEOUT, rename_published, a);
}

static void
rename_moved(const struct ipc_pkt *pkt, void *arg)
{
	struct admin *a = arg;
	bool old = path_is_there(a->path), new = path_is_there(a->newpath);

	if (old != new && sync_parent(a->newpath) == 0)
		single_forget(old ? a->newpath : a->path);
	rename_done(a, new && !old);
}

/* Settings under both names, then stored renames the mailbox: the commit. */
static void
rename_single(struct admin *a)
{
	struct account *acct = account_get(a->path);

	if (acct == NULL || account_save(a->newpath, acct->settings) == -1) {
		log_warn("%s", a->newpath);
		rename_done(a, false);
		return;
	}
	single_move(a->path, a->newpath, rename_moved, a);
}

static void
rename_quiet(const struct ipc_pkt *pkt, void *arg)
{
	struct admin *a = arg;
	const char *text;

	if (!answered(pkt, &text)) {
		rename_undo(a, text);
		return;
	}
	journal_rename(a->newname, a->newpath, a->name, a->path);
	if (account_is_single(a->path))
		rename_single(a);
	else
		rename_done(a, rename_files(a->path, a->newpath) == 0);
}

/* There is such a file, and mail may go there. */
static void
rename_inbox(int code, const char *text, int fd, void *arg)
{
	struct admin *a = arg;

	if (fd != -1)
		close(fd);
	if (code != 0)
		rename_undo(a, text);
	else
		quiet(a, "the account is being renamed", rename_quiet);
}

static void
rename_reserved(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_name_reserved *m = pkt != NULL ? pkt->m : NULL;
	struct admin *a = arg;

	if (m == NULL || pkt->type != IPC_NAME_RESERVED || m->code == 2) {
		admin_later(a);
		return;
	}
	if (m->code != 0) {
		admin_fail(a, 501, m->text);
		return;
	}
	if ((a->newpath = strdup(m->path)) == NULL ||
	    strchr(a->newpath, '/') == NULL) {
		rename_undo(a, "out of memory");
		return;
	}
	if (is_external(a->path))
		inbox_open(a->newname, rename_inbox, a);
	else
		quiet(a, "the account is being renamed", rename_quiet);
}

static void
do_rename(struct admin *a)
{
	struct msg_name_reserve m = { 0 };
	const char *err;

	if (!may_change_object(a))
		return;
	a->newname = admin_fullname(a, admin_arg(a, 1));
	if ((err = check_name(a->newname)) != NULL) {
		admin_fail(a, 501, err);
		return;
	}
	if ((a->newdomain = strdup(strrchr(a->newname, '@') + 1)) == NULL) {
		admin_later(a);
		return;
	}
	/* With another name it has another user's INBOX. */
	if (!admin_may(a, a->newdomain, "CanCreateAccounts") ||
	    (is_external(a->path) && !admin_is_users(a)) ||
	    admin_name_outranks(a, a->newname, a->newdomain)) {
		admin_fail(a, 501, "you have no right to do this");
		return;
	}
	m.name = a->newname;
	m.from = a->name;
	m.type = account_type_of(a->path);
	ipc_call(proc_peer(PROC_ROUTERD), IPC_NAME_RESERVE, 0, &m, -1,
	    IPC_TIMEOUT, rename_reserved, a);
}

void
admin_rename(struct admin *a)
{
	admin_find(a, 0, do_rename);
}
