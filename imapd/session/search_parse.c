/*
 * SEARCH's keys to a tree.  Knows no mailbox; runs in the account's worker
 * and in the fuzzer.
 */
#include <stdlib.h>
#include <string.h>

#include "charset.h"
#include "from.h"
#include "search.h"

static const char no_memory[] = "out of memory";
static const char too_many[] = "too many search keys";

/* A parse on its way. */
struct parse {
	struct cur		*c;
	struct search_cmd	*cmd;
	struct charset		*charset;	/* NULL: UTF-8 */
	const char		*why;		/* what is wrong */
	unsigned		 depth;
};

static uint32_t	parse_key(struct parse *);

/* 0 says that it went wrong; why says what. */
static uint32_t
fail(struct parse *p, const char *why)
{
	if (p->why == NULL)
		p->why = why;
	return 0;
}

static uint32_t
add_node(struct parse *p, enum search_key key)
{
	struct search_cmd *s = p->cmd;
	struct search_node *n;
	uint32_t cap = s->cap == 0 ? 16 : s->cap * 2;

	if (s->nnodes == SEARCH_MAXKEYS)
		return fail(p, too_many);
	if (s->nnodes == s->cap) {
		if ((n = reallocarray(s->nodes, cap, sizeof(*n))) == NULL)
			return fail(p, no_memory);
		s->nodes = n;
		s->cap = cap;
	}
	n = &s->nodes[s->nnodes];
	memset(n, 0, sizeof(*n));
	n->key = key;
	return s->nnodes++;
}

/* --- days --- */

int64_t
search_day(int year, int month, int day)
{
	/* Years begin in March here: a leap day is the last of its year. */
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t m = (month + 9) % 12;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day -
	    1 - 719468;
}

static bool
month_name(struct cur *c, int *month)
{
	static const char names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	int i;

	for (i = 0; i < 12; i++)
		if (cur_caselit(c, names[i])) {
			*month = i + 1;
			return true;
		}
	return false;
}

/* d-Mmm-yyyy, in quotes or not. */
static bool
parse_date(struct cur *c, int64_t *out)
{
	bool quoted = cur_lit(c, "\"");
	uint64_t day, year;
	int month;

	cur_lit(c, " ");
	if (!cur_u64(c, &day, 31) || day == 0 || !cur_lit(c, "-") ||
	    !month_name(c, &month) || !cur_lit(c, "-") ||
	    !cur_u64(c, &year, 9999) || (quoted && !cur_lit(c, "\"")))
		return false;
	*out = search_day((int)year, month, (int)day);
	return true;
}

bool
search_date(struct str s, int64_t *out)
{
	struct cur c = cur_make(s.p, s.len);
	uint64_t day, year;
	int month;

	/* A day's name, or none. */
	for (; cur_left(&c) > 0; cur_skip(&c, 1))
		if (cur_peek(&c) >= '0' && cur_peek(&c) <= '9')
			break;
	if (!cur_u64(&c, &day, 31) || day == 0)
		return false;
	cur_span(&c, " \t\r\n-");
	if (!month_name(&c, &month))
		return false;
	cur_until(&c, " \t\r\n-");	/* of a month spelt out */
	cur_span(&c, " \t\r\n-");
	if (!cur_u64(&c, &year, 9999))
		return false;
	if (year < 50)
		year += 2000;
	else if (year < 1000)
		year += 1900;
	*out = search_day((int)year, month, (int)day);
	return true;
}

/* --- arguments --- */

static bool
space(struct parse *p)
{
	if (cur_lit(p->c, " "))
		return true;
	fail(p, "missing argument");
	return false;
}

/* An astring as it is, kept. */
static bool
raw_string(struct parse *p, struct str *out)
{
	struct buf *b = &p->cmd->text;
	size_t start = b->len;

	out->p = b->p + start;
	out->len = 0;
	if (!imap_astring(p->c, b)) {
		fail(p, b->failed ? no_memory : "wrong string");
		return false;
	}
	out->len = b->len - start;
	return true;
}

