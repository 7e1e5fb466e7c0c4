/*
 * The allow-lists of system calls.  What a daemon's flags name is allowed;
 * what our own libraries or a curious attacker may well try answers EPERM;
 * everything else ends the process.  Loaded for all threads at once.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "sandbox.h"
#include "sandbox_int.h"

#define S(name)		SCMP_SYS(name)
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
/* The n-th argument, an int or a pointer, is this. */
#define INT_IS(n, v)	SCMP_CMP64(n, SCMP_CMP_MASKED_EQ, 0xffffffff, \
			    (uint32_t)(v))
#define IS_NULL(n)	SCMP_CMP64(n, SCMP_CMP_MASKED_EQ, ~0ull, 0)

#define SUITE_LOCK	UINT32_C(5)	/* cgserver/child.c */

#ifdef CG_SANITIZE	/* its library calls what it likes */
enum { DEADLY = 0 };
#else
enum { DEADLY = 1 };
#endif

#define OPEN_CHANGES	(O_ACCMODE | O_CREAT | O_TRUNC | \
			 (O_TMPFILE & ~O_DIRECTORY))
#define CLONE_SPACES	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | \
			 CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
			 CLONE_NEWNET)

/* Nothing here reaches beyond what the process already holds. */
static const int base_calls[] = {
	S(read), S(write), S(readv), S(writev), S(pread64), S(pwrite64),
	S(preadv), S(pwritev), S(recvmsg), S(recvfrom), S(recvmmsg),
	S(shutdown), S(getsockopt),
	S(getsockname), S(getpeername), S(close), S(close_range), S(dup),
	S(dup2), S(dup3), S(pipe), S(pipe2), S(lseek), S(fstat),
	S(newfstatat), S(stat), S(lstat), S(statx), S(ftruncate),
	S(memfd_create), S(eventfd2), S(timerfd_create), S(timerfd_settime),
	S(epoll_create1), S(epoll_ctl), S(epoll_wait), S(epoll_pwait),
	S(epoll_pwait2), S(poll), S(ppoll), S(select), S(pselect6),
	S(futex), S(clock_gettime), S(clock_getres), S(clock_nanosleep),
	S(nanosleep), S(gettimeofday), S(time), S(getrandom), S(uname),
	S(sysinfo), S(getpid), S(gettid), S(getppid), S(getuid), S(geteuid),
	S(getgid), S(getegid), S(getresuid), S(getresgid), S(getgroups),
	S(getpgrp), S(getpgid), S(getrlimit), S(getrusage), S(times),
	S(capget), S(exit), S(exit_group), S(restart_syscall),
	S(rt_sigaction), S(rt_sigprocmask), S(rt_sigreturn),
	S(rt_sigpending), S(rt_sigtimedwait), S(sigaltstack), S(brk),
	S(munmap), S(mremap), S(madvise), S(sched_yield),
	S(sched_getaffinity), S(set_robust_list), S(rseq),
	S(set_tid_address), S(membarrier), S(alarm), S(setitimer),
};

static const int read_calls[] = {
	S(openat2), S(getdents64), S(readlink), S(readlinkat), S(access),
	S(faccessat), S(faccessat2), S(statfs), S(fstatfs), S(getcwd),
	S(fadvise64), S(readahead),
};
static const int write_calls[] = {
	S(open), S(openat), S(creat), S(mkdir), S(mkdirat), S(rename),
	S(renameat), S(renameat2), S(unlink), S(unlinkat), S(rmdir), S(link),
	S(linkat), S(fsync), S(fdatasync), S(sync_file_range), S(fallocate),
	S(syncfs), S(copy_file_range), S(umask),
};
static const int fork_calls[] = {
	S(fork), S(vfork), S(wait4), S(waitid), S(pidfd_open),
};
static const int thread_calls[] = {
	S(sched_getparam), S(sched_getscheduler),
	S(sched_get_priority_max), S(sched_get_priority_min),
};
static const int accept_calls[] = { S(accept), S(accept4), S(listen) };
static const int connect_calls[] = { S(connect), S(bind) };
static const int inotify_calls[] = {
	S(inotify_init1), S(inotify_add_watch), S(inotify_rm_watch),
};
static const int pair_calls[] = { S(socketpair) };
static const int mmap_calls[] = { S(msync), S(mincore), S(fallocate) };
static const int chmod_calls[] = { S(fchmod), S(fchown), S(umask) };
/* The template: what putting up a worker's walls takes. */
static const int chroot_calls[] = {
	S(chroot), S(fchdir), S(chdir), S(capset), S(prctl), S(seccomp),
	S(setrlimit), S(setsid), S(setresuid), S(landlock_create_ruleset),
	S(landlock_add_rule), S(landlock_restrict_self),
};
static const int pidfd_calls[] = { S(pidfd_send_signal) };

