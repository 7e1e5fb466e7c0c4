/*
 * account.sizes: what an account's mailboxes hold, INBOX excepted, from one
 * holder of the account to the next, if that is delivery: it need not look at
 * all of them then.  It is a guess that proves itself: taken away when it is
 * read, or before any of those mailboxes is opened, and written at an orderly
 * release; so a kill leaves none.  It is never synced: after another start of
 * the machine none is believed.
 *
 * A line with a checksum, then { Boot = 1; Mailboxes = { a = (5000, 3); }; }
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "buf.h"
#include "dict.h"
#include "file.h"
#include "quota_int.h"

enum {
	SUMLEN = 9,		/* "01234567\n" */
	SIZES_MAX = 4 * 1024 * 1024
};

static const char file[] = "account.sizes";

void
quota_touch(struct acct *a)
{
	if (a->single == NULL && !a->touched)
		(void)unlinkat(a->dirfd, file, 0);
	a->touched = true;
}

/* --- read --- */

static struct val *
parse(const char *p, size_t len)
{
	char sum[SUMLEN + 1];
	const char *err;

	if (len < SUMLEN)
		return NULL;
	snprintf(sum, sizeof(sum), "%08" PRIx32 "\n",
	    crc32c(0, p + SUMLEN, len - SUMLEN));
	if (memcmp(p, sum, SUMLEN) != 0)
		return NULL;
	return val_parse_all(p + SUMLEN, len - SUMLEN, &err);
}

static struct val *
take(struct acct *a)
{
	int fd = file_open_beneath(a->dirfd, file, O_RDONLY, 0);
	struct val *d = NULL;
	size_t len;
	char *p;

	if (fd == -1)
		return NULL;
	if ((p = file_read_fd(fd, SIZES_MAX, &len)) != NULL)
		d = parse(p, len);
	free(p);
	close(fd);
	return d;
}

static bool
enter_one(struct quota *q, const char *name, const struct val *v)
{
	int64_t bytes, messages;

	if (val_type(v) != VAL_ARRAY || val_count(v) != 2 ||
	    !val_int(val_at(v, 0), &bytes) || bytes < 0 ||
	    !val_int(val_at(v, 1), &messages) || messages < 0)
		return false;
	quota_set_closed(q, quota_enter(q, name), bytes, messages);
	return true;
}

static bool
same_boot(const struct val *d)
{
	struct idx_head h = { .boot = dict_int(d, "Boot", 0) };

	return idx_same_boot(&h);
}

bool
quota_load(struct acct *a)
{
	const struct val *boxes;
	struct val *d;
	bool good;
	size_t i;

	if (a->single != NULL || a->touched)
		return false;
	/* Where a client looks, what somebody else did to files is seen. */
	d = a->worker ? NULL : take(a);
	quota_touch(a);
	boxes = dict_get(d, "Mailboxes");
	good = boxes != NULL && val_type(boxes) == VAL_DICT && same_boot(d);
	for (i = 0; good && i < val_count(boxes); i++)
		good = enter_one(a->quota, val_key(boxes, i),
		    val_at(boxes, i));
	val_free(d);
	if (!good)
		quota_forget(a);
	return good;
}

/* --- written --- */

static struct val *
pair(uint64_t bytes, uint64_t messages)
{
	struct val *v = val_array();

	if (v != NULL && (val_append(v, val_number(bytes)) == -1 ||
	    val_append(v, val_number(messages)) == -1)) {
		val_free(v);
		v = NULL;
	}
	return v;
}

static struct val *
list(const struct quota *q)
{
	struct val *d = val_dict(), *boxes = val_dict();
	size_t i;

	if (d == NULL || dict_set(d, "Mailboxes", boxes) == -1 ||
	    dict_setf(d, "Boot", "%" PRId64, idx_boot()) == -1)
		goto fail;
	boxes = dict_get(d, "Mailboxes");
	for (i = 0; i < q->n; i++)
		if (strcmp(q->v[i].name, "INBOX") != 0 &&
		    dict_set(boxes, q->v[i].name, pair(q->v[i].bytes,
		    q->v[i].messages)) == -1)
			goto fail;
	return d;
fail:
	val_free(d);
	return NULL;
}

/* One that is cut off does not prove itself: no harm is done. */
static void
put(struct acct *a, struct buf *b)
{
	char sum[SUMLEN + 1];
	int fd;

	snprintf(sum, sizeof(sum), "%08" PRIx32 "\n",
	    crc32c(0, b->p + SUMLEN, b->len - SUMLEN));
	memcpy(b->p, sum, SUMLEN);
	fd = file_open_beneath(a->dirfd, file, O_WRONLY | O_CREAT | O_EXCL,
	    0600);
	if (fd == -1)
		return;
	(void)file_write(fd, b->p, b->len);
	close(fd);
}

void
quota_save(struct acct *a)
{
	struct quota *q = a->quota;
	struct val *d;
	struct buf b;

	if (q == NULL || !q->known || a->single != NULL || !a->touched ||
	    (d = list(q)) == NULL)
		return;
	buf_init(&b, SIZES_MAX);
	if (buf_puts(&b, "00000000\n") && val_write(&b, d, false))
		put(a, &b);
	buf_free(&b);
	val_free(d);
}
