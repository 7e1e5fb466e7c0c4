/*
 * The header of a message that comes in: its fields are looked at as they
 * pass, what is missing is put in at its end (manual 57), and a text without
 * a header gets one.  Pure; part of body.h.  Must never change what is there;
 * a Return-Path of others alone is left out.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "addr.h"
#include "body.h"
#include "rfc5322.h"

/* Length of a field's name, or 0 if that is no field. */
static size_t
field_name(const char *p, size_t len)
{
	size_t n = 0, i;

	while (n < len && p[n] > ' ' && p[n] < 0x7f && p[n] != ':')
		n++;
	for (i = n; i < len && (p[i] == ' ' || p[i] == '\t'); i++)
		;
	return n > 0 && i < len && p[i] == ':' ? n : 0;
}

/* Behind the name: "No", and nothing else (RFC 8689, 3). */
static bool
says_no(const struct body *b, const char *p)
{
	struct cur c = { p, b->out->p + b->out->len };
	bool no;

	(void)cur_until(&c, ":");
	cur_get(&c);
	cur_span(&c, " \t");
	no = cur_caselit(&c, "No");
	cur_span(&c, " \t\n");
	return no && cur_left(&c) == 0;
}

static void
note_field(struct body *b, const char *p, size_t len)
{
	struct str name = { p, len };

	if (str_caseeq(name, "Received"))
		b->hops++;
	else if (str_caseeq(name, "Date"))
		b->date = true;
	else if (str_caseeq(name, "Message-Id"))
		b->message_id = true;
	else if (str_caseeq(name, "Sender"))
		b->has_sender = true;
	else if (str_caseeq(name, "TLS-Required"))
		b->no_tls = says_no(b, p);
	b->in_from = str_caseeq(name, "From");
	if (b->in_from && b->nfrom++ == 0)
		b->from_at = b->line;
}

/* --- what a submission lacks --- */

static bool
is_own(const struct body *b, struct str addr)
{
	return str_caseeq(addr, b->account) ||
	    (b->own_sender && str_caseeq(addr, b->sender));
}

struct author {
	const struct body *b;
	bool		 own;
};

static void
note_author(struct str addr, struct str name, void *arg)
{
	struct author *a = arg;

	a->own = is_own(a->b, addr);
}

/* He is the one author that the From field names. */
static bool
is_author(const struct body *b)
{
	struct cur c = { b->out->p + b->from_at,
		b->out->p + b->from_at + b->from_len };
	struct author a = { .b = b };

	if (b->nfrom != 1 || b->from_len == 0)	/* too long ago */
		return false;
	(void)cur_until(&c, ":");
	cur_get(&c);
	return addr_list((struct str){ c.p, c.end - c.p }, note_author, &a) ==
	    1 && a.own;
}

static void
mend(const struct body *b, struct buf *add)
{
	if (b->nfrom == 0)
		buf_printf(add, "From: <%s>\n",
		    is_own(b, str_make(b->sender)) ? b->sender : b->account);
	else if (!b->has_sender && !is_author(b))
		buf_printf(add, "Sender: <%s>\n", b->account);
}

/* --- the end of the header --- */

static void
missing(struct body *b, struct buf *add)
{
	char text[512];

	if (!b->date) {
		date_rfc5322(text, sizeof(text), b->now);
		buf_printf(add, "Date: %s\n", text);
	}
	if (!b->message_id && b->trusted) {
		message_id(text, sizeof(text), b->host);
		buf_printf(add, "Message-Id: %s\n", text);
	}
	if (b->account != NULL) {
		mend(b, add);
		return;
	}
	if (!b->first)
		return;
	if (*b->sender == '\0')
		buf_printf(add, "From: MAILER-DAEMON@%s\n", b->host);
	else
		buf_printf(add, "From: <%s>\n", b->sender);
}

/* Before the line that stands last in out. */
static void
insert(struct body *b, const char *p, size_t n)
{
	struct buf *out = b->out;
	size_t tail = out->len - b->line;

	if (n == 0 || !buf_add(out, p, n))
		return;
	memmove(out->p + b->line + n, out->p + b->line, tail);
	memcpy(out->p + b->line, p, n);
}

static void
finish(struct body *b, const char *separator)
{
	struct buf add;

	buf_init(&add, 4096);
	missing(b, &add);
	buf_puts(&add, separator);
	insert(b, add.p, add.len);
	if (add.failed)
		b->out->failed = true;
	buf_free(&add);
	b->header = false;
}

/* Delivery alone says that (RFC 5321, 4.4).  A bare CR is one all the same. */
static void
drop(struct body *b)
{
	if (memchr(b->out->p + b->line, '\r', b->out->len - b->line) != NULL)
		b->bare = b->discard = true;
	b->out->len = b->line;
	if (b->fed > b->line)
		b->fed = b->line;
}

void
header_line(struct body *b)
{
	const char *p = b->out->p + b->line;
	size_t len = b->out->len - b->line, n;

	if (len == 1) {
		finish(b, "");
		return;
	}
	if ((n = field_name(p, len)) > 0) {
		note_field(b, p, n);
		b->dropped = str_caseeq((struct str){ p, n }, "Return-Path");
	} else if (b->first || (*p != ' ' && *p != '\t')) {
		finish(b, "\n");
		return;
	}
	if (b->in_from && b->nfrom == 1)
		b->from_len = b->out->len - b->from_at;
	b->first = false;
	if (b->dropped)
		drop(b);
	b->line = b->out->len;
}

void
header_stop(struct body *b)
{
	finish(b, b->first ? "\n" : "");
}

void
header_received(struct buf *b, const struct received *r)
{
	char date[64];

	date_rfc5322(date, sizeof(date), r->now);
	buf_printf(b, "Received: from %s ([%s%s]%s)\n  by %s (cgate SMTP "
	    CG_VERSION ")\n  with %s%s%s id %" PRIu64, r->helo,
	    strchr(r->peer, ':') != NULL ? "IPv6:" : "", r->peer,
	    r->verified ? " verified" : "", r->host,
	    r->utf8 ? "UTF8SMTP" : r->esmtp ? "ESMTP" : "SMTP",
	    r->esmtp && r->tls ? "S" : "",
	    r->esmtp && r->auth ? "A" : "", r->id);
	if (r->rcpt != NULL)
		buf_printf(b, "\n  for <%s>", r->rcpt);
	buf_printf(b, ";\n  %s\n", date);
}
