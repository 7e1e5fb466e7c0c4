/*
 * account.info, read when first needed and replaced whole: in delivery and in
 * an account's worker.  A damaged one is put aside, not believed: mailboxes
 * tell their last UIDs themselves.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dict.h"
#include "file.h"
#include "info.h"
#include "log.h"

bool
info_init(struct info *in, int dirfd, const char *file)
{
	in->dirfd = dirfd;
	in->dict = NULL;
	in->file = strdup(file);
	return in->file != NULL;
}

void
info_free(struct info *in)
{
	val_free(in->dict);
	free(in->file);
	in->dict = NULL;
	in->file = NULL;
}

static void
put_aside(struct info *in, const char *why)
{
	char *bad;

	log_warnx("%s is damaged (%s), it becomes %s.bad", in->file, why,
	    in->file);
	bad = xasprintf("%s.bad", in->file);
	if (renameat(in->dirfd, in->file, in->dirfd, bad) == -1)
		log_warn("%s", in->file);
	free(bad);
}

static bool
load(struct info *in)
{
	const char *err = NULL;
	struct val *v;
	int fd;

	if (in->dict != NULL)
		return true;
	fd = file_open_beneath(in->dirfd, in->file, O_RDONLY, 0);
	if (fd == -1 && errno != ENOENT) {
		log_warn("%s", in->file);
		return false;
	}
	v = fd != -1 ? val_read_fd(fd, &err) : val_dict();
	if (fd != -1)
		close(fd);
	if (v != NULL && val_type(v) != VAL_DICT) {
		val_free(v);
		v = NULL;
		err = "not a dictionary";
	}
	if (v == NULL) {
		put_aside(in, err != NULL ? err : "unreadable");
		v = val_dict();
	}
	in->dict = v;
	return v != NULL;
}

static uint64_t
number(const struct val *d, const char *key, uint64_t max)
{
	struct cur c = cur_str(dict_str(d, key, ""));
	uint64_t v;

	return cur_u64(&c, &v, max) && cur_left(&c) == 0 ? v : 0;
}

bool
info_get(struct info *in, const char *box, struct box_info *bi)
{
	struct val *d;

	memset(bi, 0, sizeof(*bi));
	if (!load(in))
		return false;
	d = dict_get(dict_get(in->dict, "Mailboxes"), box);
	bi->uidvalidity = number(d, "UIDValidity", UINT32_MAX);
	bi->uidnext = number(d, "UIDNext", UINT32_MAX);
	bi->modseq = number(d, "ModSeq", INT64_MAX);
	return bi->uidvalidity != 0 && bi->uidnext != 0;
}

/* The dictionary at a key, made if it is not there. */
static struct val *
subdict(struct val *d, const char *key)
{
	struct val *v = dict_get(d, key);

	if (v != NULL && val_type(v) == VAL_DICT)
		return v;
	if (dict_set(d, key, val_dict()) == -1)
		return NULL;
	return dict_get(d, key);
}

static int
write_out(struct info *in)
{
	struct buf b;
	int ret = -1;

	buf_init(&b, 0);
	if (!val_write(&b, in->dict, true) || !buf_putc(&b, '\n'))
		errno = ENOMEM;
	else
		ret = file_replace(in->dirfd, in->file, 0600, b.p, b.len);
	buf_free(&b);
	return ret;
}

struct val *
info_root(struct info *in)
{
	return load(in) ? in->dict : NULL;
}

struct val *
info_box(struct info *in, const char *box, bool make)
{
	struct val *d = info_root(in);

	if (d == NULL)
		return NULL;
	if (!make)
		return dict_get(dict_get(d, "Mailboxes"), box);
	if ((d = subdict(d, "Mailboxes")) == NULL)
		return NULL;
	return subdict(d, box);
}

int
info_save(struct info *in)
{
	if (in->dict == NULL) {
		errno = EIO;
		return -1;
	}
	if (write_out(in) == 0)
		return 0;
	/* What is in memory was never written: read it again next time. */
	val_free(in->dict);
	in->dict = NULL;
	return -1;
}

int
info_put(struct info *in, const char *box, const struct box_info *bi)
{
	struct val *d;

	if (!load(in)) {
		errno = EIO;
		return -1;
	}
	if ((d = info_box(in, box, true)) == NULL ||
	    dict_setf(d, "UIDValidity", "%u", bi->uidvalidity) == -1 ||
	    dict_setf(d, "UIDNext", "%u", bi->uidnext) == -1 ||
	    dict_setf(d, "ModSeq", "%llu",
		(unsigned long long)bi->modseq) == -1) {
		errno = ENOMEM;
		return -1;
	}
	return info_save(in);
}