static const struct {
	uint32_t	 flag;
	const int	*calls;
	size_t		 n;
} by_flag[] = {
	{ 0, base_calls, COUNT(base_calls) },
	{ SB_FILES_READ, read_calls, COUNT(read_calls) },
	{ SB_FILES_WRITE, write_calls, COUNT(write_calls) },
	{ SB_THREADS, thread_calls, COUNT(thread_calls) },
	{ SB_FORK, fork_calls, COUNT(fork_calls) },
	{ SB_ACCEPT, accept_calls, COUNT(accept_calls) },
	{ SB_CONNECT, connect_calls, COUNT(connect_calls) },
	{ SB_INOTIFY, inotify_calls, COUNT(inotify_calls) },
	{ SB_SOCKETPAIR, pair_calls, COUNT(pair_calls) },
	{ SB_MMAP_FILE, mmap_calls, COUNT(mmap_calls) },
	{ SB_CHMOD_FD, chmod_calls, COUNT(chmod_calls) },
	{ SB_CHROOT, chroot_calls, COUNT(chroot_calls) },
	{ SB_PIDFD, pidfd_calls, COUNT(pidfd_calls) },
};

/* Tried by libraries, probes and attackers: refused, but not deadly. */
static const int probed[] = {
	S(open), S(openat), S(openat2), S(creat), S(getdents), S(getdents64),
	S(readlink), S(readlinkat), S(access), S(faccessat), S(faccessat2),
	S(statfs), S(fstatfs), S(getcwd), S(chdir), S(fchdir), S(mkdir),
	S(mkdirat), S(rename), S(renameat), S(renameat2), S(unlink),
	S(unlinkat), S(rmdir), S(link), S(linkat), S(symlink), S(symlinkat),
	S(mknod), S(mknodat), S(chmod), S(fchmod), S(fchmodat), S(chown),
	S(fchown), S(lchown), S(fchownat), S(truncate), S(utime), S(utimes),
	S(utimensat), S(futimesat), S(setxattr), S(lsetxattr), S(fsetxattr),
	S(getxattr), S(lgetxattr), S(fgetxattr), S(listxattr), S(llistxattr),
	S(flistxattr), S(removexattr), S(lremovexattr), S(fremovexattr),
	S(fsync), S(fdatasync), S(sync), S(syncfs), S(fallocate), S(flock),
	S(umask), S(fadvise64), S(copy_file_range), S(sendfile), S(splice),
	S(tee), S(vmsplice), S(execve), S(execveat), S(fork), S(vfork),
	S(clone), S(clone3), S(wait4), S(waitid), S(kill), S(tkill), S(tgkill),
	S(rt_sigqueueinfo), S(rt_tgsigqueueinfo), S(pidfd_open),
	S(pidfd_send_signal), S(pidfd_getfd), S(ptrace), S(process_vm_readv),
	S(process_vm_writev), S(process_madvise), S(kcmp), S(prlimit64),
	S(setrlimit), S(setpriority), S(getpriority), S(sched_setaffinity),
	S(sched_setparam), S(sched_setscheduler), S(sched_setattr),
	S(ioprio_set), S(socket), S(socketpair), S(connect), S(bind),
	S(listen), S(accept), S(accept4), S(setuid), S(setgid), S(setreuid),
	S(setregid), S(setresuid), S(setresgid), S(setgroups), S(setfsuid),
	S(setfsgid), S(setpgid), S(setsid), S(getsid), S(capset), S(chroot),
	S(pivot_root), S(mount), S(umount2), S(unshare), S(setns),
	S(open_tree), S(move_mount), S(fsopen), S(name_to_handle_at),
	S(open_by_handle_at), S(fanotify_init), S(inotify_init),
	S(inotify_init1), S(inotify_add_watch), S(inotify_rm_watch),
	S(io_uring_setup), S(io_uring_enter), S(io_uring_register),
	S(io_setup), S(perf_event_open), S(bpf), S(userfaultfd), S(keyctl),
	S(add_key), S(request_key), S(prctl), S(arch_prctl), S(seccomp),
	S(landlock_create_ruleset), S(landlock_add_rule),
	S(landlock_restrict_self), S(personality), S(msync), S(mincore),
	S(mlock), S(mlock2), S(munlock), S(mlockall), S(mmap), S(mprotect),
	S(ioctl), S(fcntl), S(sched_getparam), S(sched_getscheduler),
	S(sched_get_priority_max), S(sched_get_priority_min), S(shmget),
	S(shmat), S(msgget), S(semget), S(mq_open), S(memfd_secret),
	S(pkey_alloc), S(get_mempolicy), S(set_mempolicy), S(mbind),
	S(getcpu), S(syslog), S(clock_settime), S(settimeofday),
	S(adjtimex), S(reboot), S(quotactl), S(acct), S(swapon),
	S(init_module), S(finit_module), S(delete_module), S(kexec_load),
	S(sendto), S(sendmsg), S(sendmmsg), S(setsockopt),
};

