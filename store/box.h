/*
 * Mailboxes, whatever their format: what delivery and workers are written
 * against.  An account is held by one process at a time (ARCHITECTURE 5), so
 * nothing here locks.  All calls block on the disk.
 */
#ifndef CG_STORE_BOX_H
#define CG_STORE_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "from.h"
#include "index.h"
#include "info.h"

struct box;
struct put;
struct putting;

/* A message to append: what DELIVER says, and what came of it. */
struct delivery {
	uint64_t	 id;
	uint32_t	 rcpt;
	const char	*sender;
	const char	*header;	/* whole lines, or "" */
	int		 fd;		/* not closed here */
	uint64_t	 offset, size;
	int64_t		 time;
	/* out */
	int		 code;		/* 0 delivered, 1 failed, 2 later */
	const char	*esc;
	const char	*text;		/* constant */
	uint32_t	 uid;
	bool		 settled;	/* used inside */
};

enum { DELIVER_BATCH = 64 };

/* A message to put as it is: stored form, LF or CRLF, lines quoted. */
struct stored_msg {
	const char	*text;		/* or NULL: of the file */
	int		 fd;		/* not closed here */
	uint64_t	 offset, size;
	uint64_t	 fromlen;	/* of the old From_ line before it, or 0:
					   the return-path stands there */
	char		*name;		/* of a file in the directory fd, with
					   lines that are not quoted; or NULL */
	uint64_t	 wire;		/* of such a file */
	bool		 open;		/* its last line has no end */
	uint32_t	 flags, keywords;
	int64_t		 date;
	uint32_t	 uid;		/* out */
};

/* What STORE does to a message; clear goes first. */
struct flag_change {
	uint32_t	 set, clear;		/* MSG_ */
	uint32_t	 kwset, kwclear;
};

struct outside;
struct patch;
struct statx;

struct box_format {
	const char	*ext;		/* ".mbox" */
	const char	*type;		/* as settings call it */
	mode_t		 mode;		/* S_IFREG or S_IFDIR */
	bool		 quoted;	/* > stands before some "From " */
	/* An empty one; one away with all that is in it. */
	int	(*make)(int dirfd, const char *path);
	int	(*remove)(int dirfd, const char *path);
	/* What is in one that is closed, if its index's head is true. */
	bool	(*peek)(const struct idx_head *, const struct statx *,
		    uint64_t *bytes, uint64_t *messages);
	int	(*open)(struct box *);
	void	(*close)(struct box *);
	/* Is the file another one now, or cut?  Growth is only noted. */
	bool	(*changed)(struct box *);
	/* Those that are not settled; each gets its result. */
	void	(*append)(struct box *, struct delivery *, size_t);
	int	(*refresh)(struct box *);
	ssize_t	(*read)(struct box *, const struct rec *, uint64_t, void *,
		    size_t);
	/* Flags and keywords of one in the mailbox, not in the record. */
	int	(*mark)(struct box *, struct patch *, const struct rec *,
		    uint32_t flags, uint32_t keywords);
	/* Those that were marked are durable. */
	int	(*marked)(struct box *);
	int	(*expunge)(struct box *, const uint32_t *, size_t);
	void	(*tidy)(struct box *);
	/* Where a copy finds the bytes: offset and fromlen, or name and open. */
	int	(*source)(struct box *, const struct rec *,
		    struct stored_msg *);
	/* As box_put_begin() and so on. */
	struct put *(*put_begin)(struct box *, struct stored_msg *, size_t);
	int	(*put_more)(struct put *);
	void	(*put_end)(struct put *);
	/* What is in it that is not expunged. */
	int	(*live)(struct box *, uint64_t *bytes, uint64_t *messages);
};

struct acct {
	int		 dirfd;
	char		*single;	/* "john.mbox", "INBOX.mdir" in a
					   directory that it is itself; NULL */
	bool		 worker;	/* may map indexes */
	bool		 making;	/* a single mailbox may be made */
	const struct box_format *format;	/* of new mailboxes */
	struct info	 info;
	struct box	*boxes;
	struct putting	*putting;	/* put.c; NULL: nothing is on its way */
	struct quota	*quota;		/* quota.c; NULL: never asked for */
	struct outside	*outside;	/* INBOX lies elsewhere: outside.h */
	bool		 elsewhere;	/* its limits say that it does */
	bool		 touched;	/* quota_touch() was called */
	uint64_t	 got, gotbytes;	/* not yet in account.info: stat.h */
	/* A worker's, or NULL: this one closes, and revision is not told. */
	void		(*news)(struct box *);
};

