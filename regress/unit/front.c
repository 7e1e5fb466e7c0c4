/*
 * The fronts' common part, with a front, an authd and a stored that exist in
 * this test only: the proc_ calls below stand in for lib/proc.
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <netinet/in.h>
#include <arpa/inet.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include <cmocka.h>

#include "front.h"
#include "front_int.h"
#include "log.h"
#include "tls.h"

static struct event_base *base;
static struct proc_conf	 conf;
static struct val	*all;
static struct ipc	*authd, *stored;	/* the front's ends */
static struct ipc	*authd_far, *stored_far;
static uint16_t		 port, tls_port, deny_port;

/* What the doubles saw, and shall answer. */
static int		 started, ended, ticket_ends;
static struct front_session *last;
static char		 said[1000], tag[64], input[100];
static int		 auth_code, done_code, given_fd = -1;
static bool		 auth_waits, session_waits;
static struct ipc_ref	 auth_ref;
static uint32_t		 given_id;

struct event_base *
proc_base(void)
{
	return base;
}

const struct proc_conf *
proc_conf(void)
{
	return &conf;
}

const struct val *
proc_settings(void)
{
	return all;
}

struct ipc *
proc_peer(enum proc_id id)
{
	return id == PROC_AUTHD ? authd : id == PROC_STORED ? stored : NULL;
}

void
proc_exit(int status)
{
	exit(status);
}

/* --- authd and stored --- */

static void
answer_auth(void)
{
	struct msg_authed a = { .code = auth_code, .reason = "",
		.text = "told", .account = "john@x", .mailbox = "",
		.proof = "",
		.ticket = { "0123456789abcdef", 16 } };

	ipc_answer(auth_ref, IPC_AUTHED, &a, -1);
}

static void
got_auth(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_auth *m = pkt->m;

	snprintf(said + strlen(said), sizeof(said) - strlen(said),
	    "AUTH %s %s %s %.*s from %s tls %d;", m->service, m->method,
	    m->name, (int)m->secret.len, (const char *)m->secret.p, m->peer,
	    m->tls);
	auth_ref = ipc_ref(ipc, pkt);
	if (!auth_waits)
		answer_auth();
}

static void
got_ticket_end(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	ticket_ends++;
}

static void
got_session(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_session *m = pkt->m;
	struct msg_done d = { .code = done_code, .text = "not now" };

	assert_memory_equal(m->ticket.p, "0123456789abcdef", 16);
	snprintf(tag, sizeof(tag), "%s", m->tag);
	snprintf(input, sizeof(input), "%.*s", (int)m->input.len,
	    (const char *)m->input.p);
	given_fd = ipc_take_fd(pkt);
	given_id = pkt->session;
	if (done_code != 0) {
		close(given_fd);
		given_fd = -1;
	}
	if (!session_waits)
		ipc_answer(ipc_ref(ipc, pkt), IPC_DONE, &d, -1);
}

static const struct ipc_disp authd_disp[] = {
	{ IPC_AUTH, got_auth }, { IPC_TICKET_END, got_ticket_end },
	{ IPC_NONE, NULL }
};
static const struct ipc_disp stored_disp[] = {
	{ IPC_SESSION, got_session }, { IPC_NONE, NULL }
};

/* --- a front --- */

static void
start(struct front_session *s)
{
	started++;
	last = s;
	conn_printf(s->conn, "hello%s\r\n", s->tls ? " secure" : "");
}

static void
end(struct front_session *s)
{
	ended++;
}

static void
not_given(struct front_session *s, const char *text)
{
	conn_printf(s->conn, "failed: %s\r\n", text);
}

static void
authed(struct front_session *s, const struct msg_authed *m)
{
	conn_printf(s->conn, "%d %s\r\n", m->code, m->reason);
	if (m->code == 0)
		front_handover(s, m->ticket.p, not_given);
}

