/* What the files of folders share. */
#ifndef CG_STORE_FOLDER_INT_H
#define CG_STORE_FOLDER_INT_H

#include <stdbool.h>

struct acct;
struct box_format;

/* As strcmp(): the order of a list. */
int		 folder_order(const char *, const char *);
/* The class as we write it, "" for an unknown one. */
const char	*folder_class(const char *);
/* Where a mailbox lies, with what follows its name; free it. */
char		*folder_path(const char *name, const char *ext);
/* What lies beside a mailbox, after its file's name: ".idx" and so on. */
enum { FOLDER_BESIDE = 3 };
extern const char *const folder_beside[FOLDER_BESIDE];
/* Its file in a format, or what lies beside; free it. */
char		*folder_file(const char *name, const struct box_format *,
		    const char *beside);
/* The format of one that is there; NULL. */
const struct box_format *folder_format(struct acct *, const char *name);
bool		 folder_there(struct acct *, const char *name,
		    const char *ext);
/* Makes the names durable in the directory that a mailbox lies in. */
int		 folder_sync(struct acct *, const char *name);
/* The folders that a name lies in. */
int		 folder_make_parents(struct acct *, const char *name);
#endif
