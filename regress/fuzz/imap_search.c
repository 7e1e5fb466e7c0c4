/* SEARCH's keys: whatever comes, a tree and no deeper than it may be. */
#include <stdlib.h>

#include "imapd/session/search.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Each node but the first is the child of one before it, once. */
static void
check(const struct search_cmd *s)
{
	const struct search_node *n;
	uint32_t i, k, seen = 0;

	for (i = 0; i < s->nnodes; i++) {
		n = &s->nodes[i];
		if (n->key >= SEARCH_AND && n->child == 0)
			abort();
		for (k = n->child; k != 0; k = s->nodes[k].next) {
			if (k <= i || k >= s->nnodes || ++seen >= s->nnodes ||
			    s->nodes[k].cost > n->cost)
				abort();
		}
	}
	if (seen != s->nnodes - 1)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cur c = cur_make(data, len);
	struct search_cmd s;
	int64_t day;

	if (search_parse(&c, &s) == NULL)
		check(&s);
	search_free(&s);
	search_date((struct str){ (const char *)data, len }, &day);
	return 0;
}
