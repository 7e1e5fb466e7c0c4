/*
 * Messages in .mdir mailboxes may have several names (manual 23).  Such a file
 * gets its owner when all its names were found in such mailboxes: one with a
 * name elsewhere might be anything.  Runs in cgserver --adopt.
 */
#include <sys/stat.h>

#include <bsd/sys/tree.h>
#include <stdlib.h>
#include <string.h>

#include "adopt.h"
#include "log.h"

struct link {
	RB_ENTRY(link)	 entry;
	dev_t		 dev;
	ino_t		 ino;
	nlink_t		 left;		/* names that were not met yet */
	char		*path;		/* one that was */
};

static int
compare(const struct link *a, const struct link *b)
{
	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	return a->ino < b->ino ? -1 : a->ino > b->ino;
}

static RB_HEAD(links, link) links = RB_INITIALIZER(&links);
RB_PROTOTYPE(links, link, entry, compare);
RB_GENERATE(links, link, entry, compare)

bool
adopt_is_message(const char *where, const char *name)
{
	size_t len = strlen(where), n = strspn(name, "0123456789");

	return len > 5 && strcmp(where + len - 5, ".mdir") == 0 && n > 0 &&
	    name[n] == '-';
}

static void
drop(struct link *l)
{
	RB_REMOVE(links, &links, l);
	free(l->path);
	free(l);
}

bool
adopt_last_link(const struct stat *st, const char *path)
{
	struct link key = { .dev = st->st_dev, .ino = st->st_ino }, *l;

	if ((l = RB_FIND(links, &links, &key)) == NULL) {
		l = xcalloc(1, sizeof(*l));
		l->dev = st->st_dev;
		l->ino = st->st_ino;
		l->left = st->st_nlink;
		l->path = xstrdup(path);
		RB_INSERT(links, &links, l);
	}
	if (--l->left > 0)
		return false;
	drop(l);
	return true;
}

void
adopt_links_end(void)
{
	struct link *l;

	while ((l = RB_MIN(links, &links)) != NULL) {
		adopt_odd(l->path, "", "a file that has names elsewhere");
		drop(l);
	}
}
