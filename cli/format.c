/*
 * Answers as the wire has them, and lines from separate words.
 * Runs in pwdd and cgctl.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* One line of text, whatever was in it. */
static void
put_text(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++)
		buf_putc(out, (unsigned char)*text < ' ' ? ' ' : *text);
	buf_puts(out, "\r\n");
}

static void
put_lines(struct buf *out, const struct buf *text)
{
	size_t i;

	for (i = 0; i < text->len; i++) {
		if (text->p[i] == '\n' && (i == 0 || text->p[i - 1] != '\r'))
			buf_putc(out, '\r');
		buf_putc(out, text->p[i]);
	}
	buf_puts(out, "\r\n");
}

/*
 * An element a line, whatever is in it on the same.  Clients without INLINE
 * look for a line that ends as the whole began: only the last one may.
 */
static void
write_lines(struct buf *b, const struct val *v)
{
	bool dict = val_type(v) == VAL_DICT;
	size_t n = val_count(v), i;

	if (n == 0) {
		val_write(b, v, false);
		return;
	}
	buf_putc(b, dict ? '{' : '(');
	for (i = 0; i < n; i++) {
		buf_puts(b, "\n  ");
		if (dict) {
			val_write_string(b, val_key(v, i),
			    strlen(val_key(v, i)));
			buf_puts(b, " = ");
		}
		val_write(b, val_at(v, i), false);
		buf_puts(b, dict ? ";" : i + 1 < n ? "," : "");
	}
	if (dict || val_type(val_at(v, n - 1)) != VAL_ARRAY)
		buf_putc(b, '\n');
	buf_putc(b, dict ? '}' : ')');
}

void
cli_answer(struct buf *out, bool inl, unsigned code, const char *text,
    const char *data)
{
	const char *err = NULL;
	struct val *v;
	struct buf b;

	if (code == 0)
		code = 200;
	if (code >= 300 || data == NULL || *data == '\0') {
		buf_printf(out, "%u ", code);
		put_text(out, text == NULL || *text == '\0' ?
		    (code < 300 ? "OK" : "refused") : text);
		return;
	}
	buf_init(&b, 0);
	if ((v = val_parse_all(data, strlen(data), &err)) != NULL && !inl)
		write_lines(&b, v);
	else if (v != NULL)
		val_write(&b, v, false);
	else
		val_write_string(&b, data, strlen(data));
	if (b.failed)
		buf_puts(out, "501 the answer is too long\r\n");
	else if (inl)
		buf_printf(out, "201 %s\r\n", b.p);
	else {
		/* A later client knows by this text that there is some. */
		buf_puts(out, "200 data follow\r\n");
		put_lines(out, &b);
	}
	val_free(v);
	if (b.p != NULL)
		explicit_bzero(b.p, b.len);
	buf_free(&b);
}

/* Always in quotes, so that a word is never taken for something else. */
static void
put_quoted(struct buf *out, const char *s)
{
	buf_putc(out, '"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			buf_printf(out, "\\%c", *s);
		else if (*s == '\n')
			buf_puts(out, "\\e");
		else if (*s == '\t')
			buf_puts(out, "\\t");
		else if (*s != '\r')
			buf_putc(out, *s);
	}
	buf_putc(out, '"');
}

bool
cli_line(struct buf *out, int argc, char *const *argv)
{
	int i;

	for (i = 0; i < argc; i++) {
		if (i > 0)
			buf_putc(out, ' ');
		if (i == 0 || (*argv[i] != '\0' &&
		    strchr("{(\"", *argv[i]) != NULL))
			buf_puts(out, argv[i]);
		else
			put_quoted(out, argv[i]);
	}
	return !out->failed;
}
