/* Who is in a group: a list of addresses, each recipient once. */
#ifndef ROUTERD_MEMBERS_H
#define ROUTERD_MEMBERS_H

#include "names.h"

struct members {
	const struct names *names;
	struct map	*out;		/* keys that are not to be there */
	struct map	*seen;		/* keys that are there; groups, too */
	struct buf	 list;		/* the addresses, a line each */
	uint32_t	 count;
	size_t		 all;		/* before any was left out */
	unsigned	 depth;		/* groups that are open */
};

void	members_init(struct members *, const struct names *);
void	members_free(struct members *);
/* First of all: an address, or an array of them, that gets nothing. */
void	members_leave_out_one(struct members *, const char *);
void	members_leave_out(struct members *, const struct val *);
/* A name alone is one of that domain. */
void	members_add(struct members *, const struct domain *, const char *);
void	members_add_group(struct members *, const struct domain *,
	    const char *name, const struct val *settings);
/* What Reply-To says of a group. */
void	members_reply_to(struct buf *, const char *realname, const char *name,
	    const char *domain);
#endif
