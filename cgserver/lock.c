/*
 * One suite a base directory.  ProcessID, locked by cgserver, refuses a
 * second start at once.  The lock of ".lock" is inherited by every process of
 * the suite: after cgserver was killed, the next one waits here until the
 * last of the old ones is gone, so that nobody writes beside an owner.
 */
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cgserver.h"
#include "file.h"
#include "log.h"

enum { SERVER_SECONDS = 1, OLD_SECONDS = 30 };

static int	pidfile = -1, lockfile = -1;

/* A process that was killed holds its locks until it is wholly gone. */
static int
lock_within(int fd, int seconds)
{
	const struct timespec pause = { 0, 20 * 1000 * 1000 };
	int i;

	for (i = 0; i <= seconds * 50; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		nanosleep(&pause, NULL);
	}
	return -1;
}

int
lock_take(void)
{
	char pid[32];
	ssize_t n;

	pidfile = openat(basefd, "ProcessID",
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	lockfile = openat(basefd, ".lock",
	    O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (pidfile == -1 || lockfile == -1) {
		log_warn("%s", conf.base);
		return -1;
	}
	if (lock_within(pidfile, SERVER_SECONDS) == -1) {
		n = file_pread(pidfile, pid, sizeof(pid) - 1, 0);
		pid[n > 0 ? n : 0] = '\0';
		pid[strcspn(pid, "\n")] = '\0';
		log_warnx("already running on %s, process %s", conf.base, pid);
		return -1;
	}
	if (lock_within(lockfile, OLD_SECONDS) == -1) {
		log_warnx("processes of an earlier start are still there");
		return -1;
	}
	snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(pidfile, 0) == -1 ||
	    file_pwrite(pidfile, pid, strlen(pid), 0) == -1)
		log_warn("ProcessID");
	return 0;
}

void
lock_release(void)
{
	unlinkat(basefd, "ProcessID", 0);
	unlinkat(basefd, "Ports", 0);
	unlinkat(basefd, "cgctl.sock", 0);
}

int
lock_fd(void)
{
	return lockfile;
}

/* sd_notify(3), in a few lines of our own. */
void
notify(const char *state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len;
	int s;

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return;
	len = strlen(path);
	if (len >= sizeof(sun.sun_path))
		return;
	memcpy(sun.sun_path, path, len);
	if (path[0] == '@')
		sun.sun_path[0] = '\0';
	s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s == -1)
		return;
	if (sendto(s, state, strlen(state), MSG_NOSIGNAL,
	    (struct sockaddr *)&sun,
	    offsetof(struct sockaddr_un, sun_path) + len) == -1)
		log_warn("NOTIFY_SOCKET");
	close(s);
}
