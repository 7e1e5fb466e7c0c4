/*
 * Answers that a thread gives: a request which the loop took is answered by
 * whoever did its work, at once, without a turn of the loop.  Packets are
 * whole, so the loop's own may go out at the same time.  A thread must touch
 * nothing but its ipc_late: the channel itself stays the loop's.
 */
#include <sys/socket.h>

#include <stdlib.h>
#include <unistd.h>

#include "ipc_int.h"
#include "log.h"

/* The loop's alone but for fd, which never changes. */
struct ipc_sock {
	int		fd;
	unsigned int	users;
};

void
ipc_sock_drop(struct ipc_sock *s)
{
	if (--s->users > 0)
		return;
	close(s->fd);
	free(s);
}

/* The channel may end meanwhile: its descriptor must not be another's then. */
void
ipc_late_begin(struct ipc_late *late, struct ipc_ref ref)
{
	struct ipc *ipc = ipc_channel(ref.channel);

	late->ref = ref;
	late->sent = false;
	late->sock = NULL;
	if (ipc == NULL)
		return;
	if (ipc->sock == NULL) {
		ipc->sock = xcalloc(1, sizeof(*ipc->sock));
		ipc->sock->fd = ipc->fd;
		ipc->sock->users = 1;		/* the channel */
	}
	late->sock = ipc->sock;
	late->sock->users++;
}

void
ipc_late_answer(struct ipc_late *late, enum ipc_type type, const void *msg,
    int *fd)
{
	struct buf b;

	if (late->sock == NULL)
		return;
	buf_init(&b, IPC_MAXPACKET + 1);
	if (ipc_pack(&b, type, late->ref.session, late->ref.seq, 1, msg) == 0) {
		if (*fd != -1)
			b.p[IPC_FLAGS_AT] |= IPC_F_FD;
		late->sent = ipc_sendmsg(late->sock->fd, b.p, b.len, *fd,
		    MSG_DONTWAIT) != -1;
	}
	if (late->sent && *fd != -1) {
		close(*fd);
		*fd = -1;
	}
	buf_free(&b);
}

void
ipc_late_end(struct ipc_late *late, enum ipc_type type, const void *msg,
    int fd)
{
	if (late->sock != NULL)
		ipc_sock_drop(late->sock);
	late->sock = NULL;
	if (!late->sent) {
		(void)ipc_answer(late->ref, type, msg, fd);
		return;
	}
	ipc_answered(late->ref, type, msg);
}
