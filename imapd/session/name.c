/*
 * Mailbox names: modified UTF-7 on the wire, UTF-8 within.  Runs in the
 * account's worker.
 */
#include <string.h>

#include "int.h"
#include "name.h"
#include "utf7.h"

bool
imap_mailbox(struct imap_session *s, struct cur *c, struct buf *name)
{
	struct buf wire;
	bool good = false;

	buf_init(&wire, IMAP_MAXLINE);
	if (!imap_astring(c, &wire))
		imap_bad(s, "no name of a mailbox");
	else if (wire.len == 0 || wire.len > 2 * NAME_MAX_BYTES ||
	    !utf7_decode(name, (struct str){ wire.p, wire.len }))
		imap_no(s, "[CANNOT] no such name can be");
	else
		good = !name->failed;
	if (good && strcasecmp(name->p, "INBOX") == 0)
		memcpy(name->p, "INBOX", 5);
	buf_free(&wire);
	return good;
}

void
imap_put_mailbox(struct buf *b, const char *name)
{
	struct buf wire;

	buf_init(&wire, 0);
	if (!utf7_encode(&wire, str_make(name)))
		b->failed = true;
	else
		imap_put_astring(b, (struct str){ wire.p, wire.len });
	buf_free(&wire);
}
