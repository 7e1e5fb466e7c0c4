/*
 * STORE and UID STORE: all messages in one change, on disk before the OK;
 * then the answers, as the client takes them.  Runs in the account's worker.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "box.h"
#include "int.h"

enum {
	PIECE = 32 * 1024,
	SETTABLE = MSG_SEEN | MSG_ANSWERED | MSG_FLAGGED | MSG_DELETED |
	    MSG_DRAFT
};

enum how { REPLACE, ADD, REMOVE };

struct store {
	enum how	 how;
	bool		 silent;
	bool		 since;		/* (UNCHANGEDSINCE n) */
	uint64_t	 modified;
	struct imap_flags flags;
	struct imap_set	 seqs;
	uint32_t	*uids;		/* what was changed */
	uint32_t	 n, at;
	uint64_t	 before;	/* modseqs of what changed are higher */
	struct imap_set	 failed;	/* MODIFIED: numbers, or UIDs */
	bool		 byuid;
	bool		 changed;	/* it is done, not yet told */
};

static void
store_drop(void *arg)
{
	struct store *st = arg;

	imap_set_free(&st->seqs);
	imap_set_free(&st->failed);
	free(st->uids);
	free(st);
}

/* --- the command --- */

static const struct {
	const char	*word;
	enum how	 how;
	bool		 silent;
} words[] = {
	{ "FLAGS", REPLACE, false },
	{ "FLAGS.SILENT", REPLACE, true },
	{ "+FLAGS", ADD, false },
	{ "+FLAGS.SILENT", ADD, true },
	{ "-FLAGS", REMOVE, false },
	{ "-FLAGS.SILENT", REMOVE, true },
};

static const char *
parse_flags(struct cur *c, struct store *st)
{
	struct str word = cur_until(c, " ");
	const char *why;
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_caseeq(word, words[i].word))
			break;
	if (i == sizeof(words) / sizeof(words[0]) || !cur_lit(c, " "))
		return "wrong item";
	st->how = words[i].how;
	st->silent = words[i].silent;
	if ((why = imap_flags_parse(c, &st->flags)) != NULL)
		return why;
	return cur_left(c) == 0 ? NULL : "unexpected text after the flags";
}

static const char *
parse_store(struct cur *c, struct store *st, struct imap_set *set)
{
	if (!imap_set(c, set) || !cur_lit(c, " "))
		return "wrong set of messages";
	if (cur_peek(c) == '(') {
		if (!cur_caselit(c, "(UNCHANGEDSINCE ") ||
		    !cur_u64(c, &st->modified, INT64_MAX) ||
		    !cur_lit(c, ") "))
			return "wrong modifier";
		st->since = true;
	}
	return parse_flags(c, st);
}

/* --- the change --- */

/* The UIDs to change; those that others changed go to the failed ones. */
static bool
choose(struct imap_session *s, struct store *st)
{
	const struct rec *r;
	uint32_t i, seq;

	st->uids = calloc((size_t)s->view.count + 1, sizeof(*st->uids));
	if (st->uids == NULL)
		return false;
	for (i = 0; i < st->seqs.n; i++)
		for (seq = st->seqs.v[i].lo; seq <= st->seqs.v[i].hi; seq++) {
			if ((r = view_rec(s, seq)) == NULL)
				continue;
			if (!st->since || r->modseq <= st->modified) {
				st->uids[st->n++] = r->uid;
				continue;
			}
			if (!imap_set_add(&st->failed,
				s->byuid ? r->uid : seq,
				s->byuid ? r->uid : seq))
				return false;
		}
	return true;
}

static void
change_of(const struct store *st, uint32_t bits, struct flag_change *change)
{
	memset(change, 0, sizeof(*change));
	if (st->how == REMOVE) {
		change->clear = st->flags.flags & SETTABLE;
		change->kwclear = bits;
		return;
	}
	change->set = st->flags.flags & SETTABLE;
	change->kwset = bits;
	if (st->how == REPLACE) {
		change->clear = SETTABLE;
		change->kwclear = UINT32_MAX;
	}
}

