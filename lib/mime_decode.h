/*
 * Content-Transfer-Encoding undone, a piece at a time: base64 and
 * quoted-printable as they come, broken or not; the others pass as they are.
 */
#ifndef CG_MIME_DECODE_H
#define CG_MIME_DECODE_H

#include "mime.h"

struct decoder {
	uint8_t		 enc;
	uint8_t		 state;
	uint8_t		 n;		/* bytes held back */
	uint32_t	 bits;
	char		 hold[4];
};

/* Room that out needs beyond the length of the input. */
enum { DECODER_ROOM = 8 };

/* True: decoding changes something; false: the bytes are the text. */
bool	decoder_init(struct decoder *, enum mime_enc);
/*
 * Decodes n bytes to out (n + DECODER_ROOM bytes, not in's) and returns how
 * many came out.  Line ends of quoted-printable stay as they are.
 */
size_t	decoder_run(struct decoder *, const char *in, size_t n, char *out);
/* What was held back at the end: at most DECODER_ROOM bytes. */
size_t	decoder_end(struct decoder *, char *out);
#endif
