/*
 * Inside delivery: the loop's side (delivery.c) and the threads' side
 * (delivery_pool.c).  An account's work is done by one thread at a time; the
 * loop alone speaks to the broker.
 */
#ifndef CG_DELIVERY_H
#define CG_DELIVERY_H

#include <bsd/sys/queue.h>
#include <stdbool.h>

#include "box.h"
#include "ipc.h"

struct djob {
	TAILQ_ENTRY(djob)	 next;
	struct daccount		*account;
	char			*mailbox;
	char			*texts;
	struct delivery		 d;
};
TAILQ_HEAD(djobs, djob);

struct daccount {
	LIST_ENTRY(daccount)	 hash;		/* the loop's */
	TAILQ_ENTRY(daccount)	 ready;		/* the pool's, locked */
	char			*path;
	struct acct		*acct;		/* the thread's that works */
	bool			 lent;		/* its; single: perhaps still */
	struct djobs		 jobs;		/* locked */
	bool			 queued;	/* ready, worked on, or taken */
	char			*limits;	/* new ones, or NULL; locked */
	/* What is to be done once the jobs are; locked. */
	bool			 init;
	bool			 forget;
	struct val		*template;	/* of a new one, or NULL */
	bool			 lazy;		/* its files are synced by authd */
	int			 greeting;	/* its first message, or -1 */
	const struct box_format	*format;	/* of its first mailboxes */
	struct ipc_ref		 init_ref, forget_ref;
	int			 init_code;
	char			 init_text[128];
	/* A single one's end: see DELIVERY_FORGET. */
	int			 how;
	int			 newdir;	/* -1, or where it goes */
	char			*newfile;
	int			 forget_code;
	int			 forget_fd;	/* the answer's, or -1 */
};
TAILQ_HEAD(daccounts, daccount);

enum { FORGET_PLAIN, FORGET_LEND, FORGET_MOVE, FORGET_REMOVE };

/* done is called from the loop whenever something was finished. */
void	pool_start(unsigned threads, void (*done)(void));
/* Takes a single-mailbox account back, should it be lent. */
void	pool_open(struct daccount *);
void	pool_add(struct daccount *, struct djob *);
/* For its next jobs: store/quota.h. */
void	pool_limit(struct daccount *, const char *limits);
/*
 * Takes the template (or NULL) and the greeting's descriptor (or -1).  format:
 * a type of mailboxes, or "".
 */
void	pool_init(struct daccount *, struct ipc_ref, const char *format,
	    struct val *template, int greeting, bool lazy);
void	pool_forget(struct daccount *, struct ipc_ref);
/* Finished jobs, and accounts whose init or forget is done. */
void	pool_take(struct djobs *, struct daccounts *);
/* One of those accounts that lives on: it may have work again. */
void	pool_answered(struct daccount *);
bool	pool_idle(void);
#endif
