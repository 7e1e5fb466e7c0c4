/* Between ipc.c, ipc_call.c, ipc_pack.c and ipc_sync.c; nobody else's. */
#ifndef CG_IPC_INT_H
#define CG_IPC_INT_H

#include <sys/queue.h>
#include <sys/types.h>

#include "ipc.h"

enum {
	IPC_HEADER = 16,
	IPC_F_ANSWER = 1,
	IPC_F_FD = 2,		/* a descriptor comes along */
	IPC_FLAGS_AT = 2,	/* where the flags stand in a packet */
	IPC_FD_BAD = -2,	/* cut packet, or more than one descriptor */
	IPC_FD_LOST = -3,	/* it came, but we had no room for it */
	IPC_OWED_MAX = 4 * IPC_CREDITS,	/* an honest peer waits long before */
	IPC_CONTROL = 64	/* bytes of control data that are taken */
};

/* A packet that could not be sent yet. */
struct ipc_out {
	TAILQ_ENTRY(ipc_out)	 next;
	int			 fd;
	size_t			 len;
	char			 data[];
};
TAILQ_HEAD(ipc_outq, ipc_out);

struct ipc_call {
	TAILQ_ENTRY(ipc_call)	 next;	/* in waiting, or in the failed list */
	LIST_ENTRY(ipc_call)	 byarg;
	struct ipc		*ipc;	/* NULL: in the failed list */
	struct ipc_out		*pkt;	/* waits for a credit */
	ipc_answer_cb		*cb;	/* NULL: cancelled */
	void			*arg;
	int64_t			 deadline;
	uint32_t		 seq;
	enum ipc_type		 answer;
};
TAILQ_HEAD(ipc_callq, ipc_call);

struct ipc {
	struct event_base	*base;
	struct event		*ev_read, *ev_write, *ev_timer;
	int			 fd;
	struct ipc_sock		*sock;	/* fd's, if threads have it as well */
	uint64_t		 id;
	char			*peer;
	ipc_down_cb		*down;
	void			*arg;
	ipc_handler		*handler[IPC_MAX];
	struct ipc_outq		 out;
	size_t			 outbytes;
	struct ipc_call		*slot[IPC_CREDITS];	/* sent, by seq */
	uint64_t		 freeslots[IPC_CREDITS / 64];
	struct ipc_callq	 waiting;
	uint32_t		 serial;
	int			 owed;	/* the peer's unanswered requests */
	int64_t			 timer_at;	/* 0: not set */
	bool			 hello;		/* the peer's has come */
	bool			 broken;	/* nothing can be sent any more */
	bool			 doomed;	/* goes down at the loop's turn */
	bool			 released;	/* fd closed, only memory left */
	bool			 in_read;	/* its read callback is running */
	bool			 in_down;
};

/* ipc_pack.c */
union ipc_any;
extern const size_t ipc_any_size;
int	 ipc_unpack_at(const void *, size_t, struct ipc_pkt *, int *flags,
	    void *where);
bool	 ipc_hello_ok(const struct ipc_pkt *);

/* ipc_sync.c: one recvmsg's descriptor, -1, or IPC_FD_xxx. */
struct msghdr;
int	 ipc_control_fd(struct msghdr *);
ssize_t	 ipc_sendmsg(int sock, const void *, size_t, int fd, int flags);
void	 ipc_sync_forget(int fd, bool *sent, bool *seen);

/* ipc_late.c: the channel, or a thread's answer, is done with it. */
void	 ipc_sock_drop(struct ipc_sock *);

/* ipc.c */
/* NULL: it is gone. */
struct ipc *ipc_channel(uint64_t id);
/* What a thread has sent is counted and traced. */
void	 ipc_answered(struct ipc_ref, enum ipc_type, const void *msg);
int64_t	 ipc_now(void);
/* Takes the descriptor; sends now or queues.  data's flags may change. */
int	 ipc_output(struct ipc *, char *data, size_t, int fd);
struct ipc_out *ipc_out_new(const void *, size_t, int fd);
void	 ipc_out_free(struct ipc_out *);
/* Packs into one static buffer: valid until the next call. */
struct buf *ipc_packed(enum ipc_type, uint32_t session, uint32_t seq,
	    int is_answer, const void *msg);

/* ipc_call.c */
void	 ipc_calls_base(struct event_base *);
void	 ipc_calls_init(struct ipc *);
void	 ipc_calls_fail(struct ipc *);	/* all of them, told from the loop */
/* -1: no such request could be answered so.  lost: it is told as failed. */
int	 ipc_call_answered(struct ipc *, const struct ipc_pkt *, bool lost);
#endif
