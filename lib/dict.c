/*
 * Trees of values: making, looking up, changing.  Runs wherever settings and
 * the command language do.  A tree may hold passwords: freed text is wiped.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dict_int.h"

struct val *
val_scalar(enum val_type type, const char *p, size_t len)
{
	struct val *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->type = type;
	if ((v->text = malloc(len + 1)) == NULL) {
		free(v);
		return NULL;
	}
	if (len > 0)
		memcpy(v->text, p, len);
	v->text[len] = '\0';
	v->len = len;
	return v;
}

struct val *
val_string(const char *s)
{
	return val_scalar(VAL_STRING, s, strlen(s));
}

struct val *
val_bytes(const void *p, size_t len)
{
	return val_scalar(VAL_STRING, p, len);
}

struct val *
val_number(int64_t n)
{
	char text[24];

	return val_scalar(VAL_NUMBER, text,
	    snprintf(text, sizeof(text), "%" PRId64, n));
}

static struct val *
val_list(enum val_type type)
{
	struct val *v = calloc(1, sizeof(*v));

	if (v != NULL)
		v->type = type;
	return v;
}

struct val *
val_array(void)
{
	return val_list(VAL_ARRAY);
}

struct val *
val_dict(void)
{
	return val_list(VAL_DICT);
}

void
val_free(struct val *v)
{
	size_t i;

	if (v == NULL)
		return;
	for (i = 0; i < v->count; i++) {
		val_free(v->item[i]);
		if (v->key != NULL)
			free(v->key[i]);
	}
	free(v->item);
	free(v->key);
	if (v->text != NULL)
		explicit_bzero(v->text, v->len);
	free(v->text);
	free(v);
}

static bool
is_list(const struct val *v)
{
	return v->type == VAL_ARRAY || v->type == VAL_DICT;
}

enum val_type
val_type(const struct val *v)
{
	return v->type;
}

const char *
val_text(const struct val *v)
{
	return v != NULL && !is_list(v) ? v->text : NULL;
}

size_t
val_len(const struct val *v)
{
	return v != NULL ? v->len : 0;
}

size_t
val_count(const struct val *v)
{
	return v != NULL ? v->count : 0;
}

struct val *
val_at(const struct val *v, size_t i)
{
	return v != NULL && i < v->count ? v->item[i] : NULL;
}

const char *
val_key(const struct val *v, size_t i)
{
	return v != NULL && v->key != NULL && i < v->count ? v->key[i] : NULL;
}

/* Room for one element more. */
static int
list_room(struct val *v)
{
	size_t cap = v->cap != 0 ? v->cap * 2 : 4;
	struct val **item;
	char **key;

	if (v->count < v->cap)
		return 0;
	if ((item = reallocarray(v->item, cap, sizeof(*item))) == NULL)
		return -1;
	v->item = item;
	if (v->type == VAL_DICT) {
		if ((key = reallocarray(v->key, cap, sizeof(*key))) == NULL)
			return -1;
		v->key = key;
	}
	v->cap = cap;
	return 0;
}

int
val_append(struct val *array, struct val *elem)
{
	if (elem == NULL || array == NULL || array->type != VAL_ARRAY ||
	    list_room(array) == -1) {
		val_free(elem);
		errno = ENOMEM;
		return -1;
	}
	array->item[array->count++] = elem;
	return 0;
}