static void
line_in(struct front_session *s, char *line, size_t len)
{
	char big[600];

	if (strcmp(line, "PASS") == 0)
		front_auth(s, "USER", "john", "", "secret", 6, "", authed);
	else if (strcmp(line, "LONG") == 0) {
		memset(big, 'x', sizeof(big));
		big[599] = '\0';
		front_auth(s, "USER", big, "", "", 0, "", authed);
	} else if (strcmp(line, "STLS") == 0) {
		conn_printf(s->conn, "go\r\n");
		front_starttls(s);
	} else if (strcmp(line, "QUIT") == 0) {
		conn_printf(s->conn, "bye\r\n");
		front_close(s);
	} else
		conn_printf(s->conn, "line %s\r\n", line);
}

static void
nothing(struct front_session *s)
{
}

static const struct front_def def = {
	.module = "POP", .tag = "POP", .id = PROC_POP3D, .size = 1,
	.maxline = 1000, .start = start, .line = line_in, .too_long = nothing,
	.silent = front_close, .stop = nothing, .end = end,
	.busy = "-ERR too many\r\n"
};

/* --- the world around --- */

static void
loop(void)
{
	struct timeval tv = { .tv_usec = 30000 };
	int i;

	for (i = 0; i < 10; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

static void
down(struct ipc *ipc, void *arg)
{
	*(struct ipc **)arg = NULL;
}

static void
pair(struct ipc **near, struct ipc **far, const char *name,
    const struct ipc_disp *nd, const struct ipc_disp *fd)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK,
	    0, sv), 0);
	*near = ipc_new(base, sv[0], name, nd, down, near);
	*far = ipc_new(base, sv[1], "front", fd, down, far);
}

static uint16_t
listen_at(bool tls, const char *restriction, const char *addresses)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct listener *l = calloc(1, sizeof(*l));
	int on = 1;
	socklen_t len = sizeof(sin);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	l->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(l->fd, (void *)&sin, sizeof(sin)), 0);
	getsockname(l->fd, (void *)&sin, &len);
	/* A port that was not chosen is lost when the socket is shut down. */
	close(l->fd);
	l->fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(l->fd, (void *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(l->fd, 20), 0);
	l->module = strdup("POP");
	l->address = strdup("127.0.0.1");
	l->port = ntohs(sin.sin_port);
	l->restriction = strdup(restriction);
	l->addresses = strdup(addresses);
	l->tls = tls;
	front_listen(l);
	return ntohs(sin.sin_port);
}

static int
client(uint16_t to)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(to) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (void *)&sin, sizeof(sin)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void
say(int fd, const char *s)
{
	assert_int_equal(send(fd, s, strlen(s), MSG_NOSIGNAL), strlen(s));
}

static void
hear(int fd, const char *s)
{
	char got[1000] = "";
	size_t have = 0, want = strlen(s);
	ssize_t n;
	int i;

	for (i = 0; i < 20 && have < want; i++) {
		loop();
		n = recv(fd, got + have, sizeof(got) - 1 - have, 0);
		have += n > 0 ? n : 0;
	}
	assert_string_equal(got, s);
}

static void
gone(int fd)
{
	char x;

	loop();
	assert_true(recv(fd, &x, 1, 0) == 0 || errno == ECONNRESET);
	close(fd);
	loop();
}

static int
shared_fd(void)
{
	static int fd = -1;

	if (fd == -1) {
		fd = memfd_create("shared", MFD_CLOEXEC);
		assert_int_equal(ftruncate(fd, 1024 * 1024), 0);
	}
	return dup(fd);
}

