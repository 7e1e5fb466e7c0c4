/*
 * Overwriting a few bytes at many places of a file: by a map where there are
 * many, as a write for each takes far longer than the disk does.
 */
#ifndef CG_STORE_PATCH_H
#define CG_STORE_PATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct patch {
	int		 fd;
	uint64_t	 size;		/* of the file */
	bool		 mapped;
	char		*map;		/* a window of it, or NULL */
	uint64_t	 off;
	size_t		 len;
};

/* count: how many places are coming.  alone: nobody may cut the file meanwhile. */
void	patch_begin(struct patch *, int fd, uint64_t size, size_t count,
	    bool alone);
/* Within the file.  -1 and errno. */
int	patch_at(struct patch *, uint64_t off, const void *, size_t);
void	patch_end(struct patch *);
#endif
