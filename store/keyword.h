/*
 * Keywords: the n-th name of a mailbox's list in account.info is bit n of its
 * messages' keywords.  Case does not matter.  For workers only.
 */
#ifndef CG_STORE_KEYWORD_H
#define CG_STORE_KEYWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct box;

enum { KEYWORD_MAX = 32, KEYWORD_LEN = 100 };

/* The list's length; some places may be free (NULL names). */
unsigned	 keyword_count(struct box *);
/* The name of a bit, or NULL. */
const char	*keyword_name(struct box *, unsigned bit);
/*
 * Its bit, or -1 and errno: ENOENT if it is not known, EINVAL no such name.
 */
int		 keyword_find(struct box *, const char *, size_t);
/* Made if it is not known, durably; ENOSPC: there is no place for more. */
int		 keyword_make(struct box *, const char *, size_t);
/* With its box. */
void		 keyword_free(struct box *);
#endif
