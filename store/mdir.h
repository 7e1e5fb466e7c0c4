/*
 * Inside the .mdir format: a directory with a file for each message, whose
 * name tells its UID, flags, keywords and time (mdir_name.h).  The names are
 * the truth; the index has sizes, modseqs and what to tell the changes by.  A
 * message's file is written once, under UID.new, and then only gets other
 * names; so it may have several, in other mailboxes.
 *
 * Of the index's head: end is the UID that the records go up to; size and
 * tailcount are bytes and number of all messages, stamp the directory's time
 * of change, so that a look at the directory is spared.
 */
#ifndef CG_STORE_MDIR_H
#define CG_STORE_MDIR_H

#include "box.h"
#include "mdir_name.h"

/* An open mailbox's own; its b->size is the bytes of all messages. */
struct mdir {
	uint64_t	 messages;
	bool		 counted;	/* that and size are true */
	bool		 foreign;	/* somebody else was at it: look */
	uint32_t	 stamp;
	int		 fd;		/* of the message read last, or -1 */
	uint32_t	 uid;		/* its UID */
};

/*
 * The id of a slot that stands for UIDs old to new, all or none of them; no
 * queue has it, and UINT64_MAX is a notice's (quota_notice.c).
 */
#define MDIR_PUT (UINT64_MAX - 1)

struct mdir_entry {
	struct mdir_name n;
	char		*file;		/* or NULL: as we name it */
};

struct mdir_list {
	struct mdir_entry *v;		/* UIDs ascend */
	size_t		 n, cap;
};

/* The name of a record's message; out has MDIR_NAME bytes. */
void	mdir_rec_name(char *out, const struct rec *);

/* mdir.c: the directory's time, and after a change of ours: as it is now. */
uint32_t mdir_stamp(int fd);
void	mdir_touching(struct box *);
void	mdir_touched(struct box *);
/* What was done is durable, the mailbox's own name too. */
int	mdir_sync(struct box *);

/* mdir_list.c */
int	mdir_list(struct box *, struct mdir_list *);
void	mdir_list_free(struct mdir_list *);
/* Counts what is there, by names and sizes. */
int	mdir_count(struct box *);
/*
 * Nobody released it in order: removes what is half done, settles the slots.
 * sure: the index is the one that it had.  lastuid: the highest there is.
 */
int	mdir_recover(struct box *, bool sure, uint32_t *lastuid);

/* mdir_scan.c */
int	mdir_refresh(struct box *);
/* The records have each message that is there. */
bool	mdir_complete(const struct box *);
/*
 * One more message is there: to be counted, and with a modseq to be recorded,
 * which is for mailboxes that are complete.
 */
void	mdir_added(struct box *, const struct mdir_name *, uint64_t size,
	    uint64_t wire, bool open, uint64_t modseq);
uint64_t mdir_add_modseq(struct box *);

/* mdir_new.c: the files of messages that come in, one after the other. */
struct mdir_new {
	struct box	*b;
	int		 fd;		/* -1: none is open */
	uint64_t	 size, wire;
	char		 last;
};

int	mdir_new_open(struct mdir_new *, struct box *, uint32_t uid);
int	mdir_new_write(struct mdir_new *, const void *, size_t);
/* Its bytes are durable if sync. */
int	mdir_new_close(struct mdir_new *, bool sync);
/* Gives it its name; nothing is durable before mdir_sync(). */
int	mdir_new_name(struct box *, const struct mdir_name *);
/* Takes it away, whatever its name is now. */
void	mdir_new_undo(struct box *, const struct mdir_name *);
/* What it is called until then; out has MDIR_NAME bytes. */
void	mdir_new_temp(char *out, uint32_t uid);

/*
 * mdir_share.c: is this the message that was stored last?  Then its file gets
 * the temporary name, and its bytes are durable.  If not, others may wait for
 * it (*writing) until it is there, which is told by keep(), or given up: end().
 */
bool	mdir_share_link(struct box *, const struct delivery *, uint64_t *size,
	    bool *writing);
void	mdir_share_end(bool *writing);
void	mdir_share_keep(struct box *, const struct delivery *,
	    const struct mdir_name *);

/* mdir_deliver.c, mdir_put.c */
void	mdir_append(struct box *, struct delivery *, size_t);
struct put *mdir_put_begin(struct box *, struct stored_msg *, size_t);
int	mdir_put_more(struct put *);
void	mdir_put_end(struct put *);
#endif
