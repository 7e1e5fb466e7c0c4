/* Between adopt.c and adopt_tree.c. */
#ifndef ADOPT_H
#define ADOPT_H

#include <sys/stat.h>

#include "cgserver.h"
#include "dict.h"

enum { ADOPT_DEPTH = 40 };

/* What is told at the end. */
extern struct adopt_found {
	size_t		 domains, accounts, files;
	size_t		 failures;
	struct val	*odd;		/* left as it is, and why */
	struct val	*passwords;	/* accounts whose nobody can read */
	struct val	*damaged;	/* settings that are no dictionary */
} adopt_found;

/* "where/name: why" */
void	adopt_odd(const char *where, const char *name, const char *why);

/* What somebody of the suite shall own, and how. */
struct adopt_owner {
	enum proc_id	 user, group;
	mode_t		 file, dir;
};

/*
 * Opens what lies in dir by that name, a regular file of one link, a
 * directory, or a message; -1 when it is something else or cannot be had: that is told.
 */
int	adopt_open(int dir, const char *where, const char *name,
	    struct stat *);
/* In a .mdir mailbox, which may share it with others. */
bool	adopt_is_message(const char *where, const char *name);
/* Have all names of this file been met? */
bool	adopt_last_link(const struct stat *, const char *path);
/* Tells of those that have others. */
void	adopt_links_end(void);
/* Gives it to its owner.  false: told, and counted as a failure. */
bool	adopt_give(int fd, const struct stat *, const char *path,
	    const struct adopt_owner *);
/* All of a directory, and what is in it, to one owner. */
void	adopt_all(int dir, const char *where, const char *name,
	    const struct adopt_owner *);
/* Each entry of a directory but . and .., which must not add any. */
void	adopt_each(int dir, const char *where, void (*each)(int dir,
	    const char *where, const char *name, void *), void *);
/* In small letters; the old name where that is taken. */
char	*adopt_small(int dir, const char *where, const char *name);
/* A domain's directory, accounts and all. */
void	adopt_domain(int dir, const char *path, const char *domain);
#endif
