/* What the files of the language share: a pattern's items. */
#ifndef CG_CLI_INT_H
#define CG_CLI_INT_H

#include "cli.h"

enum cli_kind {
	P_END, P_OPEN, P_CLOSE,
	P_STRING, P_CHOICE, P_DICT, P_ARRAY, P_ANY, P_REST,
	P_KEYWORD, P_WHICH, P_FLAG, P_YESNO
};

struct cli_item {
	enum cli_kind	 kind;
	struct str	 text;		/* the name, or the keyword(s) */
	struct str	 words;		/* of a choice */
};

/* The next one; patterns are our own text and make sense. */
struct cli_item	cli_item(struct cur *pattern);
#endif
