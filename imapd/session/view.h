/* Between view.c and update.c. */
#ifndef CG_IMAP_VIEW_H
#define CG_IMAP_VIEW_H

#include "int.h"

/* One more at the end; false: no memory. */
bool	view_add(struct view *, uint32_t uid);
/* Claims \Recent of all from the i-th on (from 0). */
void	view_claim(struct imap_session *, uint32_t i);
#endif
