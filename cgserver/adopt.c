/*
 * cgserver --adopt: takes over another server's base directory, once, with
 * nothing running (DECISIONS).  Every file that the suite serves gets its
 * owner and mode; nothing is removed or rewritten.  The mark that lets the
 * suite start comes last, so that whatever breaks off is simply done again.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adopt.h"
#include "file.h"
#include "log.h"
#include "objname.h"

struct adopt_found adopt_found;

static const struct adopt_owner
	routes = { PROC_ROUTERD, PROC_ROUTERD, 0600, 0700 },
	queues = { PROC_QUEUED, PROC_QUEUED, 0600, 0700 },
	logs = { PROC_LOGD, PROC_LOGD, 0640, 0750 };

static const struct {
	const char	*name;
	const struct adopt_owner *owner;	/* NULL: looked at by itself */
} known[] = {
	{ "Settings", &routes }, { "Queue", &queues },
	{ "BadFiles", &queues }, { "ForeignQueue", &queues },
	{ "SystemLogs", &logs }, { "Accounts", NULL }, { "Domains", NULL },
	{ "Submitted", NULL },
};

/* --- may it be done? --- */

/* The other server's own lock is a number in a file. */
static bool
other_runs(void)
{
	size_t len = 0;
	char *text = file_read(basefd, "ProcessID", 64, &len);
	long pid = text != NULL ? strtol(text, NULL, 10) : 0;
	bool runs = pid > 1 && pid != (long)getpid() &&
	    (kill(pid, 0) == 0 || errno == EPERM);

	free(text);
	if (runs)
		log_warnx("process %ld of %s/ProcessID runs: stop that server "
		    "first (or remove the file, if it is another program)",
		    pid, conf.base);
	return runs;
}

/* Behind our walls nothing outside the base can be reached. */
static bool
links_away(void)
{
	bool any = false;
	struct stat st;
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (fstatat(basefd, known[i].name, &st,
		    AT_SYMLINK_NOFOLLOW) == -1 || S_ISDIR(st.st_mode))
			continue;
		log_warnx("%s/%s is no directory: move the real one there, or "
		    "mount it (mount --bind)", conf.base, known[i].name);
		any = true;
	}
	return any;
}

/* --- the parts --- */

/* Vendors' helpers write there as users; queued has to read it. */
static void
submitted(int dir, const char *where, const char *name, void *arg)
{
	gid_t gid = conf_user_of(&conf, PROC_QUEUED)->gid;
	struct stat st;
	int fd;

	if ((fd = adopt_open(dir, where, name, &st)) == -1)
		return;
	/* Whose it is decides whose name it may bear: the owner stays. */
	if ((geteuid() == 0 && fchown(fd, -1, gid) == -1) ||
	    fchmod(fd, S_ISDIR(st.st_mode) ? 0750 : 0640) == -1) {
		adopt_odd(where, name, strerror(errno));
		adopt_found.failures++;
	}
	adopt_found.files++;
	close(fd);
}

static void
one_domain(int dir, const char *where, const char *name, void *arg)
{
	char *small = adopt_small(dir, where, name), *path;
	struct stat st;
	int fd;

	path = xasprintf("%s/%s", where, small);
	if ((fd = adopt_open(dir, where, small, &st)) != -1) {
		if (S_ISDIR(st.st_mode)) {
			if (!name_valid_domain(small))
				adopt_odd(path, "", "not a domain's name: it "
				    "is not served");
			adopt_domain(fd, path, small);
		} else
			adopt_odd(path, "", "not known, left as it is");
		close(fd);
	}
	free(path);
	free(small);
}

/* The Main Domain's name, for the list of passwords. */
static char *
main_domain(void)
{
	const char *err = NULL;
	struct val *v = val_read_file(basefd, "Settings/Main.settings", &err);
	const char *pinned = dict_str(dict_get(conf.pinned, "Main"),
	    "DomainName", "");
	const char *name = *pinned != '\0' ? pinned :
	    dict_str(v, "DomainName", "");
	char *copy = xstrdup(*name != '\0' ? name : conf.hostname);

	val_free(v);
	return copy;
}

static void
part(int dir, const char *where, const char *name, void *arg)
{
	const struct adopt_owner *owner = NULL;
	bool is_known = false;
	struct stat st;
	size_t i;
	char *domain;
	int fd;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0) {
			is_known = true;
			owner = known[i].owner;
		}
	if (owner != NULL)
		adopt_all(dir, where, name, owner);
	if (!is_known && name[0] != '.' && strcmp(name, "ProcessID") != 0)
		adopt_odd(where, name, "not used by this suite, left as it is");
	if (!is_known || owner != NULL ||
	    (fd = adopt_open(dir, where, name, &st)) == -1)
		return;
	if (strcmp(name, "Accounts") == 0) {
		domain = main_domain();
		adopt_domain(fd, name, domain);
		free(domain);
	} else
		adopt_each(fd, name, strcmp(name, "Domains") == 0 ?
		    one_domain : submitted, NULL);
	close(fd);
}

/* --- the report --- */

static void
list(const struct val *v, const char *head)
{
	size_t i;

	if (val_count(v) == 0)
		return;
	printf("\n%s\n", head);
	for (i = 0; i < val_count(v); i++)
		printf("\t%s\n", val_text(val_at(v, i)));
}

static void
report(void)
{
	printf("%s: %zu domains, %zu accounts, %zu files and directories\n",
	    conf.base, adopt_found.domains, adopt_found.accounts,
	    adopt_found.files);
	list(adopt_found.odd, "Left as they are:");
	list(adopt_found.damaged, "Settings that cannot be read:");
	list(adopt_found.passwords, "Accounts whose passwords cannot be read "
	    "(set new ones):");
}

int
adopt(void)
{
	struct stat st;

	if (stat(conf.base, &st) == -1) {
		log_warn("%s", conf.base);
		return 1;
	}
	if (skeleton_open() == -1 || other_runs() || links_away() ||
	    lock_take() == -1)
		return 1;
	adopt_found.odd = val_array();
	adopt_found.passwords = val_array();
	adopt_found.damaged = val_array();
	adopt_each(basefd, ".", part, NULL);
	adopt_links_end();
	report();
	if (adopt_found.failures > 0)
		log_warnx("%zu of them could not be taken over: mend that and "
		    "do it again", adopt_found.failures);
	else if (syncfs(basefd) == -1 || skeleton_finish() == -1)
		adopt_found.failures++;
	lock_release();
	if (adopt_found.failures == 0)
		printf("\ntaken over; cgserver may be started\n");
	return adopt_found.failures > 0;
}
