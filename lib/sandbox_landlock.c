/*
 * Landlock: which files a process may reach at all, whatever the uid says.
 * The constants are our own, as Debian 12's headers know ABI 2 only and the
 * kernel at hand may know more; what it does not know is left out.
 */
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sandbox.h"
#include "sandbox_int.h"

enum { LL_CREATE = 444, LL_ADD = 445, LL_RESTRICT = 446 };
enum {
	LL_VERSION = 1 << 0, LL_PATH_BENEATH = 1, LL_NET_PORT = 2,
	LL_ABI_MIN = 2
};

/* File-system rights, by the ABI that brought them. */
#define FS_EXECUTE	(1ull << 0)
#define FS_WRITE_FILE	(1ull << 1)
#define FS_READ_FILE	(1ull << 2)
#define FS_READ_DIR	(1ull << 3)
#define FS_REMOVE_DIR	(1ull << 4)
#define FS_REMOVE_FILE	(1ull << 5)
#define FS_MAKE_DIR	(1ull << 7)
#define FS_MAKE_REG	(1ull << 8)
#define FS_ABI1		0x1fffull
#define FS_REFER	(1ull << 13)	/* ABI 2 */
#define FS_TRUNCATE	(1ull << 14)	/* ABI 3 */
#define FS_IOCTL_DEV	(1ull << 15)	/* ABI 5 */
#define NET_BIND_TCP	(1ull << 0)	/* ABI 4 */
#define NET_CONNECT_TCP	(1ull << 1)	/* ABI 4 */
#define SCOPE_ABSTRACT	(1ull << 0)	/* ABI 6 */
#define SCOPE_SIGNAL	(1ull << 1)	/* ABI 6 */

#define FS_FILE		(FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE)
#define FS_READ		(FS_READ_FILE | FS_READ_DIR)
#define FS_WRITE	(FS_READ | FS_WRITE_FILE | FS_REMOVE_DIR | \
			 FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | \
			 FS_REFER | FS_TRUNCATE)

#define FS_DIRS		(FS_READ_DIR | FS_MAKE_DIR | FS_REMOVE_DIR)

struct ll_ruleset {
	uint64_t	fs;
	uint64_t	net;		/* ABI 4 */
	uint64_t	scoped;		/* ABI 6 */
};

struct ll_path {
	uint64_t	allowed;
	int32_t		fd;
} __attribute__((packed));

struct ll_port {
	uint64_t	allowed;
	uint64_t	port;
};

static bool	in_force;

bool
sandbox_landlocked(void)
{
	return in_force;
}

int
sandbox_landlock_abi(void)
{
	long abi = syscall(LL_CREATE, NULL, 0, LL_VERSION);

	return abi < 0 ? 0 : abi;
}

static uint64_t
fs_rights(int abi)
{
	uint64_t r = FS_ABI1 | FS_REFER;

	if (abi >= 3)
		r |= FS_TRUNCATE;
	if (abi >= 5)
		r |= FS_IOCTL_DEV;
	return r;
}

static int
ruleset(const struct sandbox *sb, int abi)
{
	struct ll_ruleset r = { .fs = fs_rights(abi) };
	size_t size = sizeof(r.fs);

	if (abi >= 4) {
		r.net = NET_BIND_TCP;
		if (!(sb->allow & SB_CONNECT))
			r.net |= NET_CONNECT_TCP;
		size += sizeof(r.net);
	}
	if (abi >= 6) {
		r.scoped = SCOPE_ABSTRACT;
		if (!(sb->allow & SB_PIDFD))
			r.scoped |= SCOPE_SIGNAL;
		size += sizeof(r.scoped);
	}
	return syscall(LL_CREATE, &r, size, 0);
}

/* A path that is not there gives nothing; it is not an error. */
static int
add(int rules, int basefd, const char *path, uint64_t rights)
{
	struct ll_path p = { .allowed = rights };
	struct stat st;
	int r = -1;

	p.fd = openat(basefd, path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	if (p.fd == -1)
		return errno == ENOENT ? 0 : -1;
	if (fstat(p.fd, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			p.allowed &= FS_FILE;
		r = syscall(LL_ADD, rules, LL_PATH_BENEATH, &p, 0);
	}
	close(p.fd);
	return r;
}

static int
add_all(int rules, int basefd, const char *const *paths, uint64_t rights)
{
	for (; paths != NULL && *paths != NULL; paths++)
		if (add(rules, basefd, *paths, rights) == -1)
			return -1;
	return 0;
}

/* Who connects may choose from which address, not from which port. */
static int
add_source(int rules, const struct sandbox *sb, int abi)
{
	struct ll_port p = { .allowed = NET_BIND_TCP };

	if (abi < 4 || !(sb->allow & SB_CONNECT))
		return 0;
	return syscall(LL_ADD, rules, LL_NET_PORT, &p, 0);
}

int
sandbox_landlock(const struct sandbox *sb, int basefd)
{
	int abi = sandbox_landlock_abi(), rules, r = -1;
	uint64_t known = fs_rights(abi);

	if (abi < LL_ABI_MIN) {
		errno = ENOSYS;
		return -1;
	}
	if ((rules = ruleset(sb, abi)) == -1)
		return -1;
	if (add_all(rules, basefd, sb->read, FS_READ & known) == 0 &&
	    add_all(rules, basefd, sb->write, FS_WRITE & known) == 0 &&
	    add_all(rules, basefd, sb->makedir, FS_DIRS & known) == 0 &&
	    add_source(rules, sb, abi) == 0)
		r = syscall(LL_RESTRICT, rules, 0);
	close(rules);
	in_force = r == 0;
	return r;
}
