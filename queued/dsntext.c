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
#include "idn.h"
#include "rfc5322.h"

const char *
dsn_to(const struct msg *m)
{
	return strncasecmp(m->q.sender, "MAILER-DAEMON@", 14) == 0 ||
	    strlen(m->q.sender) > 1000 ? "" : m->q.sender;	/* no packet's */
}

/* REQUIRETLS: a report goes no other way, and tells little (RFC 8689, 5). */
static bool
needs_tls(const struct msg *m)
{
	return strchr(m->q.options, 'R') != NULL;
}

/* RET as the sender asked, and as the setting bends it. */
static enum dsn_return
what_to_return(const struct msg *m, bool failed)
{
	const char *set = queue_text("OnFailureReturn");
	bool body = strstr(set, "body") != NULL;

	if (!failed || needs_tls(m))
		return DSN_HEADERS;
	if (strncasecmp(set, "always", 6) != 0 && m->q.ret != '_')
		body = m->q.ret == 'F';
	return body && m->size <= (uint64_t)queue_int("ReturnLimit") ?
	    DSN_MESSAGE : DSN_HEADERS;
}

/* --- beyond ASCII (RFC 6533) --- */

/* Who sent by SMTPUTF8, or has such an address, can read it. */
static bool
takes_utf8(const struct msg *m)
{
	return strchr(m->q.options, 'U') != NULL ||
	    !utf8_is_ascii(str_make(m->q.sender));
}

/* Is anything to be said that ASCII cannot say? */
static bool
beyond_ascii(const struct msg *m)
{
	const struct rcpt *r;
	size_t i;

	for (i = 0; i < m->q.nrcpts; i++) {
		r = &m->rcpts[i];
		if (r->reporting && (!utf8_is_ascii(str_make(r->q->addr)) ||
		    (r->q->orcpt != NULL &&
		    !utf8_is_ascii(str_make(r->q->orcpt)))))
			return true;
	}
	return false;
}

/* A text of ours or a peer's, as one line; what must not be in it as '?'. */
static void
one_line(struct buf *b, const char *s, bool utf8)
{
	utf8 = utf8 && utf8_valid(str_make(s));
	for (; *s != '\0'; s++)
		buf_putc(b, (*s >= ' ' && *s < 0x7f) ||
		    ((unsigned char)*s >= 0x80 && utf8) ? *s : '?');
}

/*
 * What is not ASCII as \\x{E4}; all: what xtext has no place for, too
 * (utf-8-addr-xtext of RFC 6533).
 */
static void
escaped(struct buf *b, const char *s, bool all)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t u;
	int more;

	if (!utf8_valid(str_make(s))) {
		one_line(b, s, false);
		return;
	}
	for (; *p != '\0'; p++) {
		u = *p;
		more = u >= 0xf0 ? 3 : u >= 0xe0 ? 2 : u >= 0x80 ? 1 : 0;
		if (more > 0)
			u &= 0x3fU >> more;
		for (; more > 0 && p[1] != '\0'; more--)
			u = u << 6 | (*++p & 0x3fU);
		if (u >= 0x7f || u < ' ' ||
		    (all && strchr(" +=\\", (int)u) != NULL))
			buf_printf(b, "\\x{%02X}", u);
		else
			buf_putc(b, (int)u);
	}
}

/* "rfc822;ann@x", or of the type utf-8. */
static void
typed_address(struct buf *b, const char *addr, bool utf8)
{
	if (utf8_is_ascii(str_make(addr))) {
		buf_puts(b, "rfc822;");
		one_line(b, addr, false);
		return;
	}
	buf_puts(b, "utf-8;");
	if (utf8 && utf8_valid(str_make(addr)))
		one_line(b, addr, true);
	else
		escaped(b, addr, true);
}

/* --- the report --- */

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
		/* Nobody looks for warnings after a crash. */
		if (m->rcpts[i].reporting && m->rcpts[i].letter != 'W')
			buf_printf(&list, "%s%zu%c",
			    list.len == 0 ? "" : ",", i, m->rcpts[i].letter);
	if (list.failed ||
	    !qfile_about(b, m->id, list.p == NULL ? "" : list.p))
		b->failed = true;
	buf_free(&list);
}

