/*
 * What a delivery report says: its envelope, a text for people, and the
 * fields of RFC 3464.  What it returns of the message is added by a thread.
 * Runs in queued's loop and touches no file.
 */
#include <bsd/stdlib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "dsn.h"
#include "rfc5322.h"

const char *
dsn_to(const struct msg *m)
{
	return strncasecmp(m->q.sender, "MAILER-DAEMON@", 14) == 0 ||
	    strlen(m->q.sender) > 1000 ? "" : m->q.sender;	/* no packet's */
}

/* RET as the sender asked, and as the setting bends it. */
static enum dsn_return
what_to_return(const struct msg *m, bool failed)
{
	const char *set = queue_text("OnFailureReturn");
	bool body = strstr(set, "body") != NULL;

	if (!failed)
		return DSN_HEADERS;
	if (strncasecmp(set, "always", 6) != 0 && m->q.ret != '_')
		body = m->q.ret == 'F';
	return body ? DSN_MESSAGE : DSN_HEADERS;
}

static bool
any(const struct msg *m, char letter)
{
	size_t i;

	for (i = 0; i < m->q.nrcpts; i++)
		if (m->rcpts[i].reporting && m->rcpts[i].letter == letter)
			return true;
	return false;
}

static bool
any_failed(const struct msg *m)
{
	return any(m, 'F');
}

/* Which R lines, for whoever finds this report after a crash. */
static void
about(struct buf *b, const struct msg *m)
{
	struct buf list;
	size_t i;

	buf_init(&list, 0);
	for (i = 0; i < m->q.nrcpts; i++)
		if (m->rcpts[i].reporting)
			buf_printf(&list, "%s%zu%c",
			    list.len == 0 ? "" : ",", i, m->rcpts[i].letter);
	if (list.failed || !qfile_about(b, m->id, list.p))
		b->failed = true;
	buf_free(&list);
}

static void
envelope(struct buf *b, const struct msg *m, const char *copy, int64_t now)
{
	qfile_from(b, now, "", '_', NULL);
	about(b, m);
	qfile_options(b, "T");
	qfile_source(b, NULL, "DSN", "");
	if (*dsn_to(m) != '\0')
		qfile_rcpt(b, now, dsn_to(m), QN_NEVER, NULL);
	if (*copy != '\0' && any_failed(m))
		qfile_rcpt(b, now, copy, QN_NEVER, NULL);
	qfile_end(b);
}

static void
header(struct dsn_text *t, const struct msg *m, uint64_t id, const char *copy,
    int64_t now)
{
	struct buf *b = &t->head;
	char date[64];

	date_rfc5322(date, sizeof(date), now);
	buf_printf(b, "From: Mail Delivery System <MAILER-DAEMON@%s>\n",
	    queue_domain());
	buf_printf(b, "To: <%s>\n", *dsn_to(m) == '\0' ? copy : dsn_to(m));
	buf_printf(b, "Subject: %s\n", any_failed(m) ?
	    "Your message could not be delivered" : any(m, 'W') ?
	    "Your message is delayed" : "Your message was delivered");
	buf_printf(b, "Date: %s\n", date);
	buf_printf(b, "Message-ID: <dsn-%" PRIu64 "@%s>\n", id,
	    queue_domain());
	buf_puts(b, "Auto-Submitted: auto-replied\nMIME-Version: 1.0\n");
	buf_printf(b, "Content-Type: multipart/report;"
	    " report-type=delivery-status;\n\tboundary=\"%s\"\n",
	    t->boundary);
}

/* A text of ours or a peer's, as one line of ASCII. */
static void
one_line(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++)
		buf_putc(b, *s >= ' ' && *s < 0x7f ? *s : '?');
}

/* What became of it, for people and for programs. */
static const char *
said(const struct rcpt *r)
{
	return r->letter == 'F' ? "not delivered" :
	    r->letter == 'W' ? "not delivered yet, it will be tried again" :
	    r->remote ? "passed on to another mail system" : "delivered";
}

static const char *
action(const struct rcpt *r)
{
	return r->letter == 'F' ? "failed" : r->letter == 'W' ? "delayed" :
	    r->remote ? "relayed" : "delivered";
}

