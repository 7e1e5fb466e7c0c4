/*
 * Who logs in by a name of a unified domain-wide account sees the messages
 * for that name alone (manual 36): those that have it in the field which
 * delivery adds.  Runs in an account's worker.
 */
#include <stdlib.h>
#include <string.h>

#include "rfc5322.h"
#include "session_int.h"

/* Delivery puts the field first: it need not be looked for any further. */
enum { LOOKED_AT = 16384 };

/* "abcdef, xyz" */
static bool
has_name(struct str list, const char *user)
{
	struct cur c = cur_make(list.p, list.len);
	struct str name;

	while (cur_left(&c) > 0) {
		cur_span(&c, " \t\r\n,");
		name = cur_until(&c, ",\r\n");
		while (name.len > 0 && strchr(" \t", name.p[name.len - 1]))
			name.len--;
		if (str_caseeq(name, user))
			return true;
	}
	return false;
}

bool
pop_is_for(struct box *box, const struct rec *r, const char *field,
    const char *user)
{
	char *text = malloc(LOOKED_AT);
	struct field f;
	struct cur c;
	bool found = false;
	ssize_t n;

	if (text == NULL)
		return false;
	n = box_read(box, r, 0, text, LOOKED_AT);
	c = cur_make(text, n > 0 ? n : 0);
	while (!found && field_next(&c, &f))
		found = str_caseeq(f.name, field) && has_name(f.body, user);
	free(text);
	return found;
}
