/*
 * Reading and writing From_ lines: in delivery and in an account's worker.
 * Never reads behind the line it was given.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "from.h"
#include "rfc5322.h"

enum {
	INNER = 40,		/* what stands between ( and ) in ours */
	DATE = 24
};

static const char letters[FROM_FLAGS + 1] = "RAFDTSrX";

void
from_flags(char *out, uint32_t flags)
{
	int i;

	for (i = 0; i < FROM_FLAGS; i++)
		out[i] = flags & (1U << i) ? letters[i] : '-';
}

/* R and r differ; the others may come in any case. */
static uint32_t
flag_of(char c)
{
	const char *p;

	if (c == '\0')
		return 0;
	if (c != 'r' && c != 'R')
		c = toupper((unsigned char)c);
	p = strchr(letters, c);
	return p != NULL ? 1U << (p - letters) : 0;
}

static int
hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static bool
hex_all(const char *p, size_t len, uint32_t *out)
{
	uint32_t v = 0;

	for (; len > 0; p++, len--) {
		if (hex_of(*p) == -1)
			return false;
		v = v << 4 | (uint32_t)hex_of(*p);
	}
	*out = v;
	return true;
}

static bool
decimal(const char *p, size_t len, uint64_t *out)
{
	uint64_t v = 0;

	if (len == 0 || len > 15)
		return false;
	for (; len > 0; p++, len--) {
		if (*p < '0' || *p > '9')
			return false;
		v = v * 10 + (uint64_t)(*p - '0');
	}
	*out = v;
	return true;
}

static bool
all_flags(const char *p, size_t len, uint32_t *flags)
{
	uint32_t f;

	*flags = 0;
	for (; len > 0; p++, len--) {
		if (*p == '-')
			continue;
		if ((f = flag_of(*p)) == 0)
			return false;
		*flags |= f;
	}
	return true;
}

static void
set_uid(struct from_line *f, uint64_t uid)
{
	f->uid = uid < UINT32_MAX ? uid : 0;
}

/* FFFFFFFFKKKKKKKK-UUUUUUUUUU-LLLLLLLLLLLL, exactly. */
static bool
inner_fixed(const char *p, struct from_line *f)
{
	uint64_t uid, length;

	if (p[16] != '-' || p[27] != '-' ||
	    !all_flags(p, FROM_FLAGS, &f->flags) ||
	    !hex_all(p + 8, 8, &f->keywords) || !decimal(p + 17, 10, &uid) ||
	    !decimal(p + 28, 12, &length))
		return false;
	set_uid(f, uid);
	f->length = length;
	return true;
}

/* A "-digits" at the end of p[0..*len): cut off and told. */
static bool
last_number(const char *p, size_t *len, uint64_t *v)
{
	size_t i = *len;

	while (i > 0 && isdigit((unsigned char)p[i - 1]))
		i--;
	if (i == *len || (i > 0 && p[i - 1] != '-') ||
	    !decimal(p + i, *len - i, v))
		return false;
	*len = i > 0 ? i - 1 : 0;
	return true;
}

/* Any other comment: letters, then a UID, then perhaps a length. */
static void
inner_lax(const char *p, size_t len, struct from_line *f)
{
	uint64_t a, b;
	size_t i;

	if (last_number(p, &len, &b)) {
		if (last_number(p, &len, &a)) {
			set_uid(f, a);
			f->length = b;
		} else
			set_uid(f, b);
	}
	if (len > 8 && hex_all(p + len - 8, 8, &f->keywords))
		len -= 8;
	for (i = 0; i < len; i++)
		f->flags |= flag_of(p[i]);
	f->flags &= ~(uint32_t)MSG_EXPUNGED;
}

static int
month_of(struct str s)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
	int i;

	if (s.len != 3)
		return -1;
	for (i = 0; i < 12; i++)
		if (strncasecmp(s.p, names + 3 * i, 3) == 0)
			return i;
	return -1;
}

/* hh:mm or hh:mm:ss */
static bool
time_of(struct str s, struct tm *tm)
{
	struct cur c = cur_make(s.p, s.len);
	uint64_t h, m, sec = 0;

	if (!cur_u64(&c, &h, 23) || !cur_lit(&c, ":") ||
	    !cur_u64(&c, &m, 59))
		return false;
	if (cur_lit(&c, ":") && !cur_u64(&c, &sec, 60))
		return false;
	if (cur_left(&c) != 0)
		return false;
	tm->tm_hour = h;
	tm->tm_min = m;
	tm->tm_sec = sec;
	return true;
}

