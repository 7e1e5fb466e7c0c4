/*
 * base64 and quoted-printable, as mail has them: with foreign bytes between,
 * lines of any length, ends in the middle.  Everything decodes to something.
 * Runs in workers.
 */
#include <string.h>

#include "mime_decode.h"

/* 0-63: a digit; 64: none; 65: padding. */
enum { B64_NONE = 64, B64_PAD = 65 };

static uint8_t b64[256];

/* Quoted-printable: what was seen of an escape. */
enum { QP_TEXT, QP_EQUAL, QP_HEX, QP_BLANK, QP_CR };

static void
make_b64(void)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	int i;

	memset(b64, B64_NONE, sizeof(b64));
	for (i = 0; i < 64; i++)
		b64[(unsigned char)digits[i]] = (uint8_t)i;
	b64['='] = B64_PAD;
}

bool
decoder_init(struct decoder *d, enum mime_enc enc)
{
	memset(d, 0, sizeof(*d));
	d->enc = (uint8_t)enc;
	if (enc == MIME_BASE64 && b64['A'] == b64['B'])
		make_b64();
	return enc == MIME_BASE64 || enc == MIME_QP;
}

/* The whole bytes that there are; what is left over is dropped. */
static char *
b64_flush(struct decoder *d, char *out)
{
	unsigned bits = d->n * 6U, i;

	for (i = 0; bits >= 8; bits -= 8, i++)
		*out++ = (char)(d->bits >> (bits - 8));
	d->bits = 0;
	d->n = 0;
	return out;
}

static size_t
b64_run(struct decoder *d, const char *in, size_t n, char *out)
{
	const unsigned char *p = (const unsigned char *)in, *end = p + n;
	char *o = out;
	uint8_t a, b, c, v;

	while (p < end) {
		if (d->n == 0) {
			for (; end - p >= 4; p += 4, o += 3) {
				a = b64[p[0]];
				b = b64[p[1]];
				c = b64[p[2]];
				v = b64[p[3]];
				if ((a | b | c | v) & 0xc0)
					break;
				o[0] = (char)(a << 2 | b >> 4);
				o[1] = (char)(b << 4 | c >> 2);
				o[2] = (char)(c << 6 | v);
			}
			if (p == end)
				break;
		}
		v = b64[*p++];
		if (v == B64_PAD)
			o = b64_flush(d, o);
		else if (v != B64_NONE) {
			d->bits = d->bits << 6 | v;
			if (++d->n == 4)
				o = b64_flush(d, o);
		}
	}
	return o - out;
}

static int
hex(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What stood behind an equals sign that began no escape. */
static char *
qp_undo(struct decoder *d, char *o)
{
	*o++ = '=';
	if (d->state == QP_HEX || d->state == QP_BLANK)
		*o++ = d->hold[0];
	else if (d->state == QP_CR)
		*o++ = '\r';
	d->state = QP_TEXT;
	return o;
}

/* A byte behind an equals sign; false: it is text again. */
static bool
qp_escape(struct decoder *d, char c, char **o)
{
	if (c == '\n' && d->state != QP_HEX) {
		d->state = QP_TEXT;
		return true;
	}
	if (d->state == QP_EQUAL && hex((unsigned char)c) != -1) {
		d->hold[0] = c;
		d->state = QP_HEX;
		return true;
	}
	if (d->state == QP_HEX && hex((unsigned char)c) != -1) {
		*(*o)++ = (char)(hex((unsigned char)d->hold[0]) << 4 |
		    hex((unsigned char)c));
		d->state = QP_TEXT;
		return true;
	}
	if (d->state == QP_EQUAL || d->state == QP_BLANK) {
		if (c == '\r') {
			d->state = QP_CR;
			return true;
		}
		if (c == ' ' || c == '\t') {
			d->hold[0] = c;
			d->state = QP_BLANK;
			return true;
		}
	}
	*o = qp_undo(d, *o);
	return false;
}

static size_t
qp_run(struct decoder *d, const char *in, size_t n, char *out)
{
	const char *p = in, *end = in + n, *eq;
	char *o = out;

	while (p < end) {
		if (d->state != QP_TEXT) {
			if (qp_escape(d, *p, &o))
				p++;
			continue;
		}
		eq = memchr(p, '=', end - p);
		if (eq == NULL)
			eq = end;
		memcpy(o, p, eq - p);
		o += eq - p;
		p = eq;
		if (p < end) {
			p++;
			d->state = QP_EQUAL;
		}
	}
	return o - out;
}

size_t
decoder_run(struct decoder *d, const char *in, size_t n, char *out)
{
	if (d->enc == MIME_BASE64)
		return b64_run(d, in, n, out);
	if (d->enc == MIME_QP)
		return qp_run(d, in, n, out);
	memcpy(out, in, n);
	return n;
}

size_t
decoder_end(struct decoder *d, char *out)
{
	if (d->enc == MIME_BASE64)
		return b64_flush(d, out) - out;
	return d->state == QP_TEXT ? 0 : (size_t)(qp_undo(d, out) - out);
}
