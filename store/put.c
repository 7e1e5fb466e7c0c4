/*
 * Putting many messages into a mailbox, a piece at a time: in workers only.
 * What is half written is nobody's business, so whoever comes to that mailbox
 * meanwhile brings it to its end first; and so does who changes flags of what
 * is being moved away, since the copies have those that were.
 */
#include <errno.h>
#include <stdlib.h>

#include "box.h"
#include "outside.h"

struct putting {
	struct box	*to, *from;
	struct put	*put;
	int		 left, err;	/* more()'s last answer and errno */
};

int
box_put_more(struct putting *p)
{
	if (p->left == 1) {
		p->left = p->to->fmt->put_more(p->put);
		p->err = errno;
		if (p->left != 1)
			p->to->acct->putting = NULL;
	}
	errno = p->err;
	return p->left;
}

void
box_put_settle(struct box *b, bool changed)
{
	struct putting *p = b->acct->putting;

	if (p == NULL || (p->to != b && !(changed && p->from == b)))
		return;
	while (box_put_more(p) == 1)
		continue;
}

struct putting *
box_put_begin(struct box *to, struct stored_msg *m, size_t n,
    struct box *from)
{
	struct putting *p;
	int err;

	if (to->acct->putting != NULL)
		box_put_settle(to->acct->putting->to, false);
	/* What others added without a UID has its own first. */
	if (outside_lock(to) == -1)
		return NULL;
	if (box_refresh(to) == -1 || (p = calloc(1, sizeof(*p))) == NULL) {
		outside_unlock(to, false);
		return NULL;
	}
	p->to = to;
	p->from = from;
	p->left = 1;
	if ((p->put = to->fmt->put_begin(to, m, n)) == NULL) {
		err = errno;
		outside_unlock(to, true);
		free(p);
		errno = err;
		return NULL;
	}
	to->acct->putting = p;
	return p;
}

void
box_put_end(struct putting *p)
{
	if (p->to->acct->putting == p)
		p->to->acct->putting = NULL;
	p->to->fmt->put_end(p->put);
	outside_unlock(p->to, true);
	free(p);
}

int
box_put(struct box *b, struct stored_msg *m, size_t n)
{
	struct putting *p;
	int ret, err;

	if (n == 0)
		return 0;
	if ((p = box_put_begin(b, m, n, NULL)) == NULL)
		return -1;
	while ((ret = box_put_more(p)) == 1)
		continue;
	err = errno;
	box_put_end(p);
	errno = err;
	return ret;
}
