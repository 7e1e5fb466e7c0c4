/*
 * The names of messages in a .mdir mailbox (manual 23): iiii-flags-timestamp.
 * Ours are
 *
 *	UID-FFFF-yyyymmddhhmmss		or UID-FFFFKKKKKKKK-yyyymmddhhmmss
 *
 * with a letter for each flag that is set, as in From_ lines, the keywords in
 * hex if there are any, and GMT.  Others' are read as they come: zeros before
 * the UID, letters that we do not know, more behind the time.
 */
#ifndef CG_STORE_MDIR_NAME_H
#define CG_STORE_MDIR_NAME_H

#include <stdbool.h>
#include <stdint.h>

enum { MDIR_NAME = 96 };

struct mdir_name {
	uint32_t	uid;		/* 0: none that can be used */
	uint32_t	flags;		/* MSG_ */
	uint32_t	keywords;
	int64_t		date;
};

/* False: it is no message's. */
bool	mdir_name_parse(const char *, struct mdir_name *);
/* Ours, the same for the same values, into MDIR_NAME bytes. */
void	mdir_name_format(char *, const struct mdir_name *);
#endif
