/*
 * SELECT, EXAMINE, CLOSE, UNSELECT.  Runs in the account's worker.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "box.h"
#include "int.h"
#include "log.h"

void
imap_deselect(struct imap_session *s)
{
	if (s->box == NULL)
		return;
	view_close(&s->view);
	box_close(s->box);
	s->box = NULL;
}

static void
say_unseen(struct imap_session *s)
{
	uint32_t i;

	for (i = 0; i < s->view.count; i++)
		if (!(view_rec(s, i + 1)->flags & MSG_SEEN)) {
			imap_say(s, "OK [UNSEEN %u] the first one", i + 1);
			return;
		}
}

static void
say_mailbox(struct imap_session *s)
{
	const struct idx_head *h = s->box->idx.head;

	imap_say_flags(s);
	imap_say(s, "%u EXISTS", s->view.count);
	imap_say(s, "%u RECENT", s->view.nrecent);
	say_unseen(s);
	imap_say(s, "OK [UIDVALIDITY %u] of these UIDs", h->uidvalidity);
	imap_say(s, "OK [UIDNEXT %u] is the next", h->uidnext);
	imap_say(s, "OK [HIGHESTMODSEQ %llu] of all",
	    (unsigned long long)box_highest_modseq(s->box));
}

static void
select_box(struct imap_session *s, const char *name)
{
	if ((s->box = box_open(s->acct, name)) == NULL) {
		imap_no_errno(s, errno);
		return;
	}
	if (view_open(s) == -1) {
		int saved = errno;

		imap_deselect(s);
		imap_no_errno(s, saved);
		return;
	}
	say_mailbox(s);
	log_tag(LOG_LOW, s->log, "%s: %u message(s)", name, s->view.count);
	imap_ok(s, s->readonly ? "[READ-ONLY] done" : "[READ-WRITE] done");
}

static void
do_select(struct imap_session *s, struct cur *c, bool readonly)
{
	struct buf name;
	bool condstore = false;

	buf_init(&name, 0);
	if (imap_mailbox(s, c, &name)) {
		condstore = cur_caselit(c, " (CONDSTORE)");
		if (imap_alone(s, c)) {
			imap_deselect(s);
			s->readonly = readonly;
			if (condstore)
				imap_condstore(s);
			select_box(s, name.p);
		}
	}
	buf_free(&name);
}

void
cmd_select(struct imap_session *s, struct cur *c)
{
	do_select(s, c, false);
}

void
cmd_examine(struct imap_session *s, struct cur *c)
{
	do_select(s, c, true);
}

/* All that is \Deleted goes, and nobody here is told. */
static int
expunge_all(struct imap_session *s)
{
	uint32_t i, n = 0, count, *uids;
	const struct rec *r;
	int ret = 0, saved;

	if (box_refresh(s->box) == -1)
		return -1;
	count = box_count(s->box);
	if ((uids = calloc((size_t)count + 1, sizeof(*uids))) == NULL)
		return -1;
	for (i = 0; i < count; i++) {
		r = box_rec(s->box, i);
		if (r->flags & MSG_DELETED)
			uids[n++] = r->uid;
	}
	if (n > 0)
		ret = box_expunge(s->box, uids, n);
	saved = errno;
	free(uids);
	errno = saved;
	return ret;
}

void
cmd_close(struct imap_session *s, struct cur *c)
{
	if (!imap_alone(s, c))
		return;
	if (!s->readonly && expunge_all(s) == -1) {
		imap_no_errno(s, errno);
		return;
	}
	imap_deselect(s);
	imap_ok(s, "done");
}

void
cmd_unselect(struct imap_session *s, struct cur *c)
{
	if (!imap_alone(s, c))
		return;
	imap_deselect(s);
	imap_ok(s, "done");
}
