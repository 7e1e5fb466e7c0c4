/* A message on its way to a group's members. */
#ifndef CG_QUEUED_GROUP_H
#define CG_QUEUED_GROUP_H

#include "queued.h"

enum {
	GROUP_MAXRCPTS = 25000,			/* of one copy */
	GROUP_MAXBYTES = 8 * 1024 * 1024	/* of its envelope */
};

struct copy {
	uint64_t	 id;
	struct qfile	 q;
	uint64_t	 size;
	bool		 durable;
};

struct expand {
	struct sreq	 req;
	TAILQ_ENTRY(expand) entry;
	struct msg	*msg;
	struct rcpt	*rcpt;
	char		*name;		/* group[@domain] */
	struct val	*header;	/* who wrote it, to whom */
	/* of the message, for the threads */
	uint64_t	 of;
	const char	*dir;
	uint64_t	 offset, length;
	/* routerd's answer */
	int		 fd;
	uint32_t	 count;
	char		*replyto;
	bool		 final, all;
	/* the copies */
	struct copy	*copies;
	size_t		 ncopies, used;
	char		*passed;	/* groups it went through, this one too */
	bool		 marked;	/* the group's letter is set */
	bool		 lost;
	int		 err;
};

/* In threads: reads the header; writes the copies, then sets the letter. */
void	group_header_work(struct sreq *);
void	group_copies_work(struct sreq *);
#endif
