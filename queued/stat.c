/*
 * What was delivered to each domain: counted here, told to routerd, who keeps
 * it (GetDomainStat), a few seconds later.  The loop's alone.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "queued.h"

enum { TELL_SECONDS = 5 };

struct count {
	RB_ENTRY(count)	 tree;
	uint64_t	 messages, bytes;
	char		 domain[];	/* "" is the Main Domain */
};

static int
compare(const struct count *a, const struct count *b)
{
	return strcmp(a->domain, b->domain);
}

RB_HEAD(counts, count);
RB_PROTOTYPE(counts, count, tree, compare)
RB_GENERATE(counts, count, tree, compare)

static struct counts counts = RB_INITIALIZER(&counts);

static struct event *timer;

void
stat_tell(void)
{
	struct msg_domain_stat m = { 0 };
	struct count *c, *next;

	RB_FOREACH_SAFE(c, counts, &counts, next) {
		m.domain = c->domain;
		m.messages = c->messages;
		m.bytes = c->bytes;
		if (ipc_send(proc_peer(PROC_ROUTERD), IPC_DOMAIN_STAT, 0, &m,
		    -1) == -1)
			break;		/* when it is back */
		RB_REMOVE(counts, &counts, c);
		free(c);
	}
}

static void
tick(int fd, short what, void *arg)
{
	stat_tell();
}

static void
tell_soon(void)
{
	static const struct timeval tv = { TELL_SECONDS, 0 };

	if (timer == NULL)
		timer = evtimer_new(proc_base(), tick, NULL);
	if (timer != NULL && !event_pending(timer, EV_TIMEOUT, NULL))
		event_add(timer, &tv);
}

void
stat_delivered(const char *account, uint64_t bytes)
{
	const char *at = strrchr(account, '@'), *domain = at != NULL ? at + 1 :
								       "";
	size_t len = strlen(domain) + 1;
	struct count *c, *old;

	if (len > 256 || (c = calloc(1, sizeof(*c) + len)) == NULL)
		return;
	memcpy(c->domain, domain, len);
	if ((old = RB_INSERT(counts, &counts, c)) != NULL) {
		free(c);
		c = old;
	}
	c->messages++;
	c->bytes += bytes;
	tell_soon();
}
