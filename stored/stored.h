/*
 * Inside the broker: accounts and who holds them, jobs, grants and sessions.
 *
 * The one rule (ARCHITECTURE 5): nobody writes to an account twice at once.
 * Delivery holds an account from its DELIVERY_DIR until it has answered
 * DELIVERY_FORGET; a worker holds it until its process, seen by its pidfd,
 * has ended.
 */
#ifndef CG_STORED_H
#define CG_STORED_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stdint.h>

#include "ipc.h"
#include "proc.h"

struct event;
struct idle;
struct job;
struct request;
struct session;
TAILQ_HEAD(jobs, job);
TAILQ_HEAD(sessions, session);
TAILQ_HEAD(requests, request);

enum {
	TICKET_LEN = 16,
	/*
	 * Jobs of an account that are in hand or whose results queued has not
	 * acknowledged: fewer than a mailbox's index has slots, so that none
	 * is forgotten there (store/index.h).
	 */
	JOB_WINDOW = 96,
	/* Accounts that delivery may hold open, if it has descriptors. */
	DELIVERY_MAX = 1500,
	DELIVERY_FDS = 4,	/* of an account */
	SPARE_FDS = 700		/* jobs under way and all else */
};

/* How delivery shall forget a single-mailbox account: ipc.def. */
enum { FORGET_PLAIN, FORGET_LEND, FORGET_MOVE, FORGET_REMOVE };

enum worker_state {
	WORKER_NONE,
	WORKER_SPAWNING,	/* the template was asked */
	WORKER_UP,
	WORKER_STOPPING		/* told to end, or gone silent; not yet gone */
};

struct account {
	LIST_ENTRY(account)	 hash;
	TAILQ_ENTRY(account)	 lru;		/* while delivery holds it */
	uint32_t		 id;
	char			*path;
	bool			 held;		/* by delivery */
	bool			 forgetting;
	bool			 quiet;
	bool			 running;	/* account_run() is at it */
	/* Single-mailbox accounts: see single.h in store/. */
	bool			 lent;		/* a worker had its files */
	bool			 moving;	/* they are moved or removed */
	char			*why;		/* told while quiet */
	struct ipc_ref		 quiet_ref;	/* who waits for it */
	bool			 quiet_wait;
	struct jobs		 waiting;
	struct jobs		 sent;
	unsigned		 unacked;
	/* the worker */
	enum worker_state	 worker;
	struct ipc		*ipc;
	int			 pidfd;
	struct event		*ev;		/* pidfd */
	struct event		*kill;		/* at patience's end */
	struct event		*hung;		/* no job came back */
	int64_t			 warm;		/* a client may come */
	struct sessions		 sessions;
	struct requests		 requests;	/* commands on its data */
	LIST_HEAD(, idle)	 idles;		/* handed back */
	unsigned		 revivals;	/* authd is asked */
	/* What it may keep: limits.c. */
	char			*name;		/* as authd knows it, or NULL */
	char			*limits;	/* NULL: not known yet */
	bool			 limits_asked, limits_stale;
	bool			 full;		/* mail for it waits in queued */
	/* Its INBOX, where that lies elsewhere: inbox.c. */
	unsigned		 outside;	/* 0, or INBOX's lock */
	int			 inbox;		/* for the next holder, or -1 */
	bool			 inbox_asked;
	dev_t			 inbox_dev;	/* the holder's */
	ino_t			 inbox_ino;
	int64_t			 inbox_seen;	/* its name was looked at */
	uint32_t		 flow_max;	/* messages it may get ... */
	uint32_t		 flow_seconds;	/* within; 0: any: flow.c */
};

enum job_state { JOB_WAITING, JOB_SENT, JOB_RESULT };

struct job {
	LIST_ENTRY(job)		 hash;
	TAILQ_ENTRY(job)	 next;		/* in its account's list */
	struct account		*account;
	enum job_state		 state;
	int			 fd;
	struct msg_deliver	 m;		/* its texts are in text */
	char			*text;
	struct msg_result	 result;	/* ditto */
};

struct session {
	LIST_ENTRY(session)	 hash;
	TAILQ_ENTRY(session)	 next;
	struct account		*account;
	uint32_t		 id;
	bool			 given;		/* the worker has it */
	enum proc_id		 front;		/* PROC_SERVER: gone */
	int			 instance;
	uint32_t		 number;	/* the front's own */
	struct ipc_ref		 ref;
	int			 fd;
	struct msg_work_session	 m;
	char			*text;		/* its strings */
	char			*bulk;		/* its bytes, until given */
};

/* domain.c */
void	 domain_quiet(struct ipc *, struct ipc_pkt *, void *);
void	 domain_release(struct ipc *, struct ipc_pkt *, void *);
void	 domains_routerd_gone(void);
/* What its sessions are told, if its domain is quiet; else NULL. */
const char *domain_quiet_why(const char *path);
/* An account is: perhaps all of its domain are now. */
void	 domain_still(void);

