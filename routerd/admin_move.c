/*
 * Commands that make, rename and remove domains.  Runs in routerd.  stored
 * makes all accounts of a domain quiet before its directory moves; what is in
 * it is removed afterwards (clean.c).
 *
 * What other files say of a renamed domain is changed after the directory's
 * name, which is the commit; a note in Settings/ makes sure that it is, also
 * if we die in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "log.h"
#include "object.h"

enum { QUIET_TIMEOUT = 60 * 1000 };	/* sessions end, deliveries finish */

static const char note_file[] = "Settings/DomainRenamed.data";

static bool
need_users(struct command *c)
{
	if (may(&c->who, "Users"))
		return true;
	answer(c, 501, "you have no right to do that");
	return false;
}

/* A new domain's name, in lower case; or what is wrong. */
static const char *
new_name(const char *text, char *name, size_t size)
{
	if (!name_domain(str_make(text), name, size) ||
	    !name_valid_domain(name))
		return "illegal domain name";
	return names_domain(&names, name) != NULL ?
	    "domain with this name already exists" : NULL;
}

static void
ignored(const struct ipc_pkt *pkt, void *arg)
{
}

static void
tell_authd(const char *name, const char *path)
{
	struct msg_domain_moved m = { .name = name, .path = path };

	ipc_call(proc_peer(PROC_AUTHD), IPC_DOMAIN_MOVED, 0, &m, -1,
	    IPC_TIMEOUT, ignored, NULL);
}

static void
tell_stored(const char *path, const char *newpath)
{
	struct msg_domain_release m = { .path = path, .newpath = newpath };

	ipc_call(proc_peer(PROC_STORED), IPC_DOMAIN_RELEASE, 0, &m, -1,
	    IPC_TIMEOUT, ignored, NULL);
}

/* --- create --- */

static void
do_create(struct command *c)
{
	char name[DOMAIN_MAXLEN + 1];
	struct val *settings;
	const char *err;
	struct domain *d;

	if (!need_users(c))
		return;
	settings = config_update(NULL, arg_val(c, 1, VAL_DICT));
	if ((err = new_name(arg_text(c, 0), name, sizeof(name))) == NULL &&
	    (err = config_check("Domain", settings, NULL)) == NULL &&
	    (err = config_check_texts("Domain", settings, NULL)) == NULL &&
	    (err = own_check(NULL, settings)) == NULL &&
	    domain_dir_make(name, settings) == -1)
		err = "the domain cannot be made on the disk";
	if (err == NULL && (d = names_add_domain(&names, name)) != NULL) {
		scan_domain_settings(d);
		config_apply();
		log_msg(LOG_MAJOR, "domain %s created by %s", name,
		    c->who.account);
	}
	val_free(settings);
	answer_err(c, err);
}

/* --- rename --- */

struct renaming {
	struct command	 cmd;
	char		*account;	/* who asked */
	char		*old, *new;
	char		*dir, *newdir;
};

static void
renaming_end(struct renaming *r, const char *err)
{
	answer_err(&r->cmd, err);
	free(r->account);
	free(r->old);
	free(r->new);
	free(r->dir);
	free(r->newdir);
	free(r);
}

static bool
is_there(const char *dir)
{
	return faccessat(proc_basefd(), dir, F_OK, 0) == 0;
}

static int
change_aliases(const char *old, const char *new)
{
	struct val *aliases = config_aliases();
	bool had = false;
	size_t i;
	int rv = 0;

	for (i = val_count(aliases); i > 0; i--) {
		if (strcasecmp(dict_str(aliases, val_key(aliases, i - 1), ""),
		    old) != 0)
			continue;
		dict_set(aliases, val_key(aliases, i - 1),
		    *new != '\0' ? val_string(new) : NULL);
		had = true;
	}
	if (had)
		rv = config_set_aliases(aliases);
	val_free(aliases);
	return rv;
}

/*
 * A copy with that domain's administrators no more; NULL: they are others'.
 * An alias of it goes where it goes, and stays where it only moves.
 */
