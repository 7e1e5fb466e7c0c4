/*
 * A channel: its socket in the loop, what waits to be sent, dispatching what
 * comes, and its end.  Runs in every process.  Never blocks, and never lets a
 * bad packet do more than close its own channel.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ipc_int.h"
#include "log.h"

enum {
	BATCH = 8,			/* packets a system call */
	TURN = 64,			/* packets a turn of the loop */
	OUT_MAX = 32 * 1024 * 1024	/* a peer that reads nothing is given up */
};

/* Channels by the low 16 bits of their number. */
static struct ipc	**channels;
static size_t		  nchannels;
static uint64_t		  channel_serial;
static struct {
	int64_t	until;			/* 0: not tracing */
	char	self[33], peer[33];
} trace;

/* Where packets are received: one loop, so one place. */
static struct batch {
	struct mmsghdr	mm[BATCH];
	struct iovec	iov[BATCH];
	union {
		struct cmsghdr	align;
		char		bytes[IPC_CONTROL];
	} control[BATCH];
	char		data[BATCH][IPC_MAXPACKET];
	int		fd[BATCH];
} *batch;
static void		*unpacked;

int64_t
ipc_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool
ipc_is_named(const char *process, const char *name)
{
	size_t n = strlen(name);

	if (strncmp(process, name, n) != 0)
		return false;
	process += n;
	return *process == '\0' || (*process == '-' && process[1] != '\0' &&
	    process[1 + strspn(process + 1, "0123456789")] == '\0');
}

void
ipc_trace(const char *self, const char *peer, unsigned seconds)
{
	snprintf(trace.self, sizeof(trace.self), "%s", self);
	snprintf(trace.peer, sizeof(trace.peer), "%s", peer);
	trace.until = seconds == 0 ? 0 : ipc_now() + seconds * 1000;
}

/* Nobody may be there any more who would end it. */
static bool
is_traced(const struct ipc *ipc)
{
	if (ipc_now() > trace.until)
		trace.until = 0;
	return trace.until != 0 && (trace.peer[0] == '\0' ||
	    ipc_is_named(ipc->peer, trace.peer));
}

static void
ipc_trace_packet(const struct ipc *ipc, const char *dir, const void *data,
    size_t len, int fd)
{
	struct ipc_pkt pkt;
	struct buf b;
	void *m;
	int flags;

	if (trace.until == 0 || !is_traced(ipc))
		return;
	buf_init(&b, 4096);
	m = xcalloc(1, ipc_any_size);
	if (ipc_unpack_at(data, len, &pkt, &flags, m) == 0) {
		pkt.fd = fd;
		ipc_describe(&b, &pkt);
		log_always(LOG_ALL, "TRACE", "%s %s %s %s%s", trace.self,
		    dir, ipc->peer, flags & IPC_F_ANSWER ? "answer " : "",
		    b.p != NULL ? b.p : "");
	}
	free(m);
	buf_free(&b);
}

struct buf *
ipc_packed(enum ipc_type type, uint32_t session, uint32_t seq, int is_answer,
    const void *msg)
{
	static struct buf b;

	buf_reset(&b);
	if (ipc_pack(&b, type, session, seq, is_answer, msg) == -1)
		panic("ipc: %s does not fit its fields", ipc_name(type));
	return &b;
}

/* --- the channels' numbers --- */

static void
channel_add(struct ipc *ipc)
{
	struct ipc **more;
	size_t i, n;

	for (i = 0; i < nchannels && channels[i] != NULL; i++)
		;
	if (i == nchannels) {
		n = nchannels != 0 ? nchannels * 2 : 16;
		if (n > 65536 ||
		    (more = realloc(channels, n * sizeof(*more))) == NULL)
			fatalx("ipc: too many channels");
		memset(more + nchannels, 0, (n - nchannels) * sizeof(*more));
		channels = more;
		nchannels = n;
	}
	channels[i] = ipc;
	ipc->id = ++channel_serial << 16 | i;
}

struct ipc *
ipc_channel(uint64_t id)
{
	size_t i = id & 0xffff;

	if (i >= nchannels || channels[i] == NULL || channels[i]->id != id)
		return NULL;
	return channels[i];
}

/* --- sending --- */

