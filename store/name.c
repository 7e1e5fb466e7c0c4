/*
 * Mailbox names: checked before they ever become paths, in delivery and in an
 * account's worker.
 */
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "name.h"

static bool
part_valid(const char *p, size_t len)
{
	size_t i;

	if (len == 0 || len > 200 || strchr(".#~", *p) != NULL)
		return false;
	for (i = 0; i < len; i++)
		if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			return false;
	return true;
}

bool
name_valid(const char *name)
{
	const char *p = name, *slash;
	int depth = 0;

	if (strlen(name) > NAME_MAX_BYTES)
		return false;
	while ((slash = strchr(p, '/')) != NULL) {
		if (!part_valid(p, slash - p) || ++depth > NAME_MAX_DEPTH)
			return false;
		p = slash + 1;
	}
	return part_valid(p, strlen(p));
}

const char *
name_canon(const char *name)
{
	return name[0] == '\0' || strcasecmp(name, "INBOX") == 0 ? "INBOX"
								 : name;
}

bool
name_path(struct buf *b, const char *name)
{
	const char *p = name_canon(name), *slash;

	for (; (slash = strchr(p, '/')) != NULL; p = slash + 1) {
		buf_add(b, p, slash - p);
		buf_puts(b, ".folder/");
	}
	return buf_puts(b, p);
}

/*
 * Each place of the pattern that can be reached so far is marked in at[];
 * the work is bounded by the product of the two lengths.
 */
static void
spread(const char *pat, size_t len, unsigned char *at)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (at[i] && (pat[i] == '*' || pat[i] == '%'))
			at[i + 1] = 1;
}

bool
name_matches(const char *pat, const char *name)
{
	unsigned char at[NAME_PATTERN + 2] = { 1 };
	size_t i, len = strlen(pat);

	if (len > NAME_PATTERN)
		return false;
	spread(pat, len, at);
	for (; *name != '\0'; name++) {
		for (i = len + 1; i-- > 0;) {
			if (i < len && at[i] && (pat[i] == '*' ||
			    (pat[i] == '%' && *name != '/')))
				continue;
			at[i] = i > 0 && at[i - 1] && pat[i - 1] == *name;
		}
		spread(pat, len, at);
	}
	return at[len];
}
