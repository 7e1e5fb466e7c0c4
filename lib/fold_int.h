/* What fold.c and fold_find.c share; nobody else includes it. */
#ifndef CG_FOLD_INT_H
#define CG_FOLD_INT_H

#include "fold.h"

/* How many bytes at p are ASCII. */
size_t	fold_ascii_run(const char *p, size_t n);
/*
 * Appends the folded text and says how much of it was taken: all, but for an
 * incomplete character at its end, if it is not the last piece.
 */
size_t	fold_run(struct buf *, const char *, size_t, bool last);
#endif
