/* What the host says of itself; not for processes behind walls. */
#ifndef CG_HOST_H
#define CG_HOST_H

#include "buf.h"

/* Its IP addresses, a line each. */
bool	host_addresses(struct buf *);
#endif
