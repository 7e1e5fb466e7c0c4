/*
 * A process's walls, as they are put up: root directory, user, capabilities,
 * limits.  Runs once at the start of every child of cgserver, before anything
 * from outside is read.  Landlock, system calls and the proof have files of
 * their own (sandbox_landlock.c, sandbox_seccomp.c, sandbox_prove.c).
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox.h"
#include "sandbox_int.h"

/* An empty directory that has no name any more: nothing can be made in it. */
static int
empty_root(const char *base)
{
	const char *where[] = { "/tmp", base };
	char dir[4096];
	size_t i;

	for (i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		if (snprintf(dir, sizeof(dir), "%s/cgate-root.XXXXXX",
			where[i]) >= (int)sizeof(dir))
			continue;
		if (mkdtemp(dir) == NULL)
			continue;
		if (chdir(dir) == -1 || rmdir(dir) == -1)
			return -1;
		return chroot(".");
	}
	return -1;
}

int
sandbox_root(const struct sandbox *sb, const char *base, bool have_root)
{
	if (!have_root || sb->keep_root)
		return 0;
	if (sb->empty_root)
		return empty_root(base);
	if (chdir(base) == -1 || chroot(".") == -1)
		return -1;
	return chdir("/");
}

/* --- capabilities --- */

static int
caps_set(uint32_t keep)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = keep, .permitted = keep } };

	return syscall(SYS_capset, &head, data);
}

/* True if exactly these are held. */
bool
sandbox_caps_are(uint32_t keep)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) == -1)
		return false;
	return data[0].permitted == keep && data[0].effective == keep &&
	    data[1].permitted == 0 && data[1].effective == 0;
}

/* What could come back by executing something; needs root. */
static void
caps_bound(uint32_t keep)
{
	int cap;

	for (cap = 0; cap < 64; cap++)
		if (cap >= 32 || !(keep & 1u << cap))
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static int
sandbox_drop_caps(void)
{
	if (caps_set(0) == -1)
		return -1;
	return sandbox_caps_are(0) ? 0 : -1;
}

/* --- limits --- */

static int
limit(int what, rlim_t n)
{
	struct rlimit rl = { n, n }, old;

	if (setrlimit(what, &rl) == 0)
		return 0;
	/* Without root a hard limit below what we want must do. */
	if (errno != EPERM || getrlimit(what, &old) == -1 ||
	    old.rlim_max > n)
		return -1;
	rl.rlim_cur = rl.rlim_max = old.rlim_max;
	return setrlimit(what, &rl);
}

static int
sandbox_no_new_processes(void)
{
	return limit(RLIMIT_NPROC, 0);
}

static int
limits(const struct sandbox *sb)
{
	if (limit(RLIMIT_CORE, 0) == -1)
		return -1;
	if (sb->nofile != 0 && limit(RLIMIT_NOFILE, sb->nofile) == -1)
		return -1;
	if (sb->fsize != 0 && limit(RLIMIT_FSIZE, sb->fsize) == -1)
		return -1;
#ifndef CG_SANITIZE	/* its shadow memory is terabytes of address space */
	if (sb->as != 0 && limit(RLIMIT_AS, sb->as) == -1)
		return -1;
#endif
	if (sb->noproc || (!sb->keep_root &&
	    !(sb->allow & (SB_THREADS | SB_FORK | SB_EXEC))))
		return sandbox_no_new_processes();
	return 0;
}

/* --- the user --- */

static int
become(uid_t uid, gid_t gid, const gid_t *groups, size_t ngroups,
    bool keep_caps)
{
	if (keep_caps && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == -1)
		return -1;
	if (setgroups(ngroups, groups) == -1 ||
	    setresgid(gid, gid, gid) == -1 ||
	    setresuid(uid, uid, uid) == -1)
		return -1;
	return 0;
}

static int
verify(uid_t uid, gid_t gid, size_t ngroups, uint32_t caps)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (getresuid(&r, &e, &s) == -1 || getresgid(&rg, &eg, &sg) == -1)
		return -1;
	if (r != uid || e != uid || s != uid || rg != gid || eg != gid ||
	    sg != gid || getgroups(0, NULL) != (int)ngroups ||
	    !sandbox_caps_are(caps) || setresuid(0, 0, 0) != -1) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

int
sandbox_drop(const struct sandbox *sb, uid_t uid, gid_t gid,
    const gid_t *groups, size_t ngroups, bool have_root)
{
	uint32_t caps = sb->keep_chroot ? 1u << CAP_SYS_CHROOT : 0;

	if (have_root && !sb->keep_root) {
		if (uid == 0 || gid == 0) {
			errno = EINVAL;
			return -1;
		}
		caps_bound(caps);
		if (limits(sb) == -1 ||
		    become(uid, gid, groups, ngroups, caps != 0) == -1 ||
		    caps_set(caps) == -1 ||
		    verify(uid, gid, ngroups, caps) == -1)
			return -1;
	} else if (limits(sb) == -1)
		return -1;
	/* The kernel forgets these two when the user changes: last. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1)
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int
sandbox_lock(const struct sandbox *sb, int basefd, bool weak)
{
	/* The template's workers each get a wall of their own. */
	if (!sb->keep_root && !(sb->allow & SB_CHROOT) &&
	    sandbox_landlock(sb, basefd) == -1 && !(weak && errno == ENOSYS))
		return -1;
	return sb->keep_root ? sandbox_seccomp_root()
			     : sandbox_seccomp(sb->allow);
}

int
sandbox_lock_worker(int dirfd, bool weak)
{
	static const char *const here[] = { ".", NULL };
	const struct sandbox sb = { .allow = SANDBOX_WORKER, .write = here };
	const struct sandbox nothing = { .allow = SANDBOX_WORKER };

	if (dirfd != -1 && sandbox_caps_are(1u << CAP_SYS_CHROOT) &&
	    (fchdir(dirfd) == -1 || chroot(".") == -1 || chdir("/") == -1))
		return -1;
	/* It must not outlive the template: see HACKING 2. */
	if (sandbox_drop_caps() == -1 || sandbox_no_new_processes() == -1 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1)
		return -1;
	if (sandbox_landlock(dirfd == -1 ? &nothing : &sb, dirfd) == -1 &&
	    !(weak && errno == ENOSYS))
		return -1;
	return sandbox_seccomp_worker();
}
