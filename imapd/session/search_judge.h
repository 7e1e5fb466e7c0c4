/*
 * Does a message match?  The tree of keys against one after another; a long
 * one is judged in pieces of a millisecond or so.
 */
#ifndef CG_IMAP_SEARCH_JUDGE_H
#define CG_IMAP_SEARCH_JUDGE_H

#include "search.h"
#include "search_body.h"

/* A message as the session sees it. */
struct candidate {
	const struct rec *rec;
	uint32_t	 seq, uid;
	uint32_t	 flags, keywords;	/* \Recent is the session's */
};

enum verdict { JUDGE_NO, JUDGE_YES, JUDGE_LATER };

struct judge {
	struct search_cmd *cmd;
	struct text	 text;
	struct body	 body;
	uint32_t	 maxseq, maxuid;	/* what * is */
	const struct candidate *at;
	uint64_t	 serial;	/* of the message */
	bool		 inside;	/* it is not judged yet */
	uint64_t	 spent;		/* on it in this call */
	bool		 failed;	/* a message could not be read */
};

void	judge_init(struct judge *, struct search_cmd *, struct box *,
	    uint32_t maxseq, uint32_t maxuid);
void	judge_free(struct judge *);
/* LATER: it has cost enough for now; the same is to be asked again. */
enum verdict judge(struct judge *, const struct candidate *);
/* It will not be asked again. */
void	judge_skip(struct judge *);
#endif
