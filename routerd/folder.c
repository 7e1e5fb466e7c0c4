/*
 * Where new accounts are put (manual 18, Foldering): in the domain's directory
 * or in its .sub directories.  Runs in routerd; knows text only.  Accounts
 * that exist stay where they are: names remember that (names.h).
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "names.h"

enum { LETTERS = 26 };

/* Bytes of the n-th letter, which may be UTF-8. */
static size_t
letter(const char *name, size_t n, size_t *len)
{
	size_t at = 0, i;

	for (i = 0;; i++) {
		*len = name[at] != '\0';
		while (((unsigned char)name[at + *len] & 0xc0) == 0x80)
			(*len)++;
		if (i == n)
			return at;
		at += *len;
	}
}

static void
by_letters(const char *name, bool levels, char *out, size_t size)
{
	size_t one, two;

	letter(name, 0, &one);
	letter(name, 1, &two);
	if (levels && two > 0)
		snprintf(out, size, "%.*s.sub/%.*s.sub/", (int)one, name,
		    (int)two, name + one);
	else
		snprintf(out, size, "%.*s.sub/", (int)(one + two), name);
}

static void
by_hash(const char *name, bool levels, char *out, size_t size)
{
	uint32_t h = name_hash(name, strlen(name));
	char a = 'a' + h % LETTERS, b = 'a' + h / LETTERS % LETTERS;
	char c = 'a' + h / LETTERS / LETTERS % LETTERS;

	if (levels)
		snprintf(out, size, "%c%c.sub/%c.sub/", a, b, c);
	else
		snprintf(out, size, "%c%c.sub/", a, b);
}

void
folder_name(const char *method, const char *name, char *out, size_t size)
{
	static const struct {
		const char	*method;
		void		(*fn)(const char *, bool, char *, size_t);
		bool		 levels;
	} methods[] = {
		{ "2 Letters 1 Level", by_letters, false },
		{ "2 Letters 2 Levels", by_letters, true },
		{ "Hashed 1 Level", by_hash, false },
		{ "Hashed 2 Levels", by_hash, true }
	};
	size_t i;

	out[0] = '\0';
	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcasecmp(method, methods[i].method) == 0)
			methods[i].fn(name, methods[i].levels, out, size);
}
