/*
 * A message on its way into Submitted/: its header is gathered, completed
 * and checked as queued will check it, its body streamed to a .tmp file,
 * which is made durable and renamed to .sub.  Must never say that a message
 * is taken before that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "addr.h"
#include "cgmail.h"
#include "rfc5322.h"
#include "subfile.h"

/* What only we may say of the envelope. */
static const char *const ours[] = {
	"Return-Path", "Envelope-To", "Envelope-Ignore", "Envelope-ID",
	"Envelope-Notify", "Envelope-Return"
};

static void
trouble(struct draft *d, int status, const char *text)
{
	if (d->error != NULL)
		return;
	d->status = status;
	d->error = text;
}

void
draft_start(struct draft *d)
{
	d->dir = -1;
	buf_init(&d->header, RFC5322_MAXHEADER / 2);
}

bool
draft_rcpt(struct draft *d, const char *addr)
{
	char **p;

	p = reallocarray(d->rcpts, d->nrcpts + 1, sizeof(*p));
	if (p == NULL)
		return false;
	d->rcpts = p;
	if ((p[d->nrcpts] = strdup(addr)) == NULL)
		return false;
	d->nrcpts++;
	return true;
}

static void
on_addr(struct str addr, struct str name, void *arg)
{
	struct draft *d = arg;
	char *s = str_dup(addr);

	if (s != NULL && *s != '\0')
		draft_rcpt(d, s);
	free(s);
}

bool
draft_rcpts(struct draft *d, const char *list)
{
	return addr_list(str_make(list), on_addr, d) > 0;
}

/* --- the file --- */