static int
setup(void **state)
{
	const char *text = "{POP={Listener={MaxFromSameAddress=2;"
	    "MaxInputChannels=3;};};Protection={ClientIPs=\"10.0.0.0/8\";};}";
	const char *err;
	struct buf pem;

	base = event_base_new();
	all = val_parse_all(text, strlen(text), &err);
	assert_non_null(all);
	front_settings(all);
	front_init(&def);
	front_shared("SMTP", dup(0));
	front_shared("POP", shared_fd());
	buf_init(&pem, 0);
	tls_selfsigned("x.example", &pem);
	front_tls(pem.p, pem.len);
	buf_free(&pem);
	assert_non_null(front_tls_ctx());
	pair(&authd, &authd_far, "authd", NULL, authd_disp);
	pair(&stored, &stored_far, "stored", front_stored_disp, stored_disp);
	port = listen_at(false, "", "");
	tls_port = listen_at(true, "", "");
	deny_port = listen_at(false, "Deny", "127.0.0.0/8");
	loop();
	return 0;
}

static int
fresh(void **state)
{
	started = ended = ticket_ends = 0;
	auth_code = done_code = 0;
	auth_waits = session_waits = false;
	said[0] = tag[0] = input[0] = '\0';
	given_fd = -1;
	assert_int_equal(limit_total(), 0);
	return 0;
}

/* --- tests --- */

static void
talk(void **state)
{
	int fd = client(port);

	hear(fd, "hello\r\n");
	assert_int_equal(started, 1);
	snprintf(said, sizeof(said), "POP-%06u([127.0.0.1])", last->id);
	assert_string_equal(last->tag, said);
	assert_string_equal(last->local, "127.0.0.1");
	assert_int_equal(last->local_port, port);
	assert_true(front_clear_ok(last));
	say(fd, "x\r\nQUIT\r\nmore\r\n");
	hear(fd, "line x\r\nbye\r\n");
	assert_int_equal(ended, 1);
	gone(fd);
}

/* Whoever was told to go and does not still takes a place. */
static void
stays(void **state)
{
	char big[20000];
	int fd = client(port);

	hear(fd, "hello\r\n");
	memset(big, 'x', sizeof(big));
	memcpy(big, "QUIT\r\n", 6);
	big[sizeof(big) - 1] = '\0';
	say(fd, big);
	hear(fd, "bye\r\n");
	assert_int_equal(ended, 1);
	assert_int_equal(limit_total(), 1);
	gone(fd);
	assert_int_equal(limit_total(), 0);
}

static void
too_many(void **state)
{
	int a = client(port), b, c;

	hear(a, "hello\r\n");
	b = client(port);
	hear(b, "hello\r\n");
	c = client(port);
	hear(c, "-ERR too many\r\n");
	gone(c);
	close(a);
	loop();
	c = client(port);
	hear(c, "hello\r\n");
	close(b);
	close(c);
	loop();
	assert_int_equal(started, ended);
}

/* Any process that shares a listener can do this to it. */
static void
shut_down(void **state)
{
	int fd = client(port);

	hear(fd, "hello\r\n");
	assert_int_equal(shutdown(last->listener->fd, SHUT_RDWR), 0);
	loop();
	close(fd);
	fd = client(port);
	hear(fd, "hello\r\n");
	close(fd);
	loop();
}

static void
restricted(void **state)
{
	int fd = client(deny_port);

	gone(fd);
	assert_int_equal(started, 0);
	front_unlisten("POP");
	port = listen_at(false, "Grant", "10.0.0.1");
	fd = client(port);
	gone(fd);
	front_unlisten("POP");
	port = listen_at(false, "Deny", "nonsense");
	fd = client(port);
	gone(fd);
	front_unlisten("SMTP");
	front_unlisten("POP");
	port = listen_at(false, "Grant", "127.0.0.1");
	tls_port = listen_at(true, "", "");
}

static void
clear_ok(void **state)
{
	struct front_session s = { .peer = "192.0.2.1" };

	assert_false(front_clear_ok(&s));
	snprintf(s.peer, sizeof(s.peer), "10.9.9.9");
	assert_true(front_clear_ok(&s));
	snprintf(s.peer, sizeof(s.peer), "192.0.2.1");
	s.tls = true;
	assert_true(front_clear_ok(&s));
}

