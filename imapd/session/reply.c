/*
 * What is said to the client: untagged lines, and the one that ends a command.
 * Runs in the account's worker.
 */
#include <errno.h>
#include <string.h>

#include "int.h"
#include "log.h"

static void	line(struct imap_session *, const char *, const char *,
    const char *, va_list) __attribute__((format(printf, 4, 0)));
static void	end(struct imap_session *, const char *, const char *,
    va_list) __attribute__((format(printf, 3, 0)));

static void
line(struct imap_session *s, const char *start, const char *kind,
    const char *fmt, va_list ap)
{
	size_t from = s->out.len;

	buf_printf(&s->out, "%s%s", start, kind);
	buf_vprintf(&s->out, fmt, ap);
	if (s->out.p != NULL && s->out.len > from)
		log_tag(LOG_LOW, s->log, "out: %.*s",
		    (int)(s->out.len - from), s->out.p + from);
	buf_puts(&s->out, "\r\n");
}

static void
end(struct imap_session *s, const char *kind, const char *fmt, va_list ap)
{
	line(s, s->tag, kind, fmt, ap);
	s->answered = true;
	s->cmd = NULL;
}

/* What others did, where it may be told. */
static void
update(struct imap_session *s)
{
	const struct imap_command *cmd = s->cmd;

	if (cmd != NULL && !(cmd->flags & CMD_QUIET) && s->box != NULL)
		imap_update(s, !(cmd->flags & CMD_NUMBERS) || s->byuid);
}

void
imap_ok(struct imap_session *s, const char *fmt, ...)
{
	va_list ap;

	update(s);
	va_start(ap, fmt);
	end(s, " OK ", fmt, ap);
	va_end(ap);
}

void
imap_no(struct imap_session *s, const char *fmt, ...)
{
	va_list ap;

	update(s);
	va_start(ap, fmt);
	end(s, " NO ", fmt, ap);
	va_end(ap);
}

void
imap_bad(struct imap_session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	end(s, " BAD ", fmt, ap);
	va_end(ap);
	if (++s->errors >= s->maxerrors)
		imap_bye(s, "too many errors");
}

void
imap_say(struct imap_session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line(s, "* ", "", fmt, ap);
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
	{ EDQUOT, "[OVERQUOTA] no more than the account's limit" },
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
