/*
 * Records of names, for smtpd's role receive and routerd, which have no
 * sockets: one question, one answer, within the time that the asker has.
 * Runs in smtpd's sending role; keeps no cache, lib/lookup.c has one.
 */
#include <arpa/inet.h>

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"
#include "send.h"

enum { MAXRECORDS = 24576, FOUND = 0, NONE, TROUBLE, EMPTY };

struct find {
	struct ipc_ref	 ref;
	enum dns_type	 type;
	struct event	*late;
};

static void
finish(struct find *f, uint8_t code, uint32_t ttl, const char *records)
{
	struct msg_dns_found m = { .code = code, .ttl = ttl,
		.records = records };

	ipc_answer(f->ref, IPC_DNS_FOUND, &m, -1);
	if (f->late != NULL)
		event_free(f->late);
	free(f);
}

/* A name's bytes are a stranger's: those that mean more are left out. */
static bool
is_plain(const char *name)
{
	for (; *name != '\0'; name++)
		if (*name <= ' ' || *name >= 0x7f || *name == '\\')
			return false;
	return true;
}

static void
write_record(struct buf *b, enum dns_type type, const struct dns_rr *rr)
{
	char ip[INET6_ADDRSTRLEN];

	if (type == DNS_MX && is_plain(rr->name))
		buf_printf(b, "%u %s\n", rr->pref, rr->name);
	else if (type == DNS_PTR && is_plain(rr->name))
		buf_printf(b, "%s\n", rr->name);
	else if ((type == DNS_A || type == DNS_AAAA) &&
	    inet_ntop(type == DNS_A ? AF_INET : AF_INET6, rr->data, ip,
	    sizeof(ip)) != NULL)
		buf_printf(b, "%s\n", ip);
}

static void
answered(const struct dns_answer *a, void *arg)
{
	static const uint8_t codes[] = {
		[DNS_FOUND] = FOUND, [DNS_NONE] = NONE,
		[DNS_EMPTY] = EMPTY, [DNS_TROUBLE] = TROUBLE
	};
	struct find *f = arg;
	uint32_t ttl = UINT32_MAX;
	uint8_t code = codes[a->status];
	struct buf b;
	size_t i;

	buf_init(&b, MAXRECORDS);
	buf_puts(&b, "");
	for (i = 0; a->status == DNS_FOUND && i < a->n; i++) {
		write_record(&b, f->type, &a->rr[i]);
		if (a->rr[i].ttl < ttl)
			ttl = a->rr[i].ttl;
	}
	if (b.failed)
		code = TROUBLE;
	else if (code == FOUND && b.len == 0)
		code = EMPTY;
	finish(f, code, ttl, code == FOUND ? b.p : "");
	buf_free(&b);
}

static void
too_late(int fd, short what, void *arg)
{
	dns_cancel(arg);
	finish(arg, TROUBLE, 0, "");
}

void
find_request(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_dns_find *m = pkt->m;
	struct timeval tv = { .tv_sec = m->wait / 1000,
		.tv_usec = m->wait % 1000 * 1000 };
	struct find *f = xcalloc(1, sizeof(*f));

	f->ref = ipc_ref(ipc, pkt);
	f->type = m->type;
	if ((m->type != DNS_A && m->type != DNS_AAAA && m->type != DNS_PTR &&
	    m->type != DNS_MX) ||
	    (f->late = evtimer_new(proc_base(), too_late, f)) == NULL) {
		finish(f, TROUBLE, 0, "");
		return;
	}
	evtimer_add(f->late, &tv);
	dns_ask(m->name, m->type, answered, f);
}
