/*
 * What queued's own files tell one another.  The loop owns every struct msg,
 * rcpt and lqueue; threads see only the request they were handed.
 */
#ifndef CG_QUEUED_H
#define CG_QUEUED_H

#include <sys/queue.h>
#include <bsd/sys/tree.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dict.h"
#include "ipc.h"
#include "proc.h"
#include "qfile.h"
#include "settings.h"

struct event;
struct msg;

/* --- sync.c: threads for every call that can wait for the disk --- */
struct sreq {
	STAILQ_ENTRY(sreq) entry;
	void	(*work)(struct sreq *);	/* in a thread */
	/*
	 * Or NULL: in the thread, once the request stands among those that
	 * are done.  Whoever hears it and asks for more comes behind it.
	 */
	void	(*answer)(struct sreq *);
	atomic_bool answering;		/* the loop must wait for that */
	void	(*done)(struct sreq *);	/* in the loop, afterwards */
	bool	patient;		/* which may be some ms later */
};

void	sync_start(void);
void	sync_submit(struct sreq *);
/* Calls cb once nothing is under way. */
void	sync_drain(void (*cb)(void));
/* The request again after a failure, some seconds later. */
void	sync_retry(struct sreq *);

/* --- disk.c: what threads do to files; all paths are below Queue/ --- */
enum { NAME_LEN = 64 };

struct disk {
	int	queue;			/* directories */
	int	bad;
	int	submitted;
	bool	dirsync;		/* sync the directory too */
};
extern struct disk disk;

void	disk_init(void);
void	disk_name(char[NAME_LEN], const char *dir, uint64_t id,
	    const char *ext);
/* O_RDONLY, no atime.  -1 and errno. */
int	disk_open(const char *dir, uint64_t id, const char *ext);
/*
 * The envelope, and of the rest its length and its CRC-32C.  0; -1: no good,
 * *why; 1: it could not be read, errno.
 */
int	disk_message(int fd, struct qfile *, uint64_t *size, uint32_t *crc,
	    const char **why);
/* A message that a thread writes: where it stands, and what z will say. */
struct disk_out {
	int		 fd;
	uint64_t	 at;
	uint64_t	 len;
	uint32_t	 crc;
};
int	disk_put(struct disk_out *, const void *, size_t);
/* A new file in Queue/; -1 and errno. */
int	disk_create(const char *name);
/* Name, then one fsync: the commit.  The file is gone if it fails. */
int	disk_publish(int fd, uint64_t id);
/* Into a message's envelope; nothing, if it is gone. */
int	disk_note(const char *dir, uint64_t id, size_t at, const void *,
	    size_t);
int	disk_letter(const char *dir, uint64_t id, size_t at, char letter);
int	disk_unlink(const char *dir, uint64_t id, const char *ext);
/*
 * Instead of removing it: the file, empty, as <newid>.tmp, open for writing.
 * -1 if somebody may still look into it, or for any other reason.
 */
int	disk_recycle(const char *dir, uint64_t id, uint64_t newid);

/* --- special.c: fields of the header that the queue knows; in a thread --- */
void	special_look(struct qfile *, const char *message, size_t);
void	special_read(struct qfile *, int fd);
/*
 * One that came by SMTPUTF8: can hosts without it have it (RFC 6532)?  Looks
 * through all of the message, as the headers of its parts count, too.  -1, errno.
 */
int	special_utf8(struct qfile *, int fd, uint64_t size);

