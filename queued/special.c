/*
 * What the queue must know of a message's headers, whoever wrote them: two
 * fields that mean something to it (manual 57), Return-Receipt-To and
 * X-Special-Delivery; and whether there is more than ASCII.  In a thread, which
 * reads the message anyway.
 */
#include <string.h>
#include <strings.h>

#include "file.h"
#include "idn.h"
#include "mime.h"
#include "queued.h"

enum { LOOKED_AT = 64 * 1024 };		/* bytes of a header */

/* ": test", and blanks anywhere; the line has its LF or ends the text. */
static bool
is_test(struct str s)
{
	struct cur c = cur_make(s.p, s.len);

	cur_ws(&c);
	if (!cur_lit(&c, ":"))
		return false;
	cur_ws(&c);
	if (!cur_caselit(&c, "test"))
		return false;
	cur_span(&c, " \t\r\n");
	return cur_left(&c) == 0;
}

static void
look(struct qfile *q, struct str line)
{
	static const char receipt[] = "Return-Receipt-To:";
	static const char special[] = "X-Special-Delivery";
	const size_t nr = sizeof(receipt) - 1, ns = sizeof(special) - 1;

	if (line.len > nr && strncasecmp(line.p, receipt, nr) == 0)
		q->receipt = true;
	if (line.len > ns && strncasecmp(line.p, special, ns) == 0 &&
	    is_test((struct str){ line.p + ns, line.len - ns }))
		q->test = true;
}

void
special_look(struct qfile *q, const char *p, size_t len)
{
	const char *end = p + (len < LOOKED_AT ? len : LOOKED_AT), *nl;

	for (; p < end && *p != '\n'; p = nl + 1) {
		if ((nl = memchr(p, '\n', end - p)) == NULL)
			nl = end - 1;
		if ((*p | 0x20) == 'r' || (*p | 0x20) == 'x')
			look(q, (struct str){ p, nl + 1 - p });
	}
}

void
special_read(struct qfile *q, int fd)
{
	char head[4096];
	ssize_t n = file_pread(fd, head, sizeof(head), q->body);

	if (n > 0)
		special_look(q, head, n);
}

/* --- beyond ASCII --- */

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
special_utf8(struct qfile *q, int fd, uint64_t size)
{
	struct where w = { fd, q->body };
	struct mime m;
	uint32_t i;
	int rc;

	if (strchr(q->options, 'U') == NULL)
		return 0;
	mime_init(&m);
	rc = mime_scan(&m, read_at, &w, size);
	for (i = 0; rc == 0 && i < m.nparts; i++)
		rc = beyond_ascii(&w, m.part[i].head, m.part[i].headlen);
	mime_free(&m);
	q->utf8 = rc == 1;
	return rc == -1 ? -1 : 0;
}
