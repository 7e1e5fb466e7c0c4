/* Between dict.c, dict_parse.c and dict_write.c; nobody else's. */
#ifndef CG_DICT_INT_H
#define CG_DICT_INT_H

#include "dict.h"

struct val {
	enum val_type	 type;
	/* scalars: the text, NUL after it */
	char		*text;
	size_t		 len;
	/* arrays and dictionaries; keys only for the latter, in order */
	struct val	**item;
	char		**key;
	size_t		 count, cap;
};

/* A scalar of that type with a copy of the text; NULL: no memory. */
struct val	*val_scalar(enum val_type, const char *, size_t);
#endif
