/*
 * Preloaded into the suite's processes by the test of their walls
 * (regress/proto/walls.py).  It makes a process run system calls that the
 * test chooses, where its loop waits for events: inside the walls, on the
 * main thread, with the rights that a taken-over daemon would have.
 *
 * The list of calls lies in a file that $CG_PROBE names.  It is mapped before
 * the walls are up, so that talking takes no system call of its own; probe.py
 * holds the same layout.
 */
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

enum { CALLS = 1024, ARGS = 6, SLICE = 20 /* ms */ };
enum { IDLE, GO, DONE };
enum kind { NUMBER, DATA /* offset in the map */, RESULT /* of a call */ };

struct call {
	int64_t		nr;
	int64_t		arg[ARGS];
	uint8_t		kind[ARGS];
	uint8_t		compat;		/* by the 32-bit entry */
	uint8_t		pad;
	int32_t		err;
	int32_t		pad2;
	int64_t		ret;
};

struct shared {
	_Atomic uint32_t state;
	_Atomic int32_t	 pid;		/* who shall do it */
	uint32_t	 n;
	_Atomic uint32_t started;	/* the last one may have been deadly */
	struct call	 call[CALLS];
};

typedef int (*epoll_wait_fn)(int, struct epoll_event *, int, int);
typedef int (*poll_fn)(struct pollfd *, nfds_t, int);

static struct shared	*sh;
static epoll_wait_fn	 real_epoll_wait;
static poll_fn		 real_poll;

__attribute__((constructor)) static void
start(void)
{
	const char *path = getenv("CG_PROBE");
	struct stat st;
	void *p;
	int fd;

	real_epoll_wait = (epoll_wait_fn)dlsym(RTLD_NEXT, "epoll_wait");
	real_poll = (poll_fn)dlsym(RTLD_NEXT, "poll");
	if (path == NULL || (fd = open(path, O_RDWR | O_CLOEXEC)) == -1)
		return;
	if (fstat(fd, &st) == 0) {
		p = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		    fd, 0);
		if (p != MAP_FAILED)
			sh = p;
	}
	close(fd);
}

static long
by_32_bits(const struct call *c)
{
#ifdef __x86_64__
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "0"(c->nr),
	    "b"(c->arg[0]), "c"(c->arg[1]), "d"(c->arg[2]) : "memory");
	if (r >= 0 || r < -4095)
		return r;
	errno = -r;
	return -1;
#else
	errno = ENOSYS;
	return -1;
#endif
}

static void
make_call(struct call *c)
{
	long a[ARGS];
	int i;

	for (i = 0; i < ARGS; i++)
		a[i] = c->kind[i] == DATA ? (long)((char *)sh + c->arg[i]) :
		    c->kind[i] == RESULT ? sh->call[c->arg[i]].ret : c->arg[i];
	errno = 0;
	if (c->compat)
		c->ret = by_32_bits(c);
	else
		c->ret = syscall(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	c->err = errno;
}

static void
obey(void)
{
	pid_t me = getpid();
	uint32_t i;
	int saved = errno;

	if (atomic_load(&sh->state) != GO || atomic_load(&sh->pid) != me ||
	    gettid() != me)
		return;
	for (i = 0; i < sh->n && i < CALLS; i++) {
		atomic_store(&sh->started, i + 1);
		make_call(&sh->call[i]);
		if (getpid() != me)	/* a fork came through */
			_exit(0);
	}
	atomic_store(&sh->state, DONE);
	errno = saved;
}

/* Waits in slices, so that a test is heard without an event of its own. */
#define IN_SLICES(wait)							\
	int slice, r;							\
									\
	for (;;) {							\
		obey();							\
		slice = timeout < 0 || timeout > SLICE ? SLICE : timeout; \
		if ((r = (wait)) != 0 || timeout == slice)		\
			return r;					\
		if (timeout > 0)					\
			timeout -= slice;				\
	}

int
epoll_wait(int ep, struct epoll_event *ev, int max, int timeout)
{
	if (sh == NULL)
		return real_epoll_wait(ep, ev, max, timeout);
	IN_SLICES(real_epoll_wait(ep, ev, max, slice))
}

int
poll(struct pollfd *fds, nfds_t n, int timeout)
{
	if (sh == NULL)
		return real_poll(fds, n, timeout);
	IN_SLICES(real_poll(fds, n, slice))
}
