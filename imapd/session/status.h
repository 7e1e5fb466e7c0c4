/* STATUS items (RFC 3501, 7162, 8438), as LIST needs them too. */
#ifndef CG_IMAP_STATUS_H
#define CG_IMAP_STATUS_H

#include "int.h"

/* "(MESSAGES UNSEEN)" to bits; NULL, or what is wrong. */
const char *imap_status_items(struct cur *, unsigned *items);
/* "* STATUS name (...)"; false and errno, nothing said, if it is not there. */
bool	imap_put_status(struct imap_session *, const char *name,
	    unsigned items);

/* What LIST may say in its attributes (manual 37): a bit, or 0. */
unsigned imap_list_item(struct str);
/* " \UNSEEN(14)" and so on; nothing if it cannot be looked at. */
void	imap_put_list_items(struct imap_session *, const char *name,
	    unsigned items);
#endif