/*
 * Www Mmm dd hh:mm[:ss] [zone] yyyy [zone], which is how all From_ lines look
 * that were ever seen.  Zones are not looked at.
 */
static bool
date_lax(struct cur c, int64_t *date)
{
	bool have_time = false, have_mon = false;
	uint64_t v, day = 0, year = 0;
	struct tm tm = { 0 };
	struct cur n;
	struct str w;

	for (;;) {
		cur_ws(&c);
		w = cur_until(&c, " \t\r");
		if (w.len == 0)
			break;
		n = cur_make(w.p, w.len);
		if (!have_mon && month_of(w) != -1) {
			tm.tm_mon = month_of(w);
			have_mon = true;
		} else if (!have_time && time_of(w, &tm))
			have_time = true;
		else if (w.len <= 4 && cur_u64(&n, &v, 9999) &&
		    cur_left(&n) == 0) {
			if (v >= 1970)
				year = v;
			else if (v >= 1 && v <= 31 && day == 0)
				day = v;
		}
		if (cur_peek(&c) == '\r')
			break;
	}
	if (!have_mon || !have_time || day == 0 || year == 0)
		return false;
	tm.tm_mday = day;
	tm.tm_year = year - 1900;
	*date = timegm(&tm);
	return true;
}

/* The return-path at the cursor: in <> with quoting, or one bare word. */
static struct str
take_path(struct cur *c)
{
	struct str s = { c->p, 0 };
	bool quoted = false;
	const char *p;

	if (cur_peek(c) != '<')
		return cur_until(c, " \t");
	for (p = c->p + 1; p < c->end; p++) {
		if (*p == '\\' && quoted && p + 1 < c->end)
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (*p == '>' && !quoted)
			break;
	}
	/* A lone quote must not hide the end. */
	if (p == c->end &&
	    (p = memchr(c->p, '>', cur_left(c))) == NULL)
		return cur_until(c, " \t");
	s.p = c->p + 1;
	s.len = p - s.p;
	c->p = p + 1;
	return s;
}

static bool
parse_fixed(const char *p, size_t len, struct from_line *f)
{
	const char *open;
	struct cur c;

	if (len + 1 < 7 + FROM_TAIL || p[5] != '<')
		return false;
	open = p + len + 1 - FROM_TAIL;
	if (open[0] != '(' || open[-1] != '>' || open[1 + INNER] != ')' ||
	    open[2 + INNER] != ' ' || !inner_fixed(open + 1, f))
		return false;
	c = cur_make(open + 3 + INNER, DATE);
	if (!date_lax(c, &f->date))
		return false;
	f->path.p = p + 6;
	f->path.len = open - 1 - f->path.p;
	f->fixed = true;
	return true;
}

bool
from_parse(const char *p, size_t len, struct from_line *f)
{
	bool comment = false;
	const char *close;
	struct cur c;

	memset(f, 0, sizeof(*f));
	f->length = FROM_NOLENGTH;
	if (len < 6 || len >= FROM_MAX || memcmp(p, "From ", 5) != 0)
		return false;
	if (parse_fixed(p, len, f))
		return true;
	memset(f, 0, sizeof(*f));
	f->length = FROM_NOLENGTH;
	c = cur_make(p + 5, len - 5);
	f->path = take_path(&c);
	cur_ws(&c);
	if (cur_peek(&c) == '(' &&
	    (close = memchr(c.p, ')', cur_left(&c))) != NULL) {
		inner_lax(c.p + 1, close - c.p - 1, f);
		comment = f->uid != 0;
		c.p = close + 1;
	}
	/* Prose that begins with "From " has neither. */
	return date_lax(c, &f->date) || comment;
}

size_t
from_format(char *out, const struct from_line *f)
{
	char flags[FROM_FLAGS + 1], date[64];
	size_t i, len = f->path.len;
	int n;

	if (len > FROM_PATHMAX)
		len = FROM_PATHMAX;
	memcpy(out, "From <", 6);
	for (i = 0; i < len; i++)
		out[6 + i] = (unsigned char)f->path.p[i] < ' ' ||
		    f->path.p[i] == 0x7f ? '?' : f->path.p[i];
	from_flags(flags, f->flags);
	flags[FROM_FLAGS] = '\0';
	date_from(date, sizeof(date), f->date);
	n = snprintf(out + 6 + len, FROM_MAX - 6 - len,
	    ">(%s%08X-%010u-%012llu) %s\n", flags, f->keywords, f->uid,
	    (unsigned long long)f->length, date);
	return 6 + len + (size_t)n;
}
