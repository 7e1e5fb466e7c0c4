/*
 * Charsets to UTF-8 by ICU's converters, whose tables are in its library: no
 * file is opened, so it works behind any wall.  Each is opened at its first
 * use and kept.  Runs in workers.
 */
#include <stdlib.h>
#include <string.h>
#include <unicode/ucnv.h>
#include <unicode/udata.h>

#include "charset.h"

enum {
	CHARSET_MAXNAME = 64,
	CHARSET_MAXOPEN = 40,		/* kept; then the oldest goes */
	CHARSET_UNITS = 4096		/* UTF-16 units at a time */
};

enum kind { KIND_UTF8, KIND_LATIN1, KIND_ICU };

struct charset {
	enum kind	 kind;
	char		 name[CHARSET_MAXNAME];
	UConverter	*conv;
	uint32_t	 high;		/* a surrogate that waits for another */
};

static struct charset utf8 = { .kind = KIND_UTF8 };
static struct charset latin1 = { .kind = KIND_LATIN1 };
static struct charset open_sets[CHARSET_MAXOPEN];
static size_t nopen, oldest;

static const char *const as_utf8[] = {
	"", "utf-8", "us-ascii", "utf8", "ascii", "x-unknown", "unknown-8bit"
};

/* What a name says, and what those who send it mean. */
static const struct {
	const char	*says, *means;
} meant[] = {
	{ "iso-8859-1", "windows-1252" }, { "latin1", "windows-1252" },
	{ "gb2312", "gb18030" }, { "gbk", "gb18030" }
};

static struct charset *
slot(const char *name)
{
	struct charset *c;

	if (nopen < CHARSET_MAXOPEN)
		c = &open_sets[nopen++];
	else {
		c = &open_sets[oldest++ % CHARSET_MAXOPEN];
		ucnv_close(c->conv);
	}
	memset(c, 0, sizeof(*c));
	c->kind = KIND_ICU;
	strcpy(c->name, name);
	return c;
}

/* The converter of that name, or NULL. */
static struct charset *
icu(const char *name)
{
	static bool started;
	UErrorCode err = U_ZERO_ERROR;
	UConverter *conv;
	struct charset *c;

	if (!started)
		udata_setFileAccess(UDATA_NO_FILES, &err);
	started = true;
	err = U_ZERO_ERROR;
	/* Options may follow a comma: they are not for strangers. */
	if (strchr(name, ',') != NULL)
		return NULL;
	conv = ucnv_open(name, &err);
	if (U_FAILURE(err) || conv == NULL)
		return NULL;
	c = slot(name);
	c->conv = conv;
	return c;
}

static struct charset *
find(struct str s)
{
	char name[CHARSET_MAXNAME];
	size_t i;

	for (i = 0; i < sizeof(as_utf8) / sizeof(as_utf8[0]); i++)
		if (str_caseeq(s, as_utf8[i]))
			return &utf8;
	for (i = 0; i < sizeof(meant) / sizeof(meant[0]); i++)
		if (str_caseeq(s, meant[i].says))
			s = str_make(meant[i].means);
	for (i = 0; i < nopen; i++)
		if (str_caseeq(s, open_sets[i].name))
			return &open_sets[i];
	if (memchr(s.p, '\0', s.len) != NULL || !str_copy(s, name,
	    sizeof(name)))
		return NULL;
	return icu(name);
}

struct charset *
charset_get(struct str name)
{
	struct charset *c = find(name);

	if (c == NULL)
		c = &latin1;
	charset_reset(c);
	return c;
}

bool
charset_known(struct str name)
{
	return find(name) != NULL;
}

bool
charset_is_utf8(const struct charset *c)
{
	return c->kind == KIND_UTF8;
}

void
charset_reset(struct charset *c)
{
	c->high = 0;
	if (c->kind == KIND_ICU)
		ucnv_reset(c->conv);
}

static char *
put(char *o, uint32_t u)
{
	if (u < 0x80) {
		*o++ = (char)u;
		return o;
	}
	if (u < 0x800)
		*o++ = (char)(0xc0 | u >> 6);
	else {
		if (u < 0x10000)
			*o++ = (char)(0xe0 | u >> 12);
		else {
			*o++ = (char)(0xf0 | u >> 18);
			*o++ = (char)(0x80 | (u >> 12 & 63));
		}
		*o++ = (char)(0x80 | (u >> 6 & 63));
	}
	*o++ = (char)(0x80 | (u & 63));
	return o;
}

static bool
from_latin1(const char *p, size_t n, struct buf *b)
{
	char *o;
	size_t i;

	if (!buf_reserve(b, 2 * n))
		return false;
	o = b->p + b->len;
	for (i = 0; i < n; i++)
		o = put(o, (unsigned char)p[i]);
	*o = '\0';
	b->len = o - b->p;
	return true;
}

/* Units to UTF-8; a pair may come in two calls. */
static bool
from_units(struct charset *c, const UChar *p, size_t n, struct buf *b)
{
	uint32_t u;
	size_t i;
	char *o;

	if (!buf_reserve(b, 3 * n + 3))
		return false;
	o = b->p + b->len;
	for (i = 0; i < n; i++) {
		u = p[i];
		if (c->high != 0 && u >= 0xdc00 && u <= 0xdfff)
			u = 0x10000 + ((c->high - 0xd800) << 10) + u - 0xdc00;
		else if (c->high != 0)
			o = put(o, 0xfffd);
		c->high = 0;
		if (u >= 0xd800 && u <= 0xdbff) {
			c->high = u;
			continue;
		}
		o = put(o, u >= 0xdc00 && u <= 0xdfff ? 0xfffd : u);
	}
	*o = '\0';
	b->len = o - b->p;
	return true;
}

static bool
from_icu(struct charset *c, const char *p, size_t n, bool last, struct buf *b)
{
	UChar units[CHARSET_UNITS], *out;
	const char *end = p + n;
	UErrorCode err;

	do {
		err = U_ZERO_ERROR;
		out = units;
		ucnv_toUnicode(c->conv, &out, units + CHARSET_UNITS, &p, end,
		    NULL, last, &err);
		if (!from_units(c, units, out - units, b))
			return false;
	} while (err == U_BUFFER_OVERFLOW_ERROR ||
	    (U_FAILURE(err) && p < end && out > units));
	return true;
}

bool
charset_utf8(struct charset *c, const char *p, size_t n, bool last,
    struct buf *b)
{
	switch (c->kind) {
	case KIND_UTF8:
		return buf_add(b, p, n);
	case KIND_LATIN1:
		return from_latin1(p, n, b);
	default:
		return from_icu(c, p, n, last, b);
	}
}

struct charset *
charset_fork(const struct charset *c)
{
	struct charset *own = malloc(sizeof(*own));
	UErrorCode err = U_ZERO_ERROR;

	if (own == NULL)
		return NULL;
	*own = *c;
	if (c->kind == KIND_ICU &&
	    (own->conv = ucnv_clone(c->conv, &err)) == NULL) {
		free(own);
		return NULL;
	}
	return own;
}

void
charset_free(struct charset *c)
{
	if (c == NULL)
		return;
	if (c->kind == KIND_ICU)
		ucnv_close(c->conv);
	free(c);
}
