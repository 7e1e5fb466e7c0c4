/*
 * Judging messages by SEARCH's keys, the cheap ones first.  Runs in the
 * account's worker.
 */
#include <string.h>

#include "box.h"
#include "keyword.h"
#include "search_judge.h"

static bool	matches(struct judge *, const struct search_node *);

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
}

void
judge_free(struct judge *j)
{
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

static bool
text_matches(struct judge *j, const struct search_node *n)
{
	int r;

	if (n->key == SEARCH_HEADER)
		r = text_header(&j->text, n->field, &n->needle);
	else
		r = text_body(&j->text, &n->needle, n->key == SEARCH_TEXT);
	if (r == -1)
		j->failed = true;
	return r == 1;
}

static bool
list_matches(struct judge *j, const struct search_node *n)
{
	bool or = n->key == SEARCH_OR;
	uint32_t i;

	for (i = n->child; i != 0; i = j->cmd->nodes[i].next)
		if (matches(j, &j->cmd->nodes[i]) == or)
			return or;
	return !or;
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

static bool
matches(struct judge *j, const struct search_node *n)
{
	bool yes;

	switch (n->key) {
	case SEARCH_AND:
	case SEARCH_OR:
		yes = list_matches(j, n);
		break;
	case SEARCH_HEADER:
	case SEARCH_BODY:
	case SEARCH_TEXT:
		yes = text_matches(j, n);
		break;
	case SEARCH_SENTBEFORE:
	case SEARCH_SENTON:
	case SEARCH_SENTSINCE:
		yes = sent_matches(j, n);
		break;
	default:
		yes = record_matches(j, n);
		break;
	}
	return yes != n->not;
}

bool
judge(struct judge *j, const struct candidate *m)
{
	j->at = m;
	text_message(&j->text, m->rec);
	return matches(j, &j->cmd->nodes[0]);
}
