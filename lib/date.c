/*
 * Dates as mail writes them, to and from seconds since 1970.  All in GMT, by
 * own arithmetic: no time zone files, so it works behind any wall and in any
 * thread.
 */
#include <stdio.h>
#include <string.h>

#include "rfc5322.h"

static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri",
	"Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
	"Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

struct date {
	int	year, month, day;		/* month and day from 1 */
	int	hour, min, sec, weekday;
	int	zone;				/* minutes east of GMT */
};

/*
 * Days since 1 January 1970 in the Gregorian calendar.  Years are taken to
 * begin in March, so that a leap day is the last of its year.
 */
static int64_t
days_of(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t m = (month + 9) % 12;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day -
	    1 - 719468;
}

static void
split(struct date *d, int64_t when)
{
	enum { Y400 = 146097 };
	int64_t n, era, y, yday, m, secs;

	/* What mail can write has four digits of a year. */
	if (when < -62135596800)
		when = -62135596800;
	if (when > 253402300799)
		when = 253402300799;
	n = when / 86400;
	secs = when % 86400;
	if (secs < 0) {
		secs += 86400;
		n--;
	}
	d->weekday = (int)(((n + 4) % 7 + 7) % 7);
	n += 719468;
	era = n / Y400;
	n %= Y400;
	y = (n - n / 1460 + n / 36524 - n / 146096) / 365;
	yday = n - (365 * y + y / 4 - y / 100);
	m = (5 * yday + 2) / 153;
	d->day = (int)(yday - (153 * m + 2) / 5 + 1);
	d->month = (int)(m < 10 ? m + 3 : m - 9);
	d->year = (int)(y + era * 400 + (d->month <= 2));
	d->hour = (int)(secs / 3600);
	d->min = (int)(secs / 60 % 60);
	d->sec = (int)(secs % 60);
}

static int
month_days(const struct date *d)
{
	static const int n[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };

	if (d->month == 2 && d->year % 4 == 0 &&
	    (d->year % 100 != 0 || d->year % 400 == 0))
		return 29;
	return n[d->month - 1];
}

/* Seconds, or -1 if there is no such date, or it is before 1970. */
static int64_t
join(const struct date *d)
{
	int64_t t;

	if (d->year < 1 || d->year > 9999 || d->month < 1 || d->month > 12 ||
	    d->day < 1 || d->day > month_days(d) || d->hour > 23 ||
	    d->min > 59 || d->sec > 60)
		return -1;
	t = days_of(d->year, d->month, d->day) * 86400 + d->hour * 3600 +
	    d->min * 60 + d->sec - d->zone * 60;
	return t < 0 ? -1 : t;
}

void
date_rfc5322(char *out, size_t size, int64_t when)
{
	struct date d;

	split(&d, when);
	snprintf(out, size, "%s, %02d %s %04d %02d:%02d:%02d +0000",
	    days[d.weekday], d.day, months[d.month - 1], d.year, d.hour,
	    d.min, d.sec);
}

void
date_from(char *out, size_t size, int64_t when)
{
	struct date d;

	split(&d, when);
	snprintf(out, size, "%s %s %02d %02d:%02d:%02d %04d",
	    days[d.weekday], months[d.month - 1], d.day, d.hour, d.min, d.sec,
	    d.year);
}

void
date_queue(char *out, size_t size, int64_t when)
{
	struct date d;

	split(&d, when);
	snprintf(out, size, "%02d-%02d-%04d %02d:%02d:%02d", d.day, d.month,
	    d.year, d.hour, d.min, d.sec);
}

/* A number of min to max digits. */
static bool
number(struct cur *c, int min, int max, int *out)
{
	int n = 0, v = 0, ch;

	while (n < max && (ch = cur_peek(c)) >= '0' && ch <= '9') {
		v = v * 10 + ch - '0';
		cur_skip(c, 1);
		n++;
	}
	*out = v;
	return n >= min;
}

int64_t
date_queue_parse(struct str s)
{
	struct cur c = cur_make(s.p, s.len);
	struct date d = { 0 };

	if (!number(&c, 2, 2, &d.day) || !cur_lit(&c, "-") ||
	    !number(&c, 2, 2, &d.month) || !cur_lit(&c, "-") ||
	    !number(&c, 4, 4, &d.year) || !cur_lit(&c, " ") ||
	    !number(&c, 2, 2, &d.hour) || !cur_lit(&c, ":") ||
	    !number(&c, 2, 2, &d.min) || !cur_lit(&c, ":") ||
	    !number(&c, 2, 2, &d.sec) || cur_left(&c) != 0)
		return -1;
	return join(&d);
}

