/*
 * The index beside a mailbox: A.mbox.idx.  A head, a ring of slots that makes
 * delivery exactly-once, and one fixed record a message.  It may be deleted
 * at any time; only the slots cannot be made again, and they matter only
 * until queued has heard the results.
 *
 * Delivery never looks at the records, and never maps a file that a user's
 * worker could truncate under it.  The worker maps them.
 */
#ifndef CG_STORE_INDEX_H
#define CG_STORE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	IDX_SLOTS = 128,
	IDX_SLOTOFF = 4096,
	IDX_RECOFF = 16384,
	IDX_VERSION = 5
};

enum {
	IDX_CLEAN_TAIL = 1,	/* size and uidnext are exact */
	IDX_CLEAN_FLAGS = 2,	/* the records' flags are the file's */
	IDX_DIRSYNCED = 4	/* the mailbox's name is durable */
};

struct idx_head {
	char		magic[8];
	uint32_t	version;
	uint32_t	recsize;
	uint64_t	ino;		/* of the mailbox that it belongs to */
	uint64_t	generation;	/* random; in each record's sum, and its
					   cache's as well */
	uint32_t	uidvalidity;
	uint32_t	uidnext;
	uint64_t	modseq;
	uint64_t	size;		/* of the mailbox, when clean */
	int64_t		boot;		/* when this machine started */
	uint64_t	end;		/* the mailbox is indexed up to here */
	uint64_t	wire;		/* octets of all messages, as sent */
	uint64_t	garbage;	/* bytes of expunged messages */
	uint64_t	junk;		/* bytes that belong to no message */
	/* What was counted of the messages beyond end: see mbox_live(). */
	uint64_t	tailfrom;	/* nothing of this holds if not end */
	uint64_t	tailend;	/* up to here */
	uint64_t	tailgarbage;
	uint32_t	tailcount;
	uint32_t	stamp;		/* .mdir: the directory's, when clean */
	uint32_t	count;
	uint32_t	clean;
	uint32_t	born;		/* its mailbox: inodes come again */
	uint32_t	sum;
};

enum slot_state {
	SLOT_FREE = 0,
	SLOT_PENDING = 1,	/* done if the file has reached new */
	SLOT_DONE = 2
};

#define SLOT_NEVER UINT64_MAX	/* new of an append whose end is not known */

/*
 * A message is known by all of id, rcpt, size and time: ids begin again when
 * the queue is made anew, or come from another host's queue.
 */
struct slot {
	uint64_t	id;
	uint64_t	ino;		/* the mailbox of old and new */
	uint64_t	old;
	uint64_t	new;
	uint64_t	size;		/* as it was sent to us */
	int64_t		time;
	uint32_t	rcpt;
	uint32_t	uid;
	uint32_t	state;
	uint32_t	sum;
};

enum {
	REC_FIXED = 1 << 8,	/* its From_ line is ours */
	REC_OWNUID = 1 << 9,	/* its UID stands in the file too */
	REC_OPENEND = 1 << 10	/* its last line has no end */
};

struct rec {
	uint64_t	offset;		/* of its From_ line */
	uint64_t	size;		/* on disk, From_ line not counted */
	uint64_t	wire;		/* as sent, with CRLF */
	uint64_t	modseq;
	int64_t		date;
	uint32_t	uid;
	uint32_t	flags;		/* MSG_ and REC_ */
	uint32_t	keywords;
	uint16_t	fromlen;
	uint16_t	sep;		/* bytes of the empty line after it */
	uint32_t	cache;		/* where, in 16 bytes; may be wrong */
	uint32_t	sum;		/* of all but the last two */
};

struct idx {
	int		 fd;		/* -1: it could not be written at all */
	struct idx_head	*head;		/* our memory */
	struct slot	*slots;		/* ditto */
	char		*map;		/* of the file; NULL in delivery */
	size_t		 maplen;
	unsigned	 next;		/* slot to use next */
	bool		 anon;		/* records in memory only: disk full */
	bool		 believed;	/* head was whole */
	/* What head and slots said when opened, of whatever mailbox. */
	uint32_t	 wasvalidity;
	uint32_t	 wasnext;
	uint64_t	 wasmodseq;
};

/*
 * Opens or makes it.  -1 and errno; what is not a regular file with one link
 * is refused.  A damaged head is made anew, slots are kept each for itself.
 */
int	idx_open(struct idx *, int dirfd, const char *path, bool map);
void	idx_close(struct idx *);
/* The head of one that nobody has open; false: there is none to be believed. */
bool	idx_peek(int dirfd, const char *path, struct idx_head *);
/* Forgets the records, binds it to this mailbox. */
void	idx_reset(struct idx *, uint64_t ino);

/* Seals the head and writes it. */
int	idx_put_head(struct idx *);
/* Writes n slots from the i-th on, round the ring. */
int	idx_put_slots(struct idx *, unsigned i, unsigned n);
struct slot *idx_slot(struct idx *, uint64_t id, uint32_t rcpt, uint64_t size,
	    int64_t time);
/* Takes the next place of the ring; not yet written. */
struct slot *idx_slot_take(struct idx *);
/* Pending slots of another file than this are no more. */
void	idx_slots_claim(struct idx *, uint64_t ino);
/* Every pending slot becomes done, or free if the file did not reach it. */
int	idx_slots_settle(struct idx *, uint64_t size);

/* Records: the map may move with idx_add(). */
static inline struct rec *
idx_rec(const struct idx *ix, uint32_t i)
{
	return (struct rec *)(ix->map + IDX_RECOFF) + i;
}
/* Room for one more and count it; NULL and errno.  Seal it afterwards. */
struct rec *idx_add(struct idx *);
void	idx_seal(const struct idx *, struct rec *);
bool	idx_sealed(const struct idx *, const struct rec *);
/* A generation that no index had: none of its records is good any more. */
void	idx_renew(struct idx *);
/* Index of the first record with a UID of at least this. */
uint32_t idx_lower(const struct idx *, uint32_t uid);
struct rec *idx_find(const struct idx *, uint32_t uid);
/* Is it among n that are in order?  *k: how far they were looked at. */
bool	uid_listed(const uint32_t *, size_t n, size_t *k, uint32_t uid);
/*
 * Takes the records of these UIDs out; the bytes of what went.  In between
 * nothing of the index is valid: a kill then costs a scan.  Put the head
 * afterwards.
 */
uint64_t idx_drop(struct idx *, const uint32_t *uids, size_t n);
/* When this machine started, to the second; two tell boots apart. */
int64_t	idx_boot(void);
bool	idx_same_boot(const struct idx_head *);
#endif
