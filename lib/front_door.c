/*
 * The fronts' doors: accepting on the supervisor's sockets, whom, and how many;
 * who is not let in is told, if there is any way to.  Runs in every front, in
 * an empty root; it owns nothing and must never block.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <arpa/inet.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "front_int.h"
#include "iplist.h"
#include "log.h"

struct addr {
	struct sockaddr_storage	 ss;
	socklen_t		 len;
	unsigned char		 ip16[16];	/* v4 mapped */
};

struct door {			/* a listener, while anybody needs it */
	LIST_ENTRY(door)	 next;
	struct listener		*l;
	struct iplist		*ips;
	struct event		*ev;
	int			 refs;
	bool			 grant, deny;
	bool			 any;		/* bound to all addresses */
	char			 local[INET6_ADDRSTRLEN];
	uint16_t		 local_port;
};

static LIST_HEAD(, door) doors = LIST_HEAD_INITIALIZER(doors);
static struct event	*rest;		/* until accepting again */
static bool		 resting;
static bool		 full;		/* no descriptors left */
static int		 spare = -1;	/* one, to refuse with then */
static int		 max_all, max_same;
static uint64_t		 n_accepted, n_refused;

void
door_unref(struct door *d)
{
	if (--d->refs > 0)
		return;
	iplist_free(d->ips);
	free(d->l->module);
	free(d->l->address);
	free(d->l->restriction);
	free(d->l->addresses);
	free(d->l);
	free(d);
}

/* --- a client at the door --- */

/* Text, port, and the 16 bytes that are counted. */
static void
describe(struct addr *a, char *text, size_t size, uint16_t *port)
{
	const struct sockaddr_in *v4 = (const void *)&a->ss;
	const struct sockaddr_in6 *v6 = (const void *)&a->ss;

	text[0] = '\0';
	*port = 0;
	if (a->ss.ss_family == AF_INET) {
		a->ip16[10] = a->ip16[11] = 0xff;
		memcpy(a->ip16 + 12, &v4->sin_addr, 4);
		*port = ntohs(v4->sin_port);
	} else if (a->ss.ss_family == AF_INET6) {
		memcpy(a->ip16, &v6->sin6_addr, 16);
		*port = ntohs(v6->sin6_port);
	} else {
		/* A Unix socket is as near as loopback, and not counted. */
		snprintf(text, size, "127.0.0.1");
		return;
	}
	if (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)a->ip16))
		inet_ntop(AF_INET, a->ip16 + 12, text, size);
	else
		inet_ntop(AF_INET6, a->ip16, text, size);
}

static void
describe_local(struct client *c, int fd)
{
	struct addr a = { .len = sizeof(a.ss) };

	if (!c->door->any) {
		snprintf(c->s.local, sizeof(c->s.local), "%s",
		    c->door->local);
		c->s.local_port = c->door->local_port;
		return;
	}
	if (getsockname(fd, (void *)&a.ss, &a.len) == 0)
		describe(&a, c->s.local, sizeof(c->s.local),
		    &c->s.local_port);
}

static struct client *
client_new(struct door *d, int fd, const char *peer, uint16_t port,
    struct slot *slot)
{
	struct client *c = front_new(d->l, fd, peer, port, slot);

	if (c == NULL)
		return NULL;
	c->door = d;
	d->refs++;
	describe_local(c, fd);
	return c;
}

static void
log_refused(const char *peer, const char *why)
{
	static time_t last;
	time_t now = time(NULL);

	n_refused++;
	if (now == last)	/* a flood shall not flood the log too */
		return;
	last = now;
	log_msg(LOG_PROBLEM, "[%s] refused: %s", peer, why);
}

