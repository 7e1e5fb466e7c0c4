/*
 * The fronts' doors: accepting, whom and how many, TLS, and the life of a
 * session from its first packet to its last.  Runs in every front, in an
 * empty root; it owns nothing and must never block.
 */
#include <sys/types.h>
#include <sys/resource.h>
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
#include "settings.h"
#include "tls.h"

enum { BUCKETS = 4096, STOP_OWN = 10, STOP_PUMPS = 2, KEY_CHECK = 3600 };

struct addr {
	struct sockaddr_storage	 ss;
	socklen_t		 len;
	unsigned char		 ip16[16];	/* v4 mapped */
};

const struct front_def	*front_def;

static LIST_HEAD(, door)	 doors = LIST_HEAD_INITIALIZER(doors);
static LIST_HEAD(, client)	 clients = LIST_HEAD_INITIALIZER(clients);
static LIST_HEAD(bucket, client) byid[BUCKETS];
static struct event		*rest;		/* until accepting again */
static bool			 resting;
static bool			 full;		/* no descriptors left */
static int			 spare = -1;	/* one, to refuse with then */
static struct tls_ctx		*tls;
static struct event		*tls_timer;	/* looks for a new ticket key */
static struct iplist		*client_ips;
static char			*hostname;
static unsigned char		 salt_key[SASL_SALTKEY];
static bool			 clear_login, secure_sasl;
static int			 max_all, max_same;
static int			 stopping;	/* ticks since then */
static uint64_t			 n_accepted, n_refused, n_sessions, n_given;

/* --- sessions --- */

struct client *
front_find(uint32_t id)
{
	struct client *c;

	LIST_FOREACH(c, &byid[id % BUCKETS], byid)
		if (c->s.id == id)
			return c;
	return NULL;
}

static void
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

void
front_end(struct client *c)
{
	if (!c->started)
		return;
	c->started = false;
	front_client_end(front_def, &c->s);
}

static void
forget(struct client *c)
{
	front_req_drop(c);
	front_idle_free(c);
	roam_end(c);
	front_end(c);
	LIST_REMOVE(c, byid);
	LIST_REMOVE(c, all);
	door_unref(c->door);
	n_sessions--;
	explicit_bzero(c->ticket, sizeof(c->ticket));
	free(c);
}

void
front_forget(struct client *c)
{
	limit_leave(c->slot);
	forget(c);
}

static void
conn_left(void *slot)
{
	limit_leave(slot);
}

/* A socket counts until it is closed: some clients never take their last. */
void
front_part(struct client *c)
{
	conn_gone(c->s.conn, conn_left, c->slot);
	forget(c);
}

void
front_close(struct front_session *s)
{
	struct client *c = front_client(s);
	struct conn *conn = s->conn;

	if (c->phase >= PH_GIVEN)
		return;
	front_part(c);
	conn_finish(conn);
}

void
front_log(const struct front_session *s, int level, const char *fmt, ...)
{
	va_list ap;

	if (level > log_get_level())
		return;
	va_start(ap, fmt);
	log_vtag(level, s->tag, fmt, ap);
	va_end(ap);
}