/* An astring in the search's charset, kept as UTF-8. */
static bool
text_string(struct parse *p, struct str *out)
{
	struct buf *b = &p->cmd->text;
	size_t start;

	if (!raw_string(p, out) || p->charset == NULL)
		return p->why == NULL;
	start = b->len;
	charset_reset(p->charset);
	if (!charset_utf8(p->charset, out->p, out->len, true, b)) {
		fail(p, no_memory);
		return false;
	}
	out->p = b->p + start;
	out->len = b->len - start;
	return true;
}

static uint32_t
text_key(struct parse *p, enum search_key key, const char *field)
{
	struct str name = str_make(field != NULL ? field : ""), text;
	struct search_node *n;
	uint32_t i;

	if (key == SEARCH_HEADER && field == NULL &&
	    (!space(p) || !raw_string(p, &name)))
		return 0;
	if (!space(p) || !text_string(p, &text) || (i = add_node(p, key)) == 0)
		return 0;
	n = &p->cmd->nodes[i];
	n->field = name;
	n->text = text;
	n->cost = key == SEARCH_HEADER ? COST_HEADER : COST_BODY;
	return needle_init(&n->needle, text) ? i : fail(p, no_memory);
}

static uint32_t
number_key(struct parse *p, enum search_key key)
{
	uint64_t v;
	uint32_t i;

	if (!space(p))
		return 0;
	if (!cur_u64(p->c, &v, UINT32_MAX))
		return fail(p, "wrong number");
	if ((i = add_node(p, key)) != 0)
		p->cmd->nodes[i].number = (int64_t)v;
	return i;
}

/* MODSEQ ["/flags/\\Seen" all] n: which flag is not what we keep it by. */
static uint32_t
modseq_key(struct parse *p)
{
	struct str entry;
	uint64_t v;
	uint32_t i;

	if (!space(p))
		return 0;
	if (cur_peek(p->c) == '"') {
		if (!raw_string(p, &entry) || !space(p))
			return 0;
		if (!cur_caselit(p->c, "shared ") &&
		    !cur_caselit(p->c, "priv ") && !cur_caselit(p->c, "all "))
			return fail(p, "wrong entry type");
	}
	if (!cur_u64(p->c, &v, INT64_MAX))
		return fail(p, "wrong number");
	p->cmd->modseq = true;
	if ((i = add_node(p, SEARCH_MODSEQ)) != 0)
		p->cmd->nodes[i].number = (int64_t)v;
	return i;
}

static uint32_t
date_key(struct parse *p, enum search_key key)
{
	int64_t day;
	uint32_t i;

	if (!space(p))
		return 0;
	if (!parse_date(p->c, &day))
		return fail(p, "wrong date");
	if ((i = add_node(p, key)) == 0)
		return 0;
	p->cmd->nodes[i].number = day;
	if (key >= SEARCH_SENTBEFORE && key <= SEARCH_SENTSINCE)
		p->cmd->nodes[i].cost = COST_HEADER;
	return i;
}

static uint32_t
keyword_key(struct parse *p)
{
	struct str name;
	uint32_t i;

	if (!space(p) || !raw_string(p, &name))
		return 0;
	if ((i = add_node(p, SEARCH_KEYWORD)) != 0)
		p->cmd->nodes[i].text = name;
	return i;
}

static uint32_t
set_key(struct parse *p, enum search_key key)
{
	uint32_t i;

	if (key == SEARCH_UID && !space(p))
		return 0;
	if ((i = add_node(p, key)) == 0)
		return 0;
	if (!imap_set(p->c, &p->cmd->nodes[i].set))
		return fail(p, "wrong set of messages");
	return i;
}

/* --- keys made of keys --- */

