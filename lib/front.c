/*
 * The life of a front's session from the door (front_door.c) to its end, and
 * what all of them go by: settings, TLS, what stored says.  Runs in every
 * front, in an empty root; it owns nothing and must never block.
 */
#include <sys/types.h>
#include <sys/resource.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "front_int.h"
#include "iplist.h"
#include "log.h"
#include "settings.h"
#include "tls.h"

enum { BUCKETS = 4096, STOP_OWN = 10, STOP_PUMPS = 2, KEY_CHECK = 3600 };

const struct front_def	*front_def;

static LIST_HEAD(, client)	 clients = LIST_HEAD_INITIALIZER(clients);
static LIST_HEAD(bucket, client) byid[BUCKETS];
static struct tls_ctx		*tls;
static struct event		*tls_timer;	/* looks for a new ticket key */
static struct iplist		*client_ips;
static char			*hostname;
static unsigned char		 salt_key[SASL_SALTKEY];
static bool			 clear_login, secure_sasl;
static int			 stopping;	/* ticks since then */
static uint64_t			 n_sessions, n_given;

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

struct client *
front_new(struct listener *l, int fd, const char *peer, uint16_t port,
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
	c->slot = slot;
	c->s.listener = l;
	c->s.submission = l->submission;
	c->s.id = limit_next_id();
	c->s.peer_port = port;
	snprintf(c->s.peer, sizeof(c->s.peer), "%s", peer);
	snprintf(c->s.tag, sizeof(c->s.tag), "%s-%06u([%.46s])",
	    front_def->tag, c->s.id, peer);
	LIST_INSERT_HEAD(&byid[c->s.id % BUCKETS], c, byid);
	LIST_INSERT_HEAD(&clients, c, all);
	n_sessions++;
	return c;
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

void
front_start(struct client *c)
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
			front_start(c);
			return;
		}
	}
	if (c->phase != PH_FRONT) {
		quiet_event(c, ev);
		return;
	}
	front_client_event(front_def, &c->s, ev, line, len);
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
	if (front_def == NULL)
		return;
	door_settings(settings_value(all, front_def->module, "Listener"));
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
	door_init();
	tls_timer = event_new(proc_base(), -1, EV_PERSIST, on_key_check, NULL);
	if (tls_timer == NULL || event_add(tls_timer, &hour) == -1)
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
	door_status(d);
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

	if (stopping)
		return;
	stopping = 1;
	door_close_all();
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
