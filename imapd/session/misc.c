/*
 * The commands that touch no mailbox.  Runs in the account's worker.
 */
#include <string.h>

#include "int.h"

void
cmd_capability(struct imap_session *s, struct cur *c)
{
	if (!imap_alone(s, c))
		return;
	imap_say(s, "CAPABILITY " IMAP_CAPA);
	imap_ok(s, "done");
}

void
cmd_noop(struct imap_session *s, struct cur *c)
{
	if (imap_alone(s, c))
		imap_ok(s, "done");
}

/* What is said OK to is on disk already. */
void
cmd_check(struct imap_session *s, struct cur *c)
{
	cmd_noop(s, c);
}

void
cmd_logout(struct imap_session *s, struct cur *c)
{
	if (!imap_alone(s, c))
		return;
	imap_say(s, "BYE until soon");
	imap_ok(s, "done");
	s->leaving = true;
}

/* RFC 2971: what the client says of itself is for its log alone. */
void
cmd_id(struct imap_session *s, struct cur *c)
{
	if (!imap_skip(c)) {
		imap_bad(s, "say ID and NIL or a list");
		return;
	}
	if (!imap_alone(s, c))
		return;
	imap_say(s, "ID (\"name\" \"cgate\" \"version\" \"" CG_VERSION "\")");
	imap_ok(s, "done");
}

/* RFC 5161: what is not known is passed over. */
void
cmd_enable(struct imap_session *s, struct cur *c)
{
	bool condstore = false;
	struct str w;

	do {
		if (!imap_atom(c, &w)) {
			imap_bad(s, "enable what?");
			return;
		}
		condstore |= str_caseeq(w, "CONDSTORE");
	} while (cur_lit(c, " "));
	if (!imap_alone(s, c))
		return;
	imap_say(s, "ENABLED%s", condstore ? " CONDSTORE" : "");
	if (condstore)
		imap_condstore(s);
	imap_ok(s, "done");
}

void
cmd_namespace(struct imap_session *s, struct cur *c)
{
	if (!imap_alone(s, c))
		return;
	imap_say(s, "NAMESPACE ((\"\" \"/\")) NIL NIL");
	imap_ok(s, "done");
}

void
cmd_login_again(struct imap_session *s, struct cur *c)
{
	imap_bad(s, "you are logged in");
}