struct ipc_out *
ipc_out_new(const void *data, size_t len, int fd)
{
	struct ipc_out *o = malloc(sizeof(*o) + len);

	if (o == NULL)
		fatalx("out of memory");
	o->fd = fd;
	o->len = len;
	memcpy(o->data, data, len);
	return o;
}

void
ipc_out_free(struct ipc_out *o)
{
	if (o->fd != -1)
		close(o->fd);
	free(o);
}

/* Ends at the loop's next turn, whatever is being done now. */
static void
doom(struct ipc *ipc)
{
	ipc->broken = ipc->doomed = true;
	event_active(ipc->ev_read, EV_READ, 0);
}

static void
drop_output(struct ipc *ipc)
{
	struct ipc_out *o;

	while ((o = TAILQ_FIRST(&ipc->out)) != NULL) {
		TAILQ_REMOVE(&ipc->out, o, next);
		ipc_out_free(o);
	}
	ipc->outbytes = 0;
	event_del(ipc->ev_write);
}

/*
 * 0 sent, 1 not now, -1 never.  A peer that is gone may have left packets:
 * those are read first, and then its end is seen there.
 */
static int
transmit(struct ipc *ipc, const void *data, size_t len, int fd)
{
	if (ipc_sendmsg(ipc->fd, data, len, fd, MSG_DONTWAIT) != -1)
		return 0;
	if (errno == EAGAIN)
		return 1;
	if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
		ipc->broken = true;
	else
		log_warn("ipc: send to %s", ipc->peer);
	return -1;
}

static void
write_cb(int sock, short what, void *arg)
{
	struct ipc *ipc = arg;
	struct ipc_out *o;

	while ((o = TAILQ_FIRST(&ipc->out)) != NULL) {
		if (transmit(ipc, o->data, o->len, o->fd) == 1)
			return;
		if (ipc->broken)
			break;
		TAILQ_REMOVE(&ipc->out, o, next);
		ipc->outbytes -= o->len;
		ipc_out_free(o);
	}
	drop_output(ipc);
}

/* Is there a place for it in the queue?  If not, that peer is given up. */
static int
enqueue(struct ipc *ipc, const void *data, size_t len, int fd)
{
	struct ipc_out *o;

	if (ipc->outbytes + len > OUT_MAX) {
		log_warnx("ipc: %s does not read, channel closed", ipc->peer);
		doom(ipc);
		if (fd != -1)
			close(fd);
		return -1;
	}
	o = ipc_out_new(data, len, fd);
	TAILQ_INSERT_TAIL(&ipc->out, o, next);
	ipc->outbytes += len;
	if (TAILQ_FIRST(&ipc->out) == o)
		event_add(ipc->ev_write, NULL);
	return 0;
}

int
ipc_output(struct ipc *ipc, char *data, size_t len, int fd)
{
	int r;

	if (fd != -1)
		data[IPC_FLAGS_AT] |= IPC_F_FD;
	ipc_trace_packet(ipc, ">", data, len, fd);
	r = ipc->broken ? -1 : 1;
	if (r == 1 && TAILQ_EMPTY(&ipc->out))
		r = transmit(ipc, data, len, fd);
	if (r == 1)
		return enqueue(ipc, data, len, fd);
	if (fd != -1)
		close(fd);
	return r;
}

int
ipc_send(struct ipc *ipc, enum ipc_type type, uint32_t session,
    const void *msg, int fd)
{
	struct buf *b;

	if (ipc == NULL || ipc->released) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	b = ipc_packed(type, session, 0, 0, msg);
	return ipc_output(ipc, b->p, b->len, fd);
}

struct ipc_ref
ipc_ref(struct ipc *ipc, const struct ipc_pkt *pkt)
{
	struct ipc_ref ref = { ipc->id, pkt->session, pkt->seq };

	return ref;
}

int
ipc_answer(struct ipc_ref ref, enum ipc_type type, const void *msg, int fd)
{
	struct ipc *ipc = ipc_channel(ref.channel);
	struct buf *b;

	if (ipc == NULL || ref.seq == 0) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	if (ipc->owed > 0)
		ipc->owed--;
	b = ipc_packed(type, ref.session, ref.seq, 1, msg);
	return ipc_output(ipc, b->p, b->len, fd);
}

