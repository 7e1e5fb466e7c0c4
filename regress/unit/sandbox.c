/*
 * The walls, tried from inside by a child each: as this process's user, and
 * as root where the test has it.  What a wall lets through is as much tested
 * as what it stops.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox.h"

enum { UID = 64999, SKIP = 77 };

static char	base[] = "/tmp/cg-sandbox.XXXXXX";

#define CHECK(x) do {							\
	if (!(x)) {							\
		fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__,	\
		    #x, strerror(errno));				\
		_exit(1);						\
	}								\
} while (0)

/* The body in a child; its wait status. */
static int
in_child(void (*body)(void))
{
	int status;
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
must_pass(void (*body)(void))
{
	int status = in_child(body);

	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIP)
		skip();
	if (WIFSIGNALED(status))
		print_error("killed by signal %d\n", WTERMSIG(status));
	assert_int_equal(status, 0);
}

/* As proc.c does it; returns the base directory. */
static int
wall(const struct sandbox *sb)
{
	bool root = geteuid() == 0;
	const char *what = "?";
	int fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	CHECK(fd != -1);
	CHECK(sandbox_root(sb, base, root) == 0);
	CHECK(sandbox_drop(sb, root ? UID : getuid(), root ? UID : getgid(),
	    NULL, 0, root) == 0);
	CHECK(sandbox_lock(sb, fd, false) == 0);
	if (sandbox_prove(sb, root, false, &what) == NULL) {
		fprintf(stderr, "came through: %s\n", what);
		_exit(1);
	}
	return fd;
}

static const char *const in_a[] = { "a", NULL };
static const char *const in_b[] = { "b", NULL };

static void
nothing_body(void)
{
	const struct sandbox sb = { .empty_root = true, .noproc = true,
		.nofile = 64 };

	wall(&sb);
	CHECK(open("/x", O_CREAT | O_WRONLY, 0600) == -1);
	CHECK(accept4(0, NULL, NULL, 0) == -1 && errno == EPERM);
	CHECK(syscall(SYS_mkdir, "/d", 0700) == -1 && errno == EPERM);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
}

static void
test_nothing(void **state)
{
	must_pass(nothing_body);
}

static void
deadly_body(void)
{
	const struct sandbox sb = { .empty_root = true };

	wall(&sb);
	syscall(SYS_vhangup);
}

static void
test_unknown_call_kills(void **state)
{
	int status = in_child(deadly_body);

#ifdef CG_SANITIZE
	assert_true(WIFEXITED(status));
#else
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
#endif
}

static void
abort_body(void)
{
	const struct sandbox sb = { .empty_root = true };

	wall(&sb);
	signal(SIGABRT, SIG_DFL);
	abort();
}