static void
login(void **state)
{
	int fd = client(port);

	hear(fd, "hello\r\n");
	auth_code = 1;
	say(fd, "PASS\r\nnext\r\n");
	hear(fd, "1 \r\nline next\r\n");
	assert_string_equal(said,
	    "AUTH POP USER john secret from 127.0.0.1 tls 0;");
	say(fd, "LONG\r\n");
	hear(fd, "1 AUTH\r\n");
	/* The client leaves before the answer: nobody keeps the ticket. */
	auth_code = 0;
	auth_waits = true;
	say(fd, "PASS\r\n");
	loop();
	front_close(last);
	gone(fd);
	answer_auth();
	loop();
	assert_int_equal(ticket_ends, 1);
	assert_int_equal(started, ended);
}

static void
handover(void **state)
{
	struct msg_session_end m = { 0 };
	int fd = client(port);

	hear(fd, "hello\r\n");
	say(fd, "PASS\r\nSTAT\r\nRETR");
	hear(fd, "0 \r\n");
	assert_true(given_fd >= 0);
	assert_string_equal(input, "STAT\r\nRETR");
	assert_int_equal(strncmp(tag, "POP-", 4), 0);
	assert_int_equal(ended, 1);
	say(fd, " 1\r\n");
	hear(given_fd, " 1\r\n");
	say(given_fd, "+OK mail\r\n");
	hear(fd, "+OK mail\r\n");
	assert_int_equal(limit_total(), 1);
	close(given_fd);
	gone(fd);
	ipc_send(stored_far, IPC_SESSION_END, given_id, &m, -1);
	ipc_send(stored_far, IPC_SESSION_END, given_id, &m, -1);
	loop();
}

static void
not_taken(void **state)
{
	char big[9000];
	int fd = client(port);

	hear(fd, "hello\r\n");
	done_code = 2;
	say(fd, "PASS\r\nSTAT\r\n");
	hear(fd, "0 \r\nfailed: not now\r\nline STAT\r\n");
	memset(big, 'x', sizeof(big));
	memcpy(big, "PASS\r\n", 6);
	memcpy(big + 8990, "\r\nQUIT\r\n", 9);
	say(fd, big);
	/* What was read before the pause fits: stored is asked. */
	hear(fd, "0 \r\nfailed: not now\r\nbye\r\n");
	gone(fd);
	assert_int_equal(ended, 1);
}

static SSL *
secure(SSL_CTX *ctx, int fd)
{
	SSL *ssl = SSL_new(ctx);
	int i;

	SSL_set_fd(ssl, fd);
	for (i = 0; i < 20 && SSL_connect(ssl) != 1; i++)
		loop();
	return ssl;
}

static void
tls_hear(SSL *ssl, const char *s)
{
	char got[1000] = "";
	int i, n = 0, have = 0;

	for (i = 0; i < 20 && (size_t)have < strlen(s); i++) {
		loop();
		n = SSL_read(ssl, got + have, sizeof(got) - 1 - have);
		have += n > 0 ? n : 0;
	}
	assert_string_equal(got, s);
}