/* --- tmp.c: ids, and files that wait for a writer --- */
void	tmp_init(void);
void	tmp_seen(uint64_t id);		/* before tmp_start() */
void	tmp_start(void);
/* 0 when no id is to be had now (their bound is being written). */
uint64_t tmp_id(void);
/* Was this id given to this channel?  Then it is ours again. */
bool	tmp_take(struct ipc *, uint64_t id);
/* A file that is ready now, for this channel: the descriptor, or -1. */
int	tmp_more(struct ipc *, uint64_t *id);
void	tmp_peer_down(struct ipc *);
void	tmp_request(struct ipc *, struct ipc_pkt *, void *);
void	tmp_abort(struct ipc *, struct ipc_pkt *, void *);
void	tmp_discard(uint64_t id);
/* A number for a file that is to be used again, or 0: remove it. */
uint64_t tmp_reuse(void);
void	tmp_reused(uint64_t id, int fd);	/* fd -1: it was removed */
bool	tmp_space(void);

/* --- commit.c --- */
void	commit_request(struct ipc *, struct ipc_pkt *, void *);

/* --- outflow.c: what an account may send --- */
struct outflow {
	uint32_t	 rcpts, seconds;	/* seconds 0: any */
	uint64_t	 size;			/* bytes of one; 0: any */
};
/*
 * In a thread: counts it.  NULL, or why it may not be sent and the status
 * code; *alert: nobody was told of it yet.
 */
const char *outflow_check(const char *account, const struct outflow *,
	    size_t rcpts, uint64_t size, const char **esc, bool *alert);
void	outflow_alert(const char *account, const struct outflow *);

/* --- msg.c: messages and what becomes of their recipients --- */
enum rstate {
	R_NEW,		/* to be routed */
	R_ROUTING,
	R_PAUSE,	/* to be routed again, later */
	R_LATER,	/* in its logical queue, not to be tried yet */
	R_WAIT,		/* in its logical queue */
	R_FLIGHT,	/* stored has it */
	R_EXPAND,	/* copies for a group's members are made */
	R_REPORT,	/* final; a DSN is due */
	R_FINAL,	/* final; to be noted in the file */
	R_DONE		/* noted */
};

struct lqueue;

struct rcpt {
	TAILQ_ENTRY(rcpt) entry;	/* of its lqueue, or to be routed */
	struct msg	*msg;
	struct lqueue	*lq;
	struct lqueue	*from;		/* it waited there: routed anew */
	struct qfile_rcpt *q;
	char		*mailbox;	/* NULL: INBOX */
	char		*realto;	/* NULL: no header to add */
	char		*esc, *text;	/* how it ended, for the report */
	char		*to;		/* remote: the address, if it is another */
	char		*via;		/* remote: an administrator's host for it */
	int64_t		 due;		/* in R_LATER */
	int64_t		 byhand;	/* an administrator delays it till then */
	int64_t		 until;		/* while a warning is composed */
	enum rstate	 state;
	char		 letter;	/* D or F, once final */
	bool		 ack;		/* stored waits for RESULT_ACK */
	bool		 moved;		/* routed anew: its account was gone */
	bool		 reporting;	/* the DSN under way is about it */
	bool		 warned;	/* its sender knows that it waits */
	bool		 relayed;	/* others tell how it went on */
	bool		 listed;	/* among those to be routed */
	bool		 aside;		/* in R_PAUSE for its file's sake */
	bool		 remote;	/* smtpd's sending role has it, or had */
	bool		 passed;	/* and the other host reports on it */
	bool		 boxed;		/* it is in an account's mailbox */
	bool		 unrouted;	/* counted in its message's */
	uint32_t	 chan;		/* remote, in flight: the channel */
};

/* A result or a job in hand that came before its message was loaded. */
struct early {
	STAILQ_ENTRY(early) entry;
	uint32_t	 rcpt;
	bool		 remote;	/* the sending role said so */
	bool		 dsn;
	bool		 result;
	uint8_t		 code;
	char		*esc, *text, *host;
};

