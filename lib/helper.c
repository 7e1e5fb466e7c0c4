/*
 * Lines of helper programs, and the command that starts one.  authd and its
 * root helper use it; it only looks at text.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "helper.h"

void
helper_parse(struct str line, struct helper_answer *a)
{
	struct cur c = cur_make(line.p, line.len);
	uint64_t seq;

	memset(a, 0, sizeof(*a));
	a->said = HELPER_NONSENSE;
	cur_ws(&c);
	if (cur_lit(&c, "*")) {
		cur_ws(&c);
		a->said = HELPER_COMMENT;
	} else {
		if (!cur_u64(&c, &seq, UINT32_MAX))
			return;
		a->seq = seq;
		cur_ws(&c);
		if (cur_caselit(&c, "OK"))
			a->said = HELPER_OK;
		else if (cur_caselit(&c, "ERROR"))
			a->said = HELPER_ERROR;
		else
			return;
		if (cur_left(&c) > 0 && *c.p != ' ' && *c.p != '\t') {
			a->said = HELPER_NONSENSE;
			return;
		}
		cur_ws(&c);
	}
	a->text = (struct str){ c.p, cur_left(&c) };
}

bool
helper_sendable(struct str s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (s.p[i] == '\0' || s.p[i] == '\r' || s.p[i] == '\n')
			return false;
	return true;
}

bool
helper_has_word(struct str words, const char *word)
{
	struct cur c = cur_make(words.p, words.len);
	struct str w;

	for (;;) {
		cur_ws(&c);
		w = cur_until(&c, " \t");
		if (w.len == 0)
			return false;
		if (str_caseeq(w, word))
			return true;
	}
}

/* One word; false at bad quoting. */
static bool
one_word(struct cur *c, struct buf *out)
{
	bool quoted = false;
	int ch;

	while ((ch = cur_peek(c)) != -1 &&
	    (quoted || (ch != ' ' && ch != '\t'))) {
		cur_get(c);
		if (ch == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && ch == '\\' && (ch = cur_get(c)) == -1)
			return false;
		buf_putc(out, ch);
	}
	return !quoted;
}

char **
helper_words(const char *command)
{
	struct cur c = cur_str(command);
	char **words = calloc(HELPER_WORDS + 1, sizeof(*words));
	struct buf one;
	size_t n = 0;

	for (cur_ws(&c); words != NULL && cur_left(&c) > 0; cur_ws(&c)) {
		buf_init(&one, HELPER_LINE);
		buf_puts(&one, "");
		if (n == HELPER_WORDS || !one_word(&c, &one) ||
		    !buf_reserve(&one, 1) || (words[n] = buf_steal(&one)) ==
		    NULL) {
			buf_free(&one);
			helper_words_free(words);
			return NULL;
		}
		n++;
	}
	if (n > 0)
		return words;
	helper_words_free(words);
	return NULL;
}

void
helper_words_free(char **words)
{
	size_t i;

	for (i = 0; words != NULL && words[i] != NULL; i++)
		free(words[i]);
	free(words);
}
