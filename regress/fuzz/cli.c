/*
 * A command line as the network sends it, and the same bytes as an owner's
 * data in an answer.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cli_cmd *cmd;
	struct val *args;
	struct buf err, out;
	char *text;

	buf_init(&err, 0);
	buf_init(&out, 0);
	if (cli_parse(cur_make(data, size), &cmd, &args, &err) == 0) {
		if (cmd == NULL || !val_write(&out, args, false))
			abort();
		(void)cli_arg(cmd, args, "accountName");
		val_free(args);
	} else if (err.len == 0 || args != NULL)
		abort();
	buf_reset(&out);
	text = xcalloc(1, size + 1);
	memcpy(text, data, size);
	cli_answer(&out, size % 2 == 0, 200, text, text);
	cli_answer(&out, false, 501, text, NULL);
	val_free(cli_help(text));
	(void)cli_near(&err, text);
	if (out.len < 4 || out.p[out.len - 1] != '\n')
		abort();
	free(text);
	buf_free(&out);
	buf_free(&err);
	return 0;
}
