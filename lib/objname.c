/*
 * What accounts and domains may be called.  Runs in routerd, which knows their
 * names, and in cgserver, which takes over those of another server.
 */
#include <ctype.h>
#include <string.h>

#include "objname.h"

bool
name_lower(struct str s, char *out, size_t size)
{
	size_t i;

	if (s.len >= size) {
		out[0] = '\0';
		return false;
	}
	for (i = 0; i < s.len; i++)
		out[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] | 0x20 :
							  s.p[i];
	out[i] = '\0';
	return true;
}

/*
 * What may become a file name and the left side of an address without quotes.
 * Upper case has gone already.
 */
bool
name_valid_account(const char *s)
{
	static const char others[] = "._-=&'$^{}~";
	size_t len = strlen(s), i;

	if (len == 0 || len > NAME_MAXLEN || s[0] == '.' || s[0] == '~' ||
	    s[len - 1] == '.' || strstr(s, "..") != NULL)
		return false;
	for (i = 0; i < len; i++) {
		unsigned char c = s[i];

		if (c >= 0x80 || isdigit(c) || (c >= 'a' && c <= 'z'))
			continue;
		if (strchr(others, c) == NULL)
			return false;
	}
	return true;
}

bool
name_valid_domain(const char *s)
{
	size_t len = strlen(s), label = 0, i;

	if (len == 0 || len > DOMAIN_MAXLEN)
		return false;
	for (i = 0; i <= len; i++) {
		unsigned char c = s[i];

		if (c == '.' || c == '\0') {
			if (label == 0 || label > 63 || s[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (c == '-' ? label == 0 :
		    !(isdigit(c) || c == '_' || (c >= 'a' && c <= 'z')))
			return false;
		label++;
	}
	return true;
}
