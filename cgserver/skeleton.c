/*
 * The base directory and the directories right in it, with the owners and
 * modes of HACKING 3.  Runs in cgserver before any child; touches nothing
 * deeper, and no directory of a vendor's that was not adopted.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgserver.h"
#include "file.h"
#include "log.h"

#define MARK	".cgate"

static const struct place {
	const char	*path;
	enum proc_id	 owner, group;
	mode_t		 mode;
} places[] = {
	{ "Settings",		PROC_ROUTERD, PROC_ROUTERD, 0700 },
	{ "Queue",		PROC_QUEUED,  PROC_QUEUED,  0700 },
	{ "BadFiles",		PROC_QUEUED,  PROC_QUEUED,  0700 },
	{ "ForeignQueue",	PROC_QUEUED,  PROC_QUEUED,  0700 },
	{ "Submitted",		PROC_QUEUED,  PROC_QUEUED,  03777 },
	{ "SystemLogs",		PROC_LOGD,    PROC_LOGD,    0750 },
	/* What routerd makes in these has the same group. */
	{ "Accounts",		PROC_ROUTERD, PROC_STORED,  03771 },
	{ "Accounts/Settings",	PROC_ROUTERD, PROC_AUTHD,   01770 },
	{ "Domains",		PROC_ROUTERD, PROC_STORED,  02751 },
};

static int
make_place(const struct place *p)
{
	const struct conf_user *owner = conf_user_of(&conf, p->owner);
	const struct conf_user *group = conf_user_of(&conf, p->group);
	int fd, r = 0;

	if (mkdirat(basefd, p->path, 0700) == -1 && errno != EEXIST)
		return -1;
	fd = openat(basefd, p->path,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if (geteuid() == 0)
		r = fchown(fd, owner->uid, group->gid);
	if (r == 0)
		r = fchmod(fd, p->mode);
	close(fd);
	return r;
}

/* Something of another server's lies there, and was not taken over. */
static bool
is_foreign(void)
{
	return faccessat(basefd, MARK, F_OK, AT_SYMLINK_NOFOLLOW) == -1 &&
	    (faccessat(basefd, "Accounts", F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	    faccessat(basefd, "Settings", F_OK, AT_SYMLINK_NOFOLLOW) == 0);
}

int
skeleton_open(void)
{
	if (mkdir(conf.base, 0755) == -1 && errno != EEXIST) {
		log_warn("%s", conf.base);
		return -1;
	}
	basefd = open(conf.base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (basefd == -1) {
		log_warn("%s", conf.base);
		return -1;
	}
	return 0;
}

int
skeleton_finish(void)
{
	static const char mark[] = "cgate base directory, layout 1\n";
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (make_place(&places[i]) == -1) {
			log_warn("%s/%s", conf.base, places[i].path);
			return -1;
		}
	if (faccessat(basefd, MARK, F_OK, AT_SYMLINK_NOFOLLOW) == -1 &&
	    file_replace(basefd, MARK, 0644, mark, sizeof(mark) - 1) == -1) {
		log_warn("%s/" MARK, conf.base);
		return -1;
	}
	return 0;
}

int
skeleton_make(void)
{
	if (skeleton_open() == -1)
		return -1;
	if (is_foreign()) {
		log_warnx("%s holds the data of another server and was not "
		    "taken over: cgserver --adopt does that, once", conf.base);
		return -1;
	}
	return skeleton_finish();
}
