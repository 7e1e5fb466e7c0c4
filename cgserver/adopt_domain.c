/*
 * A domain of another server's (manual 18, 25): its settings, its accounts of
 * each type, in subdirectories or not.  Runs in cgserver --adopt.  Names that
 * are not in small letters become so, as the suite keeps them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adopt.h"
#include "file.h"
#include "log.h"
#include "objname.h"
#include "password.h"
#include "settings.h"

static const struct adopt_owner
	domain_dir = { PROC_ROUTERD, PROC_STORED, 0600, 03771 },
	settings_dir = { PROC_ROUTERD, PROC_AUTHD, 0600, 01770 },
	routes = { PROC_ROUTERD, PROC_ROUTERD, 0600, 0700 },
	auths = { PROC_AUTHD, PROC_AUTHD, 0600, 0700 },
	account_dir = { PROC_AUTHD, PROC_STORED, 0600, 01770 },
	mails = { PROC_STORED, PROC_STORED, 0600, 0700 };

struct place {
	const char	*domain;
	int		 depth;
	bool		 external;	/* its external INBOXes can be had */
};

/* --- settings --- */

/* Still as others may have planted it: what is no file has no location. */
static char *
location(int dir, const char *file)
{
	const char *err = NULL;
	int fd = file_open_beneath(dir, file, O_RDONLY, 0);
	struct val *v = fd != -1 ? val_read_fd(fd, &err) : NULL;
	const struct val *text = dict_get(v, "ExternalLocation");
	char *copy = text == NULL || settings_check(settings_find("Domain",
	    "ExternalLocation"), text) != NULL ? NULL :
	    xstrdup(val_text(text));

	if (fd != -1)
		close(fd);
	val_free(v);
	return copy;
}

/* Does cgserver.conf name the directory where the domain has them? */
static bool
has_external(int dir)
{
	char *text = location(dir, "Settings/Domain.settings");
	bool listed = false;
	size_t i, n;

	if (text == NULL)
		text = location(basefd, "Settings/DomainDefault.settings");
	n = text != NULL && *text != '\0' ? strrchr(text, '/') - text : 0;
	for (i = 0; n > 0 && i < val_count(conf.external) && !listed; i++)
		listed = strncmp(val_text(val_at(conf.external, i)), text,
		    n) == 0 && val_text(val_at(conf.external, i))[n] == '\0';
	free(text);
	return listed;
}

/* Mail waits for what cannot be had, and is put nowhere else. */
static void
look_at_inbox(const struct val *settings, const char *path,
    const char *account, const struct place *p)
{
	if (!dict_bool(settings, "ExternalINBOX", false))
		return;
	if (!path_ends(account, ".macnt"))
		adopt_odd(path, "", "its INBOX lies elsewhere, which only a "
		    "MultiMailbox account's can: its mail will wait");
	else if (!p->external)
		adopt_odd(path, "", "its INBOX lies elsewhere: its mail will "
		    "wait until the domain's ExternalLocation says where, and "
		    "external-inboxes of cgserver.conf names that directory");
}

/* Of john@domain: what we cannot do as they say. */
static void
look_at_settings(int fd, const char *path, const char *account,
    const struct place *p)
{
	const char *err = NULL, *text;
	struct val *v = val_read_fd(fd, &err), *password;
	char *name;

	if (v == NULL || val_type(v) != VAL_DICT)
		val_append(adopt_found.damaged, val_string(path));
	password = dict_get(v, "Password");
	text = password != NULL ? val_text(password) : NULL;
	look_at_inbox(v, path, account, p);
	if (text != NULL && password_form((struct str){ text,
	    val_len(password) }) == PASSWORD_VENDOR) {
		name = xasprintf("%.*s@%s", (int)(strrchr(account, '.') -
		    account), account, p->domain);
		val_append(adopt_found.passwords, val_string(name));
		free(name);
	}
	val_free(v);
}

static void
count_account(const char *path, const char *name)
{
	char text[NAME_MAXLEN + 1];
	struct str s = { name, strrchr(name, '.') - name };

	adopt_found.accounts++;
	if (!str_copy(s, text, sizeof(text)) || !name_valid_account(text))
		adopt_odd(path, "", "not an account's name: it is not served");
}

/* --- an account in a directory of its own --- */

struct macnt {
	const char	*account;	/* john.macnt */
	const struct place *place;
	bool		 settings;	/* it has some */
};

static void
in_macnt(int dir, const char *where, const char *name, void *arg)
{
	struct macnt *m = arg;
	struct stat st;
	char *path;
	int fd;

	if (strcmp(name, "account.settings") != 0) {
		adopt_all(dir, where, name, &mails);
		return;
	}
	if ((fd = adopt_open(dir, where, name, &st)) == -1)
		return;
	path = xasprintf("%s/%s", where, name);
	m->settings = true;
	look_at_settings(fd, path, m->account, m->place);
	adopt_give(fd, &st, path, &auths);
	free(path);
	close(fd);
}

static void
macnt(int fd, const struct stat *st, const char *path, const char *name,
    const struct place *place)
{
	struct macnt m = { .account = name, .place = place };

	count_account(path, name);
	adopt_each(fd, path, in_macnt, &m);
	/* A single mailbox's are beside it: see finish_single(). */
	if (!m.settings && !path_ends(name, ".mdir"))
		adopt_odd(path, "", "it has no account.settings");
	adopt_give(fd, st, path, &account_dir);
}