/* account.c */
struct account	*account_get(const char *path);		/* made if need be */
struct account	*account_find(const char *path);
struct account	*account_by_id(uint32_t);
uint32_t accounts_ids(void);		/* all are below */
/* Does whatever can be done now; the account may be gone afterwards. */
void	 account_run(struct account *);
void	 account_quiet(struct account *, const char *, struct ipc_ref);
void	 account_release(struct account *, bool gone);
/* Whoever holds it lets go of it, and it is opened anew. */
void	 account_drop(struct account *, const char *why);
/* The same as quiet, for its domain's sake: nobody waits for this one. */
void	 account_hush(struct account *, const char *why);
void	 accounts_delivery_new(void);
/* As many accounts for delivery as its limits, which are ours, allow. */
void	 accounts_start(void);
/* Nobody will release what it had quietened. */
void	 accounts_authd_gone(void);
void	 accounts_stop(void);
unsigned accounts_count(void);
unsigned accounts_workers(void);
void	 accounts_worker_count(int);
/* Opens what an account's path names: its directory; *file for a single one. */
int	 account_opendir(const char *path, const char **file);
bool	 account_is_single(const char *path);
/* What acct_new() calls its single mailbox; "" if it has many. */
const char *account_file(const char *path);
int64_t	 now_ms(void);

/* job.c */
void	 job_deliver(struct ipc *, struct ipc_pkt *, void *);
void	 job_result(struct ipc *, struct ipc_pkt *, void *);
void	 job_acked(struct ipc *, struct ipc_pkt *, void *);
void	 jobs_list(struct ipc *);
/* What was sent to somebody who is gone waits again, in order. */
void	 jobs_take_back(struct account *);
void	 jobs_send(struct account *, struct ipc *);
void	 jobs_fail(struct account *, bool gone, const char *);
unsigned jobs_count(void);

/* session.c */
void	 session_grant(struct ipc *, struct ipc_pkt *, void *);
void	 session_new(struct ipc *, struct ipc_pkt *, void *);
void	 session_over(struct ipc *, struct ipc_pkt *, void *);
void	 session_add(struct account *, const struct msg_work_session *,
	    struct ipc_ref, enum proc_id front, int instance, uint32_t number,
	    int fd);
struct session	*session_find(uint32_t id);
void	 session_ended(struct session *);	/* tells its front */
void	 session_free(struct session *);
void	 sessions_give(struct account *);
bool	 sessions_waiting(const struct account *);
/* Those not yet given are refused; given ones are over. */
void	 sessions_refuse(struct account *, const char *);
void	 sessions_drop(struct account *);
void	 sessions_front_down(enum proc_id, int instance);
unsigned sessions_count(void);

/* idle.c */
void	 idle_from_worker(struct ipc *, struct ipc_pkt *, void *);
void	 idle_changed(struct ipc *, struct ipc_pkt *, void *);
void	 idle_revive(struct ipc *, struct ipc_pkt *, void *);
void	 idle_gone(struct ipc *, struct ipc_pkt *, void *);
void	 idle_account(struct ipc *, struct ipc_pkt *, void *);
/* Who watches that mailbox ("" is INBOX) comes back. */
void	 idle_news(struct account *, const char *mailbox);
bool	 idle_watched(const struct account *);
/* A line for each, which goes on; how many. */
unsigned idle_tell(struct account *, const char *line);
/* All are told why, and closed. */
void	 idle_end(struct account *, const char *why);
void	 idle_front_down(enum proc_id, int instance);
unsigned idle_count(void);

/* alert.c */
void	 alert_tell(struct ipc *, struct ipc_pkt *, void *);

/* limits.c */
/* No: authd is asked by that name, and account_run() called in the end. */
bool	 limits_known(struct account *, const char *name);
/* The same, but such as may be old will do: for clients. */
bool	 limits_some(struct account *, const char *name);
void	 limits_take(struct account *, const char *);
/* Whoever begins to hold it, before its work. */
void	 limits_tell(const struct account *, struct ipc *holder);
void	 limits_result(struct account *, const struct msg_result *);
void	 limits_changed(struct ipc *, struct ipc_pkt *, void *);
void	 limits_room(struct ipc *, struct ipc_pkt *, void *);
void	 limits_stale_all(void);
/* It is gone: another of its path has its own. */
void	 limits_forget(struct account *);

/* inbox.c */
void	 inbox_limits(struct account *, const char *limits);
/* No: authd is asked, and account_run() called in the end. */
bool	 inbox_ready(struct account *);
/* Whoever begins to hold it, before its work; false: it must not begin. */
bool	 inbox_tell(struct account *, struct ipc *holder);
void	 inbox_given(struct ipc *, struct ipc_pkt *, void *);
void	 inbox_forget(struct account *);

/* flow.c */
void	 flow_limits(struct account *, const char *limits);
/* One more message: false, and what waits has failed for now. */
bool	 flow_admit(struct account *);

/* spawn.c */
/* Takes the directory. */
void	 worker_start(struct account *, int dir);
/* There will be none. */
void	 worker_none(struct account *);
void	 worker_spawned(struct ipc *, struct ipc_pkt *, void *);
void	 worker_stop(struct account *, const char *);
/* It was given jobs, or has done one: its time begins anew. */
void	 worker_watch(struct account *);
void	 worker_free(struct account *);

/* admin.c */
void	 admin_init(struct ipc *, struct ipc_pkt *, void *);
void	 admin_quiet(struct ipc *, struct ipc_pkt *, void *);
void	 admin_release(struct ipc *, struct ipc_pkt *, void *);
void	 admin_move(struct ipc *, struct ipc_pkt *, void *);
void	 answer_done(struct ipc_ref, int code, const char *text);

/* admin_user.c */
void	 admin_request(struct ipc *, struct ipc_pkt *, void *);
bool	 requests_waiting(const struct account *);
/* Of the last one, the account's full name. */
const char *requests_name(const struct account *);
void	 requests_give(struct account *);
/* Those not yet given. */
void	 requests_refuse(struct account *, const char *);
#endif
