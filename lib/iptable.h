/*
 * IP addresses that are something for a while: a bounded table.  An IPv6
 * address stands for its network of 64 bits.  When there is no room the one
 * whose time is over first makes it.
 */
#ifndef CG_IPTABLE_H
#define CG_IPTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct iptable;

struct iptable	*iptable_new(size_t max);
void		 iptable_free(struct iptable *);
void		 iptable_limit(struct iptable *, size_t max);
/*
 * From now on for so many seconds, or longer if it is there for longer; 0
 * takes it away.  why is copied.  -1: that is no address, or no memory.
 */
int		 iptable_set(struct iptable *, const char *ip,
		    uint32_t seconds, const char *why);
/* Seconds that are left; 0: it is not there. */
uint32_t	 iptable_left(struct iptable *, const char *ip);
size_t		 iptable_count(struct iptable *);
/* All of them, the one that ends first being the first. */
void		 iptable_each(struct iptable *, void (*)(const char *ip,
		    uint32_t left, const char *why, void *), void *);
#endif
