/*
 * COPY and MOVE: all messages or none, on disk before the OK.  Many take their
 * time, and the account's other sessions have their turns meanwhile.  Runs in
 * the account's worker.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "box.h"
#include "copy.h"
#include "int.h"

struct copy {
	struct buf	 name;
	struct imap_set	 set, seqs;
	uint32_t	*uids, *newuids;	/* in one piece of memory */
	uint32_t	 n;
	bool		 move;
	struct box	*to;
	struct copying	*copying;
};

static void
copy_drop(void *arg)
{
	struct copy *cp = arg;

	if (cp->copying != NULL)
		copy_end(cp->copying);
	if (cp->to != NULL)
		box_close(cp->to);
	imap_set_free(&cp->set);
	imap_set_free(&cp->seqs);
	free(cp->uids);
	buf_free(&cp->name);
	free(cp);
}

static bool
parse(struct imap_session *s, struct cur *c, struct copy *cp)
{
	if (!imap_set(c, &cp->set) || !cur_lit(c, " ")) {
		imap_bad(s, "wrong set of messages");
		return false;
	}
	return imap_mailbox(s, c, &cp->name) && imap_alone(s, c) &&
	    view_resolve(s, &cp->set, s->byuid, &cp->seqs);
}

static bool
choose(struct imap_session *s, struct copy *cp)
{
	const struct rec *r;
	uint32_t i, seq;

	cp->uids = calloc((size_t)s->view.count + 1, 2 * sizeof(uint32_t));
	if (cp->uids == NULL)
		return false;
	cp->newuids = cp->uids + s->view.count + 1;
	for (i = 0; i < cp->seqs.n; i++)
		for (seq = cp->seqs.v[i].lo; seq <= cp->seqs.v[i].hi; seq++)
			if ((r = view_rec(s, seq)) != NULL)
				cp->uids[cp->n++] = r->uid;
	return true;
}

/* Takes out what was not there any more. */
static void
keep_copied(struct copy *cp)
{
	uint32_t i, n = 0;

	for (i = 0; i < cp->n; i++)
		if (cp->newuids[i] != 0) {
			cp->uids[n] = cp->uids[i];
			cp->newuids[n++] = cp->newuids[i];
		}
	cp->n = n;
}

/* "COPYUID 17 1:3,5 8:11" */
static bool
put_copyuid(struct buf *b, uint32_t uidvalidity, const struct copy *cp)
{
	struct imap_set from = { 0 }, to = { 0 };
	bool good = true;
	uint32_t i;

	for (i = 0; i < cp->n && good; i++)
		good = imap_set_add(&from, cp->uids[i], cp->uids[i]) &&
		    imap_set_add(&to, cp->newuids[i], cp->newuids[i]);
	if (good) {
		buf_puts(b, "COPYUID ");
		imap_put_number(b, uidvalidity);
		buf_putc(b, ' ');
		imap_put_set(b, &from);
		buf_putc(b, ' ');
		imap_put_set(b, &to);
	}
	imap_set_free(&from);
	imap_set_free(&to);
	return good && !b->failed;
}

/* Copied: says so, and with a MOVE takes them away. */
static void
finish(struct imap_session *s, struct copy *cp)
{
	struct buf b;

	keep_copied(cp);
	buf_init(&b, 0);
	if (cp->n == 0)
		imap_ok(s, "nothing to be done");
	else if (!put_copyuid(&b, cp->to->idx.head->uidvalidity, cp))
		imap_no(s, "[UNAVAILABLE] out of memory");
	else if (!cp->move)
		imap_ok(s, "[%s] done", b.p);
	else if (box_expunge(s->box, cp->uids, cp->n) == -1)
		imap_no_errno(s, errno);
	else {
		imap_say(s, "OK [%s] moved", b.p);
		imap_ok(s, "done");
	}
	buf_free(&b);
}

static enum imap_more
copy_some(struct imap_session *s, void *arg)
{
	struct copy *cp = arg;

	switch (copy_more(cp->copying)) {
	case 1:
		return MORE_AGAIN;
	case 0:
		finish(s, cp);
		break;
	default:
		imap_no_errno(s, errno);
		break;
	}
	return MORE_DONE;
}

/* True: it is on its way; else it was answered. */
static bool
begin(struct imap_session *s, struct cur *c, struct copy *cp)
{
	if (!parse(s, c, cp))
		return false;
	if ((cp->to = box_open(s->acct, cp->name.p)) == NULL) {
		imap_no_target(s, errno);
		return false;
	}
	if (choose(s, cp) && (cp->move ||
	    copy_fits(s->box, cp->uids, cp->n) == 0))
		cp->copying = copy_begin(s->box, cp->uids, cp->n, cp->to,
		    cp->newuids);
	if (cp->copying == NULL)
		imap_no_errno(s, errno);
	return cp->copying != NULL;
}

static void
copy_or_move(struct imap_session *s, struct cur *c, bool move)
{
	struct copy *cp = calloc(1, sizeof(*cp));

	if (cp == NULL) {
		imap_no(s, "[UNAVAILABLE] out of memory");
		return;
	}
	buf_init(&cp->name, 0);
	cp->move = move;
	if (begin(s, c, cp))
		imap_job(s, copy_some, copy_drop, cp);
	else
		copy_drop(cp);
}

void
cmd_copy(struct imap_session *s, struct cur *c)
{
	copy_or_move(s, c, false);
}

void
cmd_move(struct imap_session *s, struct cur *c)
{
	copy_or_move(s, c, true);
}
