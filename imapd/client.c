/*
 * An IMAP client from the greeting to the login: commands in, answers out,
 * errors counted.  Runs in imapd.
 */
#include <bsd/string.h>
#include <stdio.h>
#include <string.h>

#include "imapd.h"
#include "log.h"

/* --- answers --- */

static void	vreply(struct imap *, const char *, va_list)
    __attribute__((format(printf, 2, 0)));

/* Before a login a tag may be anything, a password as well: it is not logged. */
static void
vreply(struct imap *p, const char *fmt, va_list ap)
{
	char text[1024], *c;

	vsnprintf(text, sizeof(text), fmt, ap);
	for (c = text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	front_log(p->front, LOG_LOW, "rsp: %s", text);
	conn_printf(p->front->conn, "%s %s\r\n", p->tag, text);
}

void
imapd_reply(struct imap *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vreply(p, fmt, ap);
	va_end(ap);
}

static void
imapd_bye(struct imap *p, const char *text)
{
	front_say(p->front, "* BYE %s", text);
	front_close(p->front);
}

void
imapd_error(struct imap *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vreply(p, fmt, ap);
	va_end(ap);
	if (++p->errors < imapd_conf.max_errors)
		return;
	front_log(p->front, LOG_PROBLEM, "too many errors");
	imapd_bye(p, "too many errors");
}

/* --- a client's life --- */

static void
start(struct front_session *f)
{
	struct imap *p = f->data;
	struct buf caps;

	p->front = f;
	f->hello = p->tag;
	buf_init(&p->cmd, IMAPD_MAXCMD);
	conn_timeout(f->conn, imapd_conf.timeout);
	buf_init(&caps, 1024);
	imapd_capabilities(p, &caps);
	front_say(p->front, "* OK [CAPABILITY %s] %s cgate IMAP server is ready",
	    caps.p, front_hostname());
	buf_free(&caps);
}

static void
end(struct front_session *f)
{
	struct imap *p = f->data;

	f->hello = NULL;
	login_forget(p);
	input_forget(p);
	buf_free(&p->cmd);
}

/* The tag and the blank behind it; without them "*" stands for it. */
static bool
read_tag(struct imap *p, struct cur *c)
{
	struct str tag;

	if (imap_tag(c, &tag) && cur_lit(c, " ") &&
	    str_copy(tag, p->tag, sizeof(p->tag)))
		return true;
	strlcpy(p->tag, "*", sizeof(p->tag));
	return false;
}

static void
hopeless(struct imap *p)
{
	imapd_reply(p, "BAD [TOOBIG] that is too long");
	imapd_bye(p, "nobody reads so much before a login");
}

/* The client may be gone when its command was done: the text is kept here. */
static void
command(struct imap *p, const char *line, size_t len)
{
	enum imapd_in got;
	struct buf cmd;
	struct cur c;

	got = input_line(p, line, len, conn_bare_lf(p->front->conn));
	if (got == IN_MORE)
		return;
	cmd = p->cmd;
	buf_init(&p->cmd, IMAPD_MAXCMD);
	input_forget(p);
	c = cur_make(cmd.p, cmd.len);
	if (!read_tag(p, &c) && got != IN_HOPELESS)
		imapd_error(p, "BAD a tag and a command are wanted");
	else if (got == IN_HOPELESS)
		hopeless(p);
	else if (got == IN_REFUSED)
		imapd_error(p, "BAD [TOOBIG] that is too long");
	else
		imapd_command(p, &c);
	if (cmd.p != NULL)
		explicit_bzero(cmd.p, cmd.cap);
	buf_free(&cmd);
}

static void
line_in(struct front_session *f, char *line, size_t len)
{
	if (f->sasl != NULL)
		login_line(f->data, line, len);
	else
		command(f->data, line, len);
}

static void
forget(struct front_session *f)
{
	login_forget(f->data);
	input_forget(f->data);
}

/* It may have announced a literal: nothing that follows is to be executed. */
static void
too_long(struct front_session *f)
{
	struct imap *p = f->data;

	forget(f);
	strlcpy(p->tag, "*", sizeof(p->tag));
	hopeless(p);
}

static void
silent(struct front_session *f)
{
	imapd_bye(f->data, "you have been silent for too long");
}

static void
stop(struct front_session *f)
{
	imapd_bye(f->data, "the server is shutting down");
}

const struct front_def imapd_front = {
	.module = "IMAP",
	.tag = "IMAP",
	.id = PROC_IMAPD,
	.size = sizeof(struct imap),
	.maxline = IMAPD_MAXLINE,
	.start = start,
	.line = line_in,
	.too_long = too_long,
	.silent = silent,
	.stop = stop,
	.secured = forget,
	.end = end,
	.busy = "* BYE [UNAVAILABLE] too many connections, try again later\r\n",
	.bye = "* BYE "
};
