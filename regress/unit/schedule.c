/* Weekly schedules: reading them, and which moments are within them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "schedule.h"

static int
parse(struct schedule *s, const char *text, const char **why)
{
	struct val *v = val_parse_all(text, strlen(text), why);
	int rc;

	assert_non_null(v);
	rc = schedule_parse(s, v, why);
	val_free(v);
	return rc;
}

static bool
is_open(const char *text, int wday, int hour, int min, int64_t *pause)
{
	struct tm tm = { .tm_wday = wday, .tm_hour = hour, .tm_min = min };
	struct schedule s;
	const char *why;
	bool yes;

	parse(&s, text, &why);
	yes = schedule_open(&s, &tm, pause);
	schedule_free(&s);
	return yes;
}

/* A schedule, moments in it and moments that are not: "wday hh:mm". */
static void
moments(void **state)
{
	static const struct {
		const char	*text;
		int		 wday, hour, min;
		bool		 open;
		int64_t		 pause;
	} t[] = {
		{ "()", 3, 12, 0, true, 0 },
		{ "({Days=Never;})", 3, 12, 0, false, 0 },
		{ "({Days=Weekdays;From=\"8:00\";Till=\"20:00\";Pause=10m;})",
		    1, 8, 0, true, 600 },
		{ "({Days=Weekdays;From=\"8:00\";Till=\"20:00\";})",
		    1, 7, 59, false, 0 },
		{ "({Days=Weekdays;From=\"8:00\";Till=\"20:00\";})",
		    1, 20, 0, false, 0 },
		{ "({Days=Weekdays;})", 0, 12, 0, false, 0 },
		{ "({Days=weekends;})", 6, 12, 0, true, 0 },
		{ "({Days=(Monday,Friday);})", 5, 0, 0, true, 0 },
		{ "({Days=(Monday,Friday);})", 4, 0, 0, false, 0 },
		/* Over midnight: of that day, both ends. */
		{ "({Days=Monday;From=\"19:30\";Till=\"07:30\";})",
		    1, 23, 59, true, 0 },
		{ "({Days=Monday;From=\"19:30\";Till=\"07:30\";})",
		    1, 7, 29, true, 0 },
		{ "({Days=Monday;From=\"19:30\";Till=\"07:30\";})",
		    1, 12, 0, false, 0 },
		{ "({Days=Monday;From=\"19:30\";Till=\"07:30\";})",
		    2, 1, 0, false, 0 },
		{ "({From=0;Till=24;})", 2, 23, 59, true, 0 },
		/* Of two the shorter pause. */
		{ "({Pause=1h;},{From=9;Till=10;Pause=5;})", 2, 9, 0, true, 5 },
		{ "({Pause=1h;},{From=9;Till=10;Pause=5;})", 2, 11, 0, true,
		    3600 },
	};
	int64_t pause;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		if (is_open(t[i].text, t[i].wday, t[i].hour, t[i].min,
		    &pause) != t[i].open)
			fail_msg("%s at %d %02d:%02d", t[i].text, t[i].wday,
			    t[i].hour, t[i].min);
		assert_int_equal(pause, t[i].pause);
	}
}

/* What makes no sense allows nothing; the rest is in force. */
static void
nonsense(void **state)
{
	static const char *const bad[] = {
		"(Monday)", "({Days=Someday;})", "({Days=();})",
		"({From=\"25:00\";})", "({From=\"24:30\";})",
		"({From=\"8:60\";})", "({Till=\"8:00x\";})",
		"({Pause=soon;})", "({Pause=\"-1\";})", "({Days=(());})",
		"{Days=Monday;}"
	};
	struct tm tm = { .tm_wday = 1, .tm_hour = 12 };
	struct schedule s;
	const char *why;
	int64_t pause;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse(&s, bad[i], &why) != -1)
			fail_msg("%s was taken", bad[i]);
		assert_non_null(why);
		assert_false(schedule_open(&s, &tm, &pause));
		schedule_free(&s);
	}
	assert_int_equal(parse(&s, "({Days=Someday;},{Days=Monday;})", &why),
	    -1);
	assert_true(schedule_open(&s, &tm, &pause));
	schedule_free(&s);
	assert_int_equal(schedule_parse(&s, NULL, &why), 0);
	assert_true(schedule_open(&s, &tm, &pause));
	schedule_free(&s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(moments),
		cmocka_unit_test(nonsense)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
