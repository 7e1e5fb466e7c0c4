/*
 * UTF-8 in addresses, and names of domains in letters of all languages.  What
 * is ASCII, and that is nearly all, costs one look.  Pure; runs in smtpd, its
 * sending role, routerd, queued and authd.
 */
#include <idn2.h>
#include <string.h>

#include "addr.h"
#include "idn.h"

bool
utf8_is_ascii(struct str s)
{
	uint64_t w;

	for (; s.len >= sizeof(w); s.p += sizeof(w), s.len -= sizeof(w)) {
		memcpy(&w, s.p, sizeof(w));
		if (w & 0x8080808080808080ULL)
			return false;
	}
	for (; s.len > 0; s.p++, s.len--)
		if ((unsigned char)*s.p >= 0x80)
			return false;
	return true;
}

/* The length of the character that begins with these bytes, or 0. */
static size_t
character(const char *s, size_t n)
{
	static const uint32_t least[] = { 0, 0, 0xa0, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s;
	size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2, i;
	uint32_t u;

	if (p[0] < 0xc2 || p[0] > 0xf4 || n < len)
		return 0;
	u = p[0] & (0x7fU >> len);
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		u = u << 6 | (p[i] & 0x3f);
	}
	/* Below 0xa0 are controls; lines and paragraphs end in the others. */
	return u < least[len] || u > 0x10ffff || (u & ~0x7ffU) == 0xd800 ||
	    u == 0x2028 || u == 0x2029 ? 0 : len;
}

bool
utf8_valid(struct str s)
{
	size_t n;

	if (utf8_is_ascii(s))
		return true;
	for (; s.len > 0; s.p += n, s.len -= n) {
		n = 1;
		if ((unsigned char)*s.p >= 0x80 &&
		    (n = character(s.p, s.len)) == 0)
			return false;
	}
	return true;
}

size_t
utf8_fit(const char *s, size_t max)
{
	size_t n = strlen(s);

	if (n <= max)
		return n;
	for (n = max; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80; n--)
		;
	return n;
}

bool
idn_ascii(struct buf *b, struct str s)
{
	char text[ADDR_MAXDOMAIN * 3 + 1];
	uint8_t *out = NULL;
	bool ok;

	if (utf8_is_ascii(s))
		return buf_add(b, s.p, s.len);
	if (!utf8_valid(s) || !str_copy(s, text, sizeof(text)) ||
	    memchr(text, '\0', s.len) != NULL ||
	    idn2_lookup_u8((const uint8_t *)text, &out, IDN2_NFC_INPUT |
	    IDN2_NONTRANSITIONAL) != IDN2_OK)
		return false;
	/* What it made of other characters may be anything of ASCII's. */
	ok = addr_valid_domain(str_make((char *)out)) &&
	    buf_puts(b, (char *)out);
	idn2_free(out);
	return ok;
}
