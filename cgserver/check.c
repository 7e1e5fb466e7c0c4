/*
 * What cgserver.conf names, looked at before anything is started or made:
 * mistakes that would show later, in a daemon's log or in mail that is not
 * there.  Runs in cgserver alone, for -n and at each start; changes nothing.
 */
#include <sys/stat.h>

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgserver.h"
#include "log.h"

static bool
programs_are_there(void)
{
	char *path;
	bool ok = true;
	int i;

	for (i = 0; i < PROC_MAX && ok; i++) {
		if (i == PROC_SERVER)
			continue;
		path = xasprintf("%s/%s", conf.libexec, proc_name(i));
		ok = access(path, X_OK) == 0;
		if (!ok)
			log_warn("libexec: %s", path);
		free(path);
	}
	return ok;
}

/* What runs as a helper must not be able to reach the suite's own files. */
static bool
helper_user_is_apart(void)
{
	int i;

	if (!conf.helper_user.known)
		return true;
	for (i = 0; i < CONF_USERS; i++)
		if (conf.users[i].uid == conf.helper_user.uid) {
			log_warnx("helper-user: %s is a user of the suite's",
			    conf.helper_user.alias);
			return false;
		}
	return true;
}

static void
warn_of_shared_users(void)
{
	int i, j;

	if (geteuid() != 0)
		return;
	for (i = 0; i < CONF_USERS; i++)
		for (j = 0; j < i; j++)
			if (conf.users[i].uid == conf.users[j].uid)
				log_warnx("user: %s and %s are the same one: "
				    "nothing stands between their daemons",
				    conf.users[j].name, conf.users[i].name);
}

static void
warn_of_directories(const char *word, const struct val *list)
{
	struct stat st;
	const char *path;
	size_t i;

	for (i = 0; i < val_count(list); i++) {
		path = val_text(val_at(list, i));
		if (stat(path, &st) == -1)
			log_warn("%s: %s", word, path);
		else if (!S_ISDIR(st.st_mode))
			log_warnx("%s: %s is no directory", word, path);
	}
}

static void
warn_of_strangers(void)
{
	const char *name;
	size_t i;

	for (i = 0; i < val_count(conf.trusted); i++) {
		name = val_text(val_at(conf.trusted, i));
		if (!isdigit((unsigned char)*name) && getpwnam(name) == NULL)
			log_warnx("trusted-users: there is no user %s", name);
	}
}

static void
warn_of_file(const char *word, const char *path)
{
	if (access(path, R_OK) == -1)
		log_warn("%s: %s", word, path);
}

static void
warn_of_pam(void)
{
	char *path = xasprintf("%s/cgate", conf.pam_dir != NULL ?
	    conf.pam_dir : "/etc/pam.d");

	warn_of_file("os-passwords", path);
	free(path);
}

bool
check_conf(void)
{
	if (!programs_are_there() || !helper_user_is_apart())
		return false;
	warn_of_shared_users();
	warn_of_strangers();
	warn_of_directories("helper-dirs", conf.helpers);
	warn_of_directories("external-inboxes", conf.external);
	if (conf.authorities != NULL)
		warn_of_file("authorities", conf.authorities);
	if (conf.os_passwords)
		warn_of_pam();
	return true;
}
