/*
 * A process's walls: empty root or the base directory, own uid, rlimits,
 * Landlock, and an allow-list of system calls.  DECISIONS, Sandboxes.
 */
#ifndef CG_SANDBOX_H
#define CG_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum sandbox_allow {
	SB_FILES_READ	= 1 << 0,	/* openat, stat, getdents */
	SB_FILES_WRITE	= 1 << 1,	/* creat, rename, unlink, ftruncate, fsync */
	SB_THREADS	= 1 << 2,	/* clone of threads, after init too */
	SB_FORK		= 1 << 3,	/* template; priv */
	SB_EXEC		= 1 << 4,	/* priv only */
	SB_ACCEPT	= 1 << 5,	/* fronts: accept4, getsockname... */
	SB_CONNECT	= 1 << 6,	/* smtpd, role send; socket, connect */
	SB_LEASE	= 1 << 7,	/* queued: F_SETLEASE */
	SB_INOTIFY	= 1 << 8,
	SB_SOCKETPAIR	= 1 << 9,	/* fronts' pumps, broker */
	SB_MMAP_FILE	= 1 << 10,	/* worker's index */
	SB_CHMOD_FD	= 1 << 11,	/* fchmod, fchown on an fd: authd */
	SB_CHROOT	= 1 << 12,	/* template until the worker is walled */
	SB_PIDFD	= 1 << 13,	/* broker: pidfd_send_signal to a worker */
	SB_FLOCK	= 1 << 14	/* locks of an INBOX elsewhere */
};

struct sandbox {
	uint32_t		 allow;
	bool			 empty_root;	/* else the base directory */
	bool			 keep_chroot;	/* CAP_SYS_CHROOT alone: template */
	bool			 keep_root;	/* priv alone: no walls but seccomp */
	const char *const	*read;		/* paths under the base, NULL-ended */
	const char *const	*write;
	const char *const	*makedir;	/* directories alone, no file */
	unsigned long		 nofile;	/* 0: leave as it is */
	unsigned long		 fsize;
	unsigned long		 as;		/* bytes of address space */
	bool			 noproc;	/* RLIMIT_NPROC 0; implied where
						   allow names no processes */
};

/* Empty root by mkdtemp, chdir, rmdir, chroot("."); or chroot to base. */
int	sandbox_root(const struct sandbox *, const char *base, bool have_root);
/* groups, gid, uid; verified; capabilities but those kept; limits. */
int	sandbox_drop(const struct sandbox *, uid_t, gid_t, const gid_t *groups,
	    size_t ngroups, bool have_root);
/*
 * Landlock (best ABI the kernel has) on read/write paths relative to basefd,
 * then seccomp.  -1 and errno; weak lets a missing Landlock pass.
 */
int	sandbox_lock(const struct sandbox *, int basefd, bool weak);
/* The template, before its walls: what each worker will put on. */
int	sandbox_worker_prepare(void);
/* For a worker: one directory, given as an fd, and nothing else. */
int	sandbox_lock_worker(int dirfd, bool weak);
/*
 * Tries what must fail and says what was proved ("uid root nnp seccomp
 * landlock open exec kill prlimit socket"), or NULL and *what came through.
 */
const char *sandbox_prove(const struct sandbox *, bool have_root, bool weak,
	    const char **what);
/* Is there a Landlock in this kernel?  Its ABI, or 0. */
int	sandbox_landlock_abi(void);
#endif
