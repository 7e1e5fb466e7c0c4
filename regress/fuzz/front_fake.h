/*
 * A front without a network: conn, front and ipc as the session code sees
 * them, for fuzz targets that feed a whole session.  Answers of peers are
 * made from the input's first bytes.
 */
#ifndef CG_FRONT_FAKE_H
#define CG_FRONT_FAKE_H

#include <event2/buffer.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "front.h"
#include "log.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { FAKE_CALLS = 64 };

struct conn {
	struct evbuffer	*in;
	size_t		 maxline;
	bool		 data, paused, closed, bare, tls;
};

static struct {
	struct conn		 conn;
	struct front_session	 s;
	const struct front_def	*def;
	uint32_t		 dice;
	struct {
		enum ipc_type	 type;
		ipc_answer_cb	*cb;
		void		*arg;
	} call[FAKE_CALLS];
	size_t			 ncalls;
	void			(*authed)(struct front_session *,
				    const struct msg_authed *);
} fake;

static uint32_t
fake_dice(void)
{
	fake.dice = fake.dice * 1664525 + 1013904223;
	return fake.dice >> 16;
}

/* --- conn --- */

void conn_pause(struct conn *c) { c->paused = true; }
void conn_resume(struct conn *c) { c->paused = false; }
void conn_lines(struct conn *c, size_t n) { c->maxline = n; c->data = false; }
void conn_data(struct conn *c) { c->data = true; }
void conn_timeout(struct conn *c, int seconds) { }
bool conn_bare_lf(const struct conn *c) { return c->bare; }
struct evbuffer *conn_input(struct conn *c) { return c->in; }
const char *conn_error(const struct conn *c) { return "error"; }

void
conn_write(struct conn *c, const void *p, size_t len)
{
	if (c->closed)
		panic("output to a session that has ended");
}

void
conn_printf(struct conn *c, const char *fmt, ...)
{
	conn_write(c, NULL, 0);
}

/* --- front --- */

void
front_log(const struct front_session *s, int level, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
}

void
front_vsay(struct front_session *s, const char *fmt, va_list ap)
{
	char text[2048];

	vsnprintf(text, sizeof(text), fmt, ap);
	conn_write(s->conn, NULL, 0);
}

void
front_say(struct front_session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	front_vsay(s, fmt, ap);
	va_end(ap);
}

const char *
front_hostname(void)
{
	return "x.example";
}

bool
front_sasl_secure(void)
{
	return true;
}

const unsigned char *
front_salt_key(void)
{
	static const unsigned char key[SASL_SALTKEY];

	return key;
}

bool
conn_binding(struct conn *c, struct str type, struct buf *out)
{
	return buf_puts(out, "bound");
}

bool
conn_certs(struct conn *c, struct buf *out)
{
	return fake_dice() & 1;
}

void
front_close(struct front_session *s)
{
	if (fake.conn.closed)
		panic("a session ended twice");
	fake.conn.closed = true;
	front_client_end(fake.def, s);
	/* It is freed in a front: let nobody look at it. */
	memset(s, 0xa5, sizeof(*s));
}

void
front_turn(struct front_session *s, int fd)
{
	close(fd);
	front_close(s);
}

struct tls_ctx *
front_tls_ctx(void)
{
	return (struct tls_ctx *)&fake;
}

int
front_starttls(struct front_session *s)
{
	s->tls = true;
	evbuffer_drain(fake.conn.in, evbuffer_get_length(fake.conn.in));
	fake.conn.tls = true;
	return 0;
}

bool
front_clear_ok(const struct front_session *s)
{
	return true;
}

void
front_auth(struct front_session *s, const char *method, const char *name,
    const char *authz, const void *secret, size_t len, const char *challenge,
    void (*cb)(struct front_session *, const struct msg_authed *))
{
	if (strlen(name) + strlen(authz) + strlen(challenge) > 10000 ||
	    (len > 0 && ((const char *)secret)[len - 1] == 1))
		return;
	conn_pause(s->conn);
	fake.authed = cb;
}

