/*
 * CRC-32C (Castagnoli, RFC 3720), in queued and the mailbox code: by the
 * processor's own instruction where it has one, else by tables.
 */
#include <string.h>

#include "file.h"

#define CRC32C_POLY 0x82f63b78U		/* bits reversed */

static uint32_t table[8][256];

static void
table_make(void)
{
	uint32_t c;
	int i, k;

	for (i = 0; i < 256; i++) {
		c = i;
		for (k = 0; k < 8; k++)
			c = c & 1 ? (c >> 1) ^ CRC32C_POLY : c >> 1;
		table[0][i] = c;
	}
	for (i = 0; i < 256; i++)
		for (k = 1; k < 8; k++) {
			c = table[k - 1][i];
			table[k][i] = (c >> 8) ^ table[0][c & 0xff];
		}
}

/* Eight bytes a step: each table is the CRC of a byte so far from the end. */
static uint32_t
crc_table(uint32_t crc, const unsigned char *p, size_t len)
{
	uint32_t lo, hi;

	for (; len >= 8; p += 8, len -= 8) {
		lo = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 |
			       (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
		hi = (uint32_t)p[4] | (uint32_t)p[5] << 8 |
		    (uint32_t)p[6] << 16 | (uint32_t)p[7] << 24;
		crc = table[7][lo & 0xff] ^ table[6][(lo >> 8) & 0xff] ^
		    table[5][(lo >> 16) & 0xff] ^ table[4][lo >> 24] ^
		    table[3][hi & 0xff] ^ table[2][(hi >> 8) & 0xff] ^
		    table[1][(hi >> 16) & 0xff] ^ table[0][hi >> 24];
	}
	for (; len > 0; p++, len--)
		crc = (crc >> 8) ^ table[0][(crc ^ *p) & 0xff];
	return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t
crc_sse42(uint32_t crc, const unsigned char *p, size_t len)
{
	uint64_t c = crc, w;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&w, p, sizeof(w));
		c = _mm_crc32_u64(c, w);
	}
	for (; len > 0; p++, len--)
		c = _mm_crc32_u8((uint32_t)c, *p);
	return (uint32_t)c;
}
#endif

static uint32_t (*crc_run)(uint32_t, const unsigned char *, size_t);

/* Before main: there are no threads yet to race with. */
__attribute__((constructor)) static void
crc_choose(void)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2")) {
		crc_run = crc_sse42;
		return;
	}
#endif
	table_make();
	crc_run = crc_table;
}

uint32_t
crc32c(uint32_t crc, const void *p, size_t len)
{
	return ~crc_run(~crc, p, len);
}
