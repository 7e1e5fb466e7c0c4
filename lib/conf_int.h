/* Between conf.c, conf_words.c and conf_user.c; nobody else's. */
#ifndef CG_CONF_INT_H
#define CG_CONF_INT_H

#include "conf.h"

enum { CONF_MAXWORDS = 256 };

/* The words of one line, the first being the keyword. */
struct conf_line {
	char	*word[CONF_MAXWORDS];
	int	 n;
};

/* conf_words.c: what a line may begin with; ends with a NULL word. */
struct conf_word {
	const char	*word;
	int		 min, max;	/* values */
	/* NULL, or what is wrong. */
	const char	*(*set)(struct conf *, const struct conf_line *);
	const char	*usage;
};
extern const struct conf_word	conf_words[];
void	conf_set(char **where, const char *value);

/* conf_user.c: the suite's users, by their own names. */
void	conf_users_init(struct conf *);
#endif
