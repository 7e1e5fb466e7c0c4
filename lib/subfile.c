/*
 * The header of a file of Submitted/, which a user of this host wrote: what
 * it says of the envelope is taken out, what is missing is added.  Runs in
 * queued's threads and in cgmail.
 */
#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "addr.h"
#include "qfile.h"
#include "rfc5322.h"
#include "subfile.h"

struct work {
	struct subfile		*f;
	const struct subfile_by	*by;
	char			**ignore;
	size_t			 nignore;
	struct str		 from, sender;	/* bodies */
	bool			 has_from, has_sender, has_date, has_id;
	bool			 has_return, envelope_to;
	const char		*why;
};

typedef void handler(struct work *, const struct field *);

/* --- addresses --- */

static void
add_domain(struct buf *b, struct str addr, const char *domain)
{
	struct str local, dom;

	buf_add(b, addr.p, addr.len);
	if (addr.len > 0 && (!addr_split(addr, &local, &dom) || dom.len == 0))
		buf_printf(b, "@%s", domain);
}

static bool
add_string(char ***list, size_t *n, char *s)
{
	char **p = *list;

	if (s == NULL || *n >= SUBFILE_MAXRCPTS ||
	    ((*n & (*n - 1)) == 0 && (p = reallocarray(*list,
	    *n == 0 ? 1 : *n * 2, sizeof(**list))) == NULL)) {
		free(s);
		return false;
	}
	*list = p;
	(*list)[(*n)++] = s;
	return true;
}

static bool
listed(char **list, size_t n, const char *s)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcasecmp(list[i], s) == 0)
			return true;
	return false;
}

static void
on_rcpt(struct str addr, struct str name, void *arg)
{
	struct work *w = arg;
	char *s;

	if (addr.len == 0)
		return;
	if (addr.len > QFILE_MAXVALUE) {
		w->why = "an address is too long";
		return;
	}
	if ((s = addr_dup(addr)) == NULL)
		w->why = "out of memory";
	else if (listed(w->f->rcpts, w->f->nrcpts, s))
		free(s);
	else if (!add_string(&w->f->rcpts, &w->f->nrcpts, s))
		w->why = "too many recipients";
}

static void
on_ignore(struct str addr, struct str name, void *arg)
{
	struct work *w = arg;

	if (addr.len > 0 && !add_string(&w->ignore, &w->nignore,
	    addr_dup(addr)))
		w->why = "too many addresses to ignore";
}

static void
list(struct work *w, struct str body, void (*cb)(struct str, struct str,
    void *))
{
	struct buf b;

	buf_init(&b, 0);
	if (!field_unfold(&b, body) || b.p == NULL)
		w->why = "a header field cannot be read";
	else if (addr_list((struct str) { b.p, b.len }, cb, w) == -1 &&
	    w->why == NULL)
		w->why = "a header field is no list of addresses";
	buf_free(&b);
}

/* --- fields --- */

static void
keep(struct work *w, const struct field *f)
{
	buf_add(&w->f->header, f->whole.p, f->whole.len);
	if (f->whole.len > 0 && f->whole.p[f->whole.len - 1] != '\n')
		buf_putc(&w->f->header, '\n');
}

static void
f_rcpt(struct work *w, const struct field *f)
{
	keep(w, f);
	if (!w->envelope_to)
		list(w, f->body, on_rcpt);
}

static void
f_bcc(struct work *w, const struct field *f)
{
	if (!w->envelope_to)
		list(w, f->body, on_rcpt);
}

static void
f_envelope_to(struct work *w, const struct field *f)
{
	list(w, f->body, on_rcpt);
}

static void
f_ignore(struct work *w, const struct field *f)
{
	list(w, f->body, on_ignore);
}

static void
f_date(struct work *w, const struct field *f)
{
	w->has_date = true;
	keep(w, f);
}

static void
f_message_id(struct work *w, const struct field *f)
{
	w->has_id = true;
	keep(w, f);
}

/* From and Sender are written once all is known. */
static void
f_from(struct work *w, const struct field *f)
{
	if (!w->has_from)
		w->from = f->body;
	w->has_from = true;
}

static void
f_sender(struct work *w, const struct field *f)
{
	if (!w->has_sender)
		w->sender = f->body;
	w->has_sender = true;
}

static void
f_return_path(struct work *w, const struct field *f)
{
	struct buf text, path;
	struct cur c;

	if (w->has_return)
		return;
	buf_init(&text, 0);
	buf_init(&path, 0);
	field_unfold(&text, f->body);
	c = cur_make(text.p == NULL ? "" : text.p, text.len);
	cur_ws(&c);
	if (addr_path(&c, &path, true) == -1)
		w->why = "the Return-Path is no address";
	else {
		w->has_return = true;
		free(w->f->sender);
		w->f->sender = strdup(path.p == NULL ? "" : path.p);
	}
	buf_free(&text);
	buf_free(&path);
}

