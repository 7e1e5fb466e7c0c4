/* The administration language inside a worker: what its files share. */
#ifndef CG_WORKER_ADMIN_H
#define CG_WORKER_ADMIN_H

#include <stdbool.h>

#include "dict.h"

struct acct;

/* A command; whether the caller may say it at all was decided by authd. */
struct wadmin {
	struct acct	*acct;
	const char	*account;	/* the owner's full name */
	const char	*actas;		/* by this user's rights, or "" */
	bool		 all;		/* who may do anything here */
	const struct val *args, *limits;
	/* The answer: 200 unless it is refused. */
	unsigned	 code;
	const char	*text;		/* constant */
	struct val	*data;		/* the answer's */
};

typedef void wadmin_fn(struct wadmin *);

struct wadmin_verb {
	const char	*name;
	wadmin_fn	*fn;
};

/* "" for what is not a text. */
const char	*wadmin_text(const struct wadmin *, size_t);
/* NULL if it is not of that type. */
const struct val *wadmin_val(const struct wadmin *, size_t, enum val_type);
void		 wadmin_no(struct wadmin *, const char *text);
/* What errno means to the caller, by such a table. */
struct wadmin_reason {
	int		 err;
	const char	*text;
};
void		 wadmin_because(struct wadmin *, const struct wadmin_reason *,
		    size_t);
/* What went wrong in the store. */
void		 wadmin_errno(struct wadmin *);
/* Has AUTH's user these rights (acl.h) in the mailbox?  Else it is refused. */
bool		 wadmin_may(struct wadmin *, const char *box, unsigned rights);
unsigned	 wadmin_rights(const struct wadmin *, const char *box);
/* account.info; NULL, and refused, when it cannot be read. */
struct val	*wadmin_info(struct wadmin *);
/* Makes a change of it durable, or refuses. */
void		 wadmin_save(struct wadmin *);

/* worker_admin_box.c, worker_admin_info.c, worker_admin_web.c */
extern const struct wadmin_verb	wadmin_box[], wadmin_info_verbs[], wadmin_web[];
#endif
