/* A window on a file, for reading it mostly forward. */
#ifndef CG_STORE_WIN_H
#define CG_STORE_WIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

enum { WIN_SIZE = 256 * 1024 };

struct win {
	int		 fd;
	uint64_t	 size;		/* of the file */
	uint64_t	 off;		/* of buf in it */
	size_t		 len;
	char		*buf;
};

int	win_init(struct win *, int fd, uint64_t size);
void	win_free(struct win *);
/* Bytes at off, at least want (at most WIN_SIZE) if the file has them. */
struct str win_at(struct win *, uint64_t off, size_t want);
/*
 * Octets as sent of what is from off to end: every line end is CRLF.  *open:
 * the last line has none.
 */
uint64_t win_measure(struct win *, uint64_t off, uint64_t end, bool *open);
#endif
