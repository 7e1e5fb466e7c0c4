/*
 * Between the files of an IMAP session.
 *
 * A handler gets what stands behind the command's name, and answers with
 * imap_ok(), imap_no() or imap_bad(), once; untagged responses go to s->out
 * before that.  What others did is told by imap_ok() and imap_no(), before
 * their line; a command that names messages by numbers has CMD_NUMBERS in its
 * row, and no EXPUNGE is told then.
 *
 * A long answer: the handler calls imap_job() and returns; more() is called
 * whenever the client has taken enough.  A command's bytes are gone then.
 *
 * Flags that a command changes: imap_update(s, false) first, until it gives 0,
 * so that the client knows all that was before; then the change, at once and in
 * one call; then imap_told(s).  The answers may come in pieces afterwards.
 */
#ifndef CG_IMAP_SESSION_INT_H
#define CG_IMAP_SESSION_INT_H

#include <bsd/sys/queue.h>
#include <time.h>

#include "box.h"
#include "conn.h"
#include "imap.h"
#include "session.h"

enum {
	IMAP_MAXLINE = 65536,		/* bytes of a line */
	IMAP_MAXCMD = 1024 * 1024,	/* a command with its literals */
	IMAP_MAXRECENT = 64		/* ranges of \Recent kept a session */
};

/* What the client believes of the mailbox. */
struct view {
	uint32_t	*uids;		/* [seq - 1], ascending */
	uint32_t	 count, cap;
	uint32_t	 uidvalidity;
	uint32_t	 maxuid;	/* of all that ever were in it */
	bool		 ghosts;	/* some are gone, and it was not told */
	uint64_t	 modseq;	/* flags are told up to this one */
	uint64_t	 revision;	/* of the box when we looked */
	enum { ROUND_NONE, ROUND_GONE, ROUND_FLAGS } round; /* update.c's */
	uint32_t	 at;		/* in it: the next one to look at */
	uint64_t	 upto, then;	/* modseq and revision at its start */
	unsigned	 keywords;	/* so many names were told */
	uint32_t	 nrecent;	/* messages */
	struct imap_set	 recent;	/* their UIDs */
};

enum imap_more {
	MORE_AGAIN,		/* call again: now, or when there is room */
	MORE_DONE,		/* it was answered */
	MORE_FAILED		/* no right answer is left: close */
};

struct imap_session {
	TAILQ_ENTRY(imap_session) next;
	struct conn	*conn;
	struct acct	*acct;
	struct box	*box;		/* selected, or NULL */
	bool		 readonly;	/* EXAMINE */
	bool		 condstore;
	struct view	 view;
	struct buf	 out;		/* goes out by itself */
	char		*log;		/* tag for log_tag() */
	char		*account;
	char		 tag[IMAP_MAXTAG + 1];	/* of the command */
	const struct imap_command *cmd;		/* in hand, or NULL */
	bool		 answered;
	bool		 expunge;	/* what is left to be told may be that */
	struct buf	 last;		/* the line that ends a command, held
					   back until all is told */
	bool		 byuid;		/* it came as UID FETCH ... */
	/* a long answer */
	enum imap_more	(*more)(struct imap_session *, void *);
	void		(*drop)(void *);	/* frees it, in any case */
	void		*job;
	/* session.c's and input.c's */
	int		 timeout, errors, maxerrors;
	uint64_t	 maxmessage;
	bool		 idle, leaving, dead;
	time_t		 heard;		/* the client's last word */
	struct event	*soon;		/* more work, or something to tell */
	struct event	*stall;		/* the client does not read */
	void		(*end)(void *);
	void		*arg;
	struct buf	 line;		/* a command that is not whole yet */
	size_t		 from;		/* behind its last literal */
	uint64_t	 literal;	/* octets of one to come */
	bool		 skipping;	/* and nobody wants them */
	struct append	*append;	/* it is a message's */
	char		*alert;		/* to be told after a long answer */
};

typedef void imap_handler(struct imap_session *, struct cur *);

enum {
	CMD_SELECTED = 1 << 0,		/* a mailbox must be selected */
	CMD_WRITES = 1 << 1,		/* and not with EXAMINE */
	CMD_NUMBERS = 1 << 2,		/* no EXPUNGE with its answer */
	CMD_UID = 1 << 3,		/* UID may stand before it */
	CMD_QUIET = 1 << 4		/* no updates with its answer */
};

struct imap_command {
	const char	*name;
	imap_handler	*handler;
	unsigned	 flags;
	/* A literal is to come; does it go elsewhere than into the command? */
	bool		(*literal)(struct imap_session *, struct cur *,
			    uint64_t size);
};