static struct val *
administered(const struct val *settings, const char *old, const char *new)
{
	const char *by = dict_str(settings, "AdminDomainName", "");
	struct val *v;

	if (strcasecmp(by, old) != 0 && (*new != '\0' || !is_domain(by, old)))
		return NULL;
	v = val_copy(settings);
	dict_set(v, "AdminDomainName", *new != '\0' ? val_string(new) : NULL);
	return v;
}

static int
change_default(const char *old, const char *new)
{
	struct val *v = administered(config_file("Domain"), old, new);
	const char *err = NULL;

	if (v != NULL)
		err = config_store("Domain", v);
	val_free(v);
	return err == NULL ? 0 : -1;
}

/*
 * Aliases of the domain, and domains that it administers; new is "" where it
 * goes: one that is made under its name later is another's.
 */
static int
change_others(const char *old, const char *new)
{
	struct domain *d;
	struct val *v;
	char *path;
	int rv = 0;

	for (d = names.first; d != NULL; d = d->next) {
		if ((v = administered(d->settings, old, new)) == NULL)
			continue;
		path = xasprintf("%s/Settings/Domain.settings", d->dir);
		if (config_write(path, v) == -1)
			rv = -1;
		free(path);
		val_free(d->settings);
		d->settings = v;
	}
	if (change_default(old, new) == -1 || change_aliases(old, new) == -1)
		rv = -1;
	return rv;
}

static int
write_note(const char *old, const char *new)
{
	struct val *v = val_dict();
	int rv;

	dict_set(v, old, val_string(new));
	rv = config_write(note_file, v);
	val_free(v);
	return rv;
}

void
domain_finish_rename(void)
{
	const char *err, *old, *new;
	char *dir, *newdir;
	struct domain *d;
	struct val *v;

	v = val_read_file(proc_basefd(), note_file, &err);
	if (v == NULL || val_type(v) != VAL_DICT || val_count(v) != 1) {
		val_free(v);
		return;
	}
	old = val_key(v, 0);
	new = dict_str(v, old, "");
	dir = xasprintf("Domains/%s", old);
	newdir = xasprintf("Domains/%s", new);
	if (!is_there(dir) && is_there(newdir) &&
	    (d = names_domain(&names, new)) != NULL) {
		group_follow_domain(d, old);
		change_others(old, new);
		log_msg(LOG_PROBLEM, "domain %s: its renaming into %s is "
		    "finished", old, new);
	}
	unlinkat(proc_basefd(), note_file, 0);
	free(newdir);
	free(dir);
	val_free(v);
}

static const char *
rename_now(struct renaming *r)
{
	struct domain *d = names_domain(&names, r->old);

	if (d == NULL || names_domain(&names, r->new) != NULL)
		return "domain with this name already exists";
	if (write_note(r->old, r->new) == -1 ||
	    domain_dir_move(r->dir, r->newdir) == -1) {
		unlinkat(proc_basefd(), note_file, 0);
		return "the domain cannot be renamed on the disk";
	}
	names_rename_domain(&names, d, r->new, r->newdir);
	group_follow_domain(d, r->old);
	stat_renamed(r->old, r->new);
	if (change_others(r->old, r->new) == 0)
		unlinkat(proc_basefd(), note_file, 0);
	config_apply();
	tell_authd(r->old, r->dir);
	log_msg(LOG_MAJOR, "domain %s renamed into %s by %s", r->old, r->new,
	    r->account);
	return NULL;
}

static void
rename_quiet(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;
	struct renaming *r = arg;
	const char *err = "temporary failure, try again";
	struct domain *d;

	if (m != NULL)
		err = m->code == 0 ? rename_now(r) : m->text;
	if ((d = names_domain(&names, err == NULL ? r->new : r->old)) != NULL)
		d->moving = false;
	tell_stored(r->dir, err == NULL ? r->newdir : r->dir);
	renaming_end(r, err);
}

