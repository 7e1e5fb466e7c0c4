/* The cache's file, and what makes its entries. */
#ifndef CG_STORE_CACHE_INT_H
#define CG_STORE_CACHE_INT_H

#include "buf.h"
#include "mime.h"

struct box;

enum { CACHE_HEAD = 64, CACHE_ALIGN = 16 };

/* Followed by its texts, padded. */
struct entry {
	uint32_t	magic;
	uint32_t	len;		/* all of it */
	uint64_t	sum;		/* of all behind */
	uint64_t	generation;	/* of the index whose message it is */
	uint64_t	size, wire;	/* the message's */
	uint32_t	uid;
	uint32_t	n[4];		/* lengths of the texts */
	uint32_t	unused;
};

struct cache {
	int		 fd;		/* -1: nothing can be kept */
	uint64_t	 generation;
	uint64_t	 size;		/* of the file */
	char		*map;
	size_t		 maplen;
	struct buf	 pending;	/* entries that come at size */
	struct mime	 mime;
	char		*text;		/* a message */
	char		*copy;		/* an entry, where there is no map */
};

/* The box's, opened; NULL: no memory. */
struct cache	*cache_get(struct box *);
/* The bytes at an offset, if that many are there; NULL. */
const char	*cache_at(struct cache *, uint64_t off, size_t len);
/* What is pending into the file. */
void		 cache_write(struct box *, struct cache *);
/* Another file: with its head alone; in the place of the old one. */
int		 cache_new_file(struct box *, const struct cache *);
int		 cache_replace(struct box *, struct cache *, int fd,
		    uint64_t size);
uint64_t	 cache_sum(const struct entry *);
#endif
