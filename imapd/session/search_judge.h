/* Does a message match?  The tree of keys against one after another. */
#ifndef CG_IMAP_SEARCH_JUDGE_H
#define CG_IMAP_SEARCH_JUDGE_H

#include "search.h"
#include "search_text.h"

/* A message as the session sees it. */
struct candidate {
	const struct rec *rec;
	uint32_t	 seq, uid;
	uint32_t	 flags, keywords;	/* \Recent is the session's */
};

struct judge {
	struct search_cmd *cmd;
	struct text	 text;
	uint32_t	 maxseq, maxuid;	/* what * is */
	const struct candidate *at;
	bool		 failed;	/* a message could not be read */
};

void	judge_init(struct judge *, struct search_cmd *, struct box *,
	    uint32_t maxseq, uint32_t maxuid);
void	judge_free(struct judge *);
bool	judge(struct judge *, const struct candidate *);
#endif