/* john.settings and john.info become account.settings in john.mdir. */
static void
move_in(int dir, const char *where, const char *name)
{
	static const char *const ends[] = { "settings", "info" };
	char *path, *from, *to;
	size_t i;
	int fd;

	path = xasprintf("%s/%s", where, name);
	fd = file_open_beneath(dir, name, O_RDONLY | O_DIRECTORY, 0);
	for (i = 0; fd != -1 && i < 2; i++) {
		from = xasprintf("%.*s%s", (int)strlen(name) - 4, name,
		    ends[i]);
		to = xasprintf("account.%s", ends[i]);
		if (renameat2(dir, from, fd, to, RENAME_NOREPLACE) == -1 &&
		    errno != ENOENT) {
			adopt_odd(where, from, strerror(errno));
			adopt_found.failures++;
		}
		if (faccessat(fd, to, F_OK, AT_SYMLINK_NOFOLLOW) == -1 &&
		    i == 0)
			adopt_odd(path, "", "it has no account.settings");
		free(from);
		free(to);
	}
	if (fd != -1)
		close(fd);
	free(path);
}

/* When all that lies beside a single mailbox has its name and owner. */
static void
finish_single(int dir, const char *where, const char *name, void *arg)
{
	char *settings;

	if (path_ends(name, ".mdir"))
		move_in(dir, where, name);
	if (!path_ends(name, ".mbox"))
		return;
	settings = xasprintf("%.*ssettings", (int)strlen(name) - 4, name);
	if (faccessat(dir, settings, F_OK, AT_SYMLINK_NOFOLLOW) == -1)
		adopt_odd(where, name, "it has no settings");
	free(settings);
}

/* --- what lies in a domain's directory --- */

static void	in_domain(int, const char *, const char *, void *);

/* One in the settings directory: authd's, or routerd's with all in it. */
static void
in_settings(int dir, const char *where, const char *name, void *arg)
{
	static const char *const authds[] = { "Access.settings",
		"Alerts.settings", "ServerAlerts.settings", "authd.pending" };
	size_t i;

	for (i = 0; i < sizeof(authds) / sizeof(authds[0]); i++)
		if (strcmp(name, authds[i]) == 0) {
			adopt_all(dir, where, name, &auths);
			return;
		}
	adopt_all(dir, where, name, &routes);
}

static void
a_directory(int fd, const struct stat *st, int dir, const char *where,
    const char *path, const char *name, const struct place *p)
{
	struct place below = { p->domain, p->depth + 1, p->external };

	if (path_ends(name, ".macnt") || path_ends(name, ".mdir"))
		macnt(fd, st, path, name, p);
	else if (path_ends(name, ".sub") && p->depth < ADOPT_DEPTH) {
		adopt_each(fd, path, in_domain, &below);
		adopt_each(fd, path, finish_single, NULL);
		adopt_give(fd, st, path, &domain_dir);
	} else if (strcmp(name, "Settings") == 0 && p->depth == 0) {
		adopt_each(fd, path, in_settings, NULL);
		adopt_give(fd, st, path, &settings_dir);
	} else if (strcmp(name, "Index") == 0 && p->depth == 0)
		adopt_all(dir, where, name, &routes);
	else if (path_ends(name, ".mslc")) {
		count_account(path, name);
		adopt_all(dir, where, name, &mails);
	} else
		adopt_odd(path, "", "not known, left as it is");
}

static void
a_file(int fd, const struct stat *st, const char *path, const char *name,
    const struct place *p)
{
	if (path_ends(name, ".settings")) {
		look_at_settings(fd, path, name, p);
		adopt_give(fd, st, path, &auths);
	} else if (strcmp(name, "Index.data") == 0)
		adopt_give(fd, st, path, &routes);
	else {		/* john.mbox, john.info, john.mbox.idx ... */
		if (path_ends(name, ".mbox"))
			count_account(path, name);
		adopt_give(fd, st, path, &mails);
	}
}

char *
adopt_small(int dir, const char *where, const char *name)
{
	char *small = xstrdup(name);

	name_lower(str_make(name), small, strlen(name) + 1);
	if (strcmp(small, name) == 0)
		return small;
	if (renameat2(dir, name, dir, small, RENAME_NOREPLACE) == 0)
		return small;
	adopt_odd(where, name, "its name in small letters is another's");
	free(small);
	return xstrdup(name);
}

static bool
keeps_name(const char *name)
{
	return strcmp(name, "Settings") == 0 || strcmp(name, "Index") == 0 ||
	    strcmp(name, "Index.data") == 0;
}

static void
in_domain(int dir, const char *where, const char *name, void *arg)
{
	struct place *p = arg;
	struct stat st;
	char *path, *now;
	int fd;

	if ((fd = adopt_open(dir, where, name, &st)) == -1)
		return;
	now = keeps_name(name) ? xstrdup(name) :
	    adopt_small(dir, where, name);
	path = xasprintf("%s/%s", where, now);
	if (S_ISDIR(st.st_mode))
		a_directory(fd, &st, dir, where, path, now, p);
	else
		a_file(fd, &st, path, now, p);
	free(path);
	free(now);
	close(fd);
}

void
adopt_domain(int dir, const char *path, const char *domain)
{
	struct place p = { domain, 0, has_external(dir) };
	struct stat st;

	adopt_found.domains++;
	/* One that somebody made by hand has none; its owners cannot. */
	if (mkdirat(dir, "Settings", 0700) == -1 && errno != EEXIST) {
		adopt_odd(path, "Settings", strerror(errno));
		adopt_found.failures++;
	}
	adopt_each(dir, path, in_domain, &p);
	adopt_each(dir, path, finish_single, NULL);
	if (fstat(dir, &st) == 0)
		adopt_give(dir, &st, path, &domain_dir);
}