/* 0, or -1 and errno. */
static int
change(struct imap_session *s, struct store *st)
{
	struct flag_change how;
	uint32_t bits;

	if (imap_flags_bits(s->box, &st->flags, st->how != REMOVE, &bits) ==
	    -1)
		return -1;
	if (!choose(s, st)) {
		errno = ENOMEM;
		return -1;
	}
	st->before = box_highest_modseq(s->box);
	change_of(st, bits, &how);
	if (st->n > 0 && box_change(s->box, st->uids, st->n, &how) == -1)
		return -1;
	imap_told(s);
	return 0;
}

/* --- the answer --- */

static void
put_message(struct imap_session *s, struct store *st, const struct rec *r,
    uint32_t seq)
{
	struct buf *b = &s->out;
	const char *space = "";

	buf_add(b, "* ", 2);
	imap_put_number(b, seq);
	buf_add(b, " FETCH (", 8);
	if (st->byuid) {
		buf_add(b, "UID ", 4);
		imap_put_number(b, r->uid);
		space = " ";
	}
	if (s->condstore) {
		buf_puts(b, space);
		buf_add(b, "MODSEQ (", 8);
		imap_put_number(b, r->modseq);
		buf_add(b, ")", 1);
		space = " ";
	}
	if (!st->silent) {
		buf_puts(b, space);
		buf_add(b, "FLAGS ", 6);
		imap_put_flags(b, s->box, r->flags, r->keywords,
		    view_recent(&s->view, r->uid));
	}
	buf_add(b, ")\r\n", 3);
}

static void
finish(struct imap_session *s, struct store *st)
{
	struct buf b;

	if (st->failed.n == 0) {
		imap_ok(s, "done");
		return;
	}
	buf_init(&b, 0);
	imap_put_set(&b, &st->failed);
	if (b.failed || b.len == 0)
		imap_no(s, "[UNAVAILABLE] out of memory");
	else
		imap_ok(s, "[MODIFIED %s] some were changed by others", b.p);
	buf_free(&b);
}

static enum imap_more
store_more(struct imap_session *s, void *arg)
{
	struct store *st = arg;
	size_t enough = s->out.len + PIECE;
	const struct rec *r;
	int told;

	if (!st->changed) {
		told = imap_update(s, false);
		if (told == 1)
			return MORE_AGAIN;
		if (told == -1 || change(s, st) == -1) {
			imap_no_errno(s, errno);
			return MORE_DONE;
		}
		st->changed = true;
	}
	/* SILENT's client still wants the modseqs that it caused. */
	if (st->silent && !s->condstore)
		st->at = st->n;
	for (; st->at < st->n; st->at++) {
		if (s->out.len >= enough)
			return MORE_AGAIN;
		r = box_find(s->box, st->uids[st->at]);
		if (r != NULL && (!st->silent || r->modseq > st->before))
			put_message(s, st, r, view_seq(&s->view, r->uid));
	}
	finish(s, st);
	return MORE_DONE;
}

void
cmd_store(struct imap_session *s, struct cur *c)
{
	struct store *st = calloc(1, sizeof(*st));
	struct imap_set set = { 0 };
	const char *why = NULL;

	if (st == NULL) {
		imap_no(s, "[UNAVAILABLE] out of memory");
		return;
	}
	st->byuid = s->byuid;
	if ((why = parse_store(c, st, &set)) != NULL)
		imap_bad(s, "%s", why);
	else if (view_resolve(s, &set, s->byuid, &st->seqs)) {
		if (st->since)
			imap_condstore(s);
		imap_job(s, store_more, store_drop, st);
		st = NULL;
	}
	imap_set_free(&set);
	if (st != NULL)
		store_drop(st);
}