static void
envelope(struct buf *b, const struct msg *m, const char *copy, int64_t now)
{
	char options[8];

	qfile_from(b, now, "", '_', NULL);
	about(b, m);
	snprintf(options, sizeof(options), "T8%s%s", needs_tls(m) ? "R" : "",
	    utf8_is_ascii(str_make(dsn_to(m))) ? "" : "U");
	qfile_options(b, options);
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
		one_line(b, r->q->addr, true);
		buf_printf(b, ">: %s\n    ", said(r));
		one_line(b, r->text == NULL ? "" : r->text, true);
		buf_putc(b, '\n');
	}
	buf_puts(b, "\nDetails for programs, and what you sent, follow.\n");
}

/*
 * ORCPT is "type;xtext"; a field holds it decoded.  The type utf-8 has a way
 * of its own to write what is not ASCII.
 */
static void
original(struct buf *b, const char *orcpt, bool utf8)
{
	const char *semi = strchr(orcpt, ';');
	struct buf text;

	if (semi == NULL)
		return;
	buf_init(&text, QFILE_MAXVALUE + 1);
	if (!utf8_is_ascii(str_make(semi))) {
		if (utf8)
			buf_puts(&text, semi + 1);
		else
			escaped(&text, semi + 1, false);
	} else if (!xtext_decode(&text, str_make(semi + 1)))
		buf_reset(&text);
	if (text.len > 0) {
		buf_printf(b, "Original-Recipient: %.*s;", (int)(semi - orcpt),
		    orcpt);
		one_line(b, text.p, utf8);
		buf_putc(b, '\n');
	}
	buf_free(&text);
}

/* Words of ours, or (where it says so) of the host that was spoken to. */
static void
diagnostic(struct buf *b, const struct rcpt *r, bool utf8)
{
	static const char words[] = " said: ";
	const char *p = strstr(r->text, words);

	const char *text = r->text;

	if (r->remote && p != NULL && strcspn(text, " ") ==
	    (size_t)(p - text)) {
		buf_printf(b, "\nRemote-MTA: dns; %.*s", (int)(p - text),
		    text);
		text = p + sizeof(words) - 1;
	}
	buf_printf(b, "\nDiagnostic-Code: %s; ", text != r->text &&
	    strspn(text, "0123456789") == 3 ? "smtp" : "x-cgate");
	one_line(b, text, utf8);
}

static void
for_programs(struct buf *b, const struct msg *m, bool utf8)
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
		one_line(b, id.p, false);
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
			original(b, r->q->orcpt, utf8);
		buf_puts(b, "Final-Recipient: ");
		typed_address(b, r->q->addr, utf8);
		buf_printf(b, "\nAction: %s\nStatus: ", action(r));
		one_line(b, r->esc == NULL ? "5.0.0" : r->esc, false);
		if (r->letter == 'W') {
			date_rfc5322(date, sizeof(date), r->until);
			buf_printf(b, "\nWill-Retry-Until: %s", date);
		}
		if (r->letter == 'F' && r->text != NULL)
			diagnostic(b, r, utf8);
		buf_putc(b, '\n');
	}
}

static void
put_part(struct buf *b, const char *boundary, const char *type,
    const char *what, const struct buf *text)
{
	bool ascii = text->p == NULL ||
	    utf8_is_ascii((struct str){ text->p, text->len });

	buf_printf(b, "--%s\nContent-Type: %s\nContent-Description: %s\n%s\n",
	    boundary, type, what, ascii ? "" :
	    "Content-Transfer-Encoding: 8bit\n");
	if (text->failed || text->p == NULL)
		b->failed = true;
	else
		buf_add(b, text->p, text->len);
	buf_putc(b, '\n');
}

/* The type of the last part is told by whoever has read the message. */
static void
parts(struct dsn_text *t, const struct msg *m)
{
	struct buf *b = &t->parts, people, programs;
	bool global = takes_utf8(m) && beyond_ascii(m);

	t->utf8 = takes_utf8(m);
	buf_init(&people, 0);
	buf_init(&programs, 0);
	for_people(&people, m);
	for_programs(&programs, m, global);
	t->eightbit = global || (people.p != NULL &&
	    !utf8_is_ascii((struct str){ people.p, people.len }));
	buf_puts(b, "\nThis is a report in the format of RFC 3464.\n\n");
	put_part(b, t->boundary, t->eightbit ? "text/plain; charset=utf-8" :
	    "text/plain; charset=us-ascii", "Notification", &people);
	put_part(b, t->boundary, global ? "message/global-delivery-status" :
	    "message/delivery-status", "Delivery report", &programs);
	buf_printf(b, "--%s\nContent-Description: %s\nContent-Type: ",
	    t->boundary, t->what == DSN_MESSAGE ? "Message" :
	    "Message headers");
	buf_free(&people);
	buf_free(&programs);
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
