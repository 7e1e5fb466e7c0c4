/*
 * Helper programs of manual 08 and 11: what the lines between the suite and
 * such a program are, and the command line that starts one.  Pure text.
 */
#ifndef CG_HELPER_H
#define CG_HELPER_H

#include "buf.h"

enum { HELPER_LINE = 8192, HELPER_WORDS = 64 };

enum helper_said {
	HELPER_OK, HELPER_ERROR,
	HELPER_COMMENT,		/* a line that begins with *: for the log */
	HELPER_NONSENSE
};

struct helper_answer {
	enum helper_said said;
	uint32_t	 seq;
	struct str	 text;		/* what follows; a comment's own */
};

/* One line without its end. */
void	helper_parse(struct str line, struct helper_answer *);
/* May this stand in a line to a program?  No ends of lines, no NUL. */
bool	helper_sendable(struct str);
/* Does a list of words have this one, any case? */
bool	helper_has_word(struct str words, const char *);
/*
 * A program's path and arguments, separated by blanks; "..." keeps blanks,
 * and in it \ takes the next character.  NULL: none, too many, or no end of
 * quotes.  A NULL-ended array, free it with helper_words_free().
 */
char	**helper_words(const char *command);
void	 helper_words_free(char **);
#endif
