/* One file of Submitted/ on its way into the queue. */
#ifndef CG_QUEUED_SUBMIT_H
#define CG_QUEUED_SUBMIT_H

#include "queued.h"

struct user {
	uid_t	 uid;
	char	*name;
	bool	 trusted;
};

struct submit {
	struct sreq	 req;
	char		*name;
	uint64_t	 id;
	const char	*domain;
	const struct user *users;
	size_t		 nusers;
	struct banned_scan *scan;	/* NULL: no lines are banned */
	/* how it went */
	struct qfile	 q;
	uint64_t	 size;
	const char	*why;		/* the file is no good */
	bool		 durable;
	int		 err;
	const char	*fate;		/* what became of it then */
};

/* In a thread. */
void	submit_work(struct sreq *);
#endif