static void
f_envid(struct work *w, const struct field *f)
{
	struct buf text, x;

	buf_init(&text, 0);
	buf_init(&x, 0);
	if (field_unfold(&text, f->body) && text.len > 0 && text.len <= 100 &&
	    xtext_encode(&x, (struct str) { text.p, text.len })) {
		free(w->f->envid);
		w->f->envid = buf_steal(&x);
	}
	buf_free(&text);
	buf_free(&x);
}

static struct str
trim(struct str s)
{
	while (s.len > 0 && strchr(" \t\r\n", s.p[0]) != NULL)
		s.p++, s.len--;
	while (s.len > 0 && strchr(" \t\r\n", s.p[s.len - 1]) != NULL)
		s.len--;
	return s;
}

static void
f_notify(struct work *w, const struct field *f)
{
	unsigned int n = subfile_notify(trim(f->body));

	if (n == 0)
		w->why = "Envelope-Notify is wrong";
	else
		w->f->notify = n;
}

static void
f_return(struct work *w, const struct field *f)
{
	char c = subfile_ret(trim(f->body));

	if (c == 0)
		w->why = "Envelope-Return is wrong";
	else
		w->f->ret = c;
}

static const struct {
	const char	*name;
	handler		*run;
} fields[] = {
	{ "To", f_rcpt },
	{ "Cc", f_rcpt },
	{ "Bcc", f_bcc },
	{ "From", f_from },
	{ "Sender", f_sender },
	{ "Date", f_date },
	{ "Message-ID", f_message_id },
	{ "Return-Path", f_return_path },
	{ "Envelope-To", f_envelope_to },
	{ "Envelope-Ignore", f_ignore },
	{ "Envelope-ID", f_envid },
	{ "Envelope-Notify", f_notify },
	{ "Envelope-Return", f_return }
};

static void
each_field(struct work *w, struct str header)
{
	struct cur c = cur_make(header.p, header.len);
	struct field f;
	size_t i;

	while (w->why == NULL && field_next(&c, &f)) {
		for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
			if (str_caseeq(f.name, fields[i].name))
				break;
		if (i < sizeof(fields) / sizeof(fields[0]))
			fields[i].run(w, &f);
		else
			keep(w, &f);
	}
}

/* --- what is missing --- */

struct first {
	struct buf	 addr;
	int		 n;
};

static void
on_first(struct str addr, struct str name, void *arg)
{
	struct first *f = arg;

	if (addr.len > 0 && f->n++ == 0)
		buf_add(&f->addr, addr.p, addr.len);
}

/* The address of a From or Sender field, with a domain; "" if none. */
static void
address_of(struct buf *out, struct str body, const char *domain)
{
	struct first f = { .n = 0 };
	struct buf b;

	buf_init(&f.addr, 0);
	buf_init(&b, 0);
	if (field_unfold(&b, body) && b.p != NULL)
		addr_list((struct str) { b.p, b.len }, on_first, &f);
	if (f.addr.p != NULL)
		add_domain(out, (struct str) { f.addr.p, f.addr.len }, domain);
	buf_free(&b);
	buf_free(&f.addr);
}

/*
 * From or Sender as it was; but a single address without a domain gets one:
 * "ann", or the <ann> at the end.
 */
static void
put_person(struct work *w, const char *name, struct str body)
{
	struct str whole = trim(body);
	const char *open = memrchr(whole.p, '<', whole.len);
	const char *end = whole.p + whole.len;
	struct buf b, *h = &w->f->header;

	buf_init(&b, 0);
	address_of(&b, body, w->by->domain);
	buf_printf(h, "%s: ", name);
	if (b.len > whole.len && strncmp(b.p, whole.p, whole.len) == 0)
		buf_add(h, b.p, b.len);
	else if (open != NULL && end - open > 2 && end[-1] == '>' &&
	    memchr(open, '@', end - open) == NULL && b.p != NULL &&
	    strncmp(b.p, open + 1, end - open - 2) == 0)
		buf_printf(h, "%.*s@%s>", (int)whole.len - 1, whole.p,
		    w->by->domain);
	else
		buf_add(h, whole.p, whole.len);
	buf_putc(h, '\n');
	buf_free(&b);
}

static void
identity(struct buf *b, const struct subfile_by *by)
{
	buf_printf(b, "%s@%s", by->login, by->domain);
}

static void
put_from(struct work *w)
{
	struct buf *h = &w->f->header;

	if (w->has_from) {
		put_person(w, "From", w->from);
		return;
	}
	buf_puts(h, "From: ");
	if (w->by->fullname != NULL && *w->by->fullname != '\0') {
		phrase_quote(h, w->by->fullname);
		buf_putc(h, ' ');
	}
	buf_puts(h, "<");
	if (w->has_return && *w->f->sender != '\0')
		add_domain(h, str_make(w->f->sender), w->by->domain);
	else
		identity(h, w->by);
	buf_puts(h, ">\n");
}

/*
 * The return-path, and who may bear it: others than the trusted bear their
 * own, or a Sender line says who they are.
 */