static const int fcntl_always[] = {
	F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_DUPFD, F_DUPFD_CLOEXEC,
	F_ADD_SEALS, F_GET_SEALS, F_GETOWN,
};
static const int fcntl_files[] = {
	F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW,
};
static const int fcntl_lease[] = { F_SETLEASE, F_GETLEASE };
static const int ioctl_always[] = { FIONREAD, FIONBIO, FIOCLEX };
static const int prctl_always[] = {
	PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS,
	PR_GET_SECCOMP, PR_GET_PDEATHSIG, PR_SET_VMA,
};

static int
allow_all(scmp_filter_ctx f, const int *calls, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0) != 0)
			return -1;
	return 0;
}

/* The call with one of these as its arg-th argument. */
static int
allow_values(scmp_filter_ctx f, int call, unsigned int arg, const int *values,
    size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (seccomp_rule_add(f, SCMP_ACT_ALLOW, call, 1,
			INT_IS(arg, values[i])) != 0)
			return -1;
	return 0;
}

/* The call as long as none of these bits is set in its arg-th argument. */
static int
allow_without(scmp_filter_ctx f, int call, unsigned int arg, uint32_t bits)
{
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, call, 1,
	    SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, bits, 0));
}

static int
allow_with(scmp_filter_ctx f, int call, unsigned int arg, uint32_t bits)
{
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, call, 1,
	    SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, bits, bits));
}

/* No memory is ever both ours to write and to execute. */
static int
rules_memory(scmp_filter_ctx f)
{
	return allow_without(f, S(mmap), 2, PROT_EXEC) == 0 &&
	    allow_without(f, S(mprotect), 2, PROT_EXEC) == 0 ? 0 : -1;
}

/*
 * The suite's own lock is let go by nobody: a descriptor that differs from it
 * in one bit or more.  (The kernel looks at 32 of them, a comparison at 64.)
 */
static int
rules_flock(scmp_filter_ctx f)
{
	uint32_t bit;

	for (bit = 1; bit != 0; bit <<= 1)
		if (seccomp_rule_add(f, SCMP_ACT_ALLOW, S(flock), 1,
			SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, bit,
			    ~SUITE_LOCK & bit)) != 0)
			return -1;
	return 0;
}

