/*
 * The TCP Activity Schedule (manual 15): outside it, and for a pause after
 * each time that there was something to do, no other host is connected to.
 * What waits in the queue waits.  The loop's alone.
 */
#include <event2/event.h>
#include <time.h>

#include "log.h"
#include "queued.h"
#include "schedule.h"

enum { LOOK = 2 };		/* seconds until it is looked at again */

static struct schedule schedule = { .always = true };
static unsigned int active;	/* connections */
static time_t ended;		/* when the last one did */
static struct event *look;
static int64_t level = LOG_MAJOR;

static void
say(const char *what)
{
	if (!schedule.always && level >= LOG_MAJOR)
		log_always(LOG_MAJOR, "TCP", "%s", what);
}

void
tcp_settings(const struct val *all)
{
	const char *why;

	schedule_free(&schedule);
	level = settings_int(all, "Main", "TCPLogLevel");
	if (schedule_parse(&schedule, settings_value(all, "Main",
	    "TCPSchedule"), &why) == -1)
		log_tag(LOG_CRASH, "TCP", "a part of the schedule counts for "
		    "nothing: %s", why);
	remote_soon();
}

static void
looked(int fd, short what, void *arg)
{
	remote_soon();
}

static bool
is_open(time_t now, int64_t *pause)
{
	struct tm tm;

	*pause = 0;
	return schedule.always || (localtime_r(&now, &tm) != NULL &&
	    schedule_open(&schedule, &tm, pause));
}

bool
tcp_open(void)
{
	int64_t pause;

	return is_open(time(NULL), &pause);
}

bool
tcp_may(void)
{
	static const struct timeval tv = { LOOK, 0 };
	time_t now = time(NULL);
	int64_t pause;

	if (is_open(now, &pause) && (active > 0 || pause == 0 ||
	    now < ended || now - ended >= pause))
		return true;
	if (look == NULL)
		look = evtimer_new(proc_base(), looked, NULL);
	if (look != NULL && !evtimer_pending(look, NULL))
		evtimer_add(look, &tv);
	return false;
}

void
tcp_begin(void)
{
	if (active++ == 0)
		say("session starts");
}

void
tcp_end(void)
{
	if (--active > 0)
		return;
	ended = time(NULL);
	say("session ends");
}
