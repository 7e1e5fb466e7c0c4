/*
 * Deliveries, whatever the format: in delivery's threads and in workers.
 * Which are known already, which may not be stored, what they are answered.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "box.h"
#include "deliver.h"
#include "log.h"
#include "quota.h"

enum { HEADERMAX = DELIVER_HEAD - FROM_PATHMAX - 64 };

char *
deliver_buffer(void)
{
	static _Thread_local char *p;

	if (p == NULL)
		p = malloc(DELIVER_BUFFER);
	return p;
}

void
deliver_settle(struct delivery *d, int code, const char *esc, const char *text)
{
	d->code = code;
	d->esc = esc;
	d->text = text;
	d->settled = true;
}

size_t
deliver_head(const struct delivery *d, char *p)
{
	size_t k = 0, i, len = strlen(d->header);

	memcpy(p, "Return-Path: <", 14);
	k += 14;
	for (i = 0; d->sender[i] != '\0' && i < FROM_PATHMAX; i++)
		p[k++] = (unsigned char)d->sender[i] < ' ' ? '?'
							   : d->sender[i];
	memcpy(p + k, ">\n", 2);
	k += 2;
	if (len > HEADERMAX)
		len = HEADERMAX;
	memcpy(p + k, d->header, len);
	k += len;
	if (len > 0 && p[k - 1] != '\n')
		p[k++] = '\n';
	return k;
}

void
deliver_tell(struct delivery *d, size_t n, int code, const char *esc,
    const char *text)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!d[i].settled)
			deliver_settle(&d[i], code, esc, text);
}

size_t
deliver_left(const struct delivery *d, size_t n)
{
	size_t i, k = 0;

	for (i = 0; i < n; i++)
		k += !d[i].settled;
	return k;
}

static bool
same(const struct delivery *a, const struct delivery *b)
{
	return a->id == b->id && a->rcpt == b->rcpt && a->size == b->size &&
	    a->time == b->time;
}

/* What was written before is not to be had twice. */
static size_t
skip_known(struct box *b, struct delivery *d, size_t n)
{
	size_t i, k, left = 0;

	for (i = 0; i < n; i++) {
		if (idx_slot(&b->idx, d[i].id, d[i].rcpt, d[i].size,
			d[i].time) != NULL)
			deliver_settle(&d[i], 0, "2.0.0",
			    "Delivered to the user mailbox");
		for (k = 0; k < i && !d[i].settled; k++)
			if (same(&d[k], &d[i]))
				deliver_settle(&d[i], 2, "4.3.0", "sent twice");
		if (!d[i].settled)
			left++;
	}
	return left;
}

void
deliver_failed(struct box *b, struct delivery *d, size_t n, int err)
{
	errno = err;
	log_warn("%s: append", b->file);
	if (err == ENOSPC || err == EDQUOT || err == EFBIG)
		deliver_tell(d, n, 2, "4.3.1", "no room to store the message");
	else
		deliver_tell(d, n, 2, "4.3.0", "the mailbox cannot be written now");
}

void
deliver_all(struct box *b, struct delivery *d, size_t n)
{
	if (n > DELIVER_BATCH)
		panic("%zu messages in a batch", n);
	if (skip_known(b, d, n) == 0)
		return;
	quota_admit(b, d, n);
	if (deliver_left(d, n) > 0)
		b->fmt->append(b, d, n);
}
