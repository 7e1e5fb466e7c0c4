/*
 * IDLE (RFC 2177): news are told as they come, until the client says DONE.
 * Runs in the account's worker.
 */
#include "int.h"

void
cmd_idle(struct imap_session *s, struct cur *c)
{
	if (!imap_alone(s, c))
		return;
	s->idle = true;
	buf_puts(&s->out, "+ idling\r\n");
	s->expunge = true;
	if (imap_update(s, true) == 1)
		imap_tell_rest(s);
}

void
idle_line(struct imap_session *s, struct str line)
{
	s->idle = false;
	if (str_caseeq(line, "DONE"))
		imap_ok(s, "done");
	else
		imap_bad(s, "DONE ends it");
}