void
front_handover(struct front_session *s, const void *ticket,
    void (*failed)(struct front_session *, const char *))
{
	failed(s, fake_dice() & 1 ? "[IN-USE] busy" : "no");
}

uint32_t
front_rate(struct front_session *s, enum front_rate what,
    uint32_t seconds)
{
	return fake_dice() % 6;
}

bool front_stopping(void) { return false; }

/* --- ipc --- */

struct ipc *
proc_peer(enum proc_id id)
{
	return NULL;
}

int
ipc_send(struct ipc *ipc, enum ipc_type t, uint32_t session, const void *m,
    int fd)
{
	return 0;
}

void
ipc_call(struct ipc *ipc, enum ipc_type t, uint32_t session, const void *m,
    int fd, int ms, ipc_answer_cb *cb, void *arg)
{
	if (fake.ncalls == FAKE_CALLS)
		panic("too many calls");
	if (fd != -1)
		close(fd);
	fake.call[fake.ncalls].type = t;
	fake.call[fake.ncalls].cb = cb;
	fake.call[fake.ncalls++].arg = arg;
}

void
ipc_cancel(void *arg)
{
	size_t i, n = 0;

	for (i = 0; i < fake.ncalls; i++)
		if (fake.call[i].arg != arg)
			fake.call[n++] = fake.call[i];
	fake.ncalls = n;
}

