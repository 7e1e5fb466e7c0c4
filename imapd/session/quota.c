/*
 * GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 2087, 9208).  An account has one root,
 * named "", which all its mailboxes are of; what has no limit is not in it.
 * Runs in the account's worker.
 */
#include <errno.h>

#include "int.h"
#include "quota.h"

enum { UNIT = 1024 };		/* octets, of STORAGE */

static uint64_t
units(uint64_t bytes)
{
	return bytes / UNIT + (bytes % UNIT != 0);
}

static void
put_resource(struct buf *b, const char **sep, const char *name, uint64_t used,
    uint64_t limit)
{
	buf_printf(b, "%s%s %llu %llu", *sep, name, (unsigned long long)used,
	    (unsigned long long)limit);
	*sep = " ";
}

static void
put_quota(struct buf *b, const struct quota_limits *l,
    const struct quota_usage *u)
{
	const char *sep = "";

	buf_puts(b, "* QUOTA \"\" (");
	if (l->bytes != QUOTA_NONE)
		put_resource(b, &sep, "STORAGE", units(u->bytes),
		    units(l->bytes));
	if (l->messages != QUOTA_NONE)
		put_resource(b, &sep, "MESSAGE", u->messages, l->messages);
	if (l->mailboxes != QUOTA_NONE)
		put_resource(b, &sep, "MAILBOX", u->mailboxes, l->mailboxes);
	buf_puts(b, ")\r\n");
}

static bool
is_limited(const struct quota_limits *l)
{
	return l->bytes != QUOTA_NONE || l->messages != QUOTA_NONE ||
	    l->mailboxes != QUOTA_NONE;
}

/* The mailbox whose root it is, or NULL. */
static void
tell(struct imap_session *s, const char *mailbox)
{
	const struct quota_limits *l = quota_limits(s->acct);
	struct quota_usage u = { 0, 0, 0 };

	if (is_limited(l) && quota_usage(s->acct, &u) == -1) {
		imap_no_errno(s, errno);
		return;
	}
	if (mailbox != NULL) {
		buf_puts(&s->out, "* QUOTAROOT ");
		imap_put_mailbox(&s->out, mailbox);
		buf_puts(&s->out, " \"\"\r\n");
	}
	put_quota(&s->out, l, &u);
	imap_ok(s, "done");
}

void
cmd_getquota(struct imap_session *s, struct cur *c)
{
	struct buf root;

	buf_init(&root, IMAP_MAXLINE);
	if (!imap_astring(c, &root))
		imap_bad(s, "what quota root?");
	else if (imap_alone(s, c)) {
		if (root.len == 0)
			tell(s, NULL);
		else
			imap_no(s, "[NONEXISTENT] no such quota root");
	}
	buf_free(&root);
}

/* It need not be there: RFC 9208, 4.1.2. */
void
cmd_getquotaroot(struct imap_session *s, struct cur *c)
{
	struct buf name;

	buf_init(&name, 0);
	if (imap_mailbox(s, c, &name) && imap_alone(s, c))
		tell(s, name.p);
	buf_free(&name);
}

/* "(STORAGE 512 MESSAGE 100)" */
static bool
skip_limits(struct cur *c)
{
	struct str name;
	uint64_t n;

	if (!cur_lit(c, "("))
		return false;
	if (cur_lit(c, ")"))
		return true;
	do {
		if (!imap_atom(c, &name) || !cur_lit(c, " ") ||
		    !cur_u64(c, &n, INT64_MAX))
			return false;
	} while (cur_lit(c, " "));
	return cur_lit(c, ")");
}

/* Limits are settings of the account: not for its owner to change. */
void
cmd_setquota(struct imap_session *s, struct cur *c)
{
	struct buf root;

	buf_init(&root, IMAP_MAXLINE);
	if (!imap_astring(c, &root) || !cur_lit(c, " ") || !skip_limits(c))
		imap_bad(s, "wrong list of limits");
	else if (imap_alone(s, c))
		imap_no(s, "[NOPERM] ask the administrator");
	buf_free(&root);
}
