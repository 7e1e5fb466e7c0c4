/*
 * Domains whose addresses are what the Domain Name System says of them (manual
 * 18): asked of smtpd's sending role, which has sockets, now and then.  Runs in
 * routerd.  What was known stays in force while nobody knows.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "object.h"

enum {
	EVERY = 600,		/* seconds */
	SOON = 30,		/* after trouble */
	ASK_TIMEOUT = 60 * 1000
};

static struct event *timer;

static bool
by_dns(const struct domain *d, bool *mx)
{
	const char *mode = own_mode(d);

	*mx = strcasecmp(mode, "by DNS MX-Record") == 0;
	return *mx || strcasecmp(mode, "by DNS A-Record") == 0;
}

static void
ask_all(int fd, short what, void *arg)
{
	own_dns_ask();
}

static void
again(int seconds)
{
	struct timeval tv = { .tv_sec = seconds };

	if (timer == NULL)
		timer = evtimer_new(proc_base(), ask_all, NULL);
	if (timer != NULL)
		evtimer_add(timer, &tv);
}

/* arg: the domain's name, which may be another's by now. */
static void
told(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_dns_told *m = pkt != NULL ? pkt->m : NULL;
	struct domain *d = names_domain(&names, arg);
	bool mx;

	free(arg);
	if (m == NULL || m->code != 0) {
		again(SOON);
		return;
	}
	if (d == NULL || !by_dns(d, &mx) || (d->dns != NULL &&
	    strcmp(d->dns, m->addresses) == 0))
		return;
	free(d->dns);
	d->dns = xstrdup(m->addresses);
	log_msg(LOG_MAJOR, "domain %s: its addresses are %s by DNS", d->name,
	    *d->dns != '\0' ? d->dns : "none");
	own_apply();
}

void
own_dns_ask(void)
{
	struct msg_dns_ask m;
	struct domain *d;
	bool mx, any = false;

	for (d = names.first; d != NULL; d = d->next) {
		if (!by_dns(d, &mx)) {
			free(d->dns);
			d->dns = NULL;
			continue;
		}
		any = true;
		m = (struct msg_dns_ask){ .name = d->name, .mx = mx };
		ipc_call(proc_peer(PROC_SENDER), IPC_DNS_ASK, 0, &m, -1,
		    ASK_TIMEOUT, told, xstrdup(d->name));
	}
	if (any)
		again(EVERY);
}
