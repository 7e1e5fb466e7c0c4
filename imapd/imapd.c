/*
 * imapd: its settings.  See README; what a client says is command.c's.
 */
#include "imapd.h"
#include "settings.h"

struct imapd_conf imapd_conf;

static void
settings(const struct val *all)
{
	front_settings(all);
	imapd_conf.max_errors = settings_int(all, "IMAP", "MaxErrors");
	imapd_conf.timeout = settings_int(all, "IMAP", "LoginTimeout");
}

int
main(int argc, char **argv)
{
	return front_main(argc, argv, "imapd", &imapd_front, settings);
}