void
front_vsay(struct front_session *s, const char *fmt, va_list ap)
{
	char text[FRONT_LINE];
	size_t i;

	vsnprintf(text, sizeof(text) - 2, fmt, ap);
	for (i = 0; text[i] != '\0'; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	front_log(s, LOG_LOW, "rsp: %s", text);
	text[i++] = '\r';
	text[i++] = '\n';
	conn_write(s->conn, text, i);
}

void
front_say(struct front_session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	front_vsay(s, fmt, ap);
	va_end(ap);
}

static void
start_front(struct client *c)
{
	c->phase = PH_FRONT;
	c->started = true;
	front_client_start(front_def, &c->s);
}

/* Before the front knows of it, or while nobody reads it. */
static void
quiet_event(struct client *c, enum conn_event ev)
{
	if (ev == CONN_DRAINED) {
		if (c->phase == PH_DRAINING)
			front_drained(c);
		return;
	}
	if (ev == CONN_ERROR)
		front_log(&c->s, LOG_LOW, "connection lost: %s",
		    conn_error(c->s.conn));
	front_close(&c->s);
}

void
front_event(struct conn *conn, enum conn_event ev, char *line, size_t len,
    void *arg)
{
	struct client *c = arg;

	if (ev == CONN_SECURE) {
		c->s.tls = true;
		if (c->phase == PH_SHAKING) {
			start_front(c);
			return;
		}
	}
	if (c->phase != PH_FRONT) {
		quiet_event(c, ev);
		return;
	}
	front_client_event(front_def, &c->s, ev, line, len);
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
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->s.conn = conn_new(proc_base(), fd, front_event, c);
	if (c->s.conn == NULL) {
		free(c);
		return NULL;
	}
	c->door = d;
	d->refs++;
	c->slot = slot;
	c->s.listener = d->l;
	c->s.submission = d->l->submission;
	c->s.id = limit_next_id();
	c->s.peer_port = port;
	snprintf(c->s.peer, sizeof(c->s.peer), "%s", peer);
	describe_local(c, fd);
	snprintf(c->s.tag, sizeof(c->s.tag), "%s-%06u([%.46s])",
	    front_def->tag, c->s.id, peer);
	LIST_INSERT_HEAD(&byid[c->s.id % BUCKETS], c, byid);
	LIST_INSERT_HEAD(&clients, c, all);
	n_sessions++;
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
		start_front(c);
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
	if (stopping || !to_ip16(peer, ip16) ||
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
	start_front(c);
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
	if (!resting && !stopping)
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

/* --- settings, certificates, shared memory --- */

static void
set_clients(const struct val *all)
{
	struct iplist *l;
	int line;

	l = iplist_parse(settings_text(all, "Protection", "ClientIPs"), &line);
	if (l == NULL) {
		log_warnx("Client IP Addresses: line %d makes no sense", line);
		return;
	}
	iplist_free(client_ips);
	client_ips = l;
}

static void
set_hostname(const struct val *all)
{
	const char *name = dict_str(dict_get(all, "Main"), "DomainName", "");

	if (*name == '\0')
		name = proc_conf()->hostname;
	free(hostname);
	hostname = xstrdup(name != NULL ? name : "localhost");
}

/* Authd has the same; without it nobody's SCRAM proof will be right. */
static void
read_salt_key(void)
{
	const char *hex = dict_str(proc_conf()->conf, "SaltKey", "");
	unsigned int byte;
	size_t i;

	if (strspn(hex, "0123456789abcdef") != 2 * sizeof(salt_key))
		return;
	for (i = 0; i < sizeof(salt_key); i++) {
		sscanf(hex + 2 * i, "%2x", &byte);
		salt_key[i] = byte;
	}
}

bool
front_sasl_secure(void)
{
	return secure_sasl;
}

const unsigned char *
front_salt_key(void)
{
	return salt_key;
}

const char *
front_hostname(void)
{
	return hostname;
}

/* Settings come before front_init() for the first time. */
void
front_settings(const struct val *all)
{
	const struct val *l;

	if (front_def == NULL)
		return;
	l = settings_value(all, front_def->module, "Listener");
	max_all = dict_int(l, "MaxInputChannels", 1000);
	max_same = dict_int(l, "MaxFromSameAddress", 100);
	clear_login = settings_bool(all, "Main", "ClearTextLogin");
	secure_sasl = settings_bool(all, "Main", "AdvertiseSecureSASL");
	log_set_level(settings_int(all, front_def->module, "LogLevel"));
	set_clients(all);
	set_hostname(all);
	front_idle_settings(all);
}

static void
share_ticket_key(void)
{
	const void *key = limit_ticket_key();

	if (tls != NULL && key != NULL)
		tls_ticket_key(tls, key);
}

static void
on_key_check(int fd, short what, void *arg)
{
	share_ticket_key();
}

/* A descriptor a client: the usual soft limit would be met at 1000. */
static void
raise_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
}

void
front_init(const struct front_def *d)
{
	static const struct timeval hour = { .tv_sec = KEY_CHECK };

	front_def = d;
	read_salt_key();
	raise_limit();
	keep_spare();
	rest = event_new(proc_base(), -1, 0, on_rested, NULL);
	tls_timer = event_new(proc_base(), -1, EV_PERSIST, on_key_check, NULL);
	if (rest == NULL || tls_timer == NULL ||
	    event_add(tls_timer, &hour) == -1)
		fatalx("no timer");
	if (proc_settings() != NULL)
		front_settings(proc_settings());
}

void
front_tls(const char *pem, size_t len)
{
	struct tls_ctx *t;

	t = tls_server(pem, len);
	if (t == NULL)
		return;		/* the old one serves on */
	tls_free(tls);
	tls = t;
	share_ticket_key();
}

struct tls_ctx *
front_tls_ctx(void)
{
	return tls;
}

uint32_t
front_rate(struct front_session *s, enum front_rate what, uint32_t seconds)
{
	return limit_rate(front_client(s)->slot, what, seconds);
}

int
front_starttls(struct front_session *s)
{
	return conn_starttls(s->conn, tls);
}

void
front_shared(const char *module, int fd)
{
	if (strcmp(module, front_def->module) == 0) {
		limit_open(fd);
		share_ticket_key();
	}
	close(fd);
}

bool
front_clear_ok(const struct front_session *s)
{
	return s->tls || clear_login || ip_is_loopback(s->peer) ||
	    iplist_has(client_ips, s->peer);
}

void
front_status(struct val *d)
{
	dict_setf(d, "Sessions", "%llu", (unsigned long long)n_sessions);
	dict_setf(d, "AllSessions", "%d", limit_total());
	dict_setf(d, "Accepted", "%llu", (unsigned long long)n_accepted);
	dict_setf(d, "Refused", "%llu", (unsigned long long)n_refused);
	dict_setf(d, "Idle", "%u", front_idle_count());
	dict_setf(d, "HandedOver", "%llu", (unsigned long long)n_given);
}

/* --- the end --- */

/* Clients that are stored's own do not need us any more. */
static void
on_stop_tick(int fd, short what, void *arg)
{
	struct client *c;
	int own = 0, pumps = 0;

	stopping++;
	LIST_FOREACH(c, &clients, all) {
		own += c->phase < PH_GIVEN;
		pumps += c->phase == PH_PUMPED;
	}
	if ((own == 0 || stopping > STOP_OWN * 20) &&
	    (pumps == 0 || stopping > STOP_PUMPS * 20))
		proc_exit(0);
}

bool
front_stopping(void)
{
	return stopping != 0;
}

void
front_stop(void)
{
	static const struct timeval tick = { .tv_usec = 50000 };
	struct client *c, *next;
	struct event *ev;
	struct door *d;

	if (stopping)
		return;
	stopping = 1;
	while ((d = LIST_FIRST(&doors)) != NULL)
		door_close(d);
	for (c = LIST_FIRST(&clients); c != NULL; c = next) {
		next = LIST_NEXT(c, all);
		if (c->phase == PH_IDLE)
			front_idle_bye(c, "the server is shutting down");
		else if (c->phase == PH_FRONT)
			front_def->stop(&c->s);
	}
	ev = event_new(proc_base(), -1, EV_PERSIST, on_stop_tick, NULL);
	if (ev == NULL || event_add(ev, &tick) == -1)
		proc_exit(0);
}

/* --- what stored says --- */

static void
got_session_end(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	struct client *c = front_find(pkt->session);

	/* A pump ends by itself, when its last byte is sent. */
	if (c != NULL && c->phase == PH_GIVEN)
		front_forget(c);
}

const struct ipc_disp front_stored_disp[] = {
	{ IPC_SESSION_END, got_session_end },
	{ IPC_SESSION_IDLE, front_got_idle },
	{ IPC_SESSION_WAKE, front_got_wake },
	{ IPC_SESSION_TELL, front_got_tell },
	{ IPC_NONE, NULL }
};

void
front_peer_down(enum proc_id id, int instance, struct ipc *ipc)
{
	struct client *c, *next;

	if (id != PROC_STORED)
		return;
	for (c = LIST_FIRST(&clients); c != NULL; c = next) {
		next = LIST_NEXT(c, all);
		if (c->phase == PH_GIVEN)
			front_forget(c);
		else if (c->phase == PH_IDLE)
			front_idle_bye(c, "the server starts again");
	}
}

void
front_given(void)
{
	n_given++;
}