struct msg {
	RB_ENTRY(msg)	 tree;
	uint64_t	 id;
	char		*dir;		/* "57/" of a folded queue, or NULL */
	struct qfile	 q;
	struct rcpt	*rcpts;		/* as many as q.nrcpts */
	uint64_t	 size;		/* of the message */
	size_t		 left;		/* recipients not yet final */
	size_t		 reports;	/* in R_REPORT */
	size_t		 unrouted;	/* before "enqueued" can be said */
	unsigned int	 jobs;		/* requests that hold a pointer */
	bool		 loaded;
	bool		 found;		/* at start */
	uint64_t	 arrival;	/* its rank; 0: found at start */
	bool		 trusted;
	bool		 removing;	/* its file */
	bool		 gone;		/* it is removed */
	bool		 dsn;		/* one is being made */
	bool		 held;		/* not to be routed yet */
	struct event	*report;	/* reporting delay */
	STAILQ_HEAD(, early) early;
};
RB_HEAD(msgtree, msg);
int	msg_cmp(const struct msg *, const struct msg *);
RB_PROTOTYPE(msgtree, msg, tree, msg_cmp);
extern struct msgtree msgs;

struct msg *msg_new(uint64_t id, const char *dir);
struct msg *msg_find(uint64_t id);
/* Told before the message was loaded; NULL: no memory. */
struct early *msg_early(struct msg *, uint32_t rcpt);
/* Takes over what the qfile holds. */
int	msg_fill(struct msg *, struct qfile *, uint64_t size);
void	msg_drop(struct msg *);		/* forgets it; the file stays */
/* Somebody holds a pointer to it; true: that was the last, and it is gone. */
void	msg_pin(struct msg *);
bool	msg_unpin(struct msg *);
/* Under the tag QUEUE([id]). */
void	msg_log(int level, uint64_t id, const char *, ...)
	    __attribute__((format(printf, 3, 4)));
void	msg_log_in(const struct msg *);
void	msg_enqueue(struct msg *);	/* routes what waits */
/* It ends so: letter D or F; text is for the log and the report. */
void	rcpt_finish(struct rcpt *, char letter, const char *esc,
	    const char *text);
void	rcpt_state(struct rcpt *, enum rstate);
/* Somebody removed its file: nothing of it can be sent or reported. */
void	msg_lost(struct msg *);
/* After anything happened to it: note, report, remove. */
void	msg_check(struct msg *);
/* Its reports are due then, or as soon as nobody else is left. */
void	msg_report_later(struct msg *, int seconds);
void	msg_ack(struct rcpt *);
/* It was tried in vain: counted in the file. */
void	msg_attempt(struct rcpt *);
/* Its file is removed: the last words. */
void	msg_gone(struct msg *);
size_t	msg_count(void);

/* --- load.c: the queue as it was found --- */
void	load_scan(void);
void	load_start(void);
bool	load_busy(void);
bool	load_waits(void);		/* for a file that may be a report */

/* --- route.c --- */
void	route_rcpt(struct rcpt *);
/* From its queue, which may end by it: to be routed again in a while. */
void	route_aside(struct rcpt *);
/* It needs no routing any more. */
void	route_forget(struct rcpt *);
/* In some seconds, from the beginning. */
void	route_again(struct rcpt *);

/* --- group.c: the module LIST --- */
/* -1: not now. */
int	group_expand(struct rcpt *, const char *name);
/* At the start: a copy is there, so its group's recipient is done. */
void	group_found(struct msg *);
/* And after these: copies without the last one are none. */
void	group_orphan(struct msg *);

/* --- sched.c: logical queues --- */
enum { QUEUE_LOCAL = 'L', QUEUE_SMTP = 'S' };

