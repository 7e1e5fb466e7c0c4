/*
 * The settings' values in force, and whether a value can be one.  Runs in
 * every process; knows nothing about files.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "file.h"
#include "log.h"
#include "settings.h"

enum { SLOTS = 1024, FILES_MAX = 512 };

/* A setting and its parsed default, found by a hash of its two names. */
static struct slot {
	const struct setting	*s;
	struct val		*dflt;
} slots[SLOTS];
static bool	ready;

static size_t
hash(const char *module, const char *name)
{
	uint32_t h = 2166136261u;

	for (; *module != '\0'; module++)
		h = (h ^ (unsigned char)*module) * 16777619;
	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * 16777619;
	return (h ^ h >> 16) % SLOTS;
}

/* Its slot, or the free one where it would be. */
static struct slot *
slot(const char *module, const char *name)
{
	size_t i;

	for (i = hash(module, name); slots[i].s != NULL; i = (i + 1) % SLOTS)
		if (strcmp(slots[i].s->name, name) == 0 &&
		    strcmp(slots[i].s->module, module) == 0)
			break;
	return &slots[i];
}

static void
prepare(void)
{
	const struct setting *s;
	const char *err;
	struct slot *at;

	for (s = settings_table; s < settings_table + settings_count; s++) {
		at = slot(s->module, s->name);
		if (at->s != NULL)
			panic("settings: %s %s twice", s->module, s->name);
		at->s = s;
		if (s->dflt == NULL)
			continue;
		at->dflt = val_parse_all(s->dflt, strlen(s->dflt), &err);
		if (at->dflt == NULL ||
		    settings_check(s, at->dflt) != NULL)
			panic("settings: bad default of %s %s", s->module,
			    s->name);
	}
	ready = true;
}

const struct setting *
settings_find(const char *module, const char *name)
{
	if (!ready)
		prepare();
	return slot(module, name)->s;
}

const char *
settings_right(const char *name)
{
	static const struct {
		const char	*name, *right;
	} table[] = {
		{ "Rules", "CanModifyRules" },
		{ "SignalRules", "CanModifyRules" },
		{ "RPOP", "CanModifyRPOP" }
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcasecmp(table[i].name, name) == 0)
			return table[i].right;
	return NULL;
}

/* The slot of a setting that must be there. */
static const struct slot *
known(const char *module, const char *name)
{
	const struct slot *at;

	if (!ready)
		prepare();
	at = slot(module, name);
	if (at->s == NULL)
		panic("settings: no %s %s", module, name);
	return at;
}

static bool
is_choice(const char *choices, const char *text)
{
	size_t n;

	for (; *choices != '\0'; choices += n + (choices[n] == '|')) {
		n = strcspn(choices, "|");
		if (strlen(text) == n && strncasecmp(choices, text, n) == 0)
			return true;
	}
	return false;
}

/* "wanted is one of A, B, C"; good until the thread's next one. */
static const char *
no_choice(const char *choices)
{
	static _Thread_local char told[400] = "wanted is one of ";
	size_t at = strlen("wanted is one of ");

	for (; *choices != '\0' && at + 3 < sizeof(told); choices++) {
		if (*choices == '|')
			told[at++] = ',';
		told[at++] = *choices == '|' ? ' ' : *choices;
	}
	told[at] = '\0';
	return told;
}

/* "too large: at most 64G"; good until the thread's next one. */
static const char *
bounded(const struct setting *s, const char *what, int64_t n)
{
	static const struct {
		enum setting_type	 type;
		int64_t			 n;
		const char		*name;
	} units[] = {
		{ SET_SIZE, 1024 * 1024 * 1024, "G" },
		{ SET_SIZE, 1024 * 1024, "M" },
		{ SET_SIZE, 1024, "K" },
		{ SET_TIME, 86400, "d" },
		{ SET_TIME, 3600, "h" },
		{ SET_TIME, 60, "m" }
	};
	static _Thread_local char told[80];
	const char *unit = "";
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(*units) && *unit == '\0'; i++)
		if (units[i].type == s->type && n != 0 &&
		    n % units[i].n == 0) {
			n /= units[i].n;
			unit = units[i].name;
		}
	snprintf(told, sizeof(told), "%s %lld%s", what, (long long)n, unit);
	return told;
}