static void
refuse_busy(struct door *d, int fd, const char *peer, const char *why)
{
	log_refused(peer, why);
	if (!d->l->tls)
		(void)send(fd, front_def->busy, strlen(front_def->busy),
		    MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

static void
admit(struct door *d, int fd, struct addr *a)
{
	struct client *c;
	struct slot *slot;
	char peer[INET6_ADDRSTRLEN];
	uint16_t port;
	bool unix_peer = a->ss.ss_family == AF_UNIX;

	n_accepted++;
	describe(a, peer, sizeof(peer), &port);
	if ((d->grant && !iplist_has(d->ips, peer)) ||
	    (d->deny && iplist_has(d->ips, peer))) {
		log_refused(peer, "restricted");
		close(fd);
		return;
	}
	/* The administrator's own socket stays open in any crowd. */
	if (!limit_enter(unix_peer ? NULL : a->ip16, unix_peer ? 0 : max_all,
	    max_same, &slot)) {
		refuse_busy(d, fd, peer, "too many connections");
		return;
	}
	c = client_new(d, fd, peer, port, slot);
	if (c == NULL) {
		limit_leave(slot);
		refuse_busy(d, fd, peer, "no memory");
		return;
	}
	if (!d->l->tls) {
		front_start(c);
		return;
	}
	c->phase = PH_SHAKING;
	conn_timeout(c->s.conn, FRONT_SHAKE);
	if (front_starttls(&c->s) == -1) {
		log_refused(peer, "no certificate");
		front_close(&c->s);
	}
}

/* As if it had come by a door of the module's. */
static struct door *
adopted_door(void)
{
	static struct door *d;

	if (d == NULL) {
		d = xcalloc(1, sizeof(*d));
		d->l = xcalloc(1, sizeof(*d->l));
		d->l->fd = -1;
		d->l->module = xstrdup(front_def->module);
		d->l->address = xstrdup("");
		d->l->restriction = xstrdup("");
		d->l->addresses = xstrdup("");
		d->refs = 1;		/* for ever */
	}
	return d;
}

static bool
to_ip16(const char *ip, unsigned char ip16[16])
{
	memset(ip16, 0, 10);
	ip16[10] = ip16[11] = 0xff;
	return inet_pton(AF_INET, ip, ip16 + 12) == 1 ||
	    inet_pton(AF_INET6, ip, ip16) == 1;
}

void
front_adopt(int fd, const char *peer, const char *local, bool is_tls)
{
	struct door *d = adopted_door();
	unsigned char ip16[16];
	struct client *c;
	struct slot *slot;

	n_accepted++;
	if (front_stopping() || !to_ip16(peer, ip16) ||
	    !limit_enter(ip16, max_all, max_same, &slot)) {
		refuse_busy(d, fd, peer, "too many connections");
		return;
	}
	if ((c = client_new(d, fd, peer, 0, slot)) == NULL) {
		limit_leave(slot);
		refuse_busy(d, fd, peer, "no memory");
		return;
	}
	snprintf(c->s.local, sizeof(c->s.local), "%s", local);
	c->s.tls = is_tls;
	front_start(c);
}

/* --- accepting, and not --- */

static void
watch_doors(bool on)
{
	struct door *d;

	LIST_FOREACH(d, &doors, next) {
		if (on)
			event_add(d->ev, NULL);
		else
			event_del(d->ev);
	}
}

static void
take_rest(int ms)
{
	struct timeval tv = { .tv_usec = ms * 1000 };

	if (resting)
		return;
	resting = true;
	watch_doors(false);
	event_add(rest, &tv);
}

static void
on_rested(int fd, short what, void *arg)
{
	resting = false;
	watch_doors(true);
}

/* A peer that has all it can take: more clients would only wait longer. */
static bool
peers_busy(void)
{
	static const enum proc_id needed[] = { PROC_AUTHD, PROC_ROUTERD,
		PROC_QUEUED, PROC_STORED };
	struct ipc *p;
	size_t i;

	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if ((p = proc_peer(needed[i])) != NULL && ipc_busy(p))
			return true;
	return false;
}

static void
keep_spare(void)
{
	if (spare == -1)
		spare = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
}

/* The spare descriptor is spent to tell one client. */
static bool
refuse_one(struct door *d, int lfd)
{
	struct addr a = { .len = sizeof(a.ss) };
	char peer[INET6_ADDRSTRLEN];
	uint16_t port;
	int fd;

	if (spare == -1)
		return false;
	close(spare);
	spare = -1;
	fd = accept4(lfd, (void *)&a.ss, &a.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd != -1) {
		describe(&a, peer, sizeof(peer), &port);
		refuse_busy(d, fd, peer, "no descriptors left");
	}
	keep_spare();
	return fd != -1;
}

/*
 * No descriptor is left for another client.  Whom no other process of the
 * module took within a moment would wait for long: he is sent away.
 */
static void
on_full(struct door *d, int lfd)
{
	int i;

	for (i = 0; full && i < FRONT_ACCEPTS && refuse_one(d, lfd); i++)
		;
	full = true;
}

static void
accept_failed(struct door *d, int lfd)
{
	if (errno == EAGAIN)
		return;
	if (errno == EMFILE || errno == ENFILE) {
		on_full(d, lfd);
	} else {
		log_warn("accept");
		/* Whoever shares it may have shut it down. */
		if (errno == EINVAL)
			(void)listen(lfd, SOMAXCONN);
	}
	take_rest(FRONT_REST);
}

static void
on_accept(int lfd, short what, void *arg)
{
	struct door *d = arg;
	int fd, i;

	if (peers_busy()) {
		take_rest(FRONT_REST);
		return;
	}
	for (i = 0; i < FRONT_ACCEPTS; i++) {
		struct addr a = { .len = sizeof(a.ss) };

		fd = accept4(lfd, (void *)&a.ss, &a.len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			full = false;
			admit(d, fd, &a);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		accept_failed(d, lfd);
		return;
	}
}

/* A list that makes no sense lets nobody in: better than everybody. */
static void
door_restrict(struct door *d)
{
	int line;

	d->grant = strcasecmp(d->l->restriction, "Grant") == 0;
	d->deny = strcasecmp(d->l->restriction, "Deny") == 0;
	if (!d->grant && !d->deny)
		return;
	d->ips = iplist_parse(d->l->addresses, &line);
	if (d->ips != NULL)
		return;
	log_warnx("port %u: line %d of the restriction makes no sense; "
	    "nobody is let in", d->l->port, line);
	d->grant = true;
	d->deny = false;
}

void
front_listen(struct listener *l)
{
	struct addr a = { .len = sizeof(a.ss) };
	struct door *d = xcalloc(1, sizeof(*d));
	int on = 1;

	d->l = l;
	d->refs = 1;
	door_restrict(d);
	evutil_make_socket_nonblocking(l->fd);
	if (getsockname(l->fd, (void *)&a.ss, &a.len) == -1)
		a.ss.ss_family = AF_UNSPEC;
	describe(&a, d->local, sizeof(d->local), &d->local_port);
	d->any = strcmp(d->local, "0.0.0.0") == 0 ||
	    strcmp(d->local, "::") == 0;
	/* Clients' sockets inherit it. */
	if (a.ss.ss_family == AF_INET || a.ss.ss_family == AF_INET6)
		(void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on,
		    sizeof(on));
	d->ev = event_new(proc_base(), l->fd, EV_READ | EV_PERSIST, on_accept,
	    d);
	if (d->ev == NULL)
		fatalx("no event for a listener");
	LIST_INSERT_HEAD(&doors, d, next);
	if (!resting && !front_stopping())
		event_add(d->ev, NULL);
}

static void
door_close(struct door *d)
{
	LIST_REMOVE(d, next);
	event_free(d->ev);
	d->ev = NULL;
	close(d->l->fd);
	d->l->fd = -1;
	door_unref(d);
}

void
front_unlisten(const char *module)
{
	struct door *d, *next;

	for (d = LIST_FIRST(&doors); d != NULL; d = next) {
		next = LIST_NEXT(d, next);
		if (strcmp(d->l->module, module) == 0)
			door_close(d);
	}
}

void
door_close_all(void)
{
	struct door *d;

	while ((d = LIST_FIRST(&doors)) != NULL)
		door_close(d);
}

/* --- the process --- */

void
door_init(void)
{
	keep_spare();
	rest = event_new(proc_base(), -1, 0, on_rested, NULL);
	if (rest == NULL)
		fatalx("no timer");
}

void
door_settings(const struct val *l)
{
	max_all = dict_int(l, "MaxInputChannels", 1000);
	max_same = dict_int(l, "MaxFromSameAddress", 100);
}

void
door_status(struct val *d)
{
	dict_setf(d, "Accepted", "%llu", (unsigned long long)n_accepted);
	dict_setf(d, "Refused", "%llu", (unsigned long long)n_refused);
}
