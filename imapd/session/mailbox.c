/*
 * CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE: each durable before its OK.
 * Runs in the account's worker.
 */
#include <errno.h>
#include <string.h>

#include "folder.h"
#include "int.h"

static void
answer(struct imap_session *s, int ret)
{
	if (ret == -1)
		imap_no_errno(s, errno);
	else
		imap_ok(s, "done");
}

static const char *const uses[] = {
	"All", "Archive", "Drafts", "Flagged", "Junk", "Sent", "Trash", NULL
};

/* " (USE (\Sent))": RFC 6154.  NULL, or what is wrong. */
static const char *
parse_use(struct cur *c, const char **class)
{
	struct str w;
	int i;

	if (cur_left(c) == 0)
		return NULL;
	if (!cur_caselit(c, " (USE (") || !cur_lit(c, "\\") ||
	    !imap_atom(c, &w))
		return "wrong parameters";
	if (!cur_lit(c, "))") || cur_left(c) > 0)
		return "one use, please";
	for (i = 0; uses[i] != NULL; i++)
		if (str_caseeq(w, uses[i]))
			*class = uses[i];
	return NULL;
}

void
cmd_create(struct imap_session *s, struct cur *c)
{
	const char *class = "", *why;
	struct buf name;
	bool use;

	buf_init(&name, 0);
	if (imap_mailbox(s, c, &name)) {
		use = cur_left(c) > 0;
		if ((why = parse_use(c, &class)) != NULL)
			imap_bad(s, "%s", why);
		else if (use && *class == '\0')
			imap_no(s, "[USEATTR] no such use");
		else
			answer(s, folder_create(s->acct, name.p, class));
	}
	buf_free(&name);
}

static void
on_name(struct imap_session *s, struct cur *c,
    int (*what)(struct acct *, const char *))
{
	struct buf name;

	buf_init(&name, 0);
	if (imap_mailbox(s, c, &name) && imap_alone(s, c))
		answer(s, what(s->acct, name.p));
	buf_free(&name);
}

/* Who deletes what he has selected has nothing selected then. */
void
cmd_delete(struct imap_session *s, struct cur *c)
{
	bool gone = s->box != NULL && s->box->gone;
	struct buf name;
	int ret;

	buf_init(&name, 0);
	if (imap_mailbox(s, c, &name) && imap_alone(s, c)) {
		ret = folder_delete(s->acct, name.p);
		if (ret == 0 && !gone && s->box != NULL && s->box->gone)
			imap_deselect(s);
		answer(s, ret);
	}
	buf_free(&name);
}

void
cmd_rename(struct imap_session *s, struct cur *c)
{
	struct buf from, to;

	buf_init(&from, 0);
	buf_init(&to, 0);
	if (imap_mailbox(s, c, &from)) {
		if (!cur_lit(c, " "))
			imap_bad(s, "to what name?");
		else if (imap_mailbox(s, c, &to) && imap_alone(s, c))
			answer(s, folder_rename(s->acct, from.p, to.p));
	}
	buf_free(&from);
	buf_free(&to);
}

static int
subscribe(struct acct *a, const char *name)
{
	return folder_subscribe(a, name, true);
}

static int
unsubscribe(struct acct *a, const char *name)
{
	return folder_subscribe(a, name, false);
}

void
cmd_subscribe(struct imap_session *s, struct cur *c)
{
	on_name(s, c, subscribe);
}

void
cmd_unsubscribe(struct imap_session *s, struct cur *c)
{
	on_name(s, c, unsubscribe);
}
