/* A helper program's line, and the command that would start one. */
#include <stdlib.h>
#include <string.h>

#include "helper.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str s = { (const char *)data, len };
	struct helper_answer a;
	char **words, *text;
	size_t n;

	helper_parse(s, &a);
	if (a.said != HELPER_NONSENSE && (a.text.p < s.p ||
	    a.text.p + a.text.len != s.p + s.len))
		abort();
	(void)helper_sendable(s);
	(void)helper_has_word(s, "XOAUTH2");
	if ((text = str_dup(s)) == NULL)
		return 0;
	if ((words = helper_words(text)) != NULL) {
		for (n = 0; words[n] != NULL; n++)
			;
		if (n == 0 || n > HELPER_WORDS)
			abort();
	}
	helper_words_free(words);
	free(text);
	return 0;
}
