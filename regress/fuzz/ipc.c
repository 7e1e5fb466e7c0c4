/*
 * Any bytes as a packet: what unpacks must describe itself and pack to the
 * same bytes again, but for the flag that tells of a descriptor.
 */
#include <stdlib.h>
#include <string.h>

#include "ipc.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf store, out;
	struct ipc_pkt pkt;
	int answer;

	buf_init(&store, 0);
	buf_init(&out, 0);
	if (ipc_unpack(data, size, &pkt, &answer, &store) == 0) {
		ipc_describe(&out, &pkt);
		buf_reset(&out);
		if (ipc_pack(&out, pkt.type, pkt.session, pkt.seq, answer,
			pkt.m) == -1 || out.len != size)
			abort();
		out.p[2] = (char)data[2];
		if (memcmp(out.p, data, size) != 0)
			abort();
	}
	buf_free(&store);
	buf_free(&out);
	return 0;
}
