/*
 * A message on its way out: LF becomes CRLF, and a dot at a line's beginning
 * is doubled, or all goes as BDAT's chunks.  A CR that stands alone in the
 * file never leaves as a line's end: it goes as a blank, so that no host
 * takes it for one.  Runs in smtpd's sending role.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "conn.h"
#include "send.h"

enum { PIECE = 32 * 1024, UNSENT = 128 * 1024 };

struct body {
	int		 fd;
	uint64_t	 at, left;
	struct buf	 out;
	unsigned int	 chunks;	/* sent */
	bool		 bdat;
	bool		 bol;		/* at a line's beginning */
	bool		 done;
};

struct body *
body_new(int fd, uint64_t offset, uint64_t size, bool chunks)
{
	struct body *b = calloc(1, sizeof(*b));

	if (b == NULL) {
		close(fd);
		return NULL;
	}
	b->fd = fd;
	b->at = offset;
	b->left = size;
	b->bdat = chunks;
	b->bol = true;
	buf_init(&b->out, 0);
	return b;
}

void
body_free(struct body *b)
{
	if (b == NULL)
		return;
	close(b->fd);
	buf_free(&b->out);
	free(b);
}

unsigned int
body_chunks(const struct body *b)
{
	return b->chunks;
}

/* One line, or the part of one that there is. */
static void
put_line(struct body *b, const char *p, size_t len)
{
	const char *cr;

	if (b->bol && !b->bdat && *p == '.')
		buf_putc(&b->out, '.');
	while ((cr = memchr(p, '\r', len)) != NULL) {
		buf_add(&b->out, p, cr - p);
		buf_putc(&b->out, ' ');
		len -= cr + 1 - p;
		p = cr + 1;
	}
	buf_add(&b->out, p, len);
}

static void
convert(struct body *b, const char *p, size_t len)
{
	const char *end = p + len, *lf;

	for (; p < end; p = lf + 1) {
		if ((lf = memchr(p, '\n', end - p)) == NULL) {
			put_line(b, p, end - p);
			b->bol = false;
			return;
		}
		put_line(b, p, lf - p);
		buf_add(&b->out, "\r\n", 2);
		b->bol = true;
	}
}

/* The next piece of the file into out. */
static int
piece(struct body *b)
{
	char in[PIECE];
	size_t want = b->left < PIECE ? b->left : PIECE;
	ssize_t n = 0;

	buf_reset(&b->out);
	if (want > 0 && (n = pread(b->fd, in, want, (off_t)b->at)) <= 0) {
		if (n == 0)
			errno = EIO;	/* it became shorter */
		return -1;
	}
	b->at += n;
	b->left -= n;
	convert(b, in, n);
	if (b->left == 0 && !b->bol)
		buf_puts(&b->out, "\r\n");
	return b->out.failed ? -1 : 0;
}

int
body_write(struct body *b, struct conn *c)
{
	while (!b->done) {
		if (conn_unsent(c) > UNSENT)
			return 0;
		if (piece(b) == -1)
			return -1;
		b->done = b->left == 0;
		if (b->bdat) {
			conn_printf(c, "BDAT %zu%s\r\n", b->out.len,
			    b->done ? " LAST" : "");
			b->chunks++;
		} else if (b->done)
			buf_puts(&b->out, ".\r\n");
		conn_write(c, b->out.p, b->out.len);
	}
	return 1;
}
