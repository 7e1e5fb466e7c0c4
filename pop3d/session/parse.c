/* POP command lines: a word and at most two numbers.  Runs in the worker. */
#include <string.h>

#include "session.h"

static const struct {
	const char	*word;
	enum pop_verb	 verb;
	unsigned	 min, max;	/* arguments */
} verbs[] = {
	{ "STAT", POP_STAT, 0, 0 },
	{ "LIST", POP_LIST, 0, 1 },
	{ "UIDL", POP_UIDL, 0, 1 },
	{ "RETR", POP_RETR, 1, 1 },
	{ "TOP", POP_TOP, 2, 2 },
	{ "DELE", POP_DELE, 1, 1 },
	{ "RSET", POP_RSET, 0, 0 },
	{ "NOOP", POP_NOOP, 0, 0 },
	{ "QUIT", POP_QUIT, 0, 0 },
	{ "CAPA", POP_CAPA, 0, 0 },
};

void
pop_parse(const char *line, size_t len, struct pop_cmd *cmd)
{
	struct cur c = cur_make(line, len);
	struct str word;
	size_t i;

	memset(cmd, 0, sizeof(*cmd));
	cur_ws(&c);
	word = cur_until(&c, " \t");
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (str_caseeq(word, verbs[i].word))
			break;
	if (i == sizeof(verbs) / sizeof(verbs[0]))
		return;
	cmd->verb = verbs[i].verb;
	for (cur_ws(&c); cur_left(&c) > 0; cur_ws(&c)) {
		if (cmd->nargs == verbs[i].max ||
		    !cur_u64(&c, &cmd->arg[cmd->nargs], UINT32_MAX) ||
		    (cur_left(&c) > 0 && cur_peek(&c) != ' ' &&
			cur_peek(&c) != '\t')) {
			cmd->bad = true;
			return;
		}
		cmd->nargs++;
	}
	cmd->bad = cmd->nargs < verbs[i].min;
}
