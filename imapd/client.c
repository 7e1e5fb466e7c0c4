/*
 * An IMAP client from the greeting to the login: commands in, answers out,
 * errors counted.  Runs in imapd.
 */
#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imapd.h"
#include "log.h"

static LIST_HEAD(, imap) clients = LIST_HEAD_INITIALIZER(clients);

/* --- answers --- */

static void	vreply(struct imap *, const char *, va_list)
    __attribute__((format(printf, 2, 0)));

static void
vreply(struct imap *p, const char *fmt, va_list ap)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
	front_say(p->front, "%s %s", p->tag, text);
}

void
imapd_reply(struct imap *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vreply(p, fmt, ap);
	va_end(ap);
}

void
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
	struct imap *p = calloc(1, sizeof(*p));
	struct buf caps;

	if (p == NULL) {
		conn_printf(f->conn, "* BYE [UNAVAILABLE] out of memory\r\n");
		front_close(f);
		return;
	}
	p->front = f;
	f->data = p;
	f->hello = p->tag;
	buf_init(&p->cmd, IMAPD_MAXCMD);
	LIST_INSERT_HEAD(&clients, p, all);
	conn_lines(f->conn, IMAPD_MAXLINE);
	conn_timeout(f->conn, imapd_conf.timeout);
	front_log(f, LOG_LOW, "connected%s", f->tls ? " with TLS" : "");
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

	if (p == NULL)
		return;
	f->data = NULL;
	f->hello = NULL;
	login_forget(p);
	input_forget(p);
	buf_free(&p->cmd);
	LIST_REMOVE(p, all);
	explicit_bzero(p, sizeof(*p));
	free(p);
	front_log(f, LOG_LOW, "closed");
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
line_in(struct imap *p, const char *line, size_t len)
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

/* It may have announced a literal: nothing that follows is to be executed. */
static void
long_line(struct imap *p)
{
	login_forget(p);
	input_forget(p);
	strlcpy(p->tag, "*", sizeof(p->tag));
	hopeless(p);
}

static void
event(struct conn *c, enum conn_event what, char *line, size_t len, void *arg)
{
	struct front_session *f = arg;
	struct imap *p = f->data;

	if (p == NULL)
		return;
	switch (what) {
	case CONN_LINE:
		if (f->sasl != NULL)
			login_line(p, line, len);
		else
			line_in(p, line, len);
		break;
	case CONN_LONG:
		long_line(p);
		break;
	case CONN_SECURE:
		front_log(f, LOG_LOW, "TLS is up");
		login_forget(p);	/* what was said in the clear */
		input_forget(p);
		break;
	case CONN_TIMEOUT:
		front_log(f, LOG_PROBLEM, "timed out");
		imapd_bye(p, "you have been silent for too long");
		break;
	case CONN_EOF:
		front_close(f);
		break;
	case CONN_ERROR:
		front_log(f, LOG_PROBLEM, "connection lost: %s",
		    conn_error(c));
		front_close(f);
		break;
	case CONN_DATA:
	case CONN_DRAINED:
		break;
	}
}

const struct front_def imapd_front = {
	.module = "IMAP",
	.tag = "IMAP",
	.id = PROC_IMAPD,
	.start = start,
	.event = event,
	.end = end,
	.busy = "* BYE [UNAVAILABLE] too many connections, try again later\r\n",
	.bye = "* BYE "
};

/* Those who have logged in live on in their workers as long as those do. */
void
imapd_stop(void)
{
	struct imap *p, *next;

	for (p = LIST_FIRST(&clients); p != NULL; p = next) {
		next = LIST_NEXT(p, all);
		if (!p->passed_on)
			imapd_bye(p, "the server is shutting down");
	}
	front_stop();
}
