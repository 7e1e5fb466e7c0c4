/*
 * Messages from clients on their way into a mailbox: in an account's worker.
 * They are brought into the form of a mailbox file while they come: LF for
 * CRLF, and for a .mbox > before a "From " that follows an empty line (manual
 * 23).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "append.h"
#include "box.h"
#include "buf.h"
#include "file.h"
#include "quota.h"

enum { IN_MEMORY = 1024 * 1024 };

/* Where in a line we are: only after an empty one "From " matters. */
enum place { IN_LINE, AT_START, AFTER_EMPTY };

static const char from[] = "From ";

struct append {
	struct acct	*acct;
	struct buf	 mem;
	int		 fd;		/* -1: all is in mem */
	uint64_t	 spilt;		/* bytes that are in fd */
	bool		 plain;		/* nothing is quoted */
	enum place	 place;
	unsigned	 matched;	/* of "From ", not yet in mem */
	size_t		 crs;		/* CRs that came last, ditto */
	int		 err;
};

struct append *
append_begin(struct acct *a, uint64_t size)
{
	struct append *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->acct = a;
	p->fd = -1;
	p->place = AT_START;
	buf_init(&p->mem, 4 * IN_MEMORY);
	if (size > IN_MEMORY)
		size = IN_MEMORY;
	if (size > 0 && !buf_reserve(&p->mem, size + 16)) {
		append_free(p);
		errno = ENOMEM;
		return NULL;
	}
	return p;
}

void
append_for(struct append *p, const char *name)
{
	const struct box_format *fmt;
	char *file;

	if ((fmt = box_locate(p->acct, name, &file)) == NULL)
		return;
	free(file);
	p->plain = !fmt->quoted;
}

void
append_free(struct append *p)
{
	if (p == NULL)
		return;
	if (p->fd != -1)
		close(p->fd);
	buf_free(&p->mem);
	free(p);
}

/* A file of the account that has no name any more. */
static int
open_spill(struct acct *a)
{
	static const char name[] = "append.tmp";
	int fd;

	(void)unlinkat(a->dirfd, name, 0);
	fd = file_open_beneath(a->dirfd, name, O_RDWR | O_CREAT | O_EXCL,
	    0600);
	if (fd != -1 && unlinkat(a->dirfd, name, 0) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
spill(struct append *p)
{
	if (p->fd == -1 && (p->fd = open_spill(p->acct)) == -1)
		return -1;
	if (file_pwrite(p->fd, p->mem.p, p->mem.len, p->spilt) == -1)
		return -1;
	p->spilt += p->mem.len;
	buf_reset(&p->mem);
	return 0;
}

/* What was held back of a "From " that is none after all. */
static void
let_out(struct append *p)
{
	if (p->matched > 0)
		buf_add(&p->mem, from, p->matched);
	p->matched = 0;
}

static void
add_crs(struct append *p)
{
	if (p->crs == 0)
		return;
	let_out(p);
	for (; p->crs > 0; p->crs--)
		buf_putc(&p->mem, '\r');
	p->place = IN_LINE;
}

/* Text of a line, not the CRs before its end. */
static void
add_text(struct append *p, const char *s, size_t len)
{
	add_crs(p);
	for (; p->place == AFTER_EMPTY && len > 0; s++, len--) {
		if (*s != from[p->matched])
			p->place = IN_LINE;
		else if (++p->matched == sizeof(from) - 1) {
			buf_putc(&p->mem, '>');
			p->place = IN_LINE;
			s++;
			len--;
		}
		if (p->place == IN_LINE)
			break;
	}
	if (p->place == AFTER_EMPTY)
		return;
	p->place = IN_LINE;
	let_out(p);
	buf_add(&p->mem, s, len);
}

/* One CR belongs to the line's end; of two or more, all are kept. */
static void
end_line(struct append *p)
{
	bool empty;

	if (p->crs > 1)
		add_crs(p);
	p->crs = 0;
	empty = p->place != IN_LINE && p->matched == 0;
	let_out(p);
	buf_putc(&p->mem, '\n');
	p->place = empty && !p->plain ? AFTER_EMPTY : AT_START;
}

/* One line without its LF, or the part of it that came. */
static void
add_line(struct append *p, const char *s, size_t len)
{
	size_t text = len;

	while (text > 0 && s[text - 1] == '\r')
		text--;
	if (text > 0)
		add_text(p, s, text);
	p->crs += len - text;
}

int
append_write(struct append *p, const void *data, size_t n)
{
	const char *s = data, *end = s + n, *lf;

	if (p->err == 0 && memchr(data, '\0', n) != NULL)
		p->err = EINVAL;
	while (p->err == 0 && s < end) {
		size_t left = end - s;

		if (left > IN_MEMORY / 4)
			left = IN_MEMORY / 4;
		lf = memchr(s, '\n', left);
		add_line(p, s, lf != NULL ? (size_t)(lf - s) : left);
		if (lf != NULL)
			end_line(p);
		s = lf != NULL ? lf + 1 : s + left;
		if (p->mem.failed)
			p->err = ENOMEM;
		else if (p->mem.len >= IN_MEMORY && spill(p) == -1)
			p->err = errno;
	}
	if (p->err == 0)
		return 0;
	errno = p->err;
	return -1;
}

/* No more comes: what was held back belongs to it. */
static int
finish(struct append *p)
{
	if (p->err == 0) {
		let_out(p);
		add_crs(p);
		if (p->mem.failed)
			p->err = ENOMEM;
		else if (p->fd != -1 && spill(p) == -1)
			p->err = errno;
	}
	errno = p->err;
	return p->err == 0 ? 0 : -1;
}

int
append_commit(struct box *b, struct append_to *to, size_t n)
{
	struct stored_msg *m = calloc(n, sizeof(*m));
	int ret = m != NULL ? 0 : -1;
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < n && ret == 0; i++) {
		struct append *p = to[i].msg;

		ret = finish(p);
		/* It is another mailbox by now. */
		if (ret == 0 && p->plain && b->fmt->quoted) {
			errno = ESTALE;
			ret = -1;
		}
		m[i].text = p->fd != -1 ? NULL : p->mem.len > 0 ? p->mem.p
								: "";
		m[i].fd = p->fd;
		m[i].size = p->fd != -1 ? p->spilt : p->mem.len;
		m[i].flags = (to[i].flags & MSG_FLAGS &
		    ~(uint32_t)MSG_EXPUNGED) | MSG_RECENT;
		m[i].keywords = to[i].keywords;
		m[i].date = to[i].date != 0 ? to[i].date : time(NULL);
		bytes += FROM_EMPTY + m[i].size + 1;
	}
	if (ret == 0)
		ret = quota_room(b->acct, bytes, n);
	if (ret == 0)
		ret = box_put(b, m, n);
	for (i = 0; i < n && ret == 0; i++)
		to[i].uid = m[i].uid;
	free(m);
	return ret;
}