/* Key after key while this stands between them; the list's first, or 0. */
static uint32_t
key_list(struct parse *p)
{
	uint32_t first = 0, last = 0, i;

	do {
		if ((i = parse_key(p)) == 0)
			return 0;
		if (first == 0)
			first = i;
		else
			p->cmd->nodes[last].next = i;
		last = i;
	} while (cur_lit(p->c, " "));
	return first;
}

static uint32_t
and_key(struct parse *p)
{
	uint32_t i = add_node(p, SEARCH_AND), first;

	if (i == 0 || (first = key_list(p)) == 0)
		return 0;
	if (!cur_lit(p->c, ")"))
		return fail(p, "missing )");
	p->cmd->nodes[i].child = first;
	return i;
}

/* OR a OR b OR c d, as clients write long lists: one OR, however long. */
static uint32_t
or_key(struct parse *p)
{
	uint32_t i = add_node(p, SEARCH_OR), k, last;

	if (i == 0 || !space(p) || (last = parse_key(p)) == 0)
		return 0;
	p->cmd->nodes[i].child = last;
	for (;;) {
		bool more;

		if (!space(p))
			return 0;
		more = cur_caselit(p->c, "OR ");
		if ((k = parse_key(p)) == 0)
			return 0;
		p->cmd->nodes[last].next = k;
		last = k;
		if (!more)
			return i;
	}
}

static uint32_t
flags_key(struct parse *p, uint32_t flags)
{
	uint32_t i = add_node(p, SEARCH_FLAGS);

	if (i != 0)
		p->cmd->nodes[i].number = flags;
	return i;
}

/* RECENT UNSEEN */
static uint32_t
new_key(struct parse *p)
{
	uint32_t i = add_node(p, SEARCH_AND);
	uint32_t a = flags_key(p, MSG_RECENT), b = flags_key(p, MSG_SEEN);

	if (i == 0 || a == 0 || b == 0)
		return 0;
	p->cmd->nodes[i].child = a;
	p->cmd->nodes[a].next = b;
	p->cmd->nodes[b].not = true;
	return i;
}

enum argument { ARG_FLAGS, ARG_NEW, ARG_OR, ARG_ALL, ARG_DATE, ARG_NUMBER,
	ARG_MODSEQ, ARG_TEXT, ARG_KEYWORD, ARG_UID };

