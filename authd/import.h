/*
 * An account list (manual 20, Import) as rows.  Knows no account and no peer:
 * import.c makes them.
 */
#ifndef AUTHD_IMPORT_H
#define AUTHD_IMPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

struct val;

struct import_row {
	unsigned	 line;		/* in the file, from 1 */
	char		*name;		/* as it is there: no domain */
	char		*type;		/* "" if it says nothing */
	struct val	*settings;	/* a dictionary */
	struct val	*aliases;	/* an array, or NULL */
};

struct import_list {
	struct import_row	*rows;
	size_t			 nrows;
	/* What is wrong, if it cannot be read. */
	unsigned		 line;
	const char		*err;
};

/* False: err and line say why.  To be freed in any case. */
bool	import_parse(struct import_list *, struct str text);
void	import_free(struct import_list *);
#endif
