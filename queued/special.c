/*
 * Two fields of a message's header that mean something to the queue (manual
 * 57), whoever wrote it: Return-Receipt-To, X-Special-Delivery.  In a thread,
 * which reads the message anyway.
 */
#include <string.h>
#include <strings.h>

#include "file.h"
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
