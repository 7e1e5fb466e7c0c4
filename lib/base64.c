/*
 * base64 (RFC 4648), the standard alphabet.  Decoding is strict, since two
 * readings of one text are how checks are got around: whole groups, right
 * padding, no stray bits, nothing else between.
 */
#include "rfc5322.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool
base64_encode(struct buf *b, const void *data, size_t len)
{
	const unsigned char *p = data;
	char out[4];
	uint32_t w;

	if (!buf_reserve(b, (len + 2) / 3 * 4))
		return false;
	for (; len >= 3; p += 3, len -= 3) {
		w = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
		out[0] = alphabet[w >> 18];
		out[1] = alphabet[(w >> 12) & 63];
		out[2] = alphabet[(w >> 6) & 63];
		out[3] = alphabet[w & 63];
		buf_add(b, out, 4);
	}
	if (len == 0)
		return !b->failed;
	w = (uint32_t)p[0] << 16 | (len == 2 ? (uint32_t)p[1] << 8 : 0);
	out[0] = alphabet[w >> 18];
	out[1] = alphabet[(w >> 12) & 63];
	out[2] = len == 2 ? alphabet[(w >> 6) & 63] : '=';
	out[3] = '=';
	return buf_add(b, out, 4);
}

static int
value(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int
base64_decode(struct buf *b, struct str s)
{
	size_t i, pad = 0, bytes;
	char out[3];
	uint32_t w;
	int k, v;

	if (s.len % 4 != 0)
		return -1;
	if (s.len > 0 && s.p[s.len - 1] == '=')
		pad = s.p[s.len - 2] == '=' ? 2 : 1;
	if (!buf_reserve(b, s.len / 4 * 3))
		return -1;
	for (i = 0; i < s.len; i += 4) {
		bytes = i + 4 == s.len ? 3 - pad : 3;
		for (w = 0, k = 0; k < 4; k++) {
			v = k <= (int)bytes ? value(s.p[i + k]) : 0;
			if (v == -1)
				return -1;
			w = w << 6 | (uint32_t)v;
		}
		if (w & (0xffffffU >> (8 * bytes)))
			return -1;
		out[0] = (char)(w >> 16);
		out[1] = (char)(w >> 8);
		out[2] = (char)w;
		buf_add(b, out, bytes);
	}
	return b->failed ? -1 : 0;
}
