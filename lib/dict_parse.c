/*
 * Reading dictionaries (manual 47 and the later forms).  Its input may come
 * from anybody: depth and size are bounded, and any bytes at all give either
 * a tree or an error.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dict_int.h"
#include "file.h"
#include "rfc5322.h"

#define SPECIAL	" \t\r\n{}()=;,\""

static void
skip_space(struct cur *c)
{
	cur_span(c, " \t\r\n");
}

/* What stands behind a backslash; -1 if nothing known does. */
static int
escape(struct cur *c)
{
	int i, d, n = 0, ch = cur_peek(c);

	switch (ch) {
	case 'r':
		ch = '\r';
		break;
	case 'n':
	case 'e':
		ch = '\n';
		break;
	case 't':
		ch = '\t';
		break;
	case '"':
	case '\\':
		break;
	default:
		for (i = 0; i < 3; i++) {
			d = cur_get(c);
			if (d < '0' || d > '9')
				return -1;
			n = n * 10 + d - '0';
		}
		return n <= 255 ? n : -1;
	}
	cur_skip(c, 1);
	return ch;
}

/* The cursor stands behind the opening quotation mark. */
static bool
quoted(struct cur *c, struct buf *out)
{
	struct str s;
	int ch;

	for (;;) {
		s = cur_until(c, "\"\\");
		if (!buf_add(out, s.p, s.len))
			return false;
		ch = cur_get(c);
		if (ch == '"')
			return true;
		if (ch == -1 || (ch = escape(c)) == -1)
			return false;
		if (!buf_putc(out, ch))
			return false;
	}
}

bool
val_word(struct cur *c, struct buf *out)
{
	struct str s;

	cur_ws(c);
	if (cur_peek(c) == '"') {
		cur_skip(c, 1);
		return quoted(c, out);
	}
	s = cur_until(c, SPECIAL);
	return s.len > 0 && buf_add(out, s.p, s.len);
}

static struct val	*object(struct cur *, const char **, int);

/* Within something "a" "b" is "ab": so servers of this kind break long ones. */
static struct val *
parse_string(struct cur *c, const char **err, bool within)
{
	struct val *v = NULL;
	struct buf b;

	buf_init(&b, DICT_MAXSIZE);
	while (*err == NULL && cur_lit(c, "\"")) {
		if (!quoted(c, &b))
			*err = "bad quoted string";
		if (!within)
			break;
		skip_space(c);
	}
	if (*err == NULL && (v = val_bytes(b.p, b.len)) == NULL)
		*err = "out of memory";
	if (b.p != NULL)
		explicit_bzero(b.p, b.len);
	buf_free(&b);
	return v;
}

static struct val *
parse_atom(struct cur *c, const char **err)
{
	struct str s = cur_until(c, SPECIAL);
	struct val *v;

	if (s.len == 0 || memchr(s.p, '\0', s.len) != NULL) {
		*err = "a value was expected";
		return NULL;
	}
	if ((v = val_bytes(s.p, s.len)) == NULL)
		*err = "out of memory";
	return v;
}

static struct val *
parse_number(struct str s, const char **err)
{
	struct cur c = cur_make(s.p, s.len);
	bool minus = cur_lit(&c, "-");
	struct val *v = NULL;
	uint64_t n;

	if (!cur_u64(&c, &n, INT64_MAX) || cur_left(&c) != 0)
		*err = "bad number";
	else if ((v = val_number(minus ? -(int64_t)n : (int64_t)n)) == NULL)
		*err = "out of memory";
	return v;
}

/* #NULL#, #T..., #I..., #5 */
static struct val *
parse_hash(struct cur *c, const char **err)
{
	struct str s;
	struct val *v;

	cur_skip(c, 1);
	s = cur_until(c, SPECIAL);
	if (memchr(s.p, '\0', s.len) != NULL) {
		*err = "bad # value";
		return NULL;
	}
	if (str_eq(s, "NULL#"))
		v = val_scalar(VAL_NULL, "", 0);
	else if (s.len > 1 && s.p[0] == 'T')
		v = val_scalar(VAL_TIME, s.p + 1, s.len - 1);
	else if (s.len > 1 && s.p[0] == 'I')
		v = val_scalar(VAL_ADDR, s.p + 1, s.len - 1);
	else
		return parse_number(s, err);
	if (v == NULL)
		*err = "out of memory";
	return v;
}

