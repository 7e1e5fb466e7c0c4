/*
 * A front's two requests: a login to authd, and the client to stored.  Each
 * is a small object that outlives its client: an answer that comes too late
 * is taken by nobody but its ticket is given back.
 */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "front_int.h"
#include "log.h"

enum { MAXNAME = 512, MAXSECRET = 1024, MAXCERTS = 16384 };

struct front_req {
	uint32_t	 id;		/* the client's */
	bool		 bad;		/* more than AUTH can say */
	int		 pair;		/* our end, to be pumped; or -1 */
	void		(*cb)(struct front_session *,
			    const struct msg_authed *);
};

static struct front_req *
req_new(struct client *c)
{
	struct front_req *r = xcalloc(1, sizeof(*r));

	r->id = c->s.id;
	r->pair = -1;
	c->req = r;
	return r;
}

/* The client goes; the request stays until it is answered. */
void
front_req_drop(struct client *c)
{
	if (c->req != NULL && c->req->pair != -1) {
		close(c->req->pair);
		c->req->pair = -1;
	}
	c->req = NULL;
}

/* Whose it was; NULL when that client is gone. */
static struct client *
req_client(struct front_req *r)
{
	struct client *c = front_find(r->id);

	if (c == NULL || c->req != r)
		return NULL;
	c->req = NULL;
	return c;
}

/* --- AUTH --- */

static void
give_back(const struct ipc_pkt *pkt)
{
	const struct msg_authed *m = pkt->m;
	struct msg_ticket_end end = { .ticket = m->ticket };

	if (m->code == 0 && m->ticket.len > 0)
		ipc_send(proc_peer(PROC_AUTHD), IPC_TICKET_END, 0, &end, -1);
}

static void
auth_answered(const struct ipc_pkt *pkt, void *arg)
{
	struct msg_authed none = { .code = 2, .reason = "TEMP",
		.text = "cannot be checked now", .account = "",
		.mailbox = "", .proof = "" };
	struct front_req *r = arg;
	struct client *c = req_client(r);

	if (r->bad) {
		none.code = 1;
		none.reason = "AUTH";
		none.text = "name or password too long";
	}
	if (c == NULL) {
		if (pkt != NULL)
			give_back(pkt);
	} else {
		/* Nothing is told before this callback has returned. */
		conn_resume(c->s.conn);
		if (pkt != NULL && ((const struct msg_authed *)pkt->m)->roams)
			roam_begin(c);
		r->cb(&c->s, pkt != NULL ? pkt->m : &none);
	}
	free(r);
}

void
front_auth(struct front_session *s, const char *method, const char *name,
    const char *authz, const void *secret, size_t secretlen,
    const char *challenge,
    void (*cb)(struct front_session *, const struct msg_authed *))
{
	struct client *c = front_client(s);
	struct front_req *r = req_new(c);
	struct msg_auth m = {
		.service = front_def->module, .method = method, .name = name,
		.authz = authz, .secret = { secret, secretlen },
		.challenge = challenge, .peer = s->peer, .local = s->local,
		.tls = s->tls
	};

	struct buf certs;

	r->cb = cb;
	conn_pause(s->conn);
	r->bad = strlen(name) > MAXNAME || strlen(authz) > MAXNAME ||
	    strlen(challenge) > SASL_CHALLENGE || secretlen >
	    (front_is_token(method) ? SASL_TOKEN : MAXSECRET);
	if (r->bad) {
		memset(&m, 0, sizeof(m));
		ipc_call(NULL, IPC_AUTH, 0, &m, -1, 0, auth_answered, r);
		return;
	}
	buf_init(&certs, MAXCERTS);
	if (strcmp(method, "EXTERNAL") == 0 && conn_certs(s->conn, &certs))
		m.certs = (struct ipc_str){ certs.p, certs.len };
	ipc_call(proc_peer(PROC_AUTHD), IPC_AUTH, s->id, &m, -1, IPC_TIMEOUT,
	    auth_answered, r);
	buf_free(&certs);
}

/* --- SESSION --- */

