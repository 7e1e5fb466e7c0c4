/*
 * account.info: what an account knows of its mailboxes beside their files
 * (manual 25).  UIDs and modseqs are reserved here in blocks, durable before
 * the first of a block is used.  Written by whoever holds the account:
 * delivery or its worker, never both.
 *
 *	{ Mailboxes = { INBOX = { UIDValidity = 1; UIDNext = 257;
 *	    ModSeq = 65537; }; }; }
 *
 * Keys that it does not know are kept.
 */
#ifndef CG_STORE_INFO_H
#define CG_STORE_INFO_H

#include <stdbool.h>
#include <stdint.h>

struct val;

enum { INFO_UIDBLOCK = 256, INFO_MODBLOCK = 65536 };

struct info {
	int		 dirfd;		/* borrowed */
	char		*file;		/* account.info, john.info */
	struct val	*dict;		/* NULL until it is needed */
	bool		 lazy;		/* whoever asked syncs the whole account */
};

/* UIDNext and ModSeq are bounds: everything below may have been used. */
struct box_info {
	uint32_t	 uidvalidity;
	uint32_t	 uidnext;
	uint64_t	 modseq;
};

bool	info_init(struct info *, int dirfd, const char *file);
void	info_free(struct info *);
/*
 * 1; 0 if the mailbox is not known there; -1 and errno if that could not be
 * found out, which must not be taken for the same.
 */
int	info_get(struct info *, const char *box, struct box_info *);
/* Durable when it returns 0; else -1 and errno. */
int	info_put(struct info *, const char *box, const struct box_info *);

/* The whole, NULL if it cannot be read; info_save() after a change. */
struct val *info_root(struct info *);
/* What is known of a mailbox, or NULL. */
struct val *info_box(struct info *, const char *box, bool make);
/* Durable when it returns 0; else -1, errno, and the change is forgotten. */
int	info_save(struct info *);
/* Forgets what was changed and not saved. */
void	info_revert(struct info *);
/* What a killed info_put() left behind goes. */
void	info_sweep(struct info *);
#endif
