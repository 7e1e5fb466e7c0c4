/* Between cgserver's files; nobody else's. */
#ifndef CGSERVER_H
#define CGSERVER_H

#include <sys/types.h>

#include "conf.h"
#include "ipc.h"
#include "proc.h"

struct event;
struct event_base;

enum child_state {
	CHILD_DOWN,		/* not there; perhaps a timer will start it */
	CHILD_STARTING,		/* executed, not yet ready */
	CHILD_READY,
	CHILD_STOPPING		/* was told to stop, or killed */
};

struct child {
	enum proc_id	 id;
	int		 instance;
	char		 name[32];	/* smtpd-1 */
	enum child_state state;
	pid_t		 pid;		/* its process group's number, too */
	struct ipc	*ctl;
	int		 log[2];	/* its records: to read from, to write to */
	time_t		 started;
	unsigned int	 restarts;
	int		 delay;		/* milliseconds until the next start */
	struct event	*timer;
};

/* main.c */
extern struct conf	 conf;
extern struct event_base *base;
extern int		 basefd;
extern int		 own_log[2];	/* cgserver's own records, as a child's */
extern bool		 log_all;	/* --LogAll */
extern int		 debug;		/* -d: children log to stderr as well */
void		 stop_all(int restart);	/* in good order, then exit */
extern bool	 has_started;
void		 complain(const char *);	/* stderr and syslog */
void		 started(void);		/* every child is ready */
void		 start_failed(const char *why);	/* ends a first start */

/* check.c: warns of what is odd; false: it cannot be started so. */
bool		 check_conf(void);

/* child.c */
extern struct child	*children;
extern size_t		 nchildren;
void		 children_make(void);
/* A child has lost its channel to another, who may be alive. */
void		 child_reconnect(struct child *, enum proc_id, int instance);
void		 children_start(void);	/* logd and routerd; then the rest */
void		 children_go_on(void);	/* routerd has spoken: the rest */
void		 child_kill(struct child *);
void		 children_reap(void);
bool		 children_ready(void);
/* All of these kinds: told to stop; how many are still there. */
void		 children_stop(const enum proc_id *, size_t);
int		 children_left(const enum proc_id *, size_t);
void		 children_kill(const enum proc_id *, size_t);
/* To each child of that kind that has been configured; fd is not taken. */
void		 children_send(enum proc_id, enum ipc_type, const void *, int fd);
bool		 is_front(enum proc_id);

/* control.c */
extern const struct ipc_disp control_disp[];
void		 control_down(struct ipc *, void *);
/* What a child must know before CTL_GO, and the GO. */
void		 control_configure(struct child *);

/* listen.c */
int		 listen_wanted(const struct val *);	/* CTL_WANT's */
void		 listen_give(struct child *);		/* all of its modules */
int		 listen_write_ports(void);
/* What cgctl.sock is bound to; by it authd knows who came that way. */
void		 listen_cgctl_name(char *, size_t);

/* keys.c */
int		 keys_load(void);	/* makes what is missing; -1: logged */
bool		 keys_fit(void);	/* would they be loaded? changes nothing */
int		 keys_tls_fd(enum proc_id);	/* a fresh sealed memfd, or -1 */
const char	*keys_password(void);	/* 64 hex digits */
const char	*keys_salt(void);

/* skeleton.c: the base directory and what lies directly in it. */
int		 skeleton_make(void);	/* -1: said on stderr */
/* Its two halves; between them another server's is taken over. */
int		 skeleton_open(void);
int		 skeleton_finish(void);

/* adopt.c: an exit status; says what was done, and what was not. */
int		 adopt(void);

/* lock.c: one suite a base; ProcessID; telling those who wait for a start. */
int		 lock_take(void);	/* -1: said why */
void		 lock_release(void);
int		 lock_fd(void);		/* inherited by all: see lock.c */
void		 notify(const char *state);

/* peers.c: which pairs of kinds have a channel; the table. */
bool		 peers_allowed(enum proc_id, enum proc_id);
/* Of such a pair, who asks for a new channel when theirs has ended? */
bool		 peers_asks(enum proc_id asking, enum proc_id other);
#endif