struct lqueue {
	RB_ENTRY(lqueue) tree;
	TAILQ_ENTRY(lqueue) ready;
	TAILQ_HEAD(waitlist, rcpt) wait;
	struct waitlist	 later;		/* by time due */
	struct event	*timer;
	struct event	*again;		/* the first of later is due */
	char		*name;		/* a path, or a domain: what finds it */
	char		*show;		/* an account, or a domain */
	const char	*host;		/* remote: where it goes, within show */
	char		*source;	/* remote: the address to send from, or "" */
	size_t		 waiting;
	size_t		 nlater;
	unsigned int	 chans;		/* remote: channels to its host */
	unsigned int	 most;		/* and how many work, as far as known */
	time_t		 refused;	/* one more was */
	unsigned int	 flight;
	int64_t		 since;		/* nothing has come back */
	unsigned int	 away;		/* recipients that are routed anew */
	unsigned int	 tries;
	char		 kind;
	bool		 listed;	/* in the ready list */
	bool		 delayed;
	bool		 byhand;	/* by an administrator */
	bool		 lax;		/* remote: all its mail needs no TLS */
	bool		 hold;		/* remote: waits until it is asked for */
	bool		 woken;		/* and it was */
	char		*why;		/* of the delay */
	int64_t		 until;
};
RB_HEAD(lqtree, lqueue);
int	lqueue_cmp(const struct lqueue *, const struct lqueue *);
RB_PROTOTYPE(lqtree, lqueue, tree, lqueue_cmp);
extern struct lqtree lqueues;

/* stat.c: a message was delivered to an account; routerd hears of it. */
void	stat_delivered(const char *account, uint64_t bytes);
void	stat_tell(void);

struct lqueue *lqueue_get(char kind, const char *name, const char *show);
/* A host's; from a source address (or "") it has one of its own. */
struct lqueue *lqueue_remote(const char *host, const char *source, bool lax);
struct lqueue *lqueue_find(char kind, const char *name);	/* or NULL */
void	lqueue_add(struct lqueue *, struct rcpt *);
/* Out of its queue, whether it waited or was in flight. */
void	lqueue_remove(struct rcpt *);
/* Handed to stored. */
void	lqueue_flight(struct rcpt *);
/* From in flight back to its place among those that wait. */
void	lqueue_back(struct rcpt *);
void	lqueue_delay(struct lqueue *, const char *why);
/* An administrator delays it, for so many seconds. */
void	lqueue_pause(struct lqueue *, int64_t seconds);
/* This recipient, that waited there, is routed now. */
void	lqueue_routed(struct rcpt *);
void	lqueue_worked(struct lqueue *);
void	lqueue_release(struct lqueue *);
/* The same, whoever holds it; what waits is routed anew before. */
void	lqueue_wake(struct lqueue *);
/* The hosts whose mail is held are others now. */
void	lqueue_holds(void);
/* An administrator delays this recipient alone. */
void	lqueue_put_off(struct rcpt *, int64_t until);
/* Its host takes others, but not this one now. */
void	lqueue_later(struct rcpt *, const char *why, int64_t seconds);
/* Those that should wait longer need not, unless an administrator says so. */
void	lqueue_hurry(struct lqueue *);
/* Something of it changed: it may have a turn now, or be done with. */
void	lqueue_touch(struct lqueue *);
/* Nothing has come back from an account for long. */
bool	lqueue_hangs(const struct lqueue *);
void	sched_start(void);
void	sched_run(void);
void	sched_soon(void);		/* at this loop turn's end */

/* --- local.c: stored --- */
bool	local_ready(void);
void	local_up(struct ipc *);
void	local_down(struct ipc *);
enum sent {
	SEND_DONE,
	SEND_ASIDE,	/* its file cannot be opened: it waits elsewhere */
	SEND_LATER,	/* no descriptors */
	SEND_NONE	/* stored cannot be spoken to */
};
enum sent local_send(struct lqueue *, struct rcpt *);
/* Its file cannot be opened: errno. */
enum sent local_unopened(struct rcpt *);
void	local_early(struct msg *);	/* what was told before it was loaded */
size_t	local_flight(void);
void	local_result(struct ipc *, struct ipc_pkt *, void *);
void	local_held(struct ipc *, struct ipc_pkt *, void *);
void	local_room(struct ipc *, struct ipc_pkt *, void *);
void	local_end(struct ipc *, struct ipc_pkt *, void *);

