/*
 * Banned lines (manual 07) in messages that come in: the text is shown to
 * lib/banned.c as it passes.  Runs in smtpd; where nothing is banned, which is
 * the rule, nothing is looked at.
 */
#include "banned.h"
#include "log.h"
#include "settings.h"
#include "smtpd.h"

static struct banned *banned;		/* NULL: nothing */

void
ban_settings(const struct val *all)
{
	const char *err;

	banned_unref(banned);	/* messages under way keep theirs */
	banned = banned_make(settings_value(all, "Banned", "HeaderLines"),
	    settings_value(all, "Banned", "BodyLines"), &err);
	if (err != NULL)
		log_warnx("Banned lines are not used: %s", err);
}

void
ban_begin(struct smtp *s)
{
	s->scanned = s->out.len;
	if (banned == NULL)
		return;
	if ((s->ban = banned_scan(banned)) == NULL)
		s->out.failed = true;
}

bool
ban_met(struct smtp *s)
{
	size_t n = body_ready(&s->body);
	const char *met = NULL;

	if (n > s->scanned)
		met = banned_feed(s->ban, s->out.p + s->scanned,
		    n - s->scanned);
	s->scanned = n;
	if (s->body.state == BODY_END)
		met = banned_end(s->ban);
	if (met == NULL)
		return false;
	front_log(s->front, LOG_PROBLEM, "a banned line: %.200s", met);
	return true;
}

void
ban_forget(struct smtp *s)
{
	banned_scan_free(s->ban);
	s->ban = NULL;
}