static const struct word {
	const char	*word;
	uint8_t		 arg;
	uint8_t		 key;
	uint8_t		 flags;
	bool		 not;
	const char	*field;
} words[] = {
	{ "ALL", ARG_ALL, 0, 0, false, NULL },
	{ "ANSWERED", ARG_FLAGS, 0, MSG_ANSWERED, false, NULL },
	{ "BCC", ARG_TEXT, SEARCH_HEADER, 0, false, "Bcc" },
	{ "BEFORE", ARG_DATE, SEARCH_BEFORE, 0, false, NULL },
	{ "BODY", ARG_TEXT, SEARCH_BODY, 0, false, NULL },
	{ "CC", ARG_TEXT, SEARCH_HEADER, 0, false, "Cc" },
	{ "DELETED", ARG_FLAGS, 0, MSG_DELETED, false, NULL },
	{ "DRAFT", ARG_FLAGS, 0, MSG_DRAFT, false, NULL },
	{ "FLAGGED", ARG_FLAGS, 0, MSG_FLAGGED, false, NULL },
	{ "FROM", ARG_TEXT, SEARCH_HEADER, 0, false, "From" },
	{ "HEADER", ARG_TEXT, SEARCH_HEADER, 0, false, NULL },
	{ "KEYWORD", ARG_KEYWORD, 0, 0, false, NULL },
	{ "LARGER", ARG_NUMBER, SEARCH_LARGER, 0, false, NULL },
	{ "MODSEQ", ARG_MODSEQ, 0, 0, false, NULL },
	{ "NEW", ARG_NEW, 0, 0, false, NULL },
	{ "OLD", ARG_FLAGS, 0, MSG_RECENT, true, NULL },
	{ "ON", ARG_DATE, SEARCH_ON, 0, false, NULL },
	{ "OR", ARG_OR, 0, 0, false, NULL },
	{ "RECENT", ARG_FLAGS, 0, MSG_RECENT, false, NULL },
	{ "SEEN", ARG_FLAGS, 0, MSG_SEEN, false, NULL },
	{ "SENTBEFORE", ARG_DATE, SEARCH_SENTBEFORE, 0, false, NULL },
	{ "SENTON", ARG_DATE, SEARCH_SENTON, 0, false, NULL },
	{ "SENTSINCE", ARG_DATE, SEARCH_SENTSINCE, 0, false, NULL },
	{ "SINCE", ARG_DATE, SEARCH_SINCE, 0, false, NULL },
	{ "SMALLER", ARG_NUMBER, SEARCH_SMALLER, 0, false, NULL },
	{ "SUBJECT", ARG_TEXT, SEARCH_HEADER, 0, false, "Subject" },
	{ "TEXT", ARG_TEXT, SEARCH_TEXT, 0, false, NULL },
	{ "TO", ARG_TEXT, SEARCH_HEADER, 0, false, "To" },
	{ "UID", ARG_UID, 0, 0, false, NULL },
	{ "UNANSWERED", ARG_FLAGS, 0, MSG_ANSWERED, true, NULL },
	{ "UNDELETED", ARG_FLAGS, 0, MSG_DELETED, true, NULL },
	{ "UNDRAFT", ARG_FLAGS, 0, MSG_DRAFT, true, NULL },
	{ "UNFLAGGED", ARG_FLAGS, 0, MSG_FLAGGED, true, NULL },
	{ "UNKEYWORD", ARG_KEYWORD, 0, 0, true, NULL },
	{ "UNSEEN", ARG_FLAGS, 0, MSG_SEEN, true, NULL },
};

static const struct word *
find_word(struct str s)
{
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_caseeq(s, words[i].word))
			return &words[i];
	return NULL;
}

static uint32_t
word_key(struct parse *p, const struct word *w)
{
	switch (w->arg) {
	case ARG_FLAGS:
		return flags_key(p, w->flags);
	case ARG_NEW:
		return new_key(p);
	case ARG_OR:
		return or_key(p);
	case ARG_DATE:
		return date_key(p, w->key);
	case ARG_NUMBER:
		return number_key(p, w->key);
	case ARG_MODSEQ:
		return modseq_key(p);
	case ARG_TEXT:
		return text_key(p, w->key, w->field);
	case ARG_KEYWORD:
		return keyword_key(p);
	case ARG_UID:
		return set_key(p, SEARCH_UID);
	default:
		return add_node(p, SEARCH_ALL);
	}
}

static uint32_t
one_key(struct parse *p)
{
	const struct word *w;
	struct cur start = *p->c;
	int ch = cur_peek(p->c);
	uint32_t i;

	if (cur_lit(p->c, "("))
		return and_key(p);
	if ((ch >= '0' && ch <= '9') || ch == '*')
		return set_key(p, SEARCH_SET);
	if ((w = find_word(cur_until(p->c, " ()\r\n"))) == NULL) {
		*p->c = start;
		return fail(p, "unknown search key");
	}
	if ((i = word_key(p, w)) != 0 && w->not)
		p->cmd->nodes[i].not = true;
	return i;
}

static uint32_t
parse_key(struct parse *p)
{
	bool not = false;
	uint32_t i;

	while (cur_caselit(p->c, "NOT "))
		not = !not;
	if (p->depth == SEARCH_MAXDEPTH)
		return fail(p, "search keys nested too deep");
	p->depth++;
	i = one_key(p);
	p->depth--;
	if (i != 0 && not)
		p->cmd->nodes[i].not = !p->cmd->nodes[i].not;
	return i;
}

/* --- the whole --- */

