/*
 * Relay to Clients (manual 07): a domain whose mail host is at client addresses
 * may be sent to by anybody.  Where the host is known by its name only, the DNS
 * is asked, by way of smtpd's sending role: for the best of the MX records, or
 * where there are none for the name itself.  Runs in routerd.
 */
#include <stdlib.h>
#include <string.h>

#include "iplist.h"
#include "router.h"

struct ask {
	backup_cb	*cb;
	void		*arg;
	bool		 mx;
	char		 name[DOMAIN_MAXLEN + 1];
};

static void	ask(struct ask *);

/* Every one of them: a stranger may name a client's beside his own. */
static bool
are_clients(const char *addresses)
{
	struct cur c = cur_str(addresses);
	bool any = false;
	char ip[64];

	for (cur_ws(&c); cur_left(&c) > 0; cur_ws(&c)) {
		if (!str_copy(cur_until(&c, " "), ip, sizeof(ip)) ||
		    env.clients == NULL || !iplist_has(env.clients, ip))
			return false;
		any = true;
	}
	return any;
}

static void
told(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_dns_told *m = pkt != NULL ? pkt->m : NULL;
	struct ask *a = arg;

	if (m != NULL && m->code == 0 && *m->addresses == '\0' && a->mx) {
		a->mx = false;
		ask(a);
		return;
	}
	if (m == NULL || m->code == 2)
		a->cb(BACKUP_LATER, a->arg);
	else
		a->cb(m->code == 0 && are_clients(m->addresses) ? BACKUP_YES :
		    BACKUP_NO, a->arg);
	free(a);
}

static void
ask(struct ask *a)
{
	struct msg_dns_ask m = { .name = a->name, .mx = a->mx };

	ipc_call(proc_peer(PROC_SENDER), IPC_DNS_ASK, 0, &m, -1, IPC_TIMEOUT,
	    told, a);
}

void
client_host_ask(const char *name, bool mx, backup_cb *cb, void *arg)
{
	struct ask *a = xcalloc(1, sizeof(*a));

	a->cb = cb;
	a->arg = arg;
	a->mx = mx;
	if (str_copy(str_make(name), a->name, sizeof(a->name))) {
		ask(a);
		return;
	}
	free(a);
	cb(BACKUP_NO, arg);
}
