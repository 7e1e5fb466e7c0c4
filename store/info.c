/*
 * account.info, read when first needed and replaced whole: in delivery and in
 * an account's worker.  A damaged one is put aside, not believed: mailboxes
 * tell their last UIDs themselves.  One that cannot be read now is neither
 * damaged nor absent: nothing is guessed in its place.
 */
#include <errno.h>
#include <fcntl.h>
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
	in->lazy = false;
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

static int
put_aside(struct info *in, const char *why)
{
	char *bad;
	int ret;

	log_warnx("%s is damaged (%s), it becomes %s.bad", in->file, why,
	    in->file);
	bad = xasprintf("%s.bad", in->file);
	if ((ret = renameat(in->dirfd, in->file, in->dirfd, bad)) == -1)
		log_warn("%s", in->file);
	free(bad);
	return ret;
}

/* Bytes of it, NUL added; NULL and errno. */
static char *
read_in(struct info *in, size_t *len)
{
	char *p;
	int fd, saved;

	if ((fd = file_open_beneath(in->dirfd, in->file, O_RDONLY, 0)) == -1)
		return NULL;
	p = file_read_fd(fd, DICT_MAXSIZE, len);
	saved = errno;
	close(fd);
	errno = saved;
	return p;
}

/* The dictionary, or NULL and what is wrong with it. */
static struct val *
parse(const char *p, size_t len, const char **why)
{
	struct val *v = val_parse_all(p, len, why);

	if (v == NULL || val_type(v) == VAL_DICT)
		return v;
	val_free(v);
	*why = "not a dictionary";
	return NULL;
}

/* -1 and errno if what it has could not be found out. */
static int
take(struct info *in)
{
	const char *why = "too large";
	size_t len = 0;
	char *p = read_in(in, &len);

	if (p == NULL && errno == ENOENT)
		return 0;
	if (p == NULL && errno != EFBIG)
		return -1;
	if (p != NULL)
		in->dict = parse(p, len, &why);
	free(p);
	if (in->dict != NULL)
		return 0;
	if (strcmp(why, "out of memory") != 0)
		return put_aside(in, why);
	errno = ENOMEM;
	return -1;
}

/* 0 with in->dict, be it empty; -1 and errno. */
static int
load(struct info *in)
{
	if (in->dict != NULL)
		return 0;
	if (take(in) == -1) {
		log_warn("%s", in->file);
		/* Never one that says that there is no such mailbox. */
		if (errno != ENOSPC && errno != EMFILE && errno != ENOMEM)
			errno = EIO;
		return -1;
	}
	if (in->dict == NULL && (in->dict = val_dict()) == NULL) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

static uint64_t
number(const struct val *d, const char *key, uint64_t max)
{
	struct cur c = cur_str(dict_str(d, key, ""));
	uint64_t v;

	return cur_u64(&c, &v, max) && cur_left(&c) == 0 ? v : 0;
}

int
info_get(struct info *in, const char *box, struct box_info *bi)
{
	struct val *d;

	memset(bi, 0, sizeof(*bi));
	if (load(in) == -1)
		return -1;
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

/*
 * Whoever holds the account is alone: what is new has a fixed name, so that
 * at most one is ever left behind, and it is found without a search.
 */
static char *
new_name(const struct info *in)
{
	return xasprintf("%s.new", in->file);
}

void
info_sweep(struct info *in)
{
	char *tmp = new_name(in);

	if (unlinkat(in->dirfd, tmp, 0) == -1 && errno != ENOENT)
		log_warn("%s", tmp);
	free(tmp);
}

/* In a directory that is not yet an account: nobody sees half of it. */
static int
write_lazily(struct info *in, const struct buf *b)
{
	int fd, ret;

	fd = file_open_beneath(in->dirfd, in->file,
	    O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd == -1)
		return -1;
	ret = file_write(fd, b->p, b->len);
	close(fd);
	return ret;
}

static int
write_out(struct info *in)
{
	char *tmp = new_name(in);
	struct buf b;
	int ret = -1;

	buf_init(&b, 0);
	if (!val_write(&b, in->dict, true) || !buf_putc(&b, '\n'))
		errno = ENOMEM;
	else if (in->lazy)
		ret = write_lazily(in, &b);
	else
		ret = file_replace_by(in->dirfd, tmp, in->file, 0600, b.p,
		    b.len);
	buf_free(&b);
	free(tmp);
	return ret;
}

struct val *
info_root(struct info *in)
{
	return load(in) == 0 ? in->dict : NULL;
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

void
info_revert(struct info *in)
{
	val_free(in->dict);
	in->dict = NULL;
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
	info_revert(in);
	return -1;
}

int
info_put(struct info *in, const char *box, const struct box_info *bi)
{
	struct val *d;

	if (load(in) == -1)
		return -1;
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