static int
rules_files(scmp_filter_ctx f, uint32_t allow)
{
	if (allow & (SB_FILES_READ | SB_FILES_WRITE) &&
	    allow_values(f, S(fcntl), 1, fcntl_files, COUNT(fcntl_files)) != 0)
		return -1;
	if (allow & SB_FLOCK && rules_flock(f) == -1)
		return -1;
	if (allow & SB_FILES_WRITE)	/* futimens() names no path */
		return seccomp_rule_add(f, SCMP_ACT_ALLOW, S(utimensat), 1,
		    IS_NULL(1));
	if (!(allow & SB_FILES_READ))
		return 0;
	return allow_without(f, S(openat), 2, OPEN_CHANGES) == 0 &&
	    allow_without(f, S(open), 1, OPEN_CHANGES) == 0 ? 0 : -1;
}

static int
rules_processes(scmp_filter_ctx f, uint32_t allow)
{
	/* abort() of our own; the template's workers just fault instead. */
	if (!(allow & SB_FORK) && seccomp_rule_add(f, SCMP_ACT_ALLOW,
		S(tgkill), 2, INT_IS(0, getpid()),
		INT_IS(2, SIGABRT)) != 0)
		return -1;
	if (allow & SB_FORK)
		return allow_without(f, S(clone), 0, CLONE_SPACES);
	if (allow & SB_THREADS)
		return allow_with(f, S(clone), 0, CLONE_THREAD);
	return 0;
}

static int
rules_limits(scmp_filter_ctx f, uint32_t allow)
{
	if (allow & SB_CHROOT)
		return seccomp_rule_add(f, SCMP_ACT_ALLOW, S(prlimit64), 1,
		    INT_IS(0, 0));
	if (allow_values(f, S(prctl), 0, prctl_always,
		COUNT(prctl_always)) != 0)
		return -1;
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, S(prlimit64), 2,
	    INT_IS(0, 0), IS_NULL(2));
}

/*
 * A listening socket that was shut down is a fresh one, and TCP's fast open
 * connects such a one by a mere send: nobody else would see it, Landlock
 * neither.
 */
static int
rules_sockets(scmp_filter_ctx f, uint32_t allow)
{
	static const int inet[] = { AF_INET, AF_INET6 };
	/* Not SO_LINGER: who closes such a socket's last copy may wait. */
	static const int levels[] = { IPPROTO_TCP };

	if (allow_without(f, S(sendto), 3, MSG_FASTOPEN) != 0 ||
	    allow_without(f, S(sendmsg), 2, MSG_FASTOPEN) != 0 ||
	    allow_without(f, S(sendmmsg), 3, MSG_FASTOPEN) != 0 ||
	    allow_values(f, S(setsockopt), 1, levels, COUNT(levels)) != 0)
		return -1;
	if (!(allow & SB_CONNECT))
		return 0;
	return allow_values(f, S(socket), 0, inet, COUNT(inet));
}

static int
rules(scmp_filter_ctx f, uint32_t allow)
{
	size_t i;

	for (i = 0; i < COUNT(by_flag); i++)
		if ((allow & by_flag[i].flag) == by_flag[i].flag &&
		    allow_all(f, by_flag[i].calls, by_flag[i].n) != 0)
			return -1;
	if (allow_values(f, S(fcntl), 1, fcntl_always,
		COUNT(fcntl_always)) != 0 ||
	    allow_values(f, S(ioctl), 1, ioctl_always,
		COUNT(ioctl_always)) != 0)
		return -1;
	if (allow & SB_LEASE && allow_values(f, S(fcntl), 1, fcntl_lease,
		COUNT(fcntl_lease)) != 0)
		return -1;
	return rules_memory(f) == 0 && rules_files(f, allow) == 0 &&
	    rules_processes(f, allow) == 0 && rules_limits(f, allow) == 0 &&
	    rules_sockets(f, allow) == 0 ? 0 : -1;
}

/* --- two filters, as libseccomp has one answer for what no rule matches --- */

