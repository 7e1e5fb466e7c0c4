/*
 * Does a message that came by SMTPUTF8 need it, or can any host have it?  It
 * does if there is more than ASCII in a header, the message's own or a part's
 * (RFC 6532).  Asked only where the next host has no SMTPUTF8.  Runs in
 * smtpd's sending role.
 */
#include <errno.h>

#include "file.h"
#include "idn.h"
#include "mime.h"
#include "send.h"

struct where {
	int		 fd;
	uint64_t	 at;
};

static ssize_t
read_at(void *arg, uint64_t off, void *p, size_t n)
{
	const struct where *w = arg;

	return file_pread(w->fd, p, n, w->at + off);
}

/* 1: there is more in these bytes; 0: all ASCII; -1: errno. */
static int
beyond_ascii(struct where *w, uint64_t off, uint64_t len)
{
	char b[4096];
	ssize_t n;

	while (len > 0) {
		n = read_at(w, off, b, len < sizeof(b) ? len : sizeof(b));
		if (n <= 0)
			return (int)n;
		if (!utf8_is_ascii((struct str){ b, n }))
			return 1;
		off += n;
		len -= n;
	}
	return 0;
}

int
header_needs_utf8(int fd, uint64_t offset, uint64_t size)
{
	struct where w = { fd, offset };
	struct mime m;
	uint32_t i;
	int rc;

	mime_init(&m);
	rc = mime_scan(&m, read_at, &w, size);
	for (i = 0; rc == 0 && i < m.nparts; i++)
		rc = beyond_ascii(&w, m.part[i].head, m.part[i].headlen);
	mime_free(&m);
	return rc;
}

void
orcpt_ascii(struct buf *b, const char *orcpt)
{
	const unsigned char *p = (const unsigned char *)orcpt;
	uint32_t u;
	int more;

	for (; *p != '\0'; p++) {
		if (*p < 0x80) {
			buf_putc(b, *p);
			continue;
		}
		more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : 1;
		for (u = *p & (0x3fU >> more); more > 0 && p[1] != '\0';
		    more--)
			u = u << 6 | (*++p & 0x3fU);
		buf_printf(b, "\\x{%X}", u);
	}
}
