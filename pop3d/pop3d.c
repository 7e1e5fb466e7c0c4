/*
 * pop3d: its settings.  See README; what a client says is command.c's.
 */
#include "pop3d.h"
#include "settings.h"

struct pop_conf pop_conf;

static void
settings(const struct val *all)
{
	front_settings(all);
	pop_conf.max_errors = settings_int(all, "POP", "MaxErrors");
	pop_conf.timeout = settings_int(all, "POP", "InputTimeout");
}

int
main(int argc, char **argv)
{
	return front_main(argc, argv, "pop3d", &pop_front, settings);
}