static int
open_tmp(struct draft *d)
{
	unsigned int r;
	char name[80];
	int fd;

	d->dir = open(base_dir(), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (d->dir != -1) {
		fd = openat(d->dir, "Submitted", O_RDONLY | O_DIRECTORY |
		    O_CLOEXEC);
		close(d->dir);
		d->dir = fd;
	}
	if (d->dir == -1)
		return -1;
	if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
		return -1;
	snprintf(name, sizeof(name), "%lld-%d-%08x", (long long)time(NULL),
	    (int)getpid(), r);
	d->tmp = xasprintf("%s.tmp", name);
	d->sub = xasprintf("%s.sub", name);
	fd = openat(d->dir, d->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0640);
	if (fd == -1) {
		free(d->tmp);
		d->tmp = NULL;
	} else
		fchmod(fd, 0640);	/* queued reads it by its group */
	return fd;
}

static void
open_out(struct draft *d)
{
	int fd = open_tmp(d);

	if (fd == -1)
		trouble(d, errno == ENOENT || errno == ENOTDIR ?
		    EX_UNAVAILABLE : EX_CANTCREAT, strerror(errno));
	else if ((d->out = fdopen(fd, "w")) == NULL) {
		trouble(d, EX_OSERR, "out of memory");
		close(fd);
	}
}

/* --- the header --- */

static bool
is_ours(struct str name)
{
	size_t i;

	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (str_caseeq(name, ours[i]))
			return true;
	return false;
}

/* A field of our own; the value must stay on its line. */
static void
field(struct draft *d, struct buf *b, const char *name, const char *value)
{
	if (value == NULL)
		return;
	if (strpbrk(value, "\r\n") != NULL)
		trouble(d, EX_USAGE, "a line end in an address or a name");
	buf_printf(b, "%s: %s\n", name, value);
}

static void
put_from(struct draft *d, struct buf *b)
{
	const char *name = d->name == NULL ? full_name() : d->name;
	bool own = d->from == NULL || *d->from == '\0';

	buf_puts(b, "From: ");
	if (*name != '\0' && (own || d->name != NULL)) {
		phrase_quote(b, name);
		buf_putc(b, ' ');
	}
	buf_printf(b, "<%s>\n", own ? login_name() : d->from);
}

static void
put_envelope(struct draft *d, struct buf *b)
{
	char *path;
	size_t i;

	if (d->from != NULL) {
		path = xasprintf("<%s>", d->from);
		field(d, b, "Return-Path", path);
		free(path);
	} else
		buf_printf(b, "Return-Path: <%s>\n", login_name());
	for (i = 0; i < d->nrcpts; i++)
		field(d, b, d->from_header ? "Envelope-Ignore" : "Envelope-To",
		    d->rcpts[i]);
	field(d, b, "Envelope-ID", d->envid);
	field(d, b, "Envelope-Notify", d->notify);
	field(d, b, "Envelope-Return", d->ret);
}

/* What the header lacks. */
static void
put_missing(struct draft *d, struct buf *b, struct str h)
{
	struct field f;
	char date[64];

	if (!header_find(h, "From", &f))
		put_from(d, b);
	if (!header_find(h, "Date", &f)) {
		date_rfc5322(date, sizeof(date), time(NULL));
		buf_printf(b, "Date: %s\n", date);
	}
	if (!d->from_header && !header_find(h, "To", &f) &&
	    !header_find(h, "Cc", &f))
		buf_puts(b, "To: undisclosed-recipients:;\n");
}

/* What came, without what is ours to say. */
static void
put_rest(struct draft *d, struct buf *b, struct str h)
{
	struct cur c = cur_make(h.p, h.len);
	struct field f;

	while (field_next(&c, &f)) {
		/* Without -t nobody reads Bcc: it must not travel. */
		if (is_ours(f.name) || (!d->from_header &&
		    str_caseeq(f.name, "Bcc")))
			continue;
		buf_add(b, f.whole.p, f.whole.len);
	}
}

/* As queued will: what it would refuse is refused here. */
static void
check(struct draft *d, const struct buf *b)
{
	struct subfile_by by = {
		.domain = "localhost", .login = login_name(), .trusted = true
	};
	struct subfile f;
	const char *why;

	if (subfile_parse(&f, (struct str) { b->p, b->len }, &by, &why) == 0)
		subfile_free(&f);
	else
		trouble(d, strstr(why, "recipients") != NULL ? EX_NOUSER :
		    EX_DATAERR, why);
}

static void
end_header(struct draft *d)
{
	struct str h = { d->header.p == NULL ? "" : d->header.p,
		d->header.len };
	struct buf b;

	d->in_body = true;
	if (d->header.failed)
		trouble(d, EX_DATAERR, "the header is too long");
	if (d->error != NULL)
		return;
	buf_init(&b, RFC5322_MAXHEADER);
	put_envelope(d, &b);
	put_missing(d, &b, h);
	put_rest(d, &b, h);
	buf_putc(&b, '\n');
	if (b.failed)
		trouble(d, EX_DATAERR, "the header is too long");
	else
		check(d, &b);
	if (d->error == NULL)
		open_out(d);
	if (d->error == NULL)
		fwrite(b.p, 1, b.len, d->out);
	buf_free(&b);
}

/* Does a header line stand here?  The first that is none begins the body. */
static bool
is_field(const struct draft *d, const char *line, size_t len)
{
	struct cur c = cur_make(line, len);
	struct field f;

	if (len > 0 && (*line == ' ' || *line == '\t'))
		return d->fields > 0;
	return field_next(&c, &f);
}

void
draft_line(struct draft *d, const char *line, size_t len)
{
	if (!d->in_body) {
		/* A mailbox's separator, as some programs leave it. */
		if (d->fields == 0 && d->header.len == 0 && len > 5 &&
		    strncmp(line, "From ", 5) == 0)
			return;
		if (is_field(d, line, len)) {
			d->fields++;
			buf_add(&d->header, line, len);
			buf_putc(&d->header, '\n');
			return;
		}
		end_header(d);
		if (len == 0)
			return;
	}
	if (d->out == NULL)
		return;
	fwrite(line, 1, len, d->out);
	putc('\n', d->out);
}

/* --- the end --- */

static void
make_durable(struct draft *d)
{
	int fd = fileno(d->out);

	if (fflush(d->out) != 0 || ferror(d->out) || fsync(fd) == -1)
		trouble(d, EX_TEMPFAIL, strerror(errno));
	else if (renameat(d->dir, d->tmp, d->dir, d->sub) == -1)
		trouble(d, EX_TEMPFAIL, strerror(errno));
	else {
		free(d->tmp);
		d->tmp = NULL;
		if (fsync(d->dir) == -1)
			trouble(d, EX_TEMPFAIL, strerror(errno));
	}
}

int
draft_finish(struct draft *d)
{
	if (!d->in_body)
		end_header(d);
	if (d->error == NULL)
		make_durable(d);
	return d->error == NULL ? EX_OK : d->status;
}

void
draft_drop(struct draft *d)
{
	size_t i;

	if (d->out != NULL)
		fclose(d->out);
	if (d->tmp != NULL)
		unlinkat(d->dir, d->tmp, 0);
	if (d->dir != -1)
		close(d->dir);
	for (i = 0; i < d->nrcpts; i++)
		free(d->rcpts[i]);
	free(d->rcpts);
	free(d->tmp);
	free(d->sub);
	buf_free(&d->header);
	memset(d, 0, sizeof(*d));
	d->dir = -1;
}