int
ipc_take_fd(struct ipc_pkt *pkt)
{
	return open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static void
fake_answer(enum ipc_type type, ipc_answer_cb *cb, void *arg)
{
	uint32_t d = fake_dice();
	struct msg_routed routed = { .code = d % 8 > 2 ? 0 : d % 3,
		.smtp = 550, .esc = "5.1.1", .text = "t\r\nx", .module =
		d & 64 ? "SMTP" : "LOCAL", .host = d & 256 ? "far.example" :
		"ann", .address = d & 512 ? "x@far.example" : "x@[192.0.2.1]",
		.path = "", .domain = "x.example", .alias = "", .source = "",
		.relay = d & 128 ? 1 : 0 };
	struct msg_queue_file file = { .code = d % 8 == 0 ? 2 : 0, .id = d,
		.text = "" };
	struct msg_committed committed = { .code = d % 8 > 2 ? 0 : d % 3,
		.esc = d & 128 ? "5.7.1" : "", .text = "x",
		.more = d & 64 ? d : 0 };
	struct msg_woken woken = { .code = d % 5, .text = "" };
	struct msg_done done = { .code = d % 8 > 2 ? 0 : d % 3, .text = "x" };
	static const char *const records[] = { "127.0.0.2\n", "192.0.2.1\n",
		"10 m.x.example\n0 n.x.example\n", "0 \n",
		"pc.x.example\nmail.spam.example\n", "x\n\n99999 y\n" };
	struct msg_dns_found found = { .code = d % 8 > 4 ? d % 5 : 0,
		.records = records[d / 8 % 6] };
	struct ipc_pkt pkt = { .type = type, .fd = -1 };

	pkt.m = type == IPC_ROUTE ? (void *)&routed :
	    type == IPC_QUEUE_TMP ? (void *)&file :
	    type == IPC_COMMIT ? (void *)&committed :
	    type == IPC_WAKE ? (void *)&woken :
	    type == IPC_DNS_FIND ? (void *)&found : (void *)&done;
	cb(d % 16 == 15 ? NULL : &pkt, arg);
}

static void
fake_authed(void)
{
	static const char ticket[16];
	uint32_t d = fake_dice();
	struct msg_authed m = { .code = d % 3, .reason = d & 8 ? "AUTH" :
		"PRIVACYREQUIRED", .text = "t",
		.account = d & 32 ? "ann@x.example" : "y.example@x.example",
		.proof = d & 16 ? "v=x" : "",
		.ticket = { ticket, sizeof(ticket) }, .mailbox = "" };
	void (*cb)(struct front_session *, const struct msg_authed *);

	cb = fake.authed;
	fake.authed = NULL;
	conn_resume(&fake.conn);
	cb(&fake.s, &m);
}

/* The peers answer what they were asked so far. */
static void
fake_peers(void)
{
	ipc_answer_cb *cb;
	enum ipc_type type;
	void *arg;

	while (fake.ncalls > 0) {
		type = fake.call[0].type;
		cb = fake.call[0].cb;
		arg = fake.call[0].arg;
		fake.ncalls--;
		memmove(fake.call, fake.call + 1,
		    fake.ncalls * sizeof(fake.call[0]));
		fake_answer(type, cb, arg);
	}
	if (fake.authed != NULL && !fake.conn.closed)
		fake_authed();
}

/* --- the client --- */

static void
fake_tell(enum conn_event ev, char *line, size_t len)
{
	front_client_event(fake.def, &fake.s, ev, line, len);
	if (ev != CONN_SECURE && fake.conn.tls && !fake.conn.closed) {
		fake.conn.tls = false;
		fake_tell(CONN_SECURE, NULL, 0);
	}
}

static bool
fake_line(void)
{
	struct evbuffer *in = fake.conn.in;
	size_t have = evbuffer_get_length(in), n;
	char *p = (char *)evbuffer_pullup(in, -1), *lf, *line;

	if (have == 0 || (lf = memchr(p, '\n', have)) == NULL)
		return false;
	n = lf - p;
	fake.conn.bare = n == 0 || p[n - 1] != '\r';
	line = calloc(1, n + 1);
	memcpy(line, p, fake.conn.bare ? n : n - 1);
	evbuffer_drain(in, n + 1);
	if (n > fake.conn.maxline)
		fake_tell(CONN_LONG, NULL, 0);
	else
		fake_tell(CONN_LINE, line, fake.conn.bare ? n : n - 1);
	free(line);
	return true;
}

static void
fake_turn(void)
{
	size_t before;

	for (;;) {
		if (fake.conn.closed)
			return;
		if (fake.conn.paused) {
			fake_peers();
			if (fake.conn.paused)
				return;
			continue;
		}
		if (!fake.conn.data) {
			if (!fake_line())
				return;
			continue;
		}
		before = evbuffer_get_length(fake.conn.in);
		if (before == 0)
			return;
		fake_tell(CONN_DATA, NULL, 0);
		if (!fake.conn.closed && fake.conn.data &&
		    evbuffer_get_length(fake.conn.in) == before)
			panic("data is not taken");
	}
}

/* Four bytes of dice and piece's size, then what the client sends. */
static void
fake_session(const struct front_def *def, const uint8_t *p, size_t len)
{
	size_t piece, n;

	if (len < 4)
		return;
	memset(&fake, 0, sizeof(fake));
	fake.def = def;
	fake.dice = p[0] << 16 | p[1] << 8 | p[2];
	piece = p[3] + 1;
	fake.conn.in = evbuffer_new();
	fake.s.conn = &fake.conn;
	snprintf(fake.s.peer, sizeof(fake.s.peer), "192.0.2.1");
	snprintf(fake.s.local, sizeof(fake.s.local), "192.0.2.2");
	fake.s.submission = p[0] % 4 == 0;
	front_client_start(def, &fake.s);
	for (p += 4, len -= 4; len > 0 && !fake.conn.closed; p += n, len -= n) {
		n = len < piece ? len : piece;
		evbuffer_add(fake.conn.in, p, n);
		fake_turn();
	}
	if (!fake.conn.closed)
		fake_tell(CONN_EOF, NULL, 0);
	fake_peers();
	evbuffer_free(fake.conn.in);
}
#endif
