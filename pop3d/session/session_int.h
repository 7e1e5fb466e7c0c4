/* Between the files of a POP session. */
#ifndef CG_POP_SESSION_INT_H
#define CG_POP_SESSION_INT_H

#include "box.h"
#include "conn.h"
#include "session.h"

enum stream_kind { STREAM_NONE, STREAM_LIST, STREAM_UIDL, STREAM_MESSAGE };

struct pop_session {
	struct conn	*conn;
	struct acct	*acct;
	struct box	*box;
	char		*tag;
	char		*account;
	struct event	*stall;		/* a reader that reads no more */
	int		 timeout;
	int		 errors, maxerrors;
	bool		 quitting;
	void		(*end)(void *);
	void		*arg;
	/* what was there at the beginning */
	uint32_t	 count;
	uint32_t	*uids;
	unsigned char	*deleted;
	uint32_t	 ndeleted, nretrieved;
	/* the answer that is being sent */
	struct {
		enum stream_kind kind;
		uint32_t	 at;		/* LIST, UIDL: next message */
		uint32_t	 uid;		/* of the message */
		uint64_t	 off;
		int64_t		 lines;		/* TOP: of the body; -1 all */
		bool		 header;
		char		 last;		/* byte sent, '\n' at start */
		bool		 empty;		/* nothing on this line yet */
	} s;
};

/* stream.c: answers that may be long, never more in memory than enough. */
void	pop_stream_list(struct pop_session *, enum stream_kind);
void	pop_stream_message(struct pop_session *, uint32_t uid, int64_t lines);
void	pop_stream_more(struct pop_session *);

/* unified.c: is the message for that user of a unified account? */
bool	pop_is_for(struct box *, const struct rec *, const char *field,
	    const char *user);

/* Octets of a message, 0 for one that is gone. */
uint64_t pop_octets(struct pop_session *, uint32_t n);
void	pop_session_over(struct pop_session *);
#endif