/* Where the key stands, or would stand. */
static bool
dict_find(const struct val *d, const char *key, size_t *at)
{
	size_t lo = 0, hi = d->count, mid;
	int c;

	/* Mostly keys come in order: look at the end first. */
	if (hi > 0 && strcmp(d->key[hi - 1], key) < 0) {
		*at = hi;
		return false;
	}
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		c = strcmp(d->key[mid], key);
		if (c == 0) {
			*at = mid;
			return true;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*at = lo;
	return false;
}

static void
dict_remove(struct val *d, size_t at)
{
	val_free(d->item[at]);
	free(d->key[at]);
	d->count--;
	memmove(d->item + at, d->item + at + 1,
	    (d->count - at) * sizeof(*d->item));
	memmove(d->key + at, d->key + at + 1,
	    (d->count - at) * sizeof(*d->key));
}

int
dict_set(struct val *d, const char *key, struct val *elem)
{
	char *copy;
	size_t at;

	if (d == NULL || d->type != VAL_DICT)
		goto fail;
	if (dict_find(d, key, &at)) {
		if (elem == NULL) {
			dict_remove(d, at);
			return 0;
		}
		val_free(d->item[at]);
		d->item[at] = elem;
		return 0;
	}
	if (elem == NULL)
		return 0;
	if (list_room(d) == -1 || (copy = strdup(key)) == NULL)
		goto fail;
	memmove(d->item + at + 1, d->item + at,
	    (d->count - at) * sizeof(*d->item));
	memmove(d->key + at + 1, d->key + at,
	    (d->count - at) * sizeof(*d->key));
	d->item[at] = elem;
	d->key[at] = copy;
	d->count++;
	return 0;
fail:
	val_free(elem);
	errno = ENOMEM;
	return -1;
}

int
dict_setf(struct val *d, const char *key, const char *fmt, ...)
{
	struct val *v;
	struct buf b;
	va_list ap;

	buf_init(&b, DICT_MAXSIZE);
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	v = b.failed ? NULL : val_bytes(b.p, b.len);
	if (b.p != NULL)
		explicit_bzero(b.p, b.len);
	buf_free(&b);
	if (v == NULL) {
		errno = ENOMEM;
		return -1;
	}
	return dict_set(d, key, v);
}

struct val *
dict_get(const struct val *d, const char *key)
{
	size_t at;

	if (d == NULL || d->type != VAL_DICT || !dict_find(d, key, &at))
		return NULL;
	return d->item[at];
}

const char *
dict_str(const struct val *d, const char *key, const char *dflt)
{
	const char *s = val_text(dict_get(d, key));

	return s != NULL ? s : dflt;
}

bool
dict_bool(const struct val *d, const char *key, bool dflt)
{
	const char *s = dict_str(d, key, NULL);

	if (s == NULL)
		return dflt;
	if (strcasecmp(s, "YES") == 0 || strcasecmp(s, "True") == 0 ||
	    strcmp(s, "1") == 0)
		return true;
	if (strcasecmp(s, "NO") == 0 || strcasecmp(s, "False") == 0 ||
	    strcmp(s, "0") == 0)
		return false;
	return dflt;
}

/* M is a size and m are minutes; the others mean one thing in any case. */
static int64_t
unit(int c)
{
	switch (c) {
	case 'K':
	case 'k':
		return 1024;
	case 'M':
		return 1024 * 1024;
	case 'G':
	case 'g':
		return 1024 * 1024 * 1024;
	case 's':
	case 'S':
		return 1;
	case 'm':
		return 60;
	case 'h':
	case 'H':
		return 3600;
	case 'd':
	case 'D':
		return 86400;
	}
	return 0;
}

bool
val_int(const struct val *v, int64_t *out)
{
	const char *s = val_text(v);
	int64_t n, u = 1;
	char *end;

	if (s == NULL)
		return false;
	if (strcasecmp(s, "unlimited") == 0) {
		*out = -1;
		return true;
	}
	if (!isdigit((unsigned char)s[0]) &&
	    (s[0] != '-' || !isdigit((unsigned char)s[1])))
		return false;
	errno = 0;
	n = strtoll(s, &end, 10);
	if (errno != 0)
		return false;
	if (*end != '\0' && ((u = unit(*end)) == 0 || end[1] != '\0'))
		return false;
	return !__builtin_mul_overflow(n, u, out);
}

int64_t
dict_int(const struct val *d, const char *key, int64_t dflt)
{
	int64_t n;

	return val_int(dict_get(d, key), &n) ? n : dflt;
}

struct val *
val_copy(const struct val *v)
{
	struct val *copy, *elem;
	size_t i;
	int r;

	if (v == NULL)
		return NULL;
	if (!is_list(v))
		return val_scalar(v->type, v->text, v->len);
	if ((copy = val_list(v->type)) == NULL)
		return NULL;
	for (i = 0; i < v->count; i++) {
		if ((elem = val_copy(v->item[i])) == NULL)
			r = -1;
		else if (v->type == VAL_DICT)
			r = dict_set(copy, v->key[i], elem);
		else
			r = val_append(copy, elem);
		if (r == -1) {
			val_free(copy);
			return NULL;
		}
	}
	return copy;
}