struct box {
	struct acct	*acct;
	struct box	*next;
	unsigned	 refs;
	char		*name;		/* INBOX, lists/info */
	char		*file;		/* INBOX.mbox */
	const struct box_format *fmt;
	int		 fd;
	bool		 bad;		/* reopen before it is used again */
	bool		 fresh;		/* its directory is not synced yet */
	bool		 tail;		/* a torn one is beyond size: full disk */
	bool		 checked;	/* the records were looked at */
	bool		 rewrite;	/* a line of foreign width has news */
	uint64_t	 ino;
	uint64_t	 size;
	struct idx	 idx;
	uint32_t	 uidbound;	/* 0: account.info not looked at */
	uint64_t	 modbound;
	uint64_t	 revision;	/* counts changes, for its sessions */
	uint64_t	 flagseq;	/* no flag was changed after this modseq */
	uint64_t	 told;		/* the worker's: up to this one */
	bool		 gone;		/* deleted: every call fails */
	struct keywords	*keywords;	/* keyword.c; NULL: not looked at */
	struct cache	*cache;		/* cache.c; NULL: not opened */
	struct mdir	*mdir;		/* mdir.h; NULL: it is none */
	struct outside	*outside;	/* outside.h; NULL: it is here */
};

/*
 * Takes the directory's fd.  single: a mailbox file in it, or INBOX.mdir for
 * that directory; or NULL.
 */
struct acct	*acct_new(int dirfd, const char *single, bool worker);
/* An orderly release: marks are left that spare the next one's checks. */
void		 acct_free(struct acct *);
/*
 * Makes INBOX, account.info and what the template (or NULL) has in a new
 * account, durably unless info.lazy.
 */
int		 acct_init(struct acct *, const struct val *template);

/*
 * The mailbox of that name ("" is INBOX, made if it is not there), opened or
 * one more reference.  NULL and errno: ENOENT no such mailbox, EINVAL no such
 * name, ESTALE the single-mailbox account, or the external INBOX, is gone,
 * EAGAIN another program has that, EPERM something planted; EIO and the like:
 * later.
 */
struct box	*box_open(struct acct *, const char *name);
/* What a box_open() that failed means for a delivery, by errno: a code. */
int		 box_why(const char **esc, const char **text);
/* The last reference closes it, in order. */
void		 box_close(struct box *);

/* Appends all, one sync; each gets its own result.  At most DELIVER_BATCH. */
void		 box_deliver(struct box *, struct delivery *, size_t);

/* For workers only. */
/* Brings the index up to the file. */
int		 box_refresh(struct box *);
/* Are its records such as may be looked for? */
bool		 box_current(const struct box *);
uint32_t	 box_count(const struct box *);
struct rec	*box_rec(const struct box *, uint32_t);
struct rec	*box_find(const struct box *, uint32_t uid);
/* Bytes of the message as they are on disk; less only at its end. */
ssize_t		 box_read(struct box *, const struct rec *, uint64_t off,
		    void *, size_t);
int		 box_flags(struct box *, struct rec *, uint32_t set,
		    uint32_t clear);
/*
 * Many at once, by their UIDs in order; those that are not there are left
 * out.  Each that changes gets the same new modseq.  Durable when it returns
 * 0.
 */
int		 box_change(struct box *, const uint32_t *, size_t,
		    const struct flag_change *);
/* All or none, one sync: durable when it returns 0, else -1 and errno. */
int		 box_put(struct box *, struct stored_msg *, size_t);
/*
 * The same in pieces of about a MiB: 1 there is more, 0 durable, -1 and errno.
 * end() frees it, and undoes what is not durable.  from: what is copied from,
 * or NULL.  Whoever needs one of both mailboxes as they will be meanwhile goes
 * on with it himself, up to its end; there is one in an account.
 */
struct putting	*box_put_begin(struct box *, struct stored_msg *, size_t,
		    struct box *from);
int		 box_put_more(struct putting *);
void		 box_put_end(struct putting *);
/* Before b is read (or, if it is the source, changed). */
void		 box_put_settle(struct box *b, bool changed);
/* The highest modseq that was given in it, never 0. */
uint64_t	 box_highest_modseq(const struct box *);
/* UIDs in order.  Durable when it returns 0. */
int		 box_expunge(struct box *, const uint32_t *, size_t);
/* Does what pays off when nobody waits: compacts, rewrites. */
void		 box_tidy(struct box *);

/* One that is open already, or NULL; no reference is taken. */
struct box	*box_find_open(struct acct *, const char *name);
/* Before its files are removed: closes them, and it is gone. */
void		 box_forsake(struct box *);
/* Makes the names in its directory durable. */
int		 box_sync_dir(const struct box *);

/* The format of what is named so, and where that ends; by type; NULL. */
const struct box_format *box_format_of(const char *name, size_t *len);
const struct box_format *box_format_type(const char *type);
/* Of a mailbox that is there, and its file (free it); NULL and ENOENT. */
const struct box_format *box_locate(struct acct *, const char *name,
		    char **file);
/* Where that lies in the account's directory. */
const char	*box_place(const struct box *);
/* When a file was made, as a number; 0 where nobody knows. */
uint32_t	 box_birth(const struct statx *);
uint32_t	 box_born(int fd);

/*
 * For formats.  The next UID of a mailbox that nobody released in order: last
 * is the last one found in it, 0 if unknown.
 */
int		 box_recover(struct box *, uint32_t last);
/* Reserves so that n more UIDs may be used. */
int		 box_reserve(struct box *, uint32_t n);
uint64_t	 box_modseq(struct box *);

extern const struct box_format	format_mbox, format_mdir;
#endif