static void
over_tls(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int fd = client(tls_port);
	SSL *ssl;

	ssl = secure(ctx, fd);
	tls_hear(ssl, "hello secure\r\n");
	SSL_write(ssl, "PASS\r\nSTAT\r\n", 12);
	tls_hear(ssl, "0 \r\n");
	assert_string_equal(said,
	    "AUTH POP USER john secret from 127.0.0.1 tls 1;");
	assert_string_equal(input, "");
	assert_true(given_fd >= 0);
	hear(given_fd, "STAT\r\n");
	say(given_fd, "+OK 0 0\r\n");
	tls_hear(ssl, "+OK 0 0\r\n");
	assert_int_equal(limit_total(), 1);
	close(given_fd);
	tls_hear(ssl, "");
	SSL_free(ssl);
	close(fd);
	loop();

	fd = client(port);
	hear(fd, "hello\r\n");
	say(fd, "STLS\r\n");
	hear(fd, "go\r\n");
	ssl = secure(ctx, fd);
	done_code = 1;
	SSL_write(ssl, "PASS\r\nSTAT\r\n", 12);
	tls_hear(ssl, "0 \r\nfailed: not now\r\nline STAT\r\n");
	SSL_free(ssl);
	close(fd);
	loop();

	/* No TLS where TLS is wanted. */
	started = ended = 0;
	fd = client(tls_port);
	say(fd, "QUIT\r\n");
	gone(fd);
	assert_int_equal(started, 0);
	SSL_CTX_free(ctx);
}

static void
peers_down(void **state)
{
	struct ipc *was;
	int fd, other;

	fd = client(port);
	hear(fd, "hello\r\n");
	say(fd, "PASS\r\n");
	hear(fd, "0 \r\n");
	other = client(port);
	hear(other, "hello\r\n");
	assert_int_equal(limit_total(), 2);
	was = stored;
	ipc_free(stored_far);
	loop();
	front_peer_down(PROC_STORED, 0, was);
	assert_int_equal(limit_total(), 1);
	close(given_fd);
	gone(fd);
	say(other, "PASS\r\n");
	hear(other, "0 \r\nfailed: the account cannot be opened now\r\n");
	ipc_free(authd_far);
	loop();
	say(other, "PASS\r\n");
	hear(other, "2 TEMP\r\n");
	close(other);
	loop();
}

/* Perhaps a worker has the client: it must not have it, too. */
static void
unanswered(void **state)
{
	char x;
	int fd;

	session_waits = true;
	fd = client(port);
	hear(fd, "hello\r\n");
	say(fd, "PASS\r\nSTAT\r\n");
	hear(fd, "0 \r\n");
	assert_true(given_fd >= 0);
	assert_int_equal(ended, 0);
	ipc_free(stored_far);
	hear(fd, "failed: the account cannot be opened now\r\n");
	assert_int_equal(ended, 1);
	assert_int_equal(recv(given_fd, &x, 1, MSG_DONTWAIT), 0);
	assert_int_equal(send(given_fd, "x", 1, MSG_NOSIGNAL), -1);
	close(given_fd);
	gone(fd);
	assert_int_equal(limit_total(), 0);
	pair(&stored, &stored_far, "stored", front_stored_disp, stored_disp);
	loop();
}

/* Another process of the module, as far as counting goes. */
static pid_t
sibling(int clients, bool expected)
{
	static const unsigned char ip[16] = { 1, 2, 3 };
	struct slot *slot;
	pid_t pid = fork();
	bool ok = true;

	if (pid != 0)
		return pid;
	while (clients-- > 0)
		ok = limit_enter(ip, 0, 3, &slot);
	_exit(ok == expected ? 0 : 1);	/* leaving nothing behind: killed */
}

static void
wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
shared_limits(void **state)
{
	static const unsigned char ip[16] = { 1, 2, 3 };
	struct slot *slot, *mine[3];
	unsigned char other[16] = { 0 };
	uint32_t id;
	int i;

	/* This process's clients are counted by the sibling. */
	for (i = 0; i < 3; i++)
		assert_true(limit_enter(ip, 0, 3, &mine[i]));
	wait_for(sibling(1, false));
	limit_leave(mine[0]);
	assert_true(limit_enter(ip, 0, 3, &mine[0]));
	assert_false(limit_enter(ip, 0, 3, &slot));
	for (i = 0; i < 3; i++)
		limit_leave(mine[i]);
	/* Many addresses: places are used again. */
	for (i = 0; i < 100000; i++) {
		memcpy(other, &i, sizeof(i));
		assert_true(limit_enter(other, 0, 1, &slot));
		assert_non_null(slot);
		limit_leave(slot);
	}
	assert_int_equal(limit_total(), 0);
	id = limit_next_id();
	assert_int_equal(limit_next_id(), id + 1);
	assert_non_null(limit_ticket_key());
}

