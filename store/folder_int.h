/* What the files of folders share. */
#ifndef CG_STORE_FOLDER_INT_H
#define CG_STORE_FOLDER_INT_H

#include <stdbool.h>

struct acct;

/* As strcmp(): the order of a list. */
int		 folder_order(const char *, const char *);
/* The class as we write it, "" for an unknown one. */
const char	*folder_class(const char *);
/* Where a mailbox lies, with what follows its name; free it. */
char		*folder_path(const char *name, const char *ext);
bool		 folder_there(struct acct *, const char *name,
		    const char *ext);
/* Makes the names durable in the directory that a mailbox lies in. */
int		 folder_sync(struct acct *, const char *name);
/* The folders that a name lies in. */
int		 folder_make_parents(struct acct *, const char *name);
#endif
