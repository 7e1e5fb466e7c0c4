/*
 * The mailboxes of an account: what there is, and making, moving and removing
 * them.  For workers only.  All is durable when it returns 0; else -1 and
 * errno:
 *	ENOENT	no such mailbox		EEXIST	there is one already
 *	EINVAL	no such name		ENOTEMPTY others are in it
 *	EPERM	INBOX, or an account of a single mailbox
 *	ENOTSUP	a format that we do not have
 * Names are UTF-8 with / between the parts.
 */
#ifndef CG_STORE_FOLDER_H
#define CG_STORE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

struct acct;

enum {
	FOLDER_NOSELECT = 1 << 0,	/* a bare folder: only a place */
	FOLDER_CHILDREN = 1 << 1,
	FOLDER_SUBSCRIBED = 1 << 2,
	FOLDER_GONE = 1 << 3		/* subscribed to, but not there */
};

struct folder {
	char		*name;
	const char	*class;		/* "" or Sent, Trash, ...: see below */
	unsigned	 flags;
};

struct folders {
	struct folder	*v;
	size_t		 n;
};

/*
 * All of them, INBOX first, then in order with children behind their parents;
 * with gone, also what is only subscribed to.
 */
int	 folder_list(struct acct *, struct folders *, bool gone);
void	 folders_free(struct folders *);
/* Is there one to be selected? */
bool	 folder_exists(struct acct *, const char *name);

/*
 * class: NULL or "", else as below.  With a / at its end it is a bare folder.
 * "name.mbox" makes "name" of that format.  Parents are made as bare folders.
 */
int	 folder_create(struct acct *, const char *name, const char *class);
/* Its children stay.  Open boxes of it become gone. */
int	 folder_delete(struct acct *, const char *name);
/*
 * Children go along.  Of INBOX the messages go, itself stays, and its children.
 * Open boxes go along: their name and file change.
 */
int	 folder_rename(struct acct *, const char *from, const char *to);
/* The mailbox alone: what lies below it stays, in a bare folder. */
int	 folder_rename_alone(struct acct *, const char *from, const char *to);

/* A directory of an account's, below its own: no mailbox by itself. */
int	 folder_mkdir(int dirfd, const char *path);

/* Any valid name, whether it is there or not; also "~boss/INBOX". */
int	 folder_subscribe(struct acct *, const char *name, bool on);

/*
 * What a mailbox is for: the names of SPECIAL-USE without their backslash (All,
 * Archive, Drafts, Flagged, Junk, Sent, Trash), or what other programs call it
 * (IPF.Contact), which IMAP does not hear of.  "" takes it away; EINVAL.
 */
int	 folder_set_class(struct acct *, const char *name, const char *class);
#endif
