/* Which messages are \Recent, and taking that from them.  For workers only. */
#include "box.h"
#include "log.h"
#include "outside.h"
#include "patch.h"
#include "recent.h"

/* Are the records still true, for what is written now? */
static bool
begin(struct box *b)
{
	if (b->outside == NULL)
		return true;
	if (b->bad || outside_lock(b) == -1)
		return false;
	if (!outside_changed(b) && b->checked)
		return true;
	outside_unlock(b, false);
	return false;
}

void
recent_claim(struct box *b, uint32_t from, bool take,
    void (*cb)(void *, uint32_t), void *arg)
{
	uint32_t i, count;
	struct patch p;
	struct rec *r;

	/* Files get other names: those of a copy under way stay. */
	if (take) {
		box_put_settle(b, true);
		take = begin(b);
	}
	count = box_count(b);
	patch_begin(&p, b->fd, b->size, count - from, b->outside == NULL);
	for (i = from; i < count; i++) {
		r = box_rec(b, i);
		if (!(r->flags & MSG_RECENT))
			continue;
		cb(arg, r->uid);
		if (!take)
			continue;
		/* A line of foreign width is not worth a rewrite for this. */
		if ((r->flags & REC_FIXED) && b->fmt->mark(b, &p, r,
		    r->flags & ~(uint32_t)MSG_RECENT, r->keywords) == -1) {
			log_warn("%s: recent", b->file);
			continue;
		}
		r->flags &= ~(uint32_t)MSG_RECENT;
		idx_seal(&b->idx, r);
	}
	patch_end(&p);
	if (take)
		outside_unlock(b, true);
}