/* --- reply.c --- */
/* Ends the command; "[CODE] text" is fine. */
void	imap_ok(struct imap_session *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
void	imap_no(struct imap_session *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
void	imap_bad(struct imap_session *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
/* imap_no() for an errno of the store's: the right code and text. */
void	imap_no_errno(struct imap_session *, int err);
/* The same for where messages shall go: TRYCREATE if it is not there. */
void	imap_no_target(struct imap_session *, int err);
/* "* BYE text"; it ends once this event is dealt with. */
void	imap_bye(struct imap_session *, const char *);
/* Untagged: "* " before, CRLF after. */
void	imap_say(struct imap_session *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
/* imap_bad() unless nothing follows. */
bool	imap_alone(struct imap_session *, const struct cur *);

/* --- input.c --- */
void	input_line(struct imap_session *, const char *, size_t, bool bare_lf);
void	input_data(struct imap_session *);
void	input_forget(struct imap_session *);

/* --- command.c --- */
/* The whole command in s->line. */
void	imap_command(struct imap_session *);
/* Its row, tag and UID noted in s; c stands behind its name.  NULL: none. */
const struct imap_command *imap_find_command(struct imap_session *,
	    struct cur *c);

/* --- session.c --- */
/*
 * A long answer.  more() adds to s->out, some KiB at a time, and ends with
 * imap_ok() and MORE_DONE; drop() frees job, also when the client is gone.
 */
void	imap_job(struct imap_session *,
	    enum imap_more (*)(struct imap_session *, void *),
	    void (*drop)(void *), void *job);

/* What imap_update() did not yet tell, as the client takes it; then s->last. */
void	imap_tell_rest(struct imap_session *);

/* Nothing half-read, nothing to be said or sent. */
bool	imap_session_quiet(const struct imap_session *);

/* --- view.c --- */
/* Has something changed since it was looked at? */
bool	view_old(const struct imap_session *);
/* The record of a sequence number of the view; NULL: expunged by others. */
struct rec *view_rec(const struct imap_session *, uint32_t seq);
/* The sequence number, or 0. */
uint32_t view_seq(const struct view *, uint32_t uid);
bool	view_recent(const struct view *, uint32_t uid);
/*
 * What a set names, as ranges of sequence numbers in order (byuid: the set is
 * of UIDs, those that are not there are left out).  False, answered with BAD:
 * a number is beyond the last.
 */
bool	view_resolve(struct imap_session *, const struct imap_set *, bool byuid,
	    struct imap_set *seqs);
/* Takes the mailbox as it is now; claims \Recent unless read-only. */
int	view_open(struct imap_session *);
void	view_close(struct view *);

/* --- update.c --- */
/*
 * Tells what changed: new keywords, EXPUNGE if allowed, FETCH FLAGS, EXISTS,
 * RECENT.  1: that is enough for now, there is more; -1: the mailbox cannot be
 * read now.
 */
int	imap_update(struct imap_session *, bool expunge);
/* The flags that the last change gave are known to the client. */
void	imap_told(struct imap_session *);
/* From now on MODSEQ is told with flags; says HIGHESTMODSEQ if news. */
void	imap_condstore(struct imap_session *);

/* --- flags.c --- */
struct imap_flags {
	uint32_t	 flags;			/* MSG_ */
	uint32_t	 nkeywords;
	struct str	 keywords[32];		/* in the command */
};
/* "(\Seen word)", or without the parentheses to the end; NULL or what's wrong */
const char *imap_flags_parse(struct cur *, struct imap_flags *);
/* Bits of the keywords; -1 and errno.  make: new names are made. */
int	imap_flags_bits(struct box *, const struct imap_flags *, bool make,
	    uint32_t *bits);
/* "(\Seen word)" */
void	imap_put_flags(struct buf *, struct box *, uint32_t flags,
	    uint32_t keywords, bool recent);
/* "* FLAGS (...)", "* OK [PERMANENTFLAGS (...)]" */
void	imap_say_flags(struct imap_session *);

/* --- name.c --- */
/* A mailbox's name off the command, in UTF-8; answered if there is none. */
bool	imap_mailbox(struct imap_session *, struct cur *, struct buf *);
/* The same as it is sent. */
void	imap_put_mailbox(struct buf *, const char *);

/* --- select.c --- */
void	imap_deselect(struct imap_session *);

/* --- state.c --- */
bool	imap_state_load(struct imap_session *, const void *, size_t);

/* --- the commands, one file a family --- */
/* misc.c */
imap_handler	cmd_capability, cmd_noop, cmd_logout, cmd_id, cmd_enable,
		cmd_namespace, cmd_check, cmd_login_again;
/* select.c */
imap_handler	cmd_select, cmd_examine, cmd_close, cmd_unselect;
/* mailbox.c */
imap_handler	cmd_create, cmd_delete, cmd_rename, cmd_subscribe,
		cmd_unsubscribe;
/* list.c */
imap_handler	cmd_list, cmd_lsub;
/* status.c */
imap_handler	cmd_status;
/* quota.c */
imap_handler	cmd_getquota, cmd_getquotaroot, cmd_setquota;
/* append.c */
imap_handler	cmd_append;
bool		append_literal(struct imap_session *, struct cur *, uint64_t);
/* idle.c */
imap_handler	cmd_idle;
void		idle_line(struct imap_session *, struct str line);
/* fetch.c, store.c, search.c, copy.c, expunge.c */
imap_handler	cmd_fetch, cmd_store, cmd_search, cmd_copy, cmd_move,
		cmd_expunge;
#endif