static void
for_people(struct buf *b, const struct msg *m)
{
	const struct rcpt *r;
	char date[64];
	size_t i;

	date_rfc5322(date, sizeof(date), m->q.time);
	buf_printf(b, "This is the mail system at %s.\n\nThis is what became"
	    " of the message that you sent on\n%s:\n", queue_domain(), date);
	for (i = 0; i < m->q.nrcpts; i++) {
		r = &m->rcpts[i];
		if (!r->reporting)
			continue;
		buf_puts(b, "\n<");
		one_line(b, r->q->addr);
		buf_printf(b, ">: %s\n    ", said(r));
		one_line(b, r->text == NULL ? "" : r->text);
		buf_putc(b, '\n');
	}
	buf_puts(b, "\nDetails for programs, and what you sent, follow.\n");
}

/* ORCPT is "type;xtext"; a field holds it decoded. */
static void
original(struct buf *b, const char *orcpt)
{
	const char *semi = strchr(orcpt, ';');
	struct buf text;

	if (semi == NULL)
		return;
	buf_init(&text, QFILE_MAXVALUE + 1);
	if (xtext_decode(&text, str_make(semi + 1)) && text.len > 0) {
		buf_printf(b, "Original-Recipient: %.*s;", (int)(semi - orcpt),
		    orcpt);
		one_line(b, text.p);
		buf_putc(b, '\n');
	}
	buf_free(&text);
}

static void
for_programs(struct buf *b, const struct msg *m)
{
	const struct rcpt *r;
	char date[64];
	struct buf id;
	size_t i;

	buf_printf(b, "Reporting-MTA: dns; %s\n", queue_domain());
	buf_init(&id, QFILE_MAXVALUE + 1);
	if (m->q.envid != NULL && xtext_decode(&id, str_make(m->q.envid)) &&
	    id.len > 0) {
		buf_puts(b, "Original-Envelope-Id: ");
		one_line(b, id.p);
		buf_putc(b, '\n');
	}
	buf_free(&id);
	date_rfc5322(date, sizeof(date), m->q.time);
	buf_printf(b, "Arrival-Date: %s\n", date);
	for (i = 0; i < m->q.nrcpts; i++) {
		r = &m->rcpts[i];
		if (!r->reporting)
			continue;
		buf_putc(b, '\n');
		if (r->q->orcpt != NULL)
			original(b, r->q->orcpt);
		buf_puts(b, "Final-Recipient: rfc822;");
		one_line(b, r->q->addr);
		buf_printf(b, "\nAction: %s\nStatus: ", action(r));
		one_line(b, r->esc == NULL ? "5.0.0" : r->esc);
		if (r->letter == 'W') {
			date_rfc5322(date, sizeof(date), r->until);
			buf_printf(b, "\nWill-Retry-Until: %s", date);
		}
		if (r->letter == 'F' && r->text != NULL) {
			buf_puts(b, "\nDiagnostic-Code: x-cgate;");
			one_line(b, r->text);
		}
		buf_putc(b, '\n');
	}
}

static void
parts(struct dsn_text *t, const struct msg *m)
{
	struct buf *b = &t->parts;

	buf_printf(b, "\nThis is a report in the format of RFC 3464.\n\n"
	    "--%s\nContent-Type: text/plain; charset=us-ascii\n"
	    "Content-Description: Notification\n\n", t->boundary);
	for_people(b, m);
	buf_printf(b, "\n--%s\nContent-Type: message/delivery-status\n"
	    "Content-Description: Delivery report\n\n", t->boundary);
	for_programs(b, m);
	buf_printf(b, "\n--%s\nContent-Description: %s\nContent-Type: %s\n",
	    t->boundary, t->what == DSN_MESSAGE ? "Message" :
	    "Message headers", t->what == DSN_MESSAGE ? "message/rfc822" :
	    "text/rfc822-headers");
}

bool
dsn_compose(struct dsn_text *t, const struct msg *m, uint64_t id,
    const char *copy)
{
	int64_t now = time(NULL);

	memset(t, 0, sizeof(*t));
	buf_init(&t->head, 0);
	buf_init(&t->parts, 0);
	snprintf(t->boundary, sizeof(t->boundary), "=_%08x%08x%08x_report",
	    arc4random(), arc4random(), arc4random());
	t->what = what_to_return(m, any_failed(m));
	envelope(&t->head, m, copy, now);
	t->body = t->head.len;
	header(t, m, id, copy, now);
	parts(t, m);
	if (!t->head.failed && !t->parts.failed)
		return true;
	dsn_text_free(t);
	return false;
}

void
dsn_text_free(struct dsn_text *t)
{
	buf_free(&t->head);
	buf_free(&t->parts);
}
