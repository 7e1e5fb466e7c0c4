/* Any bytes as a queue file; what parses must hold together. */
#include <stdlib.h>
#include <string.h>

#include "qfile.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check(const struct qfile *q, const char *p, size_t len)
{
	size_t i;

	if (q->nrcpts == 0 || q->body > len || q->sender == NULL ||
	    (q->z && q->zat + QFILE_ZLEN > q->body))
		abort();
	for (i = 0; i < q->nrcpts; i++)
		if (q->rcpts[i].at >= q->body ||
		    p[q->rcpts[i].at] != q->rcpts[i].status ||
		    strlen(q->rcpts[i].addr) > len)
			abort();
}

/* Composed of what was read, it says the same again. */
static void
again(const struct qfile *q)
{
	struct qfile r;
	const char *why;
	struct buf b;
	size_t i;

	buf_init(&b, 0);
	qfile_from(&b, q->time, q->sender, q->ret, q->envid);
	qfile_source(&b, q->account, q->tag, q->peer);
	for (i = 0; i < q->nrcpts; i++)
		qfile_rcpt(&b, q->time, q->rcpts[i].addr, q->rcpts[i].notify,
		    q->rcpts[i].orcpt);
	qfile_end(&b);
	if (!b.failed) {
		if (qfile_parse(&r, b.p, b.len, &why) != 0 ||
		    r.nrcpts != q->nrcpts ||
		    strcmp(r.sender, q->sender) != 0)
			abort();
		for (i = 0; i < r.nrcpts; i++)
			if (strcmp(r.rcpts[i].addr, q->rcpts[i].addr) != 0 ||
			    r.rcpts[i].notify != q->rcpts[i].notify)
				abort();
		qfile_free(&r);
	}
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qfile q;
	const char *why;

	if (qfile_parse(&q, (const char *)data, size, &why) == 0) {
		check(&q, (const char *)data, size);
		again(&q);
		qfile_free(&q);
	}
	return 0;
}