static bool
is_bool(const char *text)
{
	return is_choice("YES|NO|True|False|1|0", text);
}

/* Long ones would leave no room for a name. */
static const char *
files(const char *text, size_t len)
{
	const char *star = strchr(text, '*'), *slash = strrchr(text, '/');

	if (len == 0)
		return NULL;
	if (strlen(text) != len || len > FILES_MAX || !path_is_plain(text))
		return "an absolute path like /var/mail/* is wanted";
	if (star == NULL || star < slash || strchr(star + 1, '*') != NULL)
		return "one asterisk is wanted, in the file's name";
	return slash[1] == '.' ? "its file would be a hidden one" : NULL;
}

static bool
flow(const struct val *v, int64_t *count, int64_t *seconds)
{
	return v != NULL && val_type(v) == VAL_ARRAY && val_count(v) == 2 &&
	    val_int(val_at(v, 0), count) && val_int(val_at(v, 1), seconds);
}

bool
val_flow(const struct val *v, uint32_t *count, uint32_t *seconds)
{
	int64_t n, t;

	if (!flow(v, &n, &t) || n < 0 || n > INT32_MAX || t <= 0 ||
	    t > INT32_MAX)
		return false;
	*count = n;
	*seconds = t;
	return true;
}

bool
settings_flow(const struct val *all, const char *module, const char *name,
    uint32_t *count, uint32_t *seconds)
{
	return val_flow(settings_value(all, module, name), count, seconds);
}

bool
settings_is_default(const struct val *v)
{
	const char *text = val_text(v);

	return v == NULL || val_type(v) == VAL_NULL ||
	    (text != NULL && strcasecmp(text, "default") == 0);
}

static bool
are_words(const struct val *v)
{
	size_t i;

	if (val_type(v) == VAL_DICT)
		return false;
	for (i = 0; val_type(v) == VAL_ARRAY && i < val_count(v); i++)
		if (val_text(val_at(v, i)) == NULL)
			return false;
	return true;
}

const char *
settings_check(const struct setting *s, const struct val *v)
{
	const char *text = val_text(v);
	int64_t n, m;

	if (s->type == SET_VALUE)
		return NULL;
	if (s->type == SET_WORDS)
		return are_words(v) ? NULL : "a word is wanted, or an array of "
					     "words";
	if (s->type == SET_FLOW)
		return flow(v, &n, &m) ? NULL : "(how many, within what time) "
						"is wanted";
	if (text == NULL)
		return "a single value is wanted";
	switch (s->type) {
	case SET_BOOL:
		return is_bool(text) ? NULL : "YES or NO is wanted";
	case SET_ENUM:
		return is_choice(s->choices, text) ? NULL :
						     no_choice(s->choices);
	case SET_FILES:
		return files(text, val_len(v));
	case SET_TEXT:
		return strlen(text) == val_len(v) ? NULL : "illegal symbol";
	default:
		if (!val_int(v, &n))
			return "a number is wanted";
		if (n < s->min)
			return bounded(s, "too small: at least", s->min);
		return n > s->max ? bounded(s, "too large: at most", s->max) :
				    NULL;
	}
}

/* The value in force; one that cannot be is as good as none. */
static const struct val *
in_force(const struct val *all, const struct slot *at)
{
	const struct val *v;

	v = dict_get(dict_get(all, at->s->module), at->s->name);
	if (settings_is_default(v) || settings_check(at->s, v) != NULL)
		return at->dflt;
	return v;
}

int64_t
settings_int(const struct val *all, const char *module, const char *name)
{
	const struct slot *at = known(module, name);
	const struct val *v = in_force(all, at);
	int64_t n;

	return v != NULL && val_int(v, &n) ? n : 0;
}

bool
settings_bool(const struct val *all, const char *module, const char *name)
{
	const char *text = settings_text(all, module, name);

	return is_choice("YES|True|1", text);
}

const char *
settings_text(const struct val *all, const char *module, const char *name)
{
	const char *text = val_text(in_force(all, known(module, name)));

	return text != NULL ? text : "";
}

const struct val *
settings_value(const struct val *all, const char *module, const char *name)
{
	return in_force(all, known(module, name));
}
