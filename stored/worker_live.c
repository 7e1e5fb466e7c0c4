/*
 * Those settings that a worker goes by as long as it lives.  The template,
 * which hears of changes, writes them to memory that it shares with all its
 * children; they can only read it, and notice a change by its number.  What a
 * worker asks less often it has as it was when it began: proc_settings().
 */
#include <sys/mman.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dict.h"
#include "log.h"
#include "settings.h"
#include "stat.h"
#include "worker.h"

struct shared {
	atomic_uint	number;		/* odd while it is written */
	struct live	live;
};

static struct shared		*writable;	/* the template's */
static const struct shared	*shared;
static struct live		 own;	/* as it was last seen whole */

static void
make(void)
{
	int fd = memfd_create("settings", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd == -1 || ftruncate(fd, sizeof(*shared)) == -1 ||
	    (writable = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0)) == MAP_FAILED ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
	    F_SEAL_FUTURE_WRITE) == -1 ||
	    (shared = mmap(NULL, sizeof(*shared), PROT_READ, MAP_SHARED, fd,
	    0)) == MAP_FAILED)
		fatal("memory for workers' settings");
	close(fd);
}

void
live_set(const struct val *all)
{
	struct live *l = &own;	/* a new worker begins with this copy */

	if (writable == NULL)
		make();		/* at the start, before the walls */
	l->pop_timeout = settings_int(all, "POP", "InputTimeout");
	l->pop_errors = settings_int(all, "POP", "MaxErrors");
	l->pop_level = settings_int(all, "POP", "LogLevel");
	l->imap_timeout = settings_int(all, "IMAP", "InputTimeout");
	l->imap_errors = settings_int(all, "IMAP", "MaxErrors");
	l->imap_level = settings_int(all, "IMAP", "LogLevel");
	l->idle = settings_int(all, "IMAP", "IdleTime");
	l->statistics = settings_bool(all, "Main", "AccountStatistics");
	snprintf(l->field, sizeof(l->field), "%s", settings_text(all, "LOCAL",
	    "EnvelopeRecipientsField"));
	atomic_fetch_add(&writable->number, 1);
	writable->live = own;
	atomic_fetch_add(&writable->number, 1);
}

void
live_inherit(void)
{
	munmap(writable, sizeof(*writable));
}

static void
apply(const struct live *l)
{
	stat_switch(l->statistics);
	if (dict_bool(proc_conf()->conf, "LogAll", false))
		return;
	log_set_level_of("POP", l->pop_level);
	log_set_level_of("IMAP", l->imap_level);
}

const struct live *
live(void)
{
	static unsigned int seen = 1;
	unsigned int n = atomic_load(&shared->number);
	struct live now;

	if (n == seen || n % 2 != 0)
		return &own;
	memcpy(&now, &shared->live, sizeof(now));
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load(&shared->number) == n) {
		own = now;
		seen = n;
		apply(&own);
	}
	return &own;
}
