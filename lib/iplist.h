/*
 * Lists of IP addresses (manual 07, 10): a line each of one address, a range
 * with -, or CIDR; IPv4 and IPv6; comments after ; or %.  An entry may begin
 * with ! to exclude.
 */
#ifndef CG_IPLIST_H
#define CG_IPLIST_H

#include "buf.h"

struct iplist;

/* NULL and *line (from 1) on a line that makes no sense. */
struct iplist	*iplist_parse(const char *, int *line);
void		 iplist_free(struct iplist *);
/* ip is "192.0.2.1" or "2001:db8::1"; v4-mapped ones count as IPv4. */
bool		 iplist_has(const struct iplist *, const char *ip);
bool		 ip_is_loopback(const char *ip);
#endif
