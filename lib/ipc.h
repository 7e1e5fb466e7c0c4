/*
 * Packets between the suite's processes: AF_UNIX SOCK_SEQPACKET, one message
 * a packet, at most one descriptor with it, at most 64 KiB.  What can be said
 * stands in ipc.def; the structs, the packing, the bounded unpacking, names
 * and the tracer are all made from that table.
 *
 * First packet each way is HELLO (version, hash of the table).  A wrong,
 * unknown, short or long packet closes the channel with a log line and fails
 * its requests; it never stops the process.
 *
 * At most IPC_CREDITS requests are outstanding on a channel; further ones
 * wait here, and a front should stop reading its clients while ipc_busy().
 * A peer that has four times as many unanswered here is closed.
 *
 * When this process has no room for a descriptor, the packet that brought it
 * has failed: an answer is told as NULL, a request is left to its time-out,
 * and what wants no answer is handled without (as if none had been sent).
 *
 * An answer is of the type that ipc.def names after "->" for its request, or
 * the channel closes: so whoever waits may look at pkt->m without asking.
 *
 * All of this but ipc_late_answer() belongs to the thread that runs the loop.  ipc_free() may be
 * called anywhere, also by a handler of that very channel.
 */
#ifndef CG_IPC_H
#define CG_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

struct event_base;
struct ipc;

enum {
	IPC_MAXPACKET = 65536,
	IPC_CREDITS = 128,
	IPC_TIMEOUT = 30000	/* milliseconds; a usual request's */
};

/*
 * Fields: U8 U16 U32 U64 in network order; STR is text without NUL, at most
 * so many bytes, NUL-terminated after unpacking; BLOB is bytes.
 */
struct ipc_str {			/* a BLOB field */
	const void	*p;
	size_t		 len;
};

/* struct msg_route { const char *address; uint32_t flags; ... }; */
#define MSG(NAME, name, doc)	struct msg_##name { char unused_;
#define U8(f)			uint8_t f;
#define U16(f)			uint16_t f;
#define U32(f)			uint32_t f;
#define U64(f)			uint64_t f;
#define STR(f, max)		const char *f;
#define BLOB(f, max)		struct ipc_str f;
#define END			};
#include "ipc.def"

enum ipc_type {
	IPC_NONE = 0,
#define MSG(NAME, name, doc)	IPC_##NAME,
#include "ipc.def"
	IPC_MAX
};

struct ipc_pkt {
	enum ipc_type	 type;
	uint32_t	 session;	/* the sender's number for a client */
	uint32_t	 seq;		/* not 0: a request that wants an answer */
	int		 fd;		/* -1, or see ipc_take_fd() */
	const void	*m;		/* struct msg_xxx; gone after the handler */
};

/* Where an answer goes; safe to keep: a dead channel's is dropped. */
struct ipc_ref {
	uint64_t	channel;
	uint32_t	session;
	uint32_t	seq;
};

typedef void ipc_handler(struct ipc *, struct ipc_pkt *, void *arg);
struct ipc_disp {
	enum ipc_type	 type;		/* IPC_NONE ends the table */
	ipc_handler	*handler;
};

/*
 * The answer to a request: pkt is NULL when the peer died, the time ran out
 * or nothing could be sent: a temporary error for whoever waits.
 */
typedef void ipc_answer_cb(const struct ipc_pkt *, void *arg);
typedef void ipc_down_cb(struct ipc *, void *arg);

/*
 * Takes the descriptor, sends HELLO.  peer is for the log.  down is called
 * once, from the loop, when the channel has closed for any reason but
 * ipc_free(); the ipc is freed by it's return, not by the callee.
 */
struct ipc	*ipc_new(struct event_base *, int fd, const char *peer,
		    const struct ipc_disp *, ipc_down_cb *down, void *arg);
void		 ipc_free(struct ipc *);
const char	*ipc_peer(const struct ipc *);
bool		 ipc_busy(const struct ipc *);	/* out of credits */

/*
 * All take the descriptor (-1 for none), also when they fail.  ipc may be
 * NULL (a peer that is down): send fails, call answers NULL from the loop.
 * A message too long for its fields is a panic: check what users give first.
 */
int		 ipc_send(struct ipc *, enum ipc_type, uint32_t session,
		    const void *msg, int fd);
void		 ipc_call(struct ipc *, enum ipc_type, uint32_t session,
		    const void *msg, int fd, int timeout_ms, ipc_answer_cb *,
		    void *arg);
/* Forgets every call with this arg: their answers will not be told. */
void		 ipc_cancel(void *arg);

struct ipc_ref	 ipc_ref(struct ipc *, const struct ipc_pkt *);
int		 ipc_answer(struct ipc_ref, enum ipc_type, const void *msg,
		    int fd);

/*
 * The same from a thread, without the loop: begin and end are the loop's,
 * answer is for one thread, once, in between.  If it could be sent, *fd is
 * closed and -1 then.  End is told the same, whether it was sent or not, and
 * sends it if need be.
 */
struct ipc_sock;
struct ipc_late {
	struct ipc_ref	 ref;
	struct ipc_sock	*sock;
	bool		 sent;
};
void		 ipc_late_begin(struct ipc_late *, struct ipc_ref);
void		 ipc_late_answer(struct ipc_late *, enum ipc_type,
		    const void *msg, int *fd);
void		 ipc_late_end(struct ipc_late *, enum ipc_type,
		    const void *msg, int fd);

/* The descriptor is the handler's from now on; -1 if there is none. */
int		 ipc_take_fd(struct ipc_pkt *);

const char	*ipc_name(enum ipc_type);
/* Field names and values, secrets hidden, for logs and `cgctl trace`. */
void		 ipc_describe(struct buf *, const struct ipc_pkt *);
uint32_t	 ipc_table_hash(void);

/* What a request of this type is answered by; IPC_NONE: it is none. */
enum ipc_type	 ipc_answer_type(enum ipc_type);
/*
 * This process's packets, with one peer ("": with all), into the log for so
 * many seconds, whatever the log level; 0: no more.  A record's tag is TRACE,
 * its text "self > peer NAME field=..." or "self < peer ...".
 */
void		 ipc_trace(const char *self, const char *peer,
		    unsigned seconds);
/* Is this process ("smtpd-0") what the name ("smtpd", "smtpd-0") means? */
bool		 ipc_is_named(const char *process, const char *name);

/*
 * What the fuzz target and the unit test call.  -1 on a bad packet.  Texts
 * of an unpacked message point into the packet, the rest is in store.
 */
int		 ipc_pack(struct buf *, enum ipc_type, uint32_t session,
		    uint32_t seq, int is_answer, const void *msg);
int		 ipc_unpack(const void *, size_t, struct ipc_pkt *,
		    int *is_answer, struct buf *store);
/*
 * Blocking, for children before their loop runs and for small tools.  HELLO
 * is sent, checked and swallowed here; ipc_new() on that fd goes on from
 * there.  recv: 1 a packet, 0 the peer closed, -1 and errno (EPROTO: a bad
 * packet); pkt->fd is the caller's.
 */
int		 ipc_recv_sync(int fd, struct ipc_pkt *, struct buf *store);
int		 ipc_send_sync(int fd, enum ipc_type, const void *msg, int sfd);
#endif