static void
settle_sender(struct work *w)
{
	struct buf own, path;

	buf_init(&own, 0);
	buf_init(&path, 0);
	identity(&own, w->by);
	if (w->has_return)
		add_domain(&path, str_make(w->f->sender == NULL ? "" :
		    w->f->sender), w->by->domain);
	if (!w->has_return && w->has_from)
		address_of(&path, w->from, w->by->domain);
	if (!w->has_return && path.len == 0 && w->has_sender)
		address_of(&path, w->sender, w->by->domain);
	if (!w->has_return && path.len == 0)
		buf_puts(&path, own.p);
	if (!w->by->trusted && (path.p == NULL ||
	    strcasecmp(path.p, own.p) != 0))
		buf_printf(&w->f->header, "Sender: <%s>\n", own.p);
	else if (w->has_sender)
		put_person(w, "Sender", w->sender);
	free(w->f->sender);
	if (own.failed || (w->f->sender = strdup(path.p == NULL ? "" :
	    path.p)) == NULL)
		w->why = "out of memory";
	buf_free(&own);
	buf_free(&path);
}

static void
put_missing(struct work *w)
{
	struct buf *h = &w->f->header;
	char text[300];

	if (!w->has_date) {
		date_rfc5322(text, sizeof(text), w->by->now);
		buf_printf(h, "Date: %s\n", text);
	}
	if (!w->has_id) {
		message_id(text, sizeof(text), w->by->domain);
		buf_printf(h, "Message-ID: %s\n", text);
	}
}

static void
drop_ignored(struct work *w)
{
	struct subfile *f = w->f;
	size_t i, n = 0;

	if (w->envelope_to)
		return;
	for (i = 0; i < f->nrcpts; i++)
		if (listed(w->ignore, w->nignore, f->rcpts[i]))
			free(f->rcpts[i]);
		else
			f->rcpts[n++] = f->rcpts[i];
	f->nrcpts = n;
}

int
subfile_parse(struct subfile *f, struct str text, const struct subfile_by *by,
    const char **why)
{
	struct work w = { .f = f, .by = by };
	struct field field;
	struct str header;
	bool cr = false;
	size_t i;

	memset(f, 0, sizeof(*f));
	f->ret = '_';
	f->notify = QN_DEFAULT;
	buf_init(&f->header, 4 * RFC5322_MAXHEADER);
	f->body = header_end(text);
	header = (struct str) { text.p, f->body };
	w.envelope_to = header_find(header, "Envelope-To", &field);
	each_field(&w, header);
	if (w.why == NULL) {
		put_from(&w);
		settle_sender(&w);
		put_missing(&w);
		drop_ignored(&w);
		buf_putc(&f->header, '\n');
	}
	if (w.why == NULL && f->nrcpts == 0)
		w.why = "there are no recipients";
	if (w.why == NULL && f->header.failed)
		w.why = "the header is too long";
	if (w.why == NULL)
		f->header.len = subfile_lf(f->header.p, f->header.len, &cr);
	for (i = 0; i < w.nignore; i++)
		free(w.ignore[i]);
	free(w.ignore);
	if ((*why = w.why) == NULL)
		return 0;
	subfile_free(f);
	return -1;
}

void
subfile_free(struct subfile *f)
{
	size_t i;

	for (i = 0; i < f->nrcpts; i++)
		free(f->rcpts[i]);
	free(f->rcpts);
	free(f->sender);
	free(f->envid);
	buf_free(&f->header);
	memset(f, 0, sizeof(*f));
}

size_t
subfile_lf(char *p, size_t len, bool *cr)
{
	size_t i, n = 0;

	if (!*cr && memchr(p, '\r', len) == NULL)
		return len;
	for (i = 0; i < len; i++) {
		if (p[i] == '\n' && *cr) {	/* told already */
			*cr = false;
			continue;
		}
		*cr = p[i] == '\r';
		p[n++] = *cr ? '\n' : p[i];
	}
	return n;
}

unsigned int
subfile_notify(struct str s)
{
	static const struct {
		const char	*word;
		unsigned int	 bit;
	} words[] = {
		{ "SUCCESS", QN_SUCCESS },
		{ "FAILURE", QN_FAILURE },
		{ "DELAY", QN_DELAY }
	};
	struct cur c = cur_make(s.p, s.len);
	unsigned int n = 0;
	struct str word;
	size_t i;

	if (str_caseeq(s, "NEVER"))
		return QN_NEVER;
	do {
		word = cur_until(&c, ",");
		for (i = 0; i < 3; i++)
			if (str_caseeq(word, words[i].word))
				break;
		if (i == 3)
			return 0;
		n |= words[i].bit;
	} while (cur_lit(&c, ","));
	return n | QN_SAID;
}

char
subfile_ret(struct str s)
{
	if (str_caseeq(s, "FULL"))
		return 'F';
	return str_caseeq(s, "HDRS") ? 'H' : 0;
}