static void
test_abort_is_an_abort(void **state)
{
	int status = in_child(abort_body);

	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void
reader_body(void)
{
	const struct sandbox sb = { .allow = SB_FILES_READ, .read = in_a };
	int fd = wall(&sb);

	CHECK(openat(fd, "a/file", O_RDONLY) != -1);
	CHECK(openat(fd, "a/file", O_WRONLY) == -1);
	CHECK(openat(fd, "a/new", O_CREAT | O_WRONLY, 0600) == -1);
	CHECK(openat(fd, "b/file", O_RDONLY) == -1);
	CHECK(unlinkat(fd, "a/file", 0) == -1 && errno == EPERM);
}

static void
test_reader(void **state)
{
	must_pass(reader_body);
}

static void
writer_body(void)
{
	const struct sandbox sb = { .allow = SB_FILES_READ | SB_FILES_WRITE,
		.read = in_b, .write = in_a };
	struct timespec ts[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	int dir = wall(&sb), fd;

	fd = openat(dir, "a/new", O_CREAT | O_EXCL | O_WRONLY, 0600);
	CHECK(fd != -1);
	CHECK(write(fd, "x", 1) == 1 && fsync(fd) == 0 &&
	    ftruncate(fd, 0) == 0);
	CHECK(futimens(fd, ts) == 0);
	CHECK(renameat(dir, "a/new", dir, "a/newer") == 0);
	CHECK(renameat(dir, "a/newer", dir, "b/newer") == -1);
	CHECK(linkat(dir, "a/newer", dir, "a/same", 0) == 0);
	CHECK(unlinkat(dir, "a/newer", 0) == 0 &&
	    unlinkat(dir, "a/same", 0) == 0);
	CHECK(openat(dir, "b/file", O_RDONLY) != -1);
	CHECK(openat(dir, "b/file", O_WRONLY) == -1);
	CHECK(symlinkat("x", dir, "a/l") == -1 && errno == EPERM);
	CHECK(mknodat(dir, "a/f", S_IFIFO | 0600, 0) == -1 && errno == EPERM);
	CHECK(fchmodat(dir, "a/file", 0666, 0) == -1 && errno == EPERM);
	CHECK(utimensat(dir, "a/file", NULL, 0) == -1 && errno == EPERM);
}

static void
test_writer(void **state)
{
	must_pass(writer_body);
}

static void *
thread(void *arg)
{
	return arg;
}

static void
threads_body(void)
{
	const struct sandbox sb = { .allow = SB_THREADS };
	pthread_t t;
	void *r;

	wall(&sb);
	CHECK(pthread_create(&t, NULL, thread, base) == 0);
	CHECK(pthread_join(t, &r) == 0 && r == base);
	CHECK(fork() == -1);
}

static void
test_threads_not_processes(void **state)
{
	must_pass(threads_body);
}

static void
connect_body(void)
{
	const struct sandbox sb = { .allow = SB_CONNECT };

	wall(&sb);
	CHECK(socket(AF_INET, SOCK_STREAM, 0) != -1);
	CHECK(socket(AF_UNIX, SOCK_STREAM, 0) == -1);
	CHECK(socket(AF_NETLINK, SOCK_RAW, 0) == -1);
}

static void
test_connect(void **state)
{
	must_pass(connect_body);
}

static void
lease_body(void)
{
	const struct sandbox sb = { .allow = SB_FILES_READ | SB_LEASE,
		.read = in_a };
	int fd = openat(wall(&sb), "a/own", O_RDONLY);

	CHECK(fd != -1);
	CHECK(fcntl(fd, F_SETLEASE, F_RDLCK) == 0);
	CHECK(fcntl(fd, F_SETLEASE, F_UNLCK) == 0);
	CHECK(fcntl(fd, F_SETSIG, SIGKILL) == -1 && errno == EPERM);
	CHECK(fcntl(fd, F_SETOWN, getppid()) == -1 && errno == EPERM);
}

static void
test_lease(void **state)
{
	must_pass(lease_body);
}

/* --- the template and a worker --- */

static void
worker(int dir)
{
	int fd;

	CHECK(sandbox_lock_worker(dir, false) == 0);
	fd = openat(dir, "new", O_CREAT | O_RDWR, 0600);
	CHECK(fd != -1 && ftruncate(fd, 10) == 0);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	CHECK(unlinkat(dir, "new", 0) == 0);
	CHECK(openat(dir, "../b/file", O_RDONLY) == -1);
	CHECK(syscall(SYS_truncate, "../b/file", 0) == -1 && errno == EPERM);
	CHECK(fchmodat(dir, "../b/file", 0666, 0) == -1 && errno == EPERM);
	CHECK(linkat(dir, "../b/file", dir, "stolen", 0) == -1);
	CHECK(socket(AF_INET, SOCK_STREAM, 0) == -1 && errno == EPERM);
	CHECK(fork() == -1);
	CHECK(chroot(".") == -1 && errno == EPERM);
	CHECK(kill(getppid(), 0) == -1 && errno == EPERM);
	CHECK(syscall(SYS_prlimit64, getppid(), 0, NULL, NULL) == -1);
	CHECK(access("/etc/passwd", F_OK) == -1 || geteuid() != UID);
}

static void
worker_body(void)
{
	const struct sandbox sb = { .empty_root = true, .keep_chroot = true,
		.allow = SB_FORK | SB_CHROOT | SB_FILES_READ |
		SB_FILES_WRITE | SB_MMAP_FILE };
	int dir, status;
	pid_t pid;

	CHECK((dir = open(base, O_RDONLY | O_DIRECTORY)) != -1);
	dir = openat(dir, "a", O_RDONLY | O_DIRECTORY);
	CHECK(dir != -1);
	wall(&sb);
	CHECK((pid = fork()) != -1);
	if (pid == 0) {
		worker(dir);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void
test_template_and_worker(void **state)
{
	must_pass(worker_body);
}

static void
caps_body(void)
{
	const struct sandbox sb = { .empty_root = true, .keep_chroot = true,
		.allow = SB_FORK | SB_CHROOT };
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (geteuid() != 0)
		_exit(SKIP);
	wall(&sb);
	CHECK(syscall(SYS_capget, &head, data) == 0);
	CHECK(data[0].effective == 1u << CAP_SYS_CHROOT);
	CHECK(data[0].permitted == 1u << CAP_SYS_CHROOT);
}

static void
test_only_chroot_is_kept(void **state)
{
	must_pass(caps_body);
}

static void
broken_body(void)
{
	const struct sandbox sb = { .empty_root = true };
	const char *what = NULL;

	CHECK(sandbox_drop(&sb, getuid() != 0 ? getuid() : UID,
	    getgid() != 0 ? getgid() : UID, NULL, 0, geteuid() == 0) == 0);
	CHECK(sandbox_prove(&sb, geteuid() == 0, false, &what) == NULL);
	CHECK(what != NULL);
}

static void
test_missing_wall_is_seen(void **state)
{
	must_pass(broken_body);
}

static int
setup(void **state)
{
	static const char *const files[] = { "a/file", "b/file", "a/own" };
	size_t i;
	int dir, fd;

	if (mkdtemp(base) == NULL ||
	    (dir = open(base, O_RDONLY | O_DIRECTORY)) == -1)
		return -1;
	fchmod(dir, 0755);
	mkdirat(dir, "a", 0777);
	mkdirat(dir, "b", 0777);
	if (fchmodat(dir, "a", 0777, 0) == -1 ||
	    fchmodat(dir, "b", 0777, 0) == -1)
		return -1;
	for (i = 0; i < 3; i++) {
		fd = openat(dir, files[i], O_CREAT | O_WRONLY, 0666);
		if (fd == -1 || fchmod(fd, 0666) == -1)
			return -1;
		if (i == 2 && geteuid() == 0 && fchown(fd, UID, UID) == -1)
			return -1;
		close(fd);
	}
	close(dir);
	return sandbox_landlock_abi() >= 2 ? 0 : -1;
}

static int
teardown(void **state)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", base);
	return system(cmd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_unknown_call_kills),
		cmocka_unit_test(test_abort_is_an_abort),
		cmocka_unit_test(test_reader),
		cmocka_unit_test(test_writer),
		cmocka_unit_test(test_threads_not_processes),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_lease),
		cmocka_unit_test(test_template_and_worker),
		cmocka_unit_test(test_only_chroot_is_kept),
		cmocka_unit_test(test_missing_wall_is_seen),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
