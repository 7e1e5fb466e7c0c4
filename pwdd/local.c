/*
 * Commands that need no owner: what clients ask when they come, to see whom
 * they speak to.  Runs in pwdd; nothing here tells what is not public.
 */
#include <sys/utsname.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cli.h"
#include "pwdd.h"
#include "settings.h"

typedef struct val *local_fn(const struct val *args);

static struct val *
now(void)
{
	const char *err;
	char text[40];
	time_t t = time(NULL);
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof(text), "#T%d-%m-%Y_%H:%M:%S", &tm) == 0)
		return NULL;
	return val_parse_all(text, strlen(text), &err);
}

static struct val *
noop(const struct val *args)
{
	return val_string("");
}

static struct val *
echo(const struct val *args)
{
	return val_count(args) > 0 ? val_copy(val_at(args, 0)) : NULL;
}

static struct val *
version(const struct val *args)
{
	return val_string(CG_VERSION);
}

static struct val *
current_time(const struct val *args)
{
	return now();
}

/* An element that is not known is an empty string. */
static struct val *
system_info(const struct val *args)
{
	const char *what = val_text(val_at(args, 0));
	struct utsname u;

	if (what == NULL || uname(&u) == -1)
		return NULL;
	if (strcasecmp(what, "serverVersion") == 0)
		return val_string(CG_VERSION);
	if (strcasecmp(what, "serverOS") == 0)
		return val_string(u.sysname);
	if (strcasecmp(what, "serverCPUType") == 0)
		return val_string(u.machine);
	if (strcasecmp(what, "currentTime") == 0)
		return now();
	return val_string("");
}

static struct val *
commands(const struct val *args)
{
	struct val *v = val_array();
	const struct cli_cmd *c = NULL;

	while (v != NULL && (c = cli_next(c)) != NULL)
		if (c->owner != PROC_MAX)
			val_append(v, val_string(c->name));
	return v;
}

static bool
has(const struct val *v, const char *name)
{
	size_t i;

	for (i = 0; i < val_count(v); i++)
		if (strcmp(val_text(val_at(v, i)), name) == 0)
			return true;
	return false;
}

/* Account and Domain are defaults, not modules. */
static struct val *
modules(const struct val *args)
{
	struct val *v = val_array();
	const char *name;
	size_t i;

	for (i = 0; v != NULL && i < settings_count; i++) {
		name = settings_table[i].module;
		if (strcmp(name, "Account") != 0 &&
		    strcmp(name, "Domain") != 0 && !has(v, name))
			val_append(v, val_string(name));
	}
	return v;
}

static const struct {
	const char	*name;
	local_fn	*fn;
} verbs[] = {
	{ "Noop", noop },
	{ "Echo", echo },
	{ "GetVersion", version },
	{ "GetSystemInfo", system_info },
	{ "GetCurrentTime", current_time },
	{ "ListCLICommands", commands },
	{ "ListModules", modules }
};

struct val *
local_command(const char *name, const struct val *args)
{
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return verbs[i].fn(args);
	return NULL;
}
