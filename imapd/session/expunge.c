/*
 * EXPUNGE and UID EXPUNGE: on disk before anybody is told.  Runs in the
 * account's worker.
 */
#include <errno.h>
#include <stdlib.h>

#include "box.h"
#include "int.h"

/* Those that are \Deleted (and in the set, if there is one). */
static uint32_t
deleted(struct imap_session *s, const struct imap_set *set, uint32_t *uids)
{
	uint32_t i, count = box_count(s->box), n = 0, max = 0;
	const struct rec *r;

	if (s->view.count > 0)
		max = s->view.uids[s->view.count - 1];
	for (i = 0; i < count; i++) {
		r = box_rec(s->box, i);
		if (r->flags & MSG_DELETED &&
		    (set == NULL || imap_set_has(set, r->uid, max)))
			uids[n++] = r->uid;
	}
	return n;
}

/* -1 and errno, or how many. */
static int64_t
expunge(struct imap_session *s, const struct imap_set *set)
{
	uint32_t *uids, n;
	int ret = 0, saved;

	if (box_refresh(s->box) == -1)
		return -1;
	uids = calloc((size_t)box_count(s->box) + 1, sizeof(*uids));
	if (uids == NULL)
		return -1;
	n = deleted(s, set, uids);
	if (n > 0)
		ret = box_expunge(s->box, uids, n);
	saved = errno;
	free(uids);
	errno = saved;
	return ret == -1 ? -1 : (int64_t)n;
}

void
cmd_expunge(struct imap_session *s, struct cur *c)
{
	struct imap_set set = { 0 };
	int64_t n;

	if (s->byuid && !imap_set(c, &set)) {
		imap_set_free(&set);
		imap_bad(s, "wrong set of messages");
		return;
	}
	if (imap_alone(s, c)) {
		n = expunge(s, s->byuid ? &set : NULL);
		if (n == -1)
			imap_no_errno(s, errno);
		else if (n > 0 && s->condstore)
			imap_ok(s, "[HIGHESTMODSEQ %llu] done",
			    (unsigned long long)box_highest_modseq(s->box));
		else
			imap_ok(s, "done");
	}
	imap_set_free(&set);
}
