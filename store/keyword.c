/*
 * Keywords of a mailbox, kept in account.info: in an account's worker.  A
 * name once given to a bit stays as long as a message has that bit.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "box.h"
#include "buf.h"
#include "dict.h"
#include "keyword.h"
#include "log.h"

struct keywords {
	char		*name[KEYWORD_MAX];	/* NULL: a free place */
	unsigned	 n;
};

static struct keywords *
look(struct box *b)
{
	static struct keywords none;	/* nobody writes to it */
	struct keywords *k = b->keywords;
	const struct val *v;
	const char *name;
	unsigned i;

	if (k != NULL)
		return k;
	/* What cannot be read now may have some: to be asked again. */
	if (info_root(&b->acct->info) == NULL)
		return &none;
	k = b->keywords = xcalloc(1, sizeof(*k));
	v = dict_get(info_box(&b->acct->info, b->name, false), "Keywords");
	if (v == NULL || val_type(v) != VAL_ARRAY)
		return k;
	for (i = 0; i < val_count(v) && i < KEYWORD_MAX; i++) {
		name = val_text(val_at(v, i));
		if (name != NULL && name[0] != '\0')
			k->name[i] = xstrdup(name);
	}
	k->n = i;
	return k;
}

void
keyword_free(struct box *b)
{
	unsigned i;

	if (b->keywords == NULL)
		return;
	for (i = 0; i < KEYWORD_MAX; i++)
		free(b->keywords->name[i]);
	free(b->keywords);
	b->keywords = NULL;
}

unsigned
keyword_count(struct box *b)
{
	return look(b)->n;
}

const char *
keyword_name(struct box *b, unsigned bit)
{
	return bit < KEYWORD_MAX ? look(b)->name[bit] : NULL;
}

/* An atom of IMAP. */
static bool
valid(const char *name, size_t len)
{
	size_t i;

	if (len == 0 || len > KEYWORD_LEN)
		return false;
	for (i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] >= 0x7f ||
		    strchr("(){%*\"\\]", name[i]) != NULL)
			return false;
	return true;
}

int
keyword_find(struct box *b, const char *name, size_t len)
{
	const struct keywords *k = look(b);
	unsigned i;

	if (!valid(name, len)) {
		errno = EINVAL;
		return -1;
	}
	for (i = 0; i < k->n; i++)
		if (k->name[i] != NULL && strlen(k->name[i]) == len &&
		    strncasecmp(k->name[i], name, len) == 0)
			return i;
	errno = ENOENT;
	return -1;
}

/* A bit that no message has, free or not; -1. */
static int
unused(struct box *b)
{
	const struct keywords *k = look(b);
	uint32_t used = 0, i;

	for (i = 0; i < k->n; i++)
		if (k->name[i] == NULL)
			return i;
	if (k->n < KEYWORD_MAX)
		return k->n;
	if (box_refresh(b) == -1)
		return -1;
	for (i = 0; i < box_count(b); i++)
		used |= box_rec(b, i)->keywords;
	if (used != UINT32_MAX)
		return __builtin_ctz(~used);
	errno = ENOSPC;
	return -1;
}

static int
save(struct box *b)
{
	const struct keywords *k = b->keywords;
	struct val *d, *v = val_array();
	unsigned i;

	for (i = 0; v != NULL && i < k->n; i++)
		if (val_append(v, val_string(k->name[i] != NULL ? k->name[i]
								: "")) == -1) {
			val_free(v);
			v = NULL;
		}
	d = info_box(&b->acct->info, b->name, true);
	if (v == NULL || d == NULL) {
		val_free(v);
		errno = ENOMEM;
		return -1;
	}
	if (dict_set(d, "Keywords", v) == -1)
		return -1;
	return info_save(&b->acct->info);
}

int
keyword_make(struct box *b, const char *name, size_t len)
{
	struct keywords *k = look(b);
	int bit = keyword_find(b, name, len), err;

	if (bit != -1 || errno != ENOENT)
		return bit;
	if (k != b->keywords) {
		errno = EIO;
		return -1;
	}
	/* What stands in account.info beside it must be there as well. */
	if (box_reserve(b, 0) == -1 || (bit = unused(b)) == -1)
		return -1;
	free(k->name[bit]);
	k->name[bit] = xasprintf("%.*s", (int)len, name);
	if ((unsigned)bit >= k->n)
		k->n = bit + 1;
	if (save(b) == 0)
		return bit;
	err = errno;
	keyword_free(b);
	errno = err;
	return -1;
}
