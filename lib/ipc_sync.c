/*
 * The system calls of a channel, and the blocking use of one: by children
 * that hear their configuration before they run a loop, and by tests.  Never
 * called while the process serves anybody.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "ipc_int.h"
#include "log.h"

/* Sockets on which HELLO has gone or come before there is a struct ipc. */
static struct hello {
	bool	used, sent, seen;
	int	fd;
} hellos[16];

static struct hello *
hello_find(int fd)
{
	struct hello *free = NULL;
	size_t i;

	for (i = 0; i < sizeof(hellos) / sizeof(hellos[0]); i++) {
		if (hellos[i].used && hellos[i].fd == fd)
			return &hellos[i];
		if (!hellos[i].used)
			free = &hellos[i];
	}
	if (free == NULL)
		panic("too many channels in blocking use");
	memset(free, 0, sizeof(*free));
	free->used = true;
	free->fd = fd;
	return free;
}

void
ipc_sync_forget(int fd, bool *sent, bool *seen)
{
	size_t i;

	*sent = *seen = false;
	for (i = 0; i < sizeof(hellos) / sizeof(hellos[0]); i++)
		if (hellos[i].used && hellos[i].fd == fd) {
			*sent = hellos[i].sent;
			*seen = hellos[i].seen;
			hellos[i].used = false;
		}
}

ssize_t
ipc_sendmsg(int sock, const void *data, size_t len, int fd, int flags)
{
	union {
		struct cmsghdr	align;
		char		bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	ssize_t n;

	if (fd != -1) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	do
		n = sendmsg(sock, &msg, flags | MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n;
}

int
ipc_control_fd(struct msghdr *msg)
{
	struct cmsghdr *c;
	int fd = -1, bad = (msg->msg_flags & MSG_TRUNC) != 0, one;
	size_t n;

	for (c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (n = 0; c->cmsg_len >= CMSG_LEN((n + 1) * sizeof(int));
		    n++) {
			memcpy(&one, CMSG_DATA(c) + n * sizeof(int),
			    sizeof(int));
			if (fd == -1) {
				fd = one;
				continue;
			}
			close(one);
			bad = 1;
		}
	}
	/* At our limit the kernel drops it; half of several is a lie. */
	if (msg->msg_flags & MSG_CTRUNC) {
		if (fd == -1 && !bad)
			return IPC_FD_LOST;
		bad = 1;
	}
	if (!bad)
		return fd;
	if (fd != -1)
		close(fd);
	return IPC_FD_BAD;
}

static int
wait_for(int fd, short what)
{
	struct pollfd p = { .fd = fd, .events = what };

	while (poll(&p, 1, -1) == -1)
		if (errno != EINTR)
			return -1;
	return 0;
}

/* One packet into store's first IPC_MAXPACKET bytes: its length, or -1. */
static ssize_t
receive(int sock, struct buf *store, int *fd)
{
	union {
		struct cmsghdr	align;
		char		bytes[IPC_CONTROL];
	} control;
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	buf_reset(store);
	if (!buf_reserve(store, IPC_MAXPACKET + ipc_any_size)) {
		errno = ENOMEM;
		return -1;
	}
	for (;;) {
		iov.iov_base = store->p;
		iov.iov_len = IPC_MAXPACKET;
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
		if (n != -1)
			break;
		if (errno == EAGAIN && wait_for(sock, POLLIN) == -1)
			return -1;
		if (errno != EINTR && errno != EAGAIN)
			return -1;
	}
	if ((*fd = ipc_control_fd(&msg)) < -1) {
		errno = EPROTO;
		return -1;
	}
	return n;
}

static int
send_all(int sock, const struct buf *b, int fd)
{
	while (ipc_sendmsg(sock, b->p, b->len, fd, 0) == -1)
		if (errno != EAGAIN || wait_for(sock, POLLOUT) == -1)
			return -1;
	return 0;
}

static int
send_hello(int sock)
{
	struct msg_hello m = { .version = CG_VERSION,
		.hash = ipc_table_hash() };

	return send_all(sock, ipc_packed(IPC_HELLO, 0, 0, 0, &m), -1);
}

int
ipc_send_sync(int sock, enum ipc_type type, const void *msg, int fd)
{
	struct hello *h = hello_find(sock);
	struct buf *b;
	int ret = -1, saved;

	if (!h->sent && send_hello(sock) == -1)
		goto out;
	h->sent = true;
	b = ipc_packed(type, 0, 0, 0, msg);
	if (fd != -1)
		b->p[IPC_FLAGS_AT] |= IPC_F_FD;
	ret = send_all(sock, b, fd);
out:
	saved = errno;
	if (fd != -1)
		close(fd);
	if (ret == -1)
		h->used = false;
	errno = saved;
	return ret;
}

int
ipc_recv_sync(int sock, struct ipc_pkt *pkt, struct buf *store)
{
	struct hello *h = hello_find(sock);
	int fd, flags;
	ssize_t n;

	for (;;) {
		if ((n = receive(sock, store, &fd)) <= 0) {
			h->used = false;
			return (int)n;
		}
		if (ipc_unpack_at(store->p, n, pkt, &flags,
			store->p + IPC_MAXPACKET) == -1 ||
		    ((flags & IPC_F_FD) != 0) != (fd != -1))
			break;
		pkt->fd = fd;
		if (pkt->type != IPC_HELLO) {
			if (!h->seen)
				break;
			return 1;
		}
		if (!ipc_hello_ok(pkt) || fd != -1)
			break;
		h->seen = true;
	}
	if (fd != -1)
		close(fd);
	h->used = false;
	errno = EPROTO;
	return -1;
}
