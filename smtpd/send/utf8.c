/*
 * What mail beyond ASCII is for a host that knows ASCII alone.  Runs in smtpd's
 * sending role.
 */
#include "send.h"

void
orcpt_ascii(struct buf *b, const char *orcpt)
{
	const unsigned char *p = (const unsigned char *)orcpt;
	uint32_t u;
	int more;

	for (; *p != '\0'; p++) {
		if (*p < 0x80) {
			buf_putc(b, *p);
			continue;
		}
		more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : 1;
		for (u = *p & (0x3fU >> more); more > 0 && p[1] != '\0';
		    more--)
			u = u << 6 | (*++p & 0x3fU);
		buf_printf(b, "\\x{%X}", u);
	}
}
