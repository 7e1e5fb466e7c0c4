/*
 * Asking: c-ares' sockets and time-outs in our loop.  Runs in smtpd's sending
 * role; it keeps no cache, that is the resolver's business.
 */
#include <sys/queue.h>
#include <sys/socket.h>

#include <ares.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "dns.h"
#include "log.h"

enum {
	TRY = 3000,		/* milliseconds */
	TRIES = 3,
	UDP_SIZE = 1232,	/* bytes of an answer that is not broken up */
	FLAG_AD = 0x20
};

struct query {
	TAILQ_ENTRY(query)	 entry;
	enum dns_type		 type;
	enum dns_status		 status;	/* known before it was asked */
	dns_cb			*cb;		/* NULL: nobody wants to know */
	void			*arg;
	struct event		*now;		/* its answer is known already */
};

/* A socket of c-ares'. */
struct sock {
	LIST_ENTRY(sock) entry;
	ares_socket_t	 fd;
	struct event	*ev;
};

static ares_channel channel;
static struct event_base *base;
static struct event *timer;
static TAILQ_HEAD(, query) queries = TAILQ_HEAD_INITIALIZER(queries);
static LIST_HEAD(, sock) socks = LIST_HEAD_INITIALIZER(socks);
static struct query *asking;	/* by a call that is not over */
static bool trusted;

static void
set_timer(void)
{
	struct timeval tv;

	if (ares_timeout(channel, NULL, &tv) != NULL)
		evtimer_add(timer, &tv);
	else
		evtimer_del(timer);
}

static void
late(int fd, short what, void *arg)
{
	ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer();
}

static void
ready(int fd, short what, void *arg)
{
	ares_process_fd(channel, what & EV_READ ? fd : ARES_SOCKET_BAD,
	    what & EV_WRITE ? fd : ARES_SOCKET_BAD);
	set_timer();
}

static void
sock_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	short what = EV_PERSIST | (readable ? EV_READ : 0) |
	    (writable ? EV_WRITE : 0);
	struct sock *s;

	LIST_FOREACH(s, &socks, entry)
		if (s->fd == fd)
			break;
	if (s != NULL) {
		event_free(s->ev);
		LIST_REMOVE(s, entry);
		free(s);
	}
	if ((!readable && !writable) || (s = calloc(1, sizeof(*s))) == NULL)
		return;
	s->fd = fd;
	if ((s->ev = event_new(base, fd, what, ready, NULL)) == NULL) {
		free(s);
		return;
	}
	event_add(s->ev, NULL);
	LIST_INSERT_HEAD(&socks, s, entry);
}

/* What they say cannot be changed on its way. */
static bool
all_local(void)
{
	struct ares_addr_node *list, *n;
	bool local = true;

	if (ares_get_servers(channel, &list) != ARES_SUCCESS)
		return false;
	for (n = list; n != NULL; n = n->next)
		if (n->family == AF_INET ?
		    ntohl(n->addr.addr4.s_addr) >> 24 != IN_LOOPBACKNET :
		    !IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)
			(const void *)&n->addr.addr6))
			local = false;
	local = local && list != NULL;
	ares_free_data(list);
	return local;
}

void
dns_trust(bool trust)
{
	trusted = trust;
}

int
dns_init(const char *servers)
{
	struct ares_options o = {
		.flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH,
		.timeout = TRY,
		.tries = TRIES,
		.ednspsz = UDP_SIZE,
		.sock_state_cb = sock_state
	};
	int rc;

	if ((rc = ares_library_init(ARES_LIB_INIT_ALL)) == ARES_SUCCESS &&
	    (rc = ares_init_options(&channel, &o, ARES_OPT_FLAGS |
	    ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
	    ARES_OPT_SOCK_STATE_CB)) == ARES_SUCCESS && servers != NULL &&
	    *servers != '\0')
		rc = ares_set_servers_ports_csv(channel, servers);
	trusted = rc == ARES_SUCCESS && all_local();
	if (rc == ARES_SUCCESS)
		return 0;
	log_warnx("DNS: %s", ares_strerror(rc));
	return -1;
}

void
dns_start(struct event_base *b)
{
	base = b;
	if ((timer = evtimer_new(base, late, NULL)) == NULL)
		fatalx("no timer");
}

static void
answer(struct query *q, const struct dns_answer *a)
{
	TAILQ_REMOVE(&queries, q, entry);
	if (q->now != NULL)
		event_free(q->now);
	if (q->cb != NULL)
		q->cb(a, q->arg);
	free(q);
}

static void
known(int fd, short what, void *arg)
{
	struct query *q = arg;
	const struct dns_answer a = { .status = q->status };

	answer(q, &a);
}

static void
later(struct query *q, enum dns_status status)
{
	const struct timeval tv = { 0 };

	q->status = status;
	if ((q->now = evtimer_new(base, known, q)) == NULL)
		fatal("DNS");
	evtimer_add(q->now, &tv);
}

static void
arrived(void *arg, int status, int timeouts, unsigned char *p, int len)
{
	struct query *q = arg;
	struct dns_answer a = { .status = DNS_TROUBLE };

	if (q == asking) {
		later(q, DNS_TROUBLE);
		return;
	}
	/* Errors of the name itself come with the packet, too. */
	if (p != NULL && len > 0 &&
	    dns_parse(p, (size_t)len, q->type, &a) == -1) {
		dns_answer_free(&a);	/* half of an answer is none */
		a.status = DNS_TROUBLE;
	} else if (p == NULL && status == ARES_ENOTFOUND)
		a.status = DNS_NONE;
	a.authentic = a.authentic && trusted;
	answer(q, &a);
	dns_answer_free(&a);
}

void
dns_ask(const char *name, enum dns_type type, dns_cb *cb, void *arg)
{
	struct query *q = calloc(1, sizeof(*q));
	unsigned char *packet;
	int len;

	if (q == NULL)
		fatal("DNS");
	q->type = type;
	q->cb = cb;
	q->arg = arg;
	TAILQ_INSERT_TAIL(&queries, q, entry);
	if (ares_create_query(name, 1, type, 0, 1, &packet, &len,
	    UDP_SIZE) != ARES_SUCCESS) {
		later(q, DNS_NONE);	/* no name at all */
		return;
	}
	packet[3] |= FLAG_AD;	/* tell us whether you checked it */
	asking = q;
	ares_send(channel, packet, len, arrived, q);
	asking = NULL;
	ares_free_string(packet);
	set_timer();
}

void
dns_cancel(void *arg)
{
	struct query *q;

	TAILQ_FOREACH(q, &queries, entry)
		if (q->arg == arg)
			q->cb = NULL;
}