void
ipc_answered(struct ipc_ref ref, enum ipc_type type, const void *msg)
{
	struct ipc *ipc = ipc_channel(ref.channel);
	struct buf *b;

	if (ipc == NULL)
		return;
	if (ipc->owed > 0)
		ipc->owed--;
	if (trace.until == 0)
		return;
	b = ipc_packed(type, ref.session, ref.seq, 1, msg);
	ipc_trace_packet(ipc, ">", b->p, b->len, -1);
}

int
ipc_take_fd(struct ipc_pkt *pkt)
{
	int fd = pkt->fd;

	pkt->fd = -1;
	return fd;
}

/* --- the end --- */

/* All but the memory. */
static void
release(struct ipc *ipc)
{
	ipc->released = ipc->broken = true;
	channels[ipc->id & 0xffff] = NULL;
	drop_output(ipc);
	event_free(ipc->ev_read);
	event_free(ipc->ev_write);
	event_free(ipc->ev_timer);
	if (ipc->sock != NULL)
		ipc_sock_drop(ipc->sock);
	else
		close(ipc->fd);
	ipc_calls_fail(ipc);
}

static void
destroy(struct ipc *ipc)
{
	free(ipc->peer);
	free(ipc);
}

void
ipc_free(struct ipc *ipc)
{
	if (ipc == NULL || ipc->released)
		return;
	release(ipc);
	if (!ipc->in_read)
		destroy(ipc);
}

static void
go_down(struct ipc *ipc)
{
	release(ipc);
	ipc->in_down = true;
	if (ipc->down != NULL)
		ipc->down(ipc, ipc->arg);
	destroy(ipc);
}

/* --- receiving --- */

/*
 * To the handler.  What asks for an answer is counted: each may hold memory
 * here until then, and a peer that keeps to its credits asks far less.
 */
static const char *
dispatch(struct ipc *ipc, struct ipc_pkt *pkt, bool lost)
{
	if (ipc->handler[pkt->type] == NULL)
		return "unexpected";
	if (pkt->seq == 0 && ipc_answer_type(pkt->type) != IPC_NONE)
		return "a request that wants no answer";
	/* Whoever asked will not wait for ever; the rest must bear it. */
	if (lost && pkt->seq != 0)
		return NULL;
	if (pkt->seq != 0 && ++ipc->owed > IPC_OWED_MAX)
		return "more requests than it may";
	ipc->handler[pkt->type](ipc, pkt, ipc->arg);
	return NULL;
}

/* Returns what is wrong, or NULL. */
static const char *
packet(struct ipc *ipc, const void *data, size_t len, int fd)
{
	struct ipc_pkt pkt;
	const char *why = NULL;
	bool lost = fd == IPC_FD_LOST;
	int flags;

	if (lost)
		fd = -1;
	ipc_trace_packet(ipc, "<", data, len, fd);
	if (ipc_unpack_at(data, len, &pkt, &flags, unpacked) == -1) {
		if (fd != -1)
			close(fd);
		log_warnx("ipc: %s: bad packet, channel closed", ipc->peer);
		return "bad packet";
	}
	pkt.fd = fd;
	if (lost)
		log_warnx("ipc: no descriptor left for %s from %s",
		    ipc_name(pkt.type), ipc->peer);
	if (((flags & IPC_F_FD) != 0) != (lost || fd != -1))
		why = "lost descriptor";
	else if (pkt.type == IPC_HELLO) {
		ipc->hello = true;
		if (!ipc_hello_ok(&pkt))
			why = "other version of the suite";
	} else if (!ipc->hello)
		why = "no HELLO";
	else if (flags & IPC_F_ANSWER) {
		/* Its file is for later: the answer is good without. */
		if (pkt.type == IPC_COMMITTED)
			lost = false;
		if (ipc_call_answered(ipc, &pkt, lost) == -1)
			why = "wrong answer";
	} else
		why = dispatch(ipc, &pkt, lost);
	if (pkt.fd != -1)
		close(pkt.fd);
	if (why != NULL)
		log_warnx("ipc: %s says %s: %s, channel closed", ipc->peer,
		    ipc_name(pkt.type), why);
	return why;
}