/* Somebody makes or renames an account in it. */
static bool
in_use(const struct domain *d)
{
	const struct account *a;
	size_t i = 0;

	while ((a = names_next(d, &i)) != NULL)
		if (a->reserved)
			return true;
	return d->moving;
}

static void
do_rename(struct command *c)
{
	struct msg_domain_quiet m = { .text = "the domain is being renamed" };
	char name[DOMAIN_MAXLEN + 1];
	struct renaming *r;
	struct domain *d;
	const char *err;

	if (!need_users(c) || (d = admin_domain(c, 0)) == NULL)
		return;
	if (d->main)
		err = "the Main Domain is renamed by the setting DomainName";
	else if ((err = new_name(arg_text(c, 1), name, sizeof(name))) ==
	    NULL && in_use(d))
		err = "the domain is in use, try again";
	if (err != NULL) {
		answer(c, 501, err);
		return;
	}
	r = xcalloc(1, sizeof(*r));
	r->cmd.ref = c->ref;
	r->account = xstrdup(c->who.account);
	r->old = xstrdup(d->name);
	r->new = xstrdup(name);
	r->dir = xstrdup(d->dir);
	r->newdir = xasprintf("Domains/%s", name);
	d->moving = true;
	m.path = r->dir;
	ipc_call(proc_peer(PROC_STORED), IPC_DOMAIN_QUIET, 0, &m, -1,
	    QUIET_TIMEOUT, rename_quiet, r);
}

/* --- remove --- */

struct removal {
	struct command	 cmd;
	char		*account;	/* who asked */
	char		*name, *dir;
};

/* Its directory out of sight is the commit. */
static const char *
remove_now(struct removal *r)
{
	struct domain *d = names_domain(&names, r->name);
	char *gone;

	if (d == NULL)
		return "unknown domain";
	gone = clean_name();
	if (change_others(r->name, "") == -1 ||
	    domain_dir_move(r->dir, gone) == -1) {
		free(gone);
		return "the domain cannot be removed from the disk";
	}
	log_msg(LOG_MAJOR, "domain %s with %zu accounts removed by %s",
	    r->name, d->naccounts, r->account);
	names_del_domain(&names, d);
	config_apply();
	tell_authd(r->name, r->dir);
	clean_add(gone);
	free(gone);
	return NULL;
}

static void
remove_quiet(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;
	struct removal *r = arg;
	const char *err = "temporary failure, try again";
	struct domain *d;

	if (m != NULL)
		err = m->code == 0 ? remove_now(r) : m->text;
	if (err != NULL && (d = names_domain(&names, r->name)) != NULL)
		d->moving = false;
	tell_stored(r->dir, err == NULL ? "" : r->dir);
	answer_err(&r->cmd, err);
	free(r->account);
	free(r->name);
	free(r->dir);
	free(r);
}

static void
do_delete(struct command *c)
{
	struct msg_domain_quiet m = { .text = "the domain is being removed" };
	const char *err = NULL;
	struct removal *r;
	struct domain *d;

	if (!need_users(c) || (d = admin_domain(c, 0)) == NULL)
		return;
	if (d->main)
		err = "the Main Domain cannot be removed";
	else if (in_use(d))
		err = "the domain is in use, try again";
	else if (*arg_text(c, 1) == '\0' && d->naccounts > 0)
		err = "the domain is not empty";
	if (err != NULL) {
		answer(c, 501, err);
		return;
	}
	r = xcalloc(1, sizeof(*r));
	r->cmd.ref = c->ref;
	r->account = xstrdup(c->who.account);
	r->name = xstrdup(d->name);
	r->dir = xstrdup(d->dir);
	d->moving = true;
	m.path = r->dir;
	ipc_call(proc_peer(PROC_STORED), IPC_DOMAIN_QUIET, 0, &m, -1,
	    QUIET_TIMEOUT, remove_quiet, r);
}

const struct verb verbs_move[] = {
	{ "CreateDomain", do_create },
	{ "RenameDomain", do_rename },
	{ "DeleteDomain", do_delete },
	{ NULL, NULL }
};
