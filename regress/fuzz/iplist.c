/* IP lists: any text is a list or is refused with the number of its line. */
#include <stdlib.h>

#include "iplist.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct str s = { (const char *)p, len };
	struct iplist *l;
	char *text;
	int line = 0;

	text = str_dup(s);
	if (text == NULL)
		return 0;
	l = iplist_parse(text, &line);
	if (l == NULL && line < 1)
		abort();
	iplist_has(l, "10.1.2.3");
	iplist_has(l, "2001:db8::1");
	iplist_has(l, text);
	ip_is_loopback(text);
	iplist_free(l);
	free(text);
	return 0;
}
