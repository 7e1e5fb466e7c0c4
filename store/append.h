/*
 * A message that a client gives us: taken as it comes from the wire, then put
 * into a mailbox.  Small ones are kept in memory, large ones in a temporary
 * file of the account that has no name.  For workers only.
 */
#ifndef CG_STORE_APPEND_H
#define CG_STORE_APPEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct acct;
struct box;
struct append;

/* Where it shall go. */
struct append_to {
	struct append	*msg;		/* not freed by a commit */
	uint32_t	 flags;		/* MSG_ */
	uint32_t	 keywords;	/* bits of that mailbox: keyword.h */
	int64_t		 date;		/* 0: now */
	uint32_t	 uid;		/* out */
};

/* size: what was announced, or 0.  NULL and errno: ENOMEM, ENOSPC, ... */
struct append	*append_begin(struct acct *, uint64_t size);
/*
 * Before anything is written: it is for that mailbox, if there is one, and for
 * others of its format.  Else for any format, with lines quoted (manual 23).
 */
void		 append_for(struct append *, const char *name);
/*
 * Bytes as sent, cut anywhere.  -1 and errno: EINVAL for a NUL (nothing of it
 * can be stored then), ENOSPC and the like; it stays so.
 */
int		 append_write(struct append *, const void *, size_t);
/*
 * All of them or none, in order, with one sync: durable when it returns 0,
 * else -1 and errno.  Their UIDs follow one another.
 */
int		 append_commit(struct box *, struct append_to *, size_t n);
/* Frees it; NULL is fine. */
void		 append_free(struct append *);
#endif
