/*
 * What is said to the client: untagged lines, and the one that ends a command.
 * Runs in the account's worker.
 */
#include <errno.h>
#include <string.h>

#include "int.h"
#include "log.h"

static void	line(struct imap_session *, struct buf *, const char *,
    const char *, const char *, va_list) __attribute__((format(printf, 5, 0)));
static void	end(struct imap_session *, const char *, const char *,
    va_list, bool) __attribute__((format(printf, 3, 0)));

static void
line(struct imap_session *s, struct buf *b, const char *start,
    const char *kind, const char *fmt, va_list ap)
{
	size_t from = b->len;

	buf_printf(b, "%s%s", start, kind);
	buf_vprintf(b, fmt, ap);
	if (b->p != NULL && b->len > from)
		log_tag(LOG_LOW, s->log, "out: %.*s", (int)(b->len - from),
		    b->p + from);
	buf_puts(b, "\r\n");
}

static void
end(struct imap_session *s, const char *kind, const char *fmt, va_list ap,
    bool later)
{
	line(s, later ? &s->last : &s->out, s->tag, kind, fmt, ap);
	s->answered = true;
	s->cmd = NULL;
	if (later)
		imap_tell_rest(s);
}

/* What others did, where it may be told.  True: there is more of it. */
static bool
update(struct imap_session *s)
{
	const struct imap_command *cmd = s->cmd;

	if (cmd == NULL || cmd->flags & CMD_QUIET || s->box == NULL)
		return false;
	s->expunge = !(cmd->flags & CMD_NUMBERS) || s->byuid;
	return imap_update(s, s->expunge) == 1;
}

void
imap_ok(struct imap_session *s, const char *fmt, ...)
{
	bool later = update(s);
	va_list ap;

	va_start(ap, fmt);
	end(s, " OK ", fmt, ap, later);
	va_end(ap);
}

void
imap_no(struct imap_session *s, const char *fmt, ...)
{
	bool later = update(s);
	va_list ap;

	va_start(ap, fmt);
	end(s, " NO ", fmt, ap, later);
	va_end(ap);
}

void
imap_bad(struct imap_session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	end(s, " BAD ", fmt, ap, false);
	va_end(ap);
	if (++s->errors >= s->maxerrors)
		imap_bye(s, "too many errors");
}

void
imap_say(struct imap_session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line(s, &s->out, "* ", "", fmt, ap);
	va_end(ap);
}

void
imap_bye(struct imap_session *s, const char *text)
{
	if (s->leaving)
		return;
	imap_say(s, "BYE %s", text);
	s->leaving = true;
}

bool
imap_alone(struct imap_session *s, const struct cur *c)
{
	if (cur_left(c) == 0)
		return true;
	imap_bad(s, "nothing may follow that command");
	return false;
}

static const struct {
	int		 err;
	const char	*text;
} reasons[] = {
	{ ENOENT, "[NONEXISTENT] no such mailbox" },
	{ EEXIST, "[ALREADYEXISTS] there is such a mailbox" },
	{ EINVAL, "[CANNOT] there can be no mailbox of that name" },
	{ ENOTEMPTY, "[HASCHILDREN] there are mailboxes in it" },
	{ EPERM, "[CANNOT] not with that mailbox" },
	{ ENOTSUP, "[CANNOT] no such format of mailboxes" },
	{ ENAMETOOLONG, "[CANNOT] that name is too long" },
	{ ENOSPC, "[OVERQUOTA] no room" },
	{ EDQUOT, "[OVERQUOTA] the account's limit is reached" },
	{ ENOMEM, "[UNAVAILABLE] out of memory" },
};

void
imap_no_errno(struct imap_session *s, int err)
{
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].err == err) {
			imap_no(s, "%s", reasons[i].text);
			return;
		}
	errno = err;
	log_warn("%s: %s", s->log, s->cmd != NULL ? s->cmd->name : "command");
	imap_no(s, "[UNAVAILABLE] that cannot be done now");
}

void
imap_no_target(struct imap_session *s, int err)
{
	if (err == ENOENT)
		imap_no(s, "[TRYCREATE] no such mailbox");
	else
		imap_no_errno(s, err);
}