static int
load(scmp_filter_ctx f)
{
	/* No new privileges are asked for by sandbox_drop(). */
	if (seccomp_attr_set(f, SCMP_FLTATR_CTL_NNP, 0) != 0 ||
	    seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1) != 0 ||
	    seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH,
		SCMP_ACT_KILL_PROCESS) != 0)
		return -1;
	(void)seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return seccomp_load(f) == 0 ? 0 : -1;
}

/* What is neither allowed nor expected ends the process. */
static int
filter_deadly(uint32_t allow, int (*use)(scmp_filter_ctx))
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	size_t i;
	int r = -1;

	if (f == NULL)
		return -1;
	for (i = 0; i < COUNT(by_flag); i++)
		if ((allow & by_flag[i].flag) == by_flag[i].flag &&
		    allow_all(f, by_flag[i].calls, by_flag[i].n) != 0)
			goto out;
	if (allow_all(f, probed, COUNT(probed)) == 0)
		r = DEADLY ? use(f) : 0;
out:
	seccomp_release(f);
	return r;
}

/* Of what survives the other, only what is allowed is done. */
static int
filter_exact(uint32_t allow, int (*use)(scmp_filter_ctx))
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = -1;

	if (f == NULL)
		return -1;
	/* glibc then takes clone, whose flags a filter can see. */
	if (seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), S(clone3), 0) == 0 &&
	    rules(f, allow) == 0)
		r = use(f);
	seccomp_release(f);
	return r;
}

int
sandbox_seccomp(uint32_t allow)
{
	if (filter_deadly(allow, load) == 0 && filter_exact(allow, load) == 0)
		return 0;
	errno = EINVAL;
	return -1;
}

/* --- made once by the template, put on by each worker: 2 ms the less --- */

static struct sock_fprog	made[2];
static size_t			nmade;

/* Keeps the filter as the kernel takes it. */
static int
keep(scmp_filter_ctx f)
{
	struct sock_fprog *p = &made[nmade];
	off_t size;
	int fd, r = -1;

	if (nmade == COUNT(made) ||
	    seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH,
		SCMP_ACT_KILL_PROCESS) != 0)
		return -1;
	(void)seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if ((fd = memfd_create("filter", MFD_CLOEXEC)) == -1)
		return -1;
	if (seccomp_export_bpf(f, fd) == 0 &&
	    (size = lseek(fd, 0, SEEK_END)) > 0 &&
	    (p->filter = malloc(size)) != NULL &&
	    pread(fd, p->filter, size, 0) == size) {
		p->len = size / sizeof(*p->filter);
		nmade++;
		r = 0;
	}
	close(fd);
	return r;
}

int
sandbox_worker_prepare(void)
{
	return filter_deadly(SANDBOX_WORKER, keep) == 0 &&
	    filter_exact(SANDBOX_WORKER, keep) == 0 ? 0 : -1;
}

int
sandbox_seccomp_worker(void)
{
	size_t i;

	if (nmade == 0)
		return sandbox_seccomp(SANDBOX_WORKER);
	for (i = 0; i < nmade; i++)
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			SECCOMP_FILTER_FLAG_TSYNC, &made[i]) != 0)
			return -1;
	return 0;
}

int
sandbox_seccomp_root(void)
{
	static const int worst[] = {
		S(ptrace), S(process_vm_readv), S(process_vm_writev),
		S(pidfd_getfd), S(bpf), S(perf_event_open), S(userfaultfd),
		S(io_uring_setup), S(init_module), S(finit_module),
		S(delete_module), S(kexec_load), S(kexec_file_load),
		S(mount), S(umount2), S(pivot_root), S(move_mount),
		S(open_by_handle_at), S(unshare), S(setns), S(reboot),
		S(swapon), S(swapoff), S(acct), S(settimeofday),
		S(clock_settime), S(personality), S(mknod), S(mknodat),
	};
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	size_t i;
	int r = f == NULL ? -1 : 0;

	for (i = 0; i < COUNT(worst) && r == 0; i++)
		r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), worst[i], 0);
	if (r == 0)
		r = load(f);
	if (f != NULL)
		seccomp_release(f);
	if (r == 0)
		return 0;
	errno = EINVAL;
	return -1;
}