/* White space, folding, and comments in any depth. */
static void
skip_cfws(struct cur *c)
{
	int depth = 0, ch;

	while ((ch = cur_peek(c)) != -1) {
		if (ch == '(')
			depth++;
		else if (ch == ')' && depth > 0)
			depth--;
		else if (ch == '\\' && depth > 0)
			cur_skip(c, 1);
		else if (depth == 0 && ch != ' ' && ch != '\t' && ch != '\r' &&
		    ch != '\n')
			return;
		if (!cur_skip(c, 1))
			return;
	}
}

static bool
month_name(struct cur *c, int *month)
{
	int i;

	for (i = 0; i < 12; i++)
		if (cur_caselit(c, months[i])) {
			*month = i + 1;
			return true;
		}
	return false;
}

/* Two digits are 1950 to 2049, three are counted from 1900 (RFC 5322, 4.3). */
static bool
year(struct cur *c, struct date *d)
{
	const char *p = c->p;

	if (!number(c, 2, 4, &d->year))
		return false;
	if (c->p - p == 2)
		d->year += d->year < 50 ? 2000 : 1900;
	else if (c->p - p == 3)
		d->year += 1900;
	return true;
}

/* hh:mm[:ss] */
static bool
clock_time(struct cur *c, struct date *d)
{
	skip_cfws(c);
	if (!number(c, 1, 2, &d->hour) || !cur_lit(c, ":") ||
	    !number(c, 2, 2, &d->min))
		return false;
	return !cur_lit(c, ":") || number(c, 2, 2, &d->sec);
}

/* +hhmm, or one of the old names; others, and none at all, mean GMT. */
static bool
zone(struct cur *c, struct date *d)
{
	static const struct {
		const char	*name;
		int		 hours;
	} zones[] = { { "EDT", -4 }, { "EST", -5 }, { "CDT", -5 },
		{ "CST", -6 }, { "MDT", -6 }, { "MST", -7 }, { "PDT", -7 },
		{ "PST", -8 } };
	size_t i;
	int sign, hhmm;

	skip_cfws(c);
	sign = cur_peek(c);
	if (sign == '+' || sign == '-') {
		cur_skip(c, 1);
		if (!number(c, 4, 4, &hhmm) || hhmm % 100 > 59)
			return false;
		d->zone = (hhmm / 100 * 60 + hhmm % 100) *
		    (sign == '-' ? -1 : 1);
		return true;
	}
	for (i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		if (cur_caselit(c, zones[i].name)) {
			d->zone = zones[i].hours * 60;
			return true;
		}
	return true;
}

/* Mmm dd hh:mm:ss [zone] yyyy, behind the day's name */
static bool
from_style(struct cur *c, struct date *d)
{
	if (!month_name(c, &d->month))
		return false;
	skip_cfws(c);
	if (!number(c, 1, 2, &d->day) || !clock_time(c, d))
		return false;
	skip_cfws(c);
	return year(c, d);
}

/* dd Mmm yyyy hh:mm:ss zone, or with - between (IMAP) */
static bool
mail_style(struct cur *c, struct date *d)
{
	if (!number(c, 1, 2, &d->day))
		return false;
	skip_cfws(c);
	cur_lit(c, "-");
	if (!month_name(c, &d->month))
		return false;
	skip_cfws(c);
	cur_lit(c, "-");
	if (!year(c, d))
		return false;
	skip_cfws(c);
	/* An IMAP date may be a day alone. */
	return cur_left(c) == 0 || (clock_time(c, d) && zone(c, d));
}

int64_t
date_parse(struct str s)
{
	struct cur c = cur_make(s.p, s.len), again;
	struct date d = { 0 };
	int i;

	cur_lit(&c, "\"");
	skip_cfws(&c);
	for (i = 0; i < 7; i++)
		if (cur_caselit(&c, days[i]))
			break;
	skip_cfws(&c);
	cur_lit(&c, ",");
	skip_cfws(&c);
	again = c;
	if (from_style(&c, &d))
		return join(&d);
	memset(&d, 0, sizeof(d));
	return mail_style(&again, &d) ? join(&d) : -1;
}
