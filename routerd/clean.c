/*
 * Directories of domains that are gone, Domains/.gone.*: authd removes the
 * accounts in them, whose files are not ours, then we remove the rest.  Runs
 * in routerd; what is left by a crash is found at the next start.
 */
#include <event2/event.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "object.h"

enum { MAXWAIT = 10 };		/* seconds between two looks */

static struct val *dirs;	/* path to nothing */
static struct event *timer;
static int seconds;

char *
clean_name(void)
{
	static unsigned serial;
	char *path = NULL;

	do {		/* one from before we were restarted may be there */
		free(path);
		path = xasprintf("Domains/.gone.%lld.%u",
		    (long long)time(NULL), serial++);
	} while (faccessat(proc_basefd(), path, F_OK, 0) == 0);
	return path;
}

bool
clean_is(const char *name)
{
	return strncmp(name, ".gone.", 6) == 0;
}

static void
answered(const struct ipc_pkt *pkt, void *arg)
{
}

static void
ask(const char *path)
{
	struct msg_domain_moved m = { .name = "", .path = "",
		.remove = path };

	ipc_call(proc_peer(PROC_AUTHD), IPC_DOMAIN_MOVED, 0, &m, -1,
	    IPC_TIMEOUT, answered, NULL);
}

static void	look(int, short, void *);

static void
again(void)
{
	struct timeval tv = { .tv_sec = seconds, .tv_usec = 100 * 1000 };

	if (timer == NULL)
		timer = evtimer_new(proc_base(), look, NULL);
	if (timer != NULL)
		evtimer_add(timer, &tv);
	if (seconds < MAXWAIT)
		seconds++;
}

static void
look(int fd, short what, void *arg)
{
	size_t i;

	for (i = val_count(dirs); i > 0; i--) {
		const char *path = val_key(dirs, i - 1);

		if (!domain_dir_in_use(path) &&
		    (domain_dir_remove(path) == 0 || errno == ENOENT))
			dict_set(dirs, path, NULL);
	}
	if (val_count(dirs) > 0)
		again();
}

void
clean_add(const char *path)
{
	if (dirs == NULL)
		dirs = val_dict();
	dict_set(dirs, path, val_string(""));
	ask(path);
	seconds = 0;
	again();
}

void
clean_authd_up(void)
{
	size_t i;

	for (i = 0; dirs != NULL && i < val_count(dirs); i++)
		ask(val_key(dirs, i));
}
