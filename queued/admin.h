/* What administrators ask of the queue: admin.c, admin_show.c, admin_do.c. */
#ifndef CG_QUEUED_ADMIN_H
#define CG_QUEUED_ADMIN_H

#include "queued.h"

enum {
	ADMIN_LISTED = 300,	/* messages or queues in one answer */
	ADMIN_MAXDATA = 60000
};

struct request {
	struct ipc_ref	 ref;
	const struct verb *verb;
	struct val	*args;
};

/* 200, or the error's code; 0: admin_reply() follows, which frees it. */
typedef unsigned int admin_fn(struct request *, struct val **data,
    const char **text);

struct verb {
	const char	*name;
	const char	*right;
	admin_fn	*run;
};

void	admin_reply(struct request *, unsigned int code, const char *text,
	    const struct val *data);
const char *admin_text(const struct request *, size_t n);	/* or "" */
/* The message that the first argument numbers; NULL, and *text. */
struct msg *admin_msg(const struct request *, const char **text);

admin_fn admin_list_queues, admin_list_messages, admin_message,
    admin_release, admin_release_message, admin_delay, admin_delay_message,
    admin_reject, admin_reject_message, admin_move, admin_wakeup;
#endif