/* [base64], white space allowed */
static struct val *
parse_data(struct cur *c, const char **err)
{
	struct buf text, bytes;
	struct val *v = NULL;
	struct str s;

	cur_skip(c, 1);
	buf_init(&text, DICT_MAXSIZE);
	buf_init(&bytes, DICT_MAXSIZE);
	for (;;) {
		skip_space(c);
		s = cur_until(c, " \t\r\n]");
		buf_add(&text, s.p, s.len);
		if (cur_peek(c) == ']' || cur_peek(c) == -1)
			break;
	}
	s.p = text.p;
	s.len = text.len;
	if (cur_get(c) != ']' || text.failed ||
	    (s.len > 0 && base64_decode(&bytes, s) == -1))
		*err = "bad [base64] value";
	else if ((v = val_scalar(VAL_DATA, bytes.p, bytes.len)) == NULL)
		*err = "out of memory";
	buf_free(&text);
	buf_free(&bytes);
	return v;
}

static struct val *
parse_array(struct cur *c, const char **err, int depth)
{
	struct val *a = val_array(), *v;

	cur_skip(c, 1);
	skip_space(c);
	if (a != NULL && cur_lit(c, ")"))
		return a;
	while (a != NULL && (v = object(c, err, depth)) != NULL) {
		if (val_append(a, v) == -1)
			break;
		skip_space(c);
		switch (cur_get(c)) {
		case ')':
			return a;
		case ',':
			continue;
		}
		*err = "a , or ) was expected";
		break;
	}
	if (*err == NULL)
		*err = "out of memory";
	val_free(a);
	return NULL;
}

/* key = value ; the last ; may be missing */
static const char *
parse_pair(struct cur *c, struct val *d, struct buf *key, int depth)
{
	const char *err = NULL;
	struct val *v;

	buf_reset(key);
	if (!val_word(c, key) || memchr(key->p, '\0', key->len) != NULL)
		return "a key was expected";
	skip_space(c);
	if (cur_get(c) != '=')
		return "a = was expected";
	if ((v = object(c, &err, depth)) == NULL)
		return err;
	if (dict_set(d, key->p, v) == -1)
		return "out of memory";
	skip_space(c);
	if (!cur_lit(c, ";") && cur_peek(c) != '}')
		return "a ; was expected";
	return NULL;
}

static struct val *
parse_dict(struct cur *c, const char **err, int depth)
{
	struct val *d = val_dict();
	struct buf key;

	if (d == NULL) {
		*err = "out of memory";
		return NULL;
	}
	buf_init(&key, 65536);
	cur_skip(c, 1);
	for (;;) {
		skip_space(c);
		if (cur_lit(c, "}"))
			break;
		if ((*err = parse_pair(c, d, &key, depth)) != NULL) {
			val_free(d);
			d = NULL;
			break;
		}
	}
	buf_free(&key);
	return d;
}

static struct val *
object(struct cur *c, const char **err, int depth)
{
	if (depth >= DICT_MAXDEPTH) {
		*err = "too deep";
		return NULL;
	}
	skip_space(c);
	switch (cur_peek(c)) {
	case '{':
		return parse_dict(c, err, depth + 1);
	case '(':
		return parse_array(c, err, depth + 1);
	case '"':
		return parse_string(c, err, depth > 0);
	case '#':
		return parse_hash(c, err);
	case '[':
		return parse_data(c, err);
	}
	return parse_atom(c, err);
}

struct val *
val_parse(struct cur *c, const char **err)
{
	*err = NULL;
	if (cur_left(c) > DICT_MAXSIZE) {
		*err = "too long";
		return NULL;
	}
	return object(c, err, 0);
}

struct val *
val_parse_all(const char *p, size_t len, const char **err)
{
	struct cur c = cur_make(p, len);
	struct val *v = val_parse(&c, err);

	skip_space(&c);
	if (v != NULL && cur_left(&c) != 0) {
		*err = "something stands behind the value";
		val_free(v);
		v = NULL;
	}
	return v;
}

/* Takes the text; errno is EINVAL if it is no object. */
static struct val *
parse_file(char *p, size_t len, const char **err)
{
	struct val *v;

	if (p == NULL) {
		*err = strerror(errno);
		return NULL;
	}
	v = val_parse_all(p, len, err);
	explicit_bzero(p, len);
	free(p);
	if (v == NULL)
		errno = EINVAL;
	return v;
}

struct val *
val_read_file(int dirfd, const char *path, const char **err)
{
	size_t len = 0;
	char *p = file_read(dirfd, path, DICT_MAXSIZE, &len);

	return parse_file(p, len, err);
}

struct val *
val_read_fd(int fd, const char **err)
{
	size_t len = 0;
	char *p = file_read_fd(fd, DICT_MAXSIZE, &len);

	return parse_file(p, len, err);
}
