/*
 * Addresses of hosts, for routerd, which has no sockets: whose addresses of
 * this host are a domain's (manual 18, by DNS).  Runs in smtpd's sending role.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "send.h"

struct lookup {
	struct ipc_ref	 ref;
	struct buf	 out;		/* addresses, blanks between */
	int		 left;		/* answers to come */
	bool		 trouble;
};

static void
finish(struct lookup *l)
{
	struct msg_dns_told m = { .code = l->trouble ? 2 : 0,
		.addresses = l->out.p != NULL ? l->out.p : "" };

	if (l->out.failed)
		m.code = 1;
	ipc_answer(l->ref, IPC_DNS_TOLD, &m, -1);
	buf_free(&l->out);
	free(l);
}

static void
told(const struct dns_answer *a, void *arg)
{
	char text[INET6_ADDRSTRLEN];
	struct lookup *l = arg;
	size_t i;

	if (a->status == DNS_TROUBLE)
		l->trouble = true;
	for (i = 0; a->status == DNS_FOUND && i < a->n; i++)
		if (inet_ntop(a->rr[i].len == 4 ? AF_INET : AF_INET6,
		    a->rr[i].data, text, sizeof(text)) != NULL)
			buf_printf(&l->out, "%s%s", l->out.len > 0 ? " " : "",
			    text);
	if (--l->left == 0)
		finish(l);
}

static void
addresses(struct lookup *l, const char *host)
{
	l->left = 2;
	dns_ask(host, DNS_A, told, l);
	dns_ask(host, DNS_AAAA, told, l);
}

/* The best of them. */
static void
told_mx(const struct dns_answer *a, void *arg)
{
	const struct dns_rr *best = NULL;
	struct lookup *l = arg;
	size_t i;

	if (a->status == DNS_TROUBLE)
		l->trouble = true;
	for (i = 0; a->status == DNS_FOUND && i < a->n; i++)
		if (best == NULL || a->rr[i].pref < best->pref)
			best = &a->rr[i];
	if (best == NULL || *best->name == '\0')
		finish(l);
	else
		addresses(l, best->name);
}

void
lookup_request(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_dns_ask *m = pkt->m;
	struct lookup *l = xcalloc(1, sizeof(*l));

	l->ref = ipc_ref(ipc, pkt);
	buf_init(&l->out, 2048);
	if (m->mx)
		dns_ask(m->name, DNS_MX, told_mx, l);
	else
		addresses(l, m->name);
}
