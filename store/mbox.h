/*
 * Inside the .mbox format: who takes a mailbox over, who reads it, who
 * appends to it, who edits it.
 */
#ifndef CG_STORE_MBOX_H
#define CG_STORE_MBOX_H

#include "box.h"
#include "win.h"

/* As far back as delivery looks for the last From_ line. */
enum { BACK_MAX = 64 * 1024 * 1024 };

/* What stands at an offset: a From_ line?  Its length with LF, or 0. */
size_t	mbox_from_at(struct win *, uint64_t off, struct from_line *);

/* mbox.c: makes what was appended durable, and a new mailbox's name. */
int	mbox_sync(struct box *);

/* An append is durable, and size says so. */
void	mbox_done(struct box *);

/*
 * mbox_torn.c: puts right what a killed append left behind.  A worker may find
 * no room for that: it leaves the tail where it is (b->tail), beyond b->size.
 */
int	mbox_repair(struct box *, bool power_lost, uint32_t *lastuid);
/* Before anything is appended or copied: such a tail goes now, or -1. */
int	mbox_cut_tail(struct box *);

/* mbox_scan.c */
int	mbox_refresh(struct box *);
bool	mbox_changed(struct box *);

/*
 * Where a message ends whose From_ line said f and whose text begins at body;
 * f NULL: where bytes end that belong to none.  *sep: the empty line after it.
 */
uint64_t mbox_end(struct win *, uint64_t body, const struct from_line *f,
	    unsigned *sep);

/* No record is good any more. */
void	mbox_forget(struct box *, const char *why);

/* mbox_live.c */
int	mbox_live(struct box *, uint64_t *bytes, uint64_t *messages);
struct statx;
bool	mbox_peek(const struct idx_head *, const struct statx *,
	    uint64_t *bytes, uint64_t *messages);
/* n messages more, up to end: before size is set to it. */
void	mbox_grew(struct box *, size_t n, uint64_t end);
/* The records were made anew or brought up to the file. */
void	mbox_tail_reset(struct box *);

/* mbox_deliver.c */
void	mbox_append(struct box *, struct delivery *, size_t);

/* mbox_put.c */
struct put *mbox_put_begin(struct box *, struct stored_msg *, size_t);
int	mbox_put_more(struct put *);
void	mbox_put_end(struct put *);

/* mbox_edit.c */
int	mbox_mark(struct box *, struct patch *, const struct rec *,
	    uint32_t flags, uint32_t keywords);
int	mbox_marked(struct box *);
int	mbox_expunge(struct box *, const uint32_t *, size_t);
void	mbox_tidy(struct box *);
/* mbox_compact.c: all but garbage and the given UIDs into a new file. */
int	mbox_compact(struct box *, const uint32_t *, size_t);
/* Appends file bytes to <box>.torn. */
int	mbox_put_aside(struct box *, uint64_t off, uint64_t end);
#endif
