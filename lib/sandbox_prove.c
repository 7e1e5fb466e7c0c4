/*
 * The proof: each process tries, once, what its walls must stop.  What comes
 * through ends the start-up; nobody serves from behind a broken wall.
 */
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sandbox.h"
#include "sandbox_int.h"

struct prove {
	const struct sandbox	*sb;
	bool			 root;		/* have_root */
	bool			 landlock;	/* in force */
};

/* Each returns true when the wall held. */

static bool
p_uid(const struct prove *p)
{
	if (geteuid() != 0)
		return setresuid(0, 0, 0) == -1 && setgid(0) == -1;
	return !p->root;	/* the suite's one user may be anybody */
}

static bool
p_caps(const struct prove *p)
{
	return sandbox_caps_are(p->sb->keep_chroot ? 1u << CAP_SYS_CHROOT : 0);
}

/* The root directory is not the machine's: nothing of it can be seen. */
static bool
p_root(const struct prove *p)
{
	return access("/etc/passwd", F_OK) == -1 &&
	    access("/proc/self", F_OK) == -1;
}

static bool
p_nnp(const struct prove *p)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

static bool
p_dump(const struct prove *p)
{
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
}

static bool
p_seccomp(const struct prove *p)
{
	return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == SECCOMP_MODE_FILTER;
}

static bool
p_open(const struct prove *p)
{
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return true;
	close(fd);
	return false;
}

static bool
p_exec(const struct prove *p)
{
	char *argv[] = { "true", NULL }, *envp[] = { NULL };

	execve("/bin/true", argv, envp);
	return errno == EPERM;
}

static bool
p_kill(const struct prove *p)
{
	return kill(getppid(), 0) == -1 && errno == EPERM &&
	    syscall(SYS_tgkill, getppid(), getppid(), 0) == -1;
}

static bool
p_prlimit(const struct prove *p)
{
	struct rlimit rl;

	return prlimit(getppid(), RLIMIT_NOFILE, NULL, &rl) == -1;
}

static bool
p_socket(const struct prove *p)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return true;
	close(fd);
	return false;
}

static bool
p_chmod(const struct prove *p)
{
	return chmod("/", 0755) == -1 && errno == EPERM &&
	    truncate("/cgate-proof", 0) == -1 && errno == EPERM;
}

static bool
p_ptrace(const struct prove *p)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1;
}

static bool
p_fork(const struct prove *p)
{
	long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	return pid == -1;
}

enum when {
	ALWAYS,
	NOT_PRIV,		/* all but the root helper */
	ROOTED,			/* has a root directory of its own */
	HIDDEN			/* ... or Landlock */
};

static const struct {
	const char	*name;
	enum when	 when;
	uint32_t	 unless;	/* flags that allow it */
	bool		(*held)(const struct prove *);
} proofs[] = {
	{ "uid",	NOT_PRIV,	0,		p_uid },
	{ "caps",	ROOTED,		0,		p_caps },
	{ "root",	ROOTED,		0,		p_root },
	{ "nnp",	ALWAYS,		0,		p_nnp },
	{ "dump",	ALWAYS,		0,		p_dump },
	{ "seccomp",	ALWAYS,		0,		p_seccomp },
	{ "open",	HIDDEN,		0,		p_open },
	{ "exec",	NOT_PRIV,	SB_EXEC,	p_exec },
	{ "kill",	NOT_PRIV,	0,		p_kill },
	{ "prlimit",	NOT_PRIV,	SB_CHROOT,	p_prlimit },
	{ "socket",	NOT_PRIV,	0,		p_socket },
	{ "chmod",	NOT_PRIV,	0,		p_chmod },
	{ "ptrace",	ALWAYS,		0,		p_ptrace },
	{ "fork",	NOT_PRIV,	SB_FORK,	p_fork },
};

static bool
applies(const struct prove *p, enum when when, uint32_t unless)
{
	if (p->sb->allow & unless || (when != ALWAYS && p->sb->keep_root))
		return false;
	if (when == ROOTED)
		return p->root;
	if (when == HIDDEN)
		return p->root || p->landlock ||
		    !(p->sb->allow & (SB_FILES_READ | SB_FILES_WRITE));
	return true;
}

const char *
sandbox_prove(const struct sandbox *sb, bool have_root, bool weak,
    const char **what)
{
	static char said[256];
	struct prove p = { sb, have_root, false };
	size_t i, len = 0;

	/* A process behind Landlock cannot ask for its ABI any more. */
	p.landlock = !sb->keep_root && !(sb->allow & SB_CHROOT) &&
	    sandbox_landlocked();
	said[0] = '\0';
	for (i = 0; i < sizeof(proofs) / sizeof(proofs[0]); i++) {
		if (!applies(&p, proofs[i].when, proofs[i].unless))
			continue;
		if (!proofs[i].held(&p)) {
			*what = proofs[i].name;
			return NULL;
		}
		len += snprintf(said + len, sizeof(said) - len, "%s%s",
		    len > 0 ? " " : "", proofs[i].name);
	}
	if (p.landlock)
		snprintf(said + len, sizeof(said) - len, " landlock");
	else if (!weak && !sb->keep_root && !(sb->allow & SB_CHROOT)) {
		*what = "landlock";
		return NULL;
	}
	return said;
}