static const struct {
	const char	*word;
	unsigned	 bit;
} returns[] = { { "MIN", RETURN_MIN }, { "MAX", RETURN_MAX },
	{ "ALL", RETURN_ALL }, { "COUNT", RETURN_COUNT } };

/* RETURN (MIN COUNT); nothing between means ALL. */
static bool
parse_return(struct parse *p)
{
	struct search_cmd *s = p->cmd;
	struct str word;
	size_t i;

	if (!cur_caselit(p->c, "RETURN ("))
		return true;
	s->esearch = true;
	while (!cur_lit(p->c, ")")) {
		word = cur_until(p->c, " )");
		for (i = 0; i < sizeof(returns) / sizeof(returns[0]); i++)
			if (str_caseeq(word, returns[i].word))
				break;
		if (i == sizeof(returns) / sizeof(returns[0])) {
			fail(p, "unknown search result");
			return false;
		}
		s->ret |= returns[i].bit;
		cur_lit(p->c, " ");
	}
	if (s->ret == 0)
		s->ret = RETURN_ALL;
	return space(p);
}

static bool
parse_charset(struct parse *p)
{
	struct charset *cs;

	if (!cur_caselit(p->c, "CHARSET "))
		return true;
	if (!raw_string(p, &p->cmd->charset) || !space(p))
		return false;
	if (!charset_known(p->cmd->charset)) {
		p->cmd->badcharset = true;
		fail(p, "charset is not known");
		return false;
	}
	cs = charset_get(p->cmd->charset);
	p->charset = charset_is_utf8(cs) ? NULL : cs;
	return true;
}

/* The children of an AND or OR, the cheap ones first. */
static uint8_t
order(struct search_cmd *s, struct search_node *n)
{
	uint32_t head[COST_BODY + 1] = { 0 }, tail[COST_BODY + 1] = { 0 };
	uint32_t i, next, *link = &n->child;
	uint8_t cost = COST_RECORD;
	int c;

	for (i = n->child; i != 0; i = next) {
		next = s->nodes[i].next;
		c = s->nodes[i].cost;
		if (c > cost)
			cost = c;
		if (head[c] == 0)
			head[c] = i;
		else
			s->nodes[tail[c]].next = i;
		tail[c] = i;
		s->nodes[i].next = 0;
	}
	for (c = COST_RECORD; c <= COST_BODY; c++)
		if (head[c] != 0) {
			*link = head[c];
			link = &s->nodes[tail[c]].next;
		}
	return cost;
}

const char *
search_parse(struct cur *c, struct search_cmd *s)
{
	struct parse p = { .c = c, .cmd = s };
	size_t room = cur_left(c) * 8 + 64;
	uint32_t i;

	memset(s, 0, sizeof(*s));
	/* Texts fit, whatever charset they grow from: none of them moves. */
	buf_init(&s->text, room);
	if (!buf_reserve(&s->text, room))
		return no_memory;
	/* Node 0 is nobody's child, so 0 can mean none. */
	(void)add_node(&p, SEARCH_AND);
	if (p.why != NULL || !parse_return(&p) || !parse_charset(&p))
		return p.why;
	if ((i = key_list(&p)) == 0)
		return p.why;
	if (cur_left(c) > 0)
		return "unexpected text after the search keys";
	s->nodes[0].child = i;
	/* Children stand behind their parents. */
	for (i = s->nnodes; i-- > 0;)
		if (s->nodes[i].key >= SEARCH_AND)
			s->nodes[i].cost = order(s, &s->nodes[i]);
	s->cost = s->nodes[0].cost;
	return NULL;
}

void
search_free(struct search_cmd *s)
{
	uint32_t i;

	for (i = 0; i < s->nnodes; i++) {
		needle_free(&s->nodes[i].needle);
		imap_set_free(&s->nodes[i].set);
	}
	free(s->nodes);
	buf_free(&s->text);
	memset(s, 0, sizeof(*s));
}