/* --- remote.c: smtpd's sending role --- */
void	remote_soon(void);
/* A remote queue: does it want a channel, or have mail for one? */
void	remote_list(struct lqueue *);
/* Seconds until a message is tried again. */
int64_t	remote_interval(const struct msg *);
/* It was tried for too long, and has failed now. */
bool	remote_expired(struct rcpt *, const char *why);
void	remote_up(struct ipc *);
void	remote_down(struct ipc *);
void	remote_early(struct rcpt *, const struct early *);
void	remote_held(struct ipc *, struct ipc_pkt *, void *);
void	remote_end(struct ipc *, struct ipc_pkt *, void *);
void	remote_next(struct ipc *, struct ipc_pkt *, void *);
void	remote_sent(struct ipc *, struct ipc_pkt *, void *);
void	remote_closed(struct ipc *, struct ipc_pkt *, void *);

/* A connection that its other side made (ATRN); takes the fd over. */
int	remote_adopt(struct lqueue *, int fd, bool tls, const char *peer);
bool	remote_is_held(const char *host);

/* --- tcp.c: when other hosts may be connected to (manual 15) --- */
void	tcp_settings(const struct val *all);
/* May a connection be made now?  If not, remote_soon() follows once it may. */
bool	tcp_may(void);
/* May those that are there be used? */
bool	tcp_open(void);
/* One is made, or its maker is through with it. */
void	tcp_begin(void);
void	tcp_end(void);

/* --- wake.c: ETRN, ATRN and letters that release queues; ours, sent --- */
void	wake_settings(const struct val *all);
void	wake_request(struct ipc *, struct ipc_pkt *, void *);
/* A host's queues, all of them: how many recipients waited. */
size_t	wake_host(const char *host);
void	wake_sent(struct ipc *, struct ipc_pkt *, void *);
void	wake_serve(struct ipc *, struct ipc_pkt *, void *);
void	wake_sender_down(void);
/* NULL, or why not. */
const char *wake_send(void);

/* --- foreign.c: ForeignQueue/ --- */
void	foreign_start(void);
/* In a thread: the file a message was made of, if it is there still. */
void	foreign_remove(const char *source);

/* --- dsn.c --- */
bool	dsn_wanted(const struct rcpt *);
void	dsn_make(struct msg *);
/* It waits, for that reason, until then: its sender is told, once. */
void	dsn_warn(struct rcpt *, const char *esc, const char *text,
	    int64_t until);
/* A DSN found at start: what it reports need not be reported again. */
void	dsn_found(struct msg *);

/* --- submit.c --- */
void	submit_before(void);
void	submit_init(void);
void	submit_settings(const struct val *);
void	submit_start(void);
/* In a thread: the file a message was made of, if it is there still. */
void	submit_remove(const char *source);

/* --- source.c --- */
struct stat;
/* What names this very file: inode and time of its last change, and name. */
void	source_name(struct buf *, const char *mark, const char *name,
	    const struct stat *);
/* In a thread: by that name's file in dir, if it is there still. */
void	source_remove(int dir, const char *where, const char *mark,
	    const char *source);

/* --- byhand.c: what administrators did, for the next life --- */
typedef void byhand_cb(void *arg, int err);
void	byhand_load(void);
/* It is loaded now: was it delayed, or moved? */
void	byhand_found(struct msg *);
void	byhand_loaded(void);		/* all are */
void	byhand_changed(void);
/* false: nothing has changed; else cb is called when it is on the disk. */
bool	byhand_wait(byhand_cb *, void *arg);

/* --- admin.c --- */
void	admin_request(struct ipc *, struct ipc_pkt *, void *);

/* --- queued.c --- */
const char *queue_domain(void);		/* the main domain's name */
int64_t	queue_int(const char *name);	/* a setting of the module Queue */
const char *queue_text(const char *name);
bool	queue_stopping(void);
void	queue_status_dict(struct val *);
#endif