static void
refused(struct client *c, const char *text)
{
	c->phase = PH_FRONT;
	conn_resume(c->s.conn);
	c->failed(&c->s, text);
}

/*
 * Nobody knows whether stored has passed the client on, or will: what is said
 * here is the last, and a socket of its own must be of no use to a worker.
 */
static void
unanswered(struct client *c)
{
	uint32_t id = c->s.id;

	c->failed(&c->s, "the account cannot be opened now");
	if ((c = front_find(id)) == NULL)
		return;
	(void)conn_hold(c->s.conn);	/* sends it */
	if (!c->s.tls)
		shutdown(conn_fd(c->s.conn), SHUT_RDWR);
	front_close(&c->s);
}

static void
pump_done(void *arg)
{
	front_part(arg);
}

static void
pump_to(struct client *c, int fd)
{
	struct conn *conn = c->s.conn;

	c->phase = PH_PUMPED;
	if (conn_pump_fd(conn, fd, pump_done, c) == -1) {
		close(fd);
		conn_free(conn);
		front_forget(c);
	}
}

static void
given(struct client *c, struct front_req *r)
{
	struct conn *conn = c->s.conn;
	int pair = r->pair;

	r->pair = -1;
	front_given();
	front_end(c);
	if (pair == -1) {
		c->phase = PH_GIVEN;
		c->s.conn = NULL;
		conn_free(conn);	/* the worker has its own fd */
		return;
	}
	pump_to(c, pair);
}

void
front_turn(struct front_session *s, int fd)
{
	struct client *c = front_client(s);

	front_end(c);
	pump_to(c, fd);
}

static void
session_answered(const struct ipc_pkt *pkt, void *arg)
{
	struct front_req *r = arg;
	struct client *c = req_client(r);
	const struct msg_done *m = pkt != NULL ? pkt->m : NULL;

	if (c != NULL && m == NULL)
		unanswered(c);
	else if (c != NULL && m->code == 0)
		given(c, r);
	else if (c != NULL)
		refused(c, m->text);
	if (r->pair != -1)
		close(r->pair);
	free(r);
}

/* The descriptor for the worker; r keeps a pump's near end. */
static int
worker_end(struct client *c, struct front_req *r)
{
	int sv[2];

	if (!c->s.tls)
		return fcntl(conn_fd(c->s.conn), F_DUPFD_CLOEXEC, 0);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    sv) == -1)
		return -1;
	r->pair = sv[0];
	return sv[1];
}

/* All output is sent and nothing is read: the client can be offered. */
void
front_drained(struct client *c)
{
	struct evbuffer *in = conn_input(c->s.conn);
	struct msg_session m = { .tag = c->s.tag, .peer = c->s.peer,
		.tls = c->s.tls,
		.hello = c->s.hello != NULL ? c->s.hello : "" };
	struct front_req *r;
	int fd;

	m.ticket = (struct ipc_str){ c->ticket, FRONT_TICKET };
	if (!c->s.tls) {	/* else it goes through the pump */
		m.input.len = evbuffer_get_length(in);
		m.input.p = evbuffer_pullup(in, -1);
	}
	if (m.input.len > FRONT_MAXINPUT) {
		refused(c, "too much was sent ahead");
		return;
	}
	if (proc_peer(PROC_STORED) == NULL) {
		refused(c, "the account cannot be opened now");
		return;
	}
	r = req_new(c);
	fd = worker_end(c, r);
	if (fd == -1) {
		log_warn("no descriptor for a worker");
		front_req_drop(c);
		free(r);
		refused(c, "the account cannot be opened now");
		return;
	}
	c->phase = PH_OFFERED;
	ipc_call(proc_peer(PROC_STORED), IPC_SESSION, c->s.id, &m, fd,
	    IPC_TIMEOUT, session_answered, r);
}

void
front_handover(struct front_session *s, const void *ticket,
    void (*failed)(struct front_session *, const char *text))
{
	struct client *c = front_client(s);

	memcpy(c->ticket, ticket, FRONT_TICKET);
	c->failed = failed;
	c->phase = PH_DRAINING;
	if (conn_hold(s->conn) == 0)
		front_drained(c);
}
