/*
 * SEARCH and UID SEARCH: a message after another, a long one in pieces, some
 * milliseconds at a time, so that the account's other sessions do not wait for it; then the
 * numbers, as SEARCH or ESEARCH.  Runs in the account's worker.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "box.h"
#include "cache.h"
#include "int.h"
#include "search_judge.h"

enum {
	PIECE = 32 * 1024,	/* of an answer at a time */
	SLICE_MS = 5,		/* of work at a time */
	CHEAP = 256		/* messages between looks at the clock */
};

/* A SEARCH on its way. */
struct search {
	struct search_cmd cmd;
	struct judge	 judge;
	bool		 byuid;
	uint32_t	 seq;		/* of the last one that was judged */
	uint32_t	 nfound, cap;
	uint32_t	*found;
	uint64_t	 first, last, highest;	/* modseqs of what was found */
	bool		 telling;
	uint32_t	 told;
};

static void
search_drop(void *arg)
{
	struct search *q = arg;

	judge_free(&q->judge);
	search_free(&q->cmd);
	free(q->found);
	free(q);
}

/* --- the search --- */

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static bool
add_found(struct search *q, const struct candidate *m)
{
	uint32_t cap = q->cap == 0 ? 256 : q->cap * 2, *p;

	if (q->nfound == q->cap) {
		if ((p = reallocarray(q->found, cap, sizeof(*p))) == NULL)
			return false;
		q->found = p;
		q->cap = cap;
	}
	if (q->nfound == 0)
		q->first = m->rec->modseq;
	q->last = m->rec->modseq;
	if (q->last > q->highest)
		q->highest = q->last;
	q->found[q->nfound++] = q->byuid ? m->uid : m->seq;
	return true;
}

static bool
one_message(struct imap_session *s, struct search *q)
{
	struct candidate m = { .seq = q->seq + 1 };
	enum verdict v = JUDGE_NO;

	/* One that others have removed matches nothing. */
	if ((m.rec = view_rec(s, m.seq)) == NULL)
		judge_skip(&q->judge);
	else {
		m.uid = m.rec->uid;
		m.flags = m.rec->flags & ~(uint32_t)MSG_RECENT;
		if (view_recent(&s->view, m.uid))
			m.flags |= MSG_RECENT;
		m.keywords = m.rec->keywords;
		v = judge(&q->judge, &m);
	}
	if (v != JUDGE_LATER)
		q->seq = m.seq;
	return v != JUDGE_YES || add_found(q, &m);
}

/* Some milliseconds of it; false: no memory. */
static bool
some_messages(struct imap_session *s, struct search *q)
{
	uint32_t every = q->cmd.cost == COST_RECORD ? CHEAP : 1, n = 0;
	int64_t end = now_ms() + SLICE_MS;

	while (q->seq < s->view.count) {
		if (!one_message(s, q))
			return false;
		if (++n % every == 0 && now_ms() >= end)
			break;
	}
	return true;
}

/* --- the answer --- */

/* 1:4,7 */
static void
put_ranges(struct buf *b, const uint32_t *v, uint32_t n)
{
	uint32_t i, end;

	for (i = 0; i < n; i = end) {
		for (end = i + 1; end < n && v[end] == v[end - 1] + 1; end++)
			;
		if (i > 0)
			buf_putc(b, ',');
		imap_put_number(b, v[i]);
		if (end - i == 1)
			continue;
		buf_putc(b, ':');
		imap_put_number(b, v[end - 1]);
	}
}

static void
put_result(struct buf *b, const char *name, uint64_t n)
{
	buf_puts(b, name);
	imap_put_number(b, n);
}

/* The modseq that goes with what was asked for (RFC 4731, 3.2). */
static uint64_t
result_modseq(const struct search *q)
{
	uint64_t n = 0;

	if (q->cmd.ret & (RETURN_ALL | RETURN_COUNT))
		return q->highest;
	if (q->cmd.ret & RETURN_MIN)
		n = q->first;
	if (q->cmd.ret & RETURN_MAX && q->last > n)
		n = q->last;
	return n;
}

static void
put_esearch(struct imap_session *s, struct search *q)
{
	struct buf *b = &s->out;
	unsigned ret = q->cmd.ret;

	buf_puts(b, "* ESEARCH (TAG ");
	imap_put_string(b, str_make(s->tag));
	buf_puts(b, q->byuid ? ") UID" : ")");
	if (ret & RETURN_MIN && q->nfound > 0)
		put_result(b, " MIN ", q->found[0]);
	if (ret & RETURN_MAX && q->nfound > 0)
		put_result(b, " MAX ", q->found[q->nfound - 1]);
	if (ret & RETURN_COUNT)
		put_result(b, " COUNT ", q->nfound);
	if (ret & RETURN_ALL && q->nfound > 0) {
		buf_puts(b, " ALL ");
		put_ranges(b, q->found, q->nfound);
	}
	if (q->cmd.modseq && q->nfound > 0)
		put_result(b, " MODSEQ ", result_modseq(q));
	buf_puts(b, "\r\n");
	q->told = q->nfound;
}

/* A piece of SEARCH's list. */
static void
put_search(struct imap_session *s, struct search *q)
{
	struct buf *b = &s->out;
	size_t enough = b->len + PIECE;

	if (!q->telling)
		buf_puts(b, "* SEARCH");
	for (; q->told < q->nfound && b->len < enough; q->told++) {
		buf_putc(b, ' ');
		imap_put_number(b, q->found[q->told]);
	}
	if (q->told < q->nfound)
		return;
	if (q->cmd.modseq && q->nfound > 0) {
		put_result(b, " (MODSEQ ", q->highest);
		buf_putc(b, ')');
	}
	buf_puts(b, "\r\n");
}

static enum imap_more
search_more(struct imap_session *s, void *arg)
{
	struct search *q = arg;

	if (q->seq < s->view.count) {
		if (some_messages(s, q))
			return MORE_AGAIN;
		imap_no(s, "[UNAVAILABLE] out of memory");
		return MORE_DONE;
	}
	if (q->cmd.cost == COST_BODY)
		cache_flush(s->box);
	if (q->judge.failed) {
		imap_no(s, "[UNAVAILABLE] a message cannot be read now");
		return MORE_DONE;
	}
	if (q->cmd.esearch)
		put_esearch(s, q);
	else
		put_search(s, q);
	q->telling = true;
	if (q->told < q->nfound)
		return MORE_AGAIN;
	imap_ok(s, "done");
	return MORE_DONE;
}

static bool
begin(struct imap_session *s, struct cur *c, struct search *q)
{
	const struct view *v = &s->view;
	const char *why = search_parse(c, &q->cmd);

	if (why != NULL) {
		if (q->cmd.badcharset)
			imap_no(s, "[BADCHARSET] %s", why);
		else
			imap_bad(s, "%s", why);
		return false;
	}
	judge_init(&q->judge, &q->cmd, s->box, v->count,
	    v->count > 0 ? v->uids[v->count - 1] : 0);
	return true;
}

void
cmd_search(struct imap_session *s, struct cur *c)
{
	struct search *q = calloc(1, sizeof(*q));

	if (q == NULL) {
		imap_no(s, "[UNAVAILABLE] out of memory");
		return;
	}
	q->byuid = s->byuid;
	if (!begin(s, c, q)) {
		search_drop(q);
		return;
	}
	if (q->cmd.modseq)
		imap_condstore(s);
	imap_job(s, search_more, search_drop, q);
}
