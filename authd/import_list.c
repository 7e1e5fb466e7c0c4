/*
 * Reads an account list: see import.h.  Tab-separated, its first line names
 * the columns.  Runs in authd, on what an administrator sent: bounded by the
 * text's own length, and never believed to be well formed.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dict.h"
#include "import.h"
#include "log.h"

enum { COLUMNS_MAX = 200, KEY_MAX = 128, FIELD_MAX = 64 * 1024 };

enum kind { SETTING, NAME, TYPE, PASSWORD, UNIXPASSWORD, STORAGE, ALIASES,
	RULES, IGNORE };

static const struct {
	const char	*name;
	enum kind	 kind;
	const char	*setting;
} columns[] = {
	{ "Name",	  NAME,		NULL },
	{ "Type",	  TYPE,		NULL },
	{ "Password",	  PASSWORD,	"Password" },
	{ "UnixPassword", UNIXPASSWORD,	"Password" },
	{ "Storage",	  STORAGE,	"MaxAccountSize" },
	{ "Aliases",	  ALIASES,	NULL },
	{ "Rules",	  RULES,	"Rules" },
	{ "Ignore",	  IGNORE,	NULL }
};

struct column {
	enum kind	 kind;
	char		 setting[KEY_MAX + 1];
};

struct header {
	struct column	 v[COLUMNS_MAX];
	size_t		 n;
};

static struct str
trim(struct str s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\r'))
		s.p++, s.len--;
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\r'))
		s.len--;
	return s;
}

static struct str
next_field(struct cur *c)
{
	struct str s = cur_until(c, "\t");

	cur_get(c);
	return trim(s);
}

static bool
add_column(struct header *h, struct str name)
{
	struct column *c = &h->v[h->n++];
	size_t i;

	c->kind = SETTING;
	for (i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		if (!str_caseeq(name, columns[i].name))
			continue;
		c->kind = columns[i].kind;
		if (columns[i].setting != NULL)
			name = str_make(columns[i].setting);
	}
	return name.len > 0 && str_copy(name, c->setting, sizeof(c->setting));
}

static const char *
read_header(struct header *h, struct str line)
{
	struct cur c = { line.p, line.p + line.len };
	bool named = false;

	h->n = 0;
	while (cur_left(&c) > 0) {
		if (h->n == COLUMNS_MAX)
			return "there are too many columns";
		if (!add_column(h, next_field(&c)))
			return "a column's name is missing or too long";
		if (h->v[h->n - 1].kind == NAME)
			named = true;
	}
	return named ? NULL : "there is no column Name";
}

/* --- fields --- */

/* "a, b": an array of names. */
static struct val *
split(struct str text)
{
	struct cur c = { text.p, text.p + text.len };
	struct val *v = val_array();
	struct str s;

	while (v != NULL && cur_left(&c) > 0) {
		s = trim(cur_until(&c, ","));
		cur_get(&c);
		if (s.len > 0)
			val_append(v, val_bytes(s.p, s.len));
	}
	return v;
}

/* Arrays and dictionaries stand there as in a settings file. */
static struct val *
setting_value(struct str text, bool object)
{
	const char *err;

	if (object || text.p[0] == '(' || text.p[0] == '{')
		return val_parse_all(text.p, text.len, &err);
	return val_bytes(text.p, text.len);
}

static struct val *
unix_password(struct str text)
{
	struct val *v;
	struct buf b;

	buf_init(&b, FIELD_MAX + 2);
	v = buf_putc(&b, '\002') && buf_add(&b, text.p, text.len) ?
	    val_bytes(b.p, b.len) : NULL;
	if (b.p != NULL)
		explicit_bzero(b.p, b.cap);
	buf_free(&b);
	return v;
}

static const char *
set(struct import_row *r, const char *key, struct val *v)
{
	return v != NULL && dict_set(r->settings, key, v) == 0 ? NULL :
	    "a field makes no sense";
}

static const char *
take_field(struct import_row *r, const struct column *c, struct str text)
{
	if (text.len == 0 || c->kind == IGNORE)
		return NULL;
	if (text.len > FIELD_MAX)
		return "a field is too long";
	switch (c->kind) {
	case NAME:
		free(r->name);
		r->name = str_dup(text);
		return r->name != NULL ? NULL : "out of memory";
	case TYPE:
		free(r->type);
		r->type = str_dup(text);
		return r->type != NULL ? NULL : "out of memory";
	case ALIASES:
		val_free(r->aliases);
		r->aliases = split(text);
		return NULL;
	case UNIXPASSWORD:
		return set(r, c->setting, unix_password(text));
	case PASSWORD:
		return set(r, c->setting, val_bytes(text.p, text.len));
	default:
		return set(r, c->setting,
		    setting_value(text, c->kind == RULES));
	}
}

/* "Text Mailbox" is TextMailbox. */
static void
join_words(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++)
		if (*s != ' ')
			*to++ = *s;
	*to = '\0';
}

static const char *
read_row(struct import_row *r, const struct header *h, struct str line)
{
	struct cur c = { line.p, line.p + line.len };
	const char *err = NULL;
	size_t i;

	r->settings = val_dict();
	for (i = 0; i < h->n && err == NULL && cur_left(&c) > 0; i++)
		err = take_field(r, &h->v[i], next_field(&c));
	if (err != NULL)
		return err;
	if (cur_left(&c) > 0)
		return "there are more fields than columns";
	if (r->name == NULL)
		return "there is no name";
	if (r->type == NULL)
		r->type = xstrdup("");
	join_words(r->type);
	return NULL;
}

static struct import_row *
add_row(struct import_list *l)
{
	if ((l->nrows & (l->nrows + 1)) == 0) {
		l->rows = reallocarray(l->rows, (l->nrows + 1) * 2,
		    sizeof(*l->rows));
		if (l->rows == NULL)
			fatal("reallocarray");
	}
	memset(&l->rows[l->nrows], 0, sizeof(*l->rows));
	return &l->rows[l->nrows++];
}

bool
import_parse(struct import_list *l, struct str text)
{
	struct cur c = { text.p, text.p + text.len };
	struct header h;
	struct import_row *r;
	struct str line;

	memset(l, 0, sizeof(*l));
	h.n = 0;
	if (text.len > 0 && memchr(text.p, '\0', text.len) != NULL)
		l->err = "this is not a text";
	while (l->err == NULL && cur_anyline(&c, &line)) {
		l->line++;
		if (trim(line).len == 0)
			continue;
		if (h.n == 0) {
			l->err = read_header(&h, line);
			continue;
		}
		r = add_row(l);
		r->line = l->line;
		l->err = read_row(r, &h, line);
	}
	if (l->err == NULL && h.n == 0)
		l->err = "there are no columns' names";
	return l->err == NULL;
}

void
import_free(struct import_list *l)
{
	size_t i;

	for (i = 0; i < l->nrows; i++) {
		free(l->rows[i].name);
		free(l->rows[i].type);
		val_free(l->rows[i].settings);
		val_free(l->rows[i].aliases);
	}
	free(l->rows);
	l->rows = NULL;
	l->nrows = 0;
}
