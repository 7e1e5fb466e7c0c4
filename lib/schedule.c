/*
 * Weekly schedules: reading them, and what they say of a moment.  Knows no
 * clock: it is told what time it is.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "schedule.h"

enum { DAY_MINUTES = 24 * 60, MAXSLOTS = 1000 };

static const struct {
	const char	*name;
	unsigned int	 days;
} day_names[] = {
	{ "Everyday", 0x7f }, { "Weekdays", 0x3e }, { "Weekends", 0x41 },
	{ "Never", 0 }, { "Sunday", 0x01 }, { "Monday", 0x02 },
	{ "Tuesday", 0x04 }, { "Wednesday", 0x08 }, { "Thursday", 0x10 },
	{ "Friday", 0x20 }, { "Saturday", 0x40 }
};

/* One name, or an array of them. */
static bool
parse_days(const struct val *v, unsigned int *days)
{
	const char *name = v == NULL ? "Everyday" : val_text(v);
	size_t i;

	if (name == NULL) {
		if (val_type(v) != VAL_ARRAY || val_count(v) == 0)
			return false;
		for (i = 0; i < val_count(v); i++)
			if (val_text(val_at(v, i)) == NULL ||
			    !parse_days(val_at(v, i), days))
				return false;
		return true;
	}
	for (i = 0; i < sizeof(day_names) / sizeof(day_names[0]); i++)
		if (strcasecmp(name, day_names[i].name) == 0) {
			*days |= day_names[i].days;
			return true;
		}
	return false;
}

/* 7, 7:30, 24:00 */
static bool
parse_minute(const char *text, int *minute)
{
	struct cur c = cur_str(text);
	uint64_t h, m = 0;

	if (!cur_u64(&c, &h, 24) ||
	    (cur_lit(&c, ":") && !cur_u64(&c, &m, 59)) || cur_left(&c) > 0)
		return false;
	*minute = (int)(h * 60 + m);
	return *minute <= DAY_MINUTES;
}

static const char *
parse_slot(const struct val *v, struct schedule_slot *s)
{
	const struct val *pause;

	if (val_type(v) != VAL_DICT)
		return "not a dictionary";
	if (!parse_days(dict_get(v, "Days"), &s->days))
		return "no such days";
	if (!parse_minute(dict_str(v, "From", "0"), &s->from) ||
	    !parse_minute(dict_str(v, "Till", "24"), &s->till))
		return "no such time of day";
	if ((pause = dict_get(v, "Pause")) != NULL &&
	    (!val_int(pause, &s->pause) || s->pause < 0))
		return "no such pause";
	return NULL;
}

int
schedule_parse(struct schedule *s, const struct val *v, const char **why)
{
	const char *bad;
	size_t i;

	memset(s, 0, sizeof(*s));
	*why = NULL;
	if (v == NULL || val_count(v) == 0) {
		s->always = true;
		return 0;
	}
	if (val_type(v) != VAL_ARRAY || val_count(v) > MAXSLOTS ||
	    (s->slots = calloc(val_count(v), sizeof(*s->slots))) == NULL) {
		*why = "not an array";
		return -1;
	}
	for (i = 0; i < val_count(v); i++) {
		struct schedule_slot slot = { 0 };

		if ((bad = parse_slot(val_at(v, i), &slot)) == NULL)
			s->slots[s->n++] = slot;
		else
			*why = bad;
	}
	return *why == NULL ? 0 : -1;
}

void
schedule_free(struct schedule *s)
{
	free(s->slots);
	memset(s, 0, sizeof(*s));
}

/* 19:30 to 7:30 is the evening and the early morning of one day. */
static bool
within(const struct schedule_slot *s, int minute)
{
	if (s->from < s->till)
		return minute >= s->from && minute < s->till;
	return minute >= s->from || minute < s->till;
}

bool
schedule_open(const struct schedule *s, const struct tm *tm, int64_t *pause)
{
	int minute = tm->tm_hour * 60 + tm->tm_min;
	bool any = s->always;
	size_t i;

	*pause = 0;
	for (i = 0; i < s->n; i++) {
		if (!(s->slots[i].days >> tm->tm_wday & 1) ||
		    !within(&s->slots[i], minute))
			continue;
		/* Of several the one that allows most. */
		if (!any || s->slots[i].pause < *pause)
			*pause = s->slots[i].pause;
		any = true;
	}
	return any;
}