static void
batch_make(void)
{
	int i;

	if (batch != NULL)
		return;
	batch = xcalloc(1, sizeof(*batch));
	unpacked = xcalloc(1, ipc_any_size);
	for (i = 0; i < BATCH; i++) {
		batch->iov[i].iov_base = batch->data[i];
		batch->iov[i].iov_len = IPC_MAXPACKET;
		batch->mm[i].msg_hdr.msg_iov = &batch->iov[i];
		batch->mm[i].msg_hdr.msg_iovlen = 1;
		batch->mm[i].msg_hdr.msg_control = batch->control[i].bytes;
	}
}

/* How many came; 0: none now; -1: the end. */
static int
receive(struct ipc *ipc)
{
	int i, n, resets = 0;

	for (i = 0; i < BATCH; i++)
		batch->mm[i].msg_hdr.msg_controllen = IPC_CONTROL;
	for (;;) {
		n = recvmmsg(ipc->fd, batch->mm, BATCH,
		    MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
		if (n != -1)
			break;
		if (errno == EAGAIN)
			return 0;
		/* Told once when the peer died unread; its packets follow. */
		if (errno == ECONNRESET && resets++ == 0)
			continue;
		if (errno != EINTR)
			return -1;
	}
	for (i = 0; i < n; i++)
		batch->fd[i] = ipc_control_fd(&batch->mm[i].msg_hdr);
	return n;
}

/* Handles n received packets: -1 when the channel must go. */
static int
take_batch(struct ipc *ipc, int n)
{
	bool end = false;
	int i;

	for (i = 0; i < n; i++) {
		if (end || ipc->released) {
			if (batch->fd[i] >= 0)
				close(batch->fd[i]);
			continue;
		}
		if (batch->mm[i].msg_len == 0) {
			if (batch->fd[i] >= 0)
				close(batch->fd[i]);
			end = true;
		} else if (batch->fd[i] == IPC_FD_BAD) {
			log_warnx("ipc: %s: cut packet or too many "
			    "descriptors, channel closed", ipc->peer);
			end = true;
		} else if (packet(ipc, batch->data[i], batch->mm[i].msg_len,
			     batch->fd[i]) != NULL)
			end = true;
	}
	return end ? -1 : 0;
}

static void
read_cb(int sock, short what, void *arg)
{
	struct ipc *ipc = arg;
	int n, turn;

	ipc->in_read = true;
	for (turn = 0; turn < TURN && !ipc->released; turn += n) {
		n = ipc->doomed ? -1 : receive(ipc);
		if (n == -1 || take_batch(ipc, n) == -1) {
			if (!ipc->released) {
				go_down(ipc);
				return;
			}
			break;
		}
		if (n < BATCH)
			break;
	}
	ipc->in_read = false;
	if (ipc->released)
		destroy(ipc);
}

/* --- the beginning --- */

struct ipc *
ipc_new(struct event_base *base, int fd, const char *peer,
    const struct ipc_disp *disp, ipc_down_cb *down, void *arg)
{
	struct msg_hello m = { .version = CG_VERSION,
		.hash = ipc_table_hash() };
	struct ipc *ipc = xcalloc(1, sizeof(*ipc));
	bool sent;

	batch_make();
	ipc_calls_base(base);
	ipc->base = base;
	ipc->fd = fd;
	ipc->peer = xstrdup(peer);
	ipc->down = down;
	ipc->arg = arg;
	TAILQ_INIT(&ipc->out);
	for (; disp != NULL && disp->type != IPC_NONE; disp++)
		ipc->handler[disp->type] = disp->handler;
	ipc_calls_init(ipc);
	channel_add(ipc);
	ipc->ev_read = event_new(base, fd, EV_READ | EV_PERSIST, read_cb, ipc);
	ipc->ev_write = event_new(base, fd, EV_WRITE | EV_PERSIST, write_cb,
	    ipc);
	if (ipc->ev_read == NULL || ipc->ev_write == NULL ||
	    event_add(ipc->ev_read, NULL) == -1)
		fatalx("ipc: no event for %s", peer);
	ipc_sync_forget(fd, &sent, &ipc->hello);
	if (!sent)
		ipc_send(ipc, IPC_HELLO, 0, &m, -1);
	return ipc;
}

const char *
ipc_peer(const struct ipc *ipc)
{
	return ipc->peer;
}
