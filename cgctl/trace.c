/*
 * What a daemon says to its peers, and hears.  The daemon writes its packets
 * into the log for as long as it is asked to again and again, so a trace ends
 * soon whatever becomes of us; here they are picked out.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cgctl.h"
#include "cli.h"
#include "ipc.h"

enum { AGAIN_SECONDS = 3 };

static char			*self, *peer;	/* peer: NULL for all */
static volatile sig_atomic_t	 interrupted;

static void
on_signal(int sig)
{
	interrupted = 1;
}

/* Until one of them comes, log_follow() has its wait alone hear it. */
static void
catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

static void
ask(bool stop)
{
	char *words[4] = { (char *)"Trace", self };
	int n = 2;
	const char *text;
	struct buf line;

	if (stop)
		words[n++] = (char *)"STOP";
	if (peer != NULL)
		words[n++] = peer;
	buf_init(&line, CLI_MAXLINE);
	if (!cli_line(&line, n, words))
		fail("out of memory");
	if (talk(line.p, NULL, &text) != 200)
		fail("%s: %s", self, text);
	buf_free(&line);
}

/* "hh:mm:ss.mmm 5 TRACE smtpd-0 > authd-0 AUTH ..." */
static bool
is_ours(const char *line)
{
	char from[64], with[64];

	return sscanf(line, "%*s %*s TRACE %63s %*1[<>] %63s", from, with) ==
	    2 && ipc_is_named(from, self) &&
	    (peer == NULL || ipc_is_named(with, peer));
}

static bool
go_on(void)
{
	static time_t asked;
	struct timespec now;

	if (interrupted) {
		ask(true);
		return false;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (asked == 0 || now.tv_sec - asked >= AGAIN_SECONDS) {
		ask(false);
		asked = now.tv_sec;
	}
	return true;
}

int
do_trace(int argc, char **argv)
{
	if (argc < 1 || argc > 2)
		usage();
	self = argv[0];
	peer = argv[1];
	if (talk_open(true) == -1)
		return EXIT_FAILURE;
	catch_signals();
	log_follow(0, is_ours, go_on);
	talk_close();
	return 0;
}
