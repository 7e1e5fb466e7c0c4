/*
 * Judging messages by SEARCH's keys, the cheap ones first.  What text a message
 * has is found out for all keys together, so the tree is asked first with that
 * unknown, and again when something was found.  Runs in the account's worker.
 */
#include <string.h>

#include "box.h"
#include "keyword.h"
#include "search_judge.h"

/* Bytes times needles: what is spent on a message before others have a turn. */
enum { ENOUGH = 1024 * 1024, NODE = 16, FIELDS = 8 };

static enum verdict matches(struct judge *, struct search_node *);

void
judge_init(struct judge *j, struct search_cmd *cmd, struct box *b,
    uint32_t maxseq, uint32_t maxuid)
{
	struct search_node *n;
	uint32_t i;
	int bit;

	memset(j, 0, sizeof(*j));
	j->cmd = cmd;
	j->maxseq = maxseq;
	j->maxuid = maxuid;
	for (i = 0; i < cmd->nnodes; i++) {
		n = &cmd->nodes[i];
		if (n->key != SEARCH_KEYWORD)
			continue;
		/* One that nobody knows has no bit: no message has it. */
		bit = keyword_find(b, n->text.p, n->text.len);
		n->number = bit >= 0 ? 1LL << bit : 0;
	}
	text_init(&j->text, b, cmd->cost == COST_BODY);
	body_init(&j->body, &j->text);
}

void
judge_free(struct judge *j)
{
	body_free(&j->body);
	text_free(&j->text);
}

static int64_t
day_of(int64_t when)
{
	return when >= 0 ? when / 86400 : (when - 86399) / 86400;
}

static bool
sent_matches(struct judge *j, const struct search_node *n)
{
	int64_t day;
	int r = text_sent(&j->text, &day);

	if (r == -1)
		j->failed = true;
	if (r != 1)
		return false;
	if (n->key == SEARCH_SENTBEFORE)
		return day < n->number;
	return n->key == SEARCH_SENTON ? day == n->number : day >= n->number;
}

static enum verdict
header_matches(struct judge *j, struct search_node *n)
{
	int r;

	if (n->known != j->serial) {
		if (j->spent >= ENOUGH)
			return JUDGE_LATER;
		r = text_header(&j->text, n->field, &n->needle);
		if (r == -1)
			j->failed = true;
		n->known = j->serial;
		n->yes = r == 1;
		j->spent += j->text.header * FIELDS;
	}
	return n->yes ? JUDGE_YES : JUDGE_NO;
}

static enum verdict
body_matches(struct judge *j, struct search_node *n)
{
	struct body *y = &j->body;

	if (n->needle.len == 0)
		return JUDGE_YES;
	if (n->asked == j->serial) {
		if (n->needle.found)
			return JUDGE_YES;
		return y->at == BODY_DONE ? JUDGE_NO : JUDGE_LATER;
	}
	/* Flags have changed meanwhile, and it matters now: another pass. */
	if (y->at == BODY_DONE)
		body_reset(y);
	if (y->at == BODY_ASK) {
		n->asked = j->serial;
		if (!body_ask(y, &n->needle, n->key == SEARCH_TEXT))
			j->failed = true;
	}
	return JUDGE_LATER;
}

static enum verdict
list_matches(struct judge *j, const struct search_node *n)
{
	enum verdict end = n->key == SEARCH_OR ? JUDGE_YES : JUDGE_NO, v;
	enum verdict all = n->key == SEARCH_OR ? JUDGE_NO : JUDGE_YES;
	uint32_t i;

	for (i = n->child; i != 0; i = j->cmd->nodes[i].next) {
		v = matches(j, &j->cmd->nodes[i]);
		if (v == end)
			return v;
		if (v == JUDGE_LATER)
			all = v;
	}
	return all;
}

static bool
record_matches(struct judge *j, const struct search_node *n)
{
	const struct candidate *m = j->at;
	uint64_t number = (uint64_t)n->number;

	switch (n->key) {
	case SEARCH_FLAGS:
		return (m->flags & number) == number;
	case SEARCH_KEYWORD:
		return (m->keywords & number) != 0;
	case SEARCH_SET:
		return imap_set_has(&n->set, m->seq, j->maxseq);
	case SEARCH_UID:
		return imap_set_has(&n->set, m->uid, j->maxuid);
	case SEARCH_BEFORE:
		return day_of(m->rec->date) < n->number;
	case SEARCH_ON:
		return day_of(m->rec->date) == n->number;
	case SEARCH_SINCE:
		return day_of(m->rec->date) >= n->number;
	case SEARCH_LARGER:
		return m->rec->wire > number;
	case SEARCH_SMALLER:
		return m->rec->wire < number;
	case SEARCH_MODSEQ:
		return m->rec->modseq >= number;
	default:
		return true;
	}
}

static enum verdict
matches(struct judge *j, struct search_node *n)
{
	enum verdict v;

	switch (n->key) {
	case SEARCH_AND:
	case SEARCH_OR:
		v = list_matches(j, n);
		break;
	case SEARCH_HEADER:
		v = header_matches(j, n);
		break;
	case SEARCH_BODY:
	case SEARCH_TEXT:
		v = body_matches(j, n);
		break;
	case SEARCH_SENTBEFORE:
	case SEARCH_SENTON:
	case SEARCH_SENTSINCE:
		v = sent_matches(j, n) ? JUDGE_YES : JUDGE_NO;
		break;
	default:
		v = record_matches(j, n) ? JUDGE_YES : JUDGE_NO;
		break;
	}
	if (!n->not || v == JUDGE_LATER)
		return v;
	return v == JUDGE_YES ? JUDGE_NO : JUDGE_YES;
}

void
judge_skip(struct judge *j)
{
	j->inside = false;
}

enum verdict
judge(struct judge *j, const struct candidate *m)
{
	enum verdict v;

	j->at = m;
	j->spent = 0;
	if (!j->inside) {
		text_message(&j->text, m->rec);
		body_reset(&j->body);
		j->serial++;
	}
	/* It may have moved in its file. */
	j->text.rec = m->rec;
	j->inside = true;
	while ((v = matches(j, &j->cmd->nodes[0])) == JUDGE_LATER) {
		j->spent += (uint64_t)j->cmd->nnodes * NODE;
		if (j->failed)
			break;
		if (j->spent >= ENOUGH)
			return v;
		if (body_run(&j->body, &j->spent, ENOUGH) == -1)
			j->failed = true;
	}
	j->inside = false;
	return v == JUDGE_YES ? v : JUDGE_NO;
}
