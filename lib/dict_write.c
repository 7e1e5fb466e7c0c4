/*
 * Writing dictionaries, as text and as files.  Bare atoms are written only
 * for letters and digits: every reader there ever was takes the rest quoted.
 */
#include <errno.h>
#include <string.h>

#include "dict_int.h"
#include "file.h"
#include "rfc5322.h"

static bool
is_atom(const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!((p[i] >= 'A' && p[i] <= 'Z') ||
			(p[i] >= 'a' && p[i] <= 'z') ||
			(p[i] >= '0' && p[i] <= '9')))
			return false;
	return len > 0;
}

static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c != '"' && c != '\\' && c != 0x7f;
}

static bool
write_escape(struct buf *b, unsigned char c)
{
	switch (c) {
	case '"':
	case '\\':
		return buf_putc(b, '\\') && buf_putc(b, c);
	case '\r':
		return buf_puts(b, "\\r");
	case '\n':
		return buf_puts(b, "\\e");
	case '\t':
		return buf_puts(b, "\\t");
	}
	return buf_printf(b, "\\%03d", c);
}

bool
val_write_string(struct buf *b, const char *p, size_t len)
{
	size_t i, from;

	if (is_atom(p, len))
		return buf_add(b, p, len);
	buf_putc(b, '"');
	for (i = 0; i < len; i++) {
		for (from = i; i < len && is_plain(p[i]); i++)
			;
		buf_add(b, p + from, i - from);
		if (i < len)
			write_escape(b, p[i]);
	}
	return buf_putc(b, '"');
}

static bool
write_scalar(struct buf *b, const struct val *v)
{
	switch (v->type) {
	case VAL_NUMBER:
		return buf_printf(b, "#%s", v->text);
	case VAL_NULL:
		return buf_puts(b, "#NULL#");
	case VAL_TIME:
		return buf_printf(b, "#T%s", v->text);
	case VAL_ADDR:
		return buf_printf(b, "#I%s", v->text);
	case VAL_DATA:
		return buf_putc(b, '[') && base64_encode(b, v->text, v->len) &&
		    buf_putc(b, ']');
	default:
		return val_write_string(b, v->text, v->len);
	}
}

static void
newline(struct buf *b, int indent)
{
	if (indent >= 0)
		buf_printf(b, "\n%*s", indent * 2, "");
}

/* indent: how deep this stands, or -1 for all on one line. */
static bool
write_value(struct buf *b, const struct val *v, int indent)
{
	int in = indent >= 0 ? indent + 1 : -1;
	bool dict = v->type == VAL_DICT;
	size_t i;

	if (!dict && v->type != VAL_ARRAY)
		return write_scalar(b, v);
	buf_putc(b, dict ? '{' : '(');
	for (i = 0; i < v->count && !b->failed; i++) {
		newline(b, in);
		if (dict) {
			val_write_string(b, v->key[i], strlen(v->key[i]));
			buf_puts(b, indent >= 0 ? " = " : "=");
		}
		write_value(b, v->item[i], in);
		if (dict)
			buf_putc(b, ';');
		else if (i + 1 < v->count)
			buf_putc(b, ',');
	}
	if (v->count > 0)
		newline(b, indent);
	return buf_putc(b, dict ? '}' : ')');
}

bool
val_write(struct buf *b, const struct val *v, bool pretty)
{
	return write_value(b, v, pretty ? 0 : -1);
}

typedef int replace_fn(int, const char *, mode_t, const void *, size_t);

static int
write_file(replace_fn *replace, int dirfd, const char *path, mode_t mode,
    const struct val *v)
{
	struct buf b;
	int ret, saved;

	buf_init(&b, DICT_MAXSIZE);
	if (val_write(&b, v, true) && buf_putc(&b, '\n'))
		ret = replace(dirfd, path, mode, b.p, b.len);
	else {
		errno = EFBIG;
		ret = -1;
	}
	saved = errno;
	if (b.p != NULL)
		explicit_bzero(b.p, b.len);
	buf_free(&b);
	errno = saved;
	return ret;
}

int
val_write_file(int dirfd, const char *path, mode_t mode, const struct val *v)
{
	return write_file(file_replace, dirfd, path, mode, v);
}

int
val_write_file_alone(int dirfd, const char *path, mode_t mode,
    const struct val *v)
{
	return write_file(file_replace_alone, dirfd, path, mode, v);
}
