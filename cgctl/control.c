/*
 * Starting and stopping the server.  The one that runs is known by the lock
 * it holds on ProcessID, not by a number alone, which may be somebody else's
 * by now.
 */
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgctl.h"
#include "file.h"

enum { STOP_SECONDS = 90 };

pid_t
server_pid(void)
{
	char *path = xasprintf("%s/ProcessID", conf.base), text[32];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	pid_t pid = 0;
	ssize_t n;

	free(path);
	if (fd == -1)
		return 0;
	n = file_pread(fd, text, sizeof(text) - 1, 0);
	if (n > 0 && flock(fd, LOCK_SH | LOCK_NB) == -1 &&
	    errno == EWOULDBLOCK) {
		text[n] = '\0';
		pid = strtol(text, NULL, 10);
	}
	close(fd);
	return pid > 1 ? pid : 0;
}

/* The program beside this one, as both are installed together. */
static char *
server_program(void)
{
	char self[4096], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return xstrdup("cgserver");
	self[n] = '\0';
	slash = strrchr(self, '/');
	*slash = '\0';
	return xasprintf("%s/cgserver", self);
}

static int
start(void)
{
	char *program = server_program();
	char *argv[] = { program, "--Daemon", NULL, NULL, NULL };
	int status;
	pid_t pid;

	if (conf_file != NULL) {
		argv[2] = "-f";
		argv[3] = (char *)conf_file;
	}
	if ((pid = fork()) == -1)
		fail("fork: %s", strerror(errno));
	if (pid == 0) {
		execvp(program, argv);
		fprintf(stderr, "cgctl: %s: %s\n", program, strerror(errno));
		_exit(127);
	}
	free(program);
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			fail("waitpid: %s", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail("the server did not start");
	printf("cgate started, process %ld\n", (long)server_pid());
	return 0;
}

int
do_start(int argc, char **argv)
{
	pid_t pid;

	if (argc > 0)
		usage();
	if ((pid = server_pid()) != 0) {
		printf("cgate runs already, process %ld\n", (long)pid);
		return 0;
	}
	return start();
}

/* By command if anybody answers, else by signal. */
static int
ask_to_stop(pid_t pid)
{
	const char *text;
	int code;

	if (talk_open(false) == 0) {
		code = talk("Shutdown", NULL, &text);
		talk_close();
		if (code == 200)
			return 0;
		fprintf(stderr, "cgctl: Shutdown: %s\n", text);
	}
	return kill(pid, SIGTERM);
}

static int
stop(void)
{
	struct pollfd p = { .events = POLLIN };
	pid_t pid = server_pid();

	if (pid == 0) {
		printf("cgate is not running\n");
		return 0;
	}
	p.fd = syscall(SYS_pidfd_open, pid, 0);
	if (p.fd == -1 && errno == ESRCH)
		return 0;
	if (p.fd == -1)
		fail("process %ld: %s", (long)pid, strerror(errno));
	if (ask_to_stop(pid) == -1)
		fail("process %ld: %s", (long)pid, strerror(errno));
	if (poll(&p, 1, STOP_SECONDS * 1000) != 1)
		fail("process %ld has not ended within %d seconds",
		    (long)pid, STOP_SECONDS);
	close(p.fd);
	printf("cgate stopped\n");
	return 0;
}

int
do_stop(int argc, char **argv)
{
	if (argc > 0)
		usage();
	return stop();
}

int
do_restart(int argc, char **argv)
{
	if (argc > 0)
		usage();
	stop();
	return start();
}