/* What came from an address is counted on when it comes again. */
static void
rates(void **state)
{
	unsigned char ip[16] = { [10] = 0xff, 0xff, 192, 0, 2, 1 };
	unsigned char v6[16] = { 0x20, 1, 0xd, 0xb8 };
	struct slot *slot, *other;
	uint32_t i;

	assert_true(limit_enter(ip, 0, 0, &slot));
	for (i = 1; i <= 5; i++)
		assert_int_equal(limit_rate(slot, FRONT_MESSAGES, 60), i);
	assert_int_equal(limit_rate(slot, FRONT_ERRORS, 60), 1);
	limit_leave(slot);
	ip[15]++;
	assert_true(limit_enter(ip, 0, 0, &other));
	assert_int_equal(limit_rate(other, FRONT_MESSAGES, 60), 1);
	limit_leave(other);
	ip[15]--;
	assert_true(limit_enter(ip, 0, 0, &slot));
	assert_int_equal(limit_rate(slot, FRONT_MESSAGES, 60), 6);
	/* A shorter time is so at once; a time that is over begins anew. */
	assert_int_equal(limit_rate(slot, FRONT_MESSAGES, 1), 1);
	sleep(2);
	assert_int_equal(limit_rate(slot, FRONT_MESSAGES, 1), 1);
	limit_leave(slot);
	assert_int_equal(limit_rate(NULL, FRONT_MESSAGES, 60), 0);
	/* One network, whatever the host. */
	assert_true(limit_enter(v6, 0, 0, &slot));
	assert_int_equal(limit_rate(slot, FRONT_CONNECTS, 60), 1);
	v6[15] = 7;
	assert_true(limit_enter(v6, 0, 0, &other));
	assert_ptr_equal(slot, other);
	limit_leave(slot);
	limit_leave(other);
	assert_int_equal(limit_total(), 0);
}

/*
 * The dead leave no counts: whoever comes in their place clears them.  Runs
 * before this process has mapped the memory itself.
 */
static void
reborn(void **state)
{
	static const unsigned char ip[16] = { 9 };
	struct slot *slot;
	pid_t pid;
	int i, fd;
	bool ok;

	close(shared_fd());
	for (i = 0; i < 4; i++) {
		pid = fork();
		if (pid != 0) {
			wait_for(pid);
			continue;
		}
		conf.instance = 5;
		fd = shared_fd();
		limit_open(fd);
		ok = limit_total() == 0;
		if (i == 3)
			_exit(ok ? 0 : 1);
		ok = ok && limit_enter(ip, 2, 2, &slot) &&
		    limit_enter(ip, 2, 2, &slot) &&
		    !limit_enter(ip, 2, 2, &slot);
		_exit(ok ? 0 : 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reborn, fresh, setup),
		cmocka_unit_test_setup(talk, fresh),
		cmocka_unit_test_setup(stays, fresh),
		cmocka_unit_test_setup(too_many, fresh),
		cmocka_unit_test_setup(shut_down, fresh),
		cmocka_unit_test_setup(restricted, fresh),
		cmocka_unit_test_setup(clear_ok, fresh),
		cmocka_unit_test_setup(login, fresh),
		cmocka_unit_test_setup(handover, fresh),
		cmocka_unit_test_setup(not_taken, fresh),
		cmocka_unit_test_setup(over_tls, fresh),
		cmocka_unit_test_setup(unanswered, fresh),
		cmocka_unit_test_setup(peers_down, fresh),
		cmocka_unit_test_setup(shared_limits, fresh),
		cmocka_unit_test_setup(rates, fresh),
	};

	signal(SIGPIPE, SIG_IGN);
	log_init("POP", -1, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
