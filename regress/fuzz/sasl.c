/* SASL: lines of a hostile client, to each mechanism. */
#include <stdlib.h>
#include <string.h>

#include "sasl.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct cur c = cur_make(p, len);
	struct str s;
	struct sasl sa;
	struct buf out;
	enum sasl_result r;
	char *line;
	int which;

	which = cur_get(&c);
	if (which == -1)
		return 0;
	sasl_start(&sa, &sasl_mechs[which % 3], "x.example");
	buf_init(&out, 0);
	r = which & 0x80 ? sasl_step(&sa, NULL, &out) : SASL_MORE;
	while (r == SASL_MORE && cur_line(&c, &s)) {
		if ((line = str_dup(s)) == NULL)
			break;
		r = sasl_step(&sa, line, &out);
		free(line);
	}
	if (r == SASL_DONE && (sa.name[0] == '\0' ||
	    strlen(sa.name) >= sizeof(sa.name) ||
	    sa.secretlen >= sizeof(sa.secret)))
		abort();
	buf_free(&out);
	sasl_wipe(&sa);
	return 0;
}
