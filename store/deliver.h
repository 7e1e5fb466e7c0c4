/* What the formats' deliveries share: deliver.c. */
#ifndef CG_STORE_DELIVER_H
#define CG_STORE_DELIVER_H

#include <stddef.h>

#include "from.h"

struct box;
struct delivery;

enum {
	DELIVER_BUFFER = 1024 * 1024,
	DELIVER_HEAD = FROM_PATHMAX + 64 + 4096	/* of what is added */
};

/* Those that are neither known nor refused go to the format's append(). */
void	 deliver_all(struct box *, struct delivery *, size_t);

/* This thread's, or NULL. */
char	*deliver_buffer(void);
/* Return-Path and the lines to add; there is room for DELIVER_HEAD. */
size_t	 deliver_head(const struct delivery *, char *);
/* How many have no answer yet, and answering one, or all of them. */
size_t	 deliver_left(const struct delivery *, size_t);
void	 deliver_settle(struct delivery *, int code, const char *esc,
	    const char *text);
void	 deliver_tell(struct delivery *, size_t, int code, const char *esc,
	    const char *text);
/* By an errno. */
void	 deliver_failed(struct box *, struct delivery *, size_t, int err);
#endif
