/* Names of messages: see mdir_name.h.  In delivery and in workers. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "from.h"
#include "mdir_name.h"

enum {
	TIME = 14,
	HEX = 8,
	YEAR = 86400 * 365
};

/* No year has more than four digits. */
#define DATE_MAX (8029LL * YEAR)

static const struct {
	char		letter;
	uint32_t	flag;
} letters[] = {
	{ 'R', MSG_SEEN }, { 'A', MSG_ANSWERED }, { 'F', MSG_FLAGGED },
	{ 'D', MSG_DELETED }, { 'T', MSG_DRAFT }, { 'S', MSG_SERVICE },
	{ 'r', MSG_RECENT }
};

enum { NLETTERS = sizeof(letters) / sizeof(letters[0]) };

static uint32_t
flag_of(char c)
{
	int i;

	for (i = 0; i < NLETTERS; i++)
		if (letters[i].letter == c)
			return letters[i].flag;
	return 0;
}

static size_t
digits(const char *p)
{
	return strspn(p, "0123456789");
}

/* A number that is no UID is none. */
static uint32_t
uid_of(const char *p, size_t len)
{
	uint64_t v = 0;

	for (; len > 0; p++, len--) {
		v = v * 10 + (uint64_t)(*p - '0');
		if (v >= UINT32_MAX)
			return 0;
	}
	return v;
}

/* All of the last eight: no set of letters looks so. */
static bool
keywords_of(const char *p, uint32_t *out)
{
	uint32_t v = 0;
	int i;

	for (i = 0; i < HEX; i++) {
		if (p[i] >= '0' && p[i] <= '9')
			v = v << 4 | (uint32_t)(p[i] - '0');
		else if (p[i] >= 'A' && p[i] <= 'F')
			v = v << 4 | (uint32_t)(p[i] - 'A' + 10);
		else
			return false;
	}
	*out = v;
	return true;
}

static void
flags_of(const char *p, size_t len, struct mdir_name *n)
{
	if (len >= HEX && keywords_of(p + len - HEX, &n->keywords))
		len -= HEX;
	for (; len > 0; p++, len--)
		n->flags |= flag_of(*p);
}

static int
number(const char *p, int len)
{
	int v = 0;

	for (; len > 0; p++, len--)
		v = v * 10 + (*p - '0');
	return v;
}

/* 0 for what is no time. */
static int64_t
date_of(const char *p)
{
	struct tm tm = { .tm_year = number(p, 4) - 1900,
		.tm_mon = number(p + 4, 2) - 1, .tm_mday = number(p + 6, 2),
		.tm_hour = number(p + 8, 2), .tm_min = number(p + 10, 2),
		.tm_sec = number(p + 12, 2) };
	time_t t;

	if (tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 ||
	    tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 ||
	    tm.tm_sec > 60)
		return 0;
	t = timegm(&tm);
	return t > 0 ? t : 0;
}

bool
mdir_name_parse(const char *name, struct mdir_name *n)
{
	size_t len = digits(name), time;
	const char *flags, *p;

	memset(n, 0, sizeof(*n));
	if (len == 0 || name[len] != '-')
		return false;
	n->uid = uid_of(name, len);
	flags = name + len + 1;
	/* Others may have a - for each flag that is not set. */
	for (p = flags; (p = strchr(p, '-')) != NULL;) {
		time = digits(++p);
		if (time == 0 || (p[time] != '-' && p[time] != '\0'))
			continue;
		flags_of(flags, p - 1 - flags, n);
		n->date = time == TIME ? date_of(p) : 0;
		return true;
	}
	return false;
}

void
mdir_name_format(char *out, const struct mdir_name *n)
{
	char flags[NLETTERS + HEX + 1];
	time_t date = n->date < 0 ? 0 : n->date > DATE_MAX ? DATE_MAX :
	    n->date;
	struct tm tm;
	size_t k = 0;
	int i;

	for (i = 0; i < NLETTERS; i++)
		if (n->flags & letters[i].flag)
			flags[k++] = letters[i].letter;
	flags[k] = '\0';
	if (n->keywords != 0)
		snprintf(flags + k, sizeof(flags) - k, "%08X", n->keywords);
	gmtime_r(&date, &tm);
	snprintf(out, MDIR_NAME, "%u-%s-%04d%02d%02d%02d%02d%02d", n->uid,
	    flags, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
	    tm.tm_min, tm.tm_sec);
}
