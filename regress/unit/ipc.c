/*
 * Channels: packing, requests and answers, credits, time-outs, descriptors,
 * bad packets, and what is told when either end goes away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <cmocka.h>

#include "file.h"
#include "ipc.h"
#include "log.h"

static struct event_base *base;

/* What the two ends heard. */
static struct {
	int	requests, plain, down, answers, nulls, fds;
	struct ipc_ref	refs[1024];
	char	text[64];
} heard;

static struct ipc	*left, *right;
static bool		 hold;		/* do not answer yet */
static bool		 wrong;		/* answer with another type */
static int		 answer_fd = -1;	/* goes with the answer */
static struct ipc	*free_this;
static struct ipc_late	 late;

static int
setup(void **state)
{
	base = event_base_new();
	log_set_level(0);
	return base == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	event_base_free(base);
	return 0;
}

static void
turn(void)
{
	int i;

	for (i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
on_down(struct ipc *ipc, void *arg)
{
	heard.down++;
	if (ipc == left)
		left = NULL;
	else
		right = NULL;
	/* Must be harmless. */
	ipc_free(ipc);
	ipc_send(ipc, IPC_TICKET_END, 0, NULL, -1);
}

static void
on_check(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	struct msg_ticket_info m = { .code = 0, .account = "joe@x.dom",
		.rights = "{}" };
	struct msg_done done = { .code = 0, .text = "" };
	const struct msg_ticket_check *c = pkt->m;

	assert_true(c->ticket.len == 2 && memcmp(c->ticket.p, "t\0", 2) == 0);
	heard.refs[heard.requests++] = ipc_ref(ipc, pkt);
	if (wrong)
		ipc_answer(ipc_ref(ipc, pkt), IPC_DONE, &done, -1);
	else if (!hold)
		ipc_answer(ipc_ref(ipc, pkt), IPC_TICKET_INFO, &m, answer_fd);
	answer_fd = -1;
	if (free_this != NULL) {
		ipc_free(free_this);
		free_this = NULL;
	}
}

static void
on_end(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	heard.plain++;
}

static void
on_tls(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ctl_tls *m = pkt->m;
	size_t len;
	char *p;
	int fd = ipc_take_fd(pkt);

	snprintf(heard.text, sizeof(heard.text), "%s", m->name);
	p = file_read_fd(fd, 100, &len);
	if (p != NULL && strcmp(p, "pem") == 0)
		heard.fds++;
	free(p);
	close(fd);
}

static void
on_commit(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	heard.requests++;
	ipc_late_begin(&late, ipc_ref(ipc, pkt));
}

static const struct ipc_disp disp[] = {
	{ IPC_TICKET_CHECK, on_check },
	{ IPC_COMMIT, on_commit },
	{ IPC_TICKET_END, on_end },
	{ IPC_CTL_TLS, on_tls },
	{ IPC_NONE, NULL },
};

static void
answered(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ticket_info *m;

	if (pkt == NULL) {
		heard.nulls++;
		return;
	}
	m = pkt->m;
	assert_int_equal(pkt->type, IPC_TICKET_INFO);
	assert_string_equal(m->account, "joe@x.dom");
	heard.answers++;
}

static int
begin(void **state)
{
	int sv[2];

	memset(&heard, 0, sizeof(heard));
	hold = wrong = false;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == -1)
		return -1;
	left = ipc_new(base, sv[0], "left's peer", disp, on_down, NULL);
	right = ipc_new(base, sv[1], "right's peer", disp, on_down, NULL);
	return 0;
}

static int
finish(void **state)
{
	ipc_free(left);
	ipc_free(right);
	turn();
	left = right = NULL;
	return 0;
}

static void
ask(int n, int timeout, void *arg)
{
	struct msg_ticket_check m = { .ticket = { "t\0", 2 } };

	while (n-- > 0)
		ipc_call(left, IPC_TICKET_CHECK, 7, &m, -1, timeout, answered,
		    arg);
}

static void
asks(void **state)
{
	struct msg_ticket_end end = { .ticket = { "abc", 3 } };

	ask(3, 1000, NULL);
	ipc_send(left, IPC_TICKET_END, 0, &end, -1);
	turn();
	assert_int_equal(heard.requests, 3);
	assert_int_equal(heard.answers, 3);
	assert_int_equal(heard.plain, 1);
	assert_int_equal(heard.refs[0].session, 7);
	assert_string_equal(ipc_peer(left), "left's peer");
}

static void
gives_credits(void **state)
{
	struct msg_ticket_info m = { .account = "joe@x.dom", .rights = "" };
	int i;

	hold = true;
	assert_false(ipc_busy(left));
	ask(200, 1000, NULL);
	assert_true(ipc_busy(left));
	turn();
	assert_int_equal(heard.requests, IPC_CREDITS);
	for (i = 0; i < 100; i++)
		assert_int_equal(ipc_answer(heard.refs[i], IPC_TICKET_INFO,
		    &m, -1), 0);
	hold = false;
	turn();
	assert_int_equal(heard.requests, 200);
	for (; i < IPC_CREDITS; i++)
		ipc_answer(heard.refs[i], IPC_TICKET_INFO, &m, -1);
	turn();
	assert_int_equal(heard.answers, 200);
	assert_false(ipc_busy(left));
}

/* More than the socket holds, both ways, in order and complete. */
static void
queues(void **state)
{
	struct msg_ticket_end end = { .ticket = { "abc", 3 } };
	int i;

	for (i = 0; i < 20000; i++)
		assert_int_equal(ipc_send(left, IPC_TICKET_END, 0, &end, -1),
		    0);
	ask(1, 10000, NULL);
	for (i = 0; i < 100 && heard.answers == 0; i++)
		turn();
	assert_int_equal(heard.plain, 20000);
	assert_int_equal(heard.answers, 1);
}

static void
times_out(void **state)
{
	struct msg_ticket_info m = { .account = "joe@x.dom", .rights = "" };
	char a, b;
	int i;

	hold = true;
	ask(1, 10000, &a);
	ask(IPC_CREDITS + 5, 20, &b);
	for (i = 0; i < 200 && heard.nulls < IPC_CREDITS + 5; i++) {
		usleep(1000);
		turn();
	}
	assert_int_equal(heard.nulls, IPC_CREDITS + 5);
	/* Late answers are nobody's. */
	for (i = 0; i < heard.requests; i++)
		ipc_answer(heard.refs[i], IPC_TICKET_INFO, &m, -1);
	turn();
	assert_int_equal(heard.answers, 1);
	assert_int_equal(heard.down, 0);
}

static void
cancels(void **state)
{
	char a, b;

	hold = true;
	ask(IPC_CREDITS, 1000, &a);
	ask(5, 1000, &a);
	ask(1, 1000, &b);
	ipc_cancel(&a);
	ipc_cancel(&a);
	turn();
	ipc_free(right);
	right = NULL;
	turn();
	assert_int_equal(heard.down, 1);
	assert_int_equal(heard.nulls, 1);
	ask(2, 1000, &a);
	ask(2, 1000, &b);
	ipc_cancel(&a);
	turn();
	assert_int_equal(heard.nulls, 3);
}

static void
passes_descriptors(void **state)
{
	struct msg_ctl_tls m = { .name = "x.dom" };
	int fd, i, before = dup(0);

	close(before);
	for (i = 0; i < 50; i++)
		assert_int_equal(ipc_send(left, IPC_CTL_TLS, 0, &m,
		    file_memfd("pem", "pem", 3)), 0);
	turn();
	assert_int_equal(heard.fds, 50);
	assert_string_equal(heard.text, "x.dom");
	/* All were closed by somebody, also one that cannot go. */
	ipc_send(NULL, IPC_CTL_TLS, 0, &m, dup(0));
	fd = dup(0);
	assert_int_equal(fd, before);
	close(fd);
}

static void
peer_dies(void **state)
{
	struct msg_ticket_info m = { .account = "", .rights = "" };
	struct msg_ticket_end end = { .ticket = { "abc", 3 } };
	struct ipc_ref ref;

	hold = true;
	ask(10, 1000, NULL);
	turn();
	ref = heard.refs[0];
	/* Its last words are read before its end is. */
	ipc_send(right, IPC_TICKET_END, 0, &end, -1);
	ipc_free(right);
	right = NULL;
	ipc_send(left, IPC_TICKET_END, 0, &end, -1);
	assert_int_equal(heard.nulls, 0);
	turn();
	assert_int_equal(heard.plain, 1);
	assert_int_equal(heard.nulls, 10);
	assert_int_equal(heard.down, 1);
	assert_null(left);
	assert_int_equal(ipc_answer(ref, IPC_TICKET_INFO, &m, -1), -1);
}

static void
unread_at_death(void **state)
{
	struct msg_ticket_end end = { .ticket = { "abc", 3 } };
	int i;

	turn();
	/* The peer dies with our packets unread: ECONNRESET comes first. */
	ipc_send(left, IPC_TICKET_END, 0, &end, -1);
	for (i = 0; i < 20; i++)
		ipc_send(right, IPC_TICKET_END, 0, &end, -1);
	ipc_free(right);
	right = NULL;
	turn();
	assert_int_equal(heard.plain, 20);
	assert_int_equal(heard.down, 1);
}

static void
freed_in_handler(void **state)
{
	ask(20, 1000, NULL);
	free_this = right;
	turn();
	right = NULL;
	assert_int_equal(heard.requests, 1);
	assert_int_equal(heard.down, 1);
	assert_int_equal(heard.nulls, 20 - heard.answers);
}

static void
wrong_answer(void **state)
{
	wrong = true;
	ask(1, 1000, NULL);
	turn();
	assert_int_equal(heard.answers, 0);
	assert_int_equal(heard.nulls, 1);
	assert_int_equal(heard.down, 2);
}

static void
unexpected(void **state)
{
	struct msg_ctl_go go = { 0 };

	ipc_send(left, IPC_CTL_GO, 0, &go, -1);
	turn();
	assert_int_equal(heard.down, 2);
}

static void
no_peer(void **state)
{
	struct msg_ticket_check m = { .ticket = { "t", 1 } };

	ipc_call(NULL, IPC_TICKET_CHECK, 0, &m, dup(0), 1000, answered, NULL);
	assert_int_equal(heard.nulls, 0);
	turn();
	assert_int_equal(heard.nulls, 1);
	assert_int_equal(ipc_send(NULL, IPC_TICKET_END, 0, &m, -1), -1);
}

/* A process at its limit loses what needs a descriptor, and nothing else. */
static void
no_room(void **state)
{
	struct msg_ticket_check check = { .ticket = { "t\0", 2 } };
	struct msg_ctl_tls m = { .name = "x.dom" };
	struct rlimit old, none;
	int i;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = 3;
	answer_fd = file_memfd("pem", "pem", 3);
	ask(1, 10000, NULL);
	ipc_send(left, IPC_CTL_TLS, 0, &m, file_memfd("pem", "pem", 3));
	ipc_call(left, IPC_TICKET_CHECK, 7, &check,
	    file_memfd("pem", "pem", 3), 50, answered, NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	turn();
	assert_int_equal(heard.nulls, 1);	/* its answer's was lost */
	assert_int_equal(heard.requests, 1);
	assert_string_equal(heard.text, "x.dom");
	assert_int_equal(heard.fds, 0);
	for (i = 0; i < 200 && heard.nulls == 1; i++) {
		usleep(1000);
		turn();
	}
	assert_int_equal(heard.nulls, 2);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(heard.down, 0);
	ask(1, 10000, NULL);
	ipc_send(left, IPC_CTL_TLS, 0, &m, file_memfd("pem", "pem", 3));
	turn();
	assert_int_equal(heard.answers, 1);
	assert_int_equal(heard.fds, 1);
}

/* --- raw packets against one real end --- */

static void
raw(const void *first, size_t firstlen, const void *p, size_t len, int downs)
{
	int sv[2];

	memset(&heard, 0, sizeof(heard));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	left = ipc_new(base, sv[0], "raw", disp, on_down, NULL);
	if (first != NULL)
		assert_int_equal(send(sv[1], first, firstlen, 0), firstlen);
	assert_int_equal(send(sv[1], p, len, 0), len);
	turn();
	assert_int_equal(heard.down, downs);
	ipc_free(left);
	left = NULL;
	close(sv[1]);
}

static void
bad_packets(void **state)
{
	struct msg_hello h = { .version = CG_VERSION };
	struct msg_ticket_end e = { .ticket = { "abc", 3 } };
	struct buf hello, end, bad;
	int i;

	h.hash = ipc_table_hash();
	buf_init(&hello, 0);
	buf_init(&end, 0);
	buf_init(&bad, 0);
	assert_int_equal(ipc_pack(&hello, IPC_HELLO, 0, 0, 0, &h), 0);
	assert_int_equal(ipc_pack(&end, IPC_TICKET_END, 0, 0, 0, &e), 0);
	raw(hello.p, hello.len, end.p, end.len, 0);
	assert_int_equal(heard.plain, 1);
	raw(NULL, 0, end.p, end.len, 1);		/* no HELLO */
	h.hash++;
	assert_int_equal(ipc_pack(&bad, IPC_HELLO, 0, 0, 0, &h), 0);
	raw(NULL, 0, bad.p, bad.len, 1);		/* another table */
	raw(hello.p, hello.len, end.p, end.len - 1, 1);	/* short */
	raw(hello.p, hello.len, end.p, 3, 1);
	for (i = 0; i < 8; i++) {			/* each header byte */
		buf_reset(&bad);
		buf_add(&bad, end.p, end.len);
		bad.p[i] ^= 0x82;
		raw(hello.p, hello.len, bad.p, bad.len, 1);
	}
	buf_reset(&bad);
	buf_add(&bad, end.p, end.len);
	buf_putc(&bad, 0);				/* long */
	raw(hello.p, hello.len, bad.p, bad.len, 1);
	bad.p[2] = 2;					/* an fd that is not */
	raw(hello.p, hello.len, bad.p, end.len, 1);
	buf_free(&hello);
	buf_free(&end);
	buf_free(&bad);
}

/* Whoever does not keep to the credits cannot fill the other's memory. */
static void
over_credit(void **state)
{
	struct msg_ticket_check m = { .ticket = { "t\0", 2 } };
	struct msg_hello h = { .version = CG_VERSION };
	struct buf hello, check;
	int i, sv[2];

	h.hash = ipc_table_hash();
	buf_init(&hello, 0);
	buf_init(&check, 0);
	assert_int_equal(ipc_pack(&hello, IPC_HELLO, 0, 0, 0, &h), 0);
	assert_int_equal(ipc_pack(&check, IPC_TICKET_CHECK, 0, 0, 0, &m), 0);
	raw(hello.p, hello.len, check.p, check.len, 1);	/* wants no answer */
	buf_reset(&check);
	assert_int_equal(ipc_pack(&check, IPC_TICKET_CHECK, 0, 128, 0, &m), 0);
	memset(&heard, 0, sizeof(heard));
	hold = true;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	left = ipc_new(base, sv[0], "raw", disp, on_down, NULL);
	assert_int_equal(send(sv[1], hello.p, hello.len, 0), hello.len);
	for (i = 0; i < 4 * IPC_CREDITS; i++) {
		send(sv[1], check.p, check.len, 0);
		turn();
	}
	assert_int_equal(heard.down, 0);
	assert_int_equal(heard.requests, 4 * IPC_CREDITS);
	send(sv[1], check.p, check.len, 0);
	turn();
	assert_int_equal(heard.down, 1);
	assert_int_equal(heard.requests, 4 * IPC_CREDITS);
	hold = false;
	close(sv[1]);
	buf_free(&hello);
	buf_free(&check);
}

/* An empty packet is an end, and what it brings along is not kept. */
static void
empty_packet(void **state)
{
	union {
		struct cmsghdr	align;
		char		bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct msghdr msg = { .msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int sv[2], before, fd = 0;

	memset(&heard, 0, sizeof(heard));
	before = dup(0);
	close(before);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	left = ipc_new(base, sv[0], "raw", disp, on_down, NULL);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	assert_int_equal(sendmsg(sv[1], &msg, 0), 0);
	turn();
	assert_int_equal(heard.down, 1);
	close(sv[1]);
	fd = dup(0);
	assert_int_equal(fd, before);
	assert_int_equal(dup(0), before + 1);
	close(fd);
	close(before + 1);
}

static void
packs(void **state)
{
	struct msg_grant m = { .ticket = { "0123456789abcdef", 16 },
		.account = "a@b", .path = "Accounts/a.macnt", .mailbox = NULL,
		.service = "POP", .front = 7, .instance = 65535,
		.seconds = 0x80000001u };
	const struct msg_grant *g;
	struct ipc_pkt pkt;
	struct buf b, store, text;
	int answer;
	size_t i;

	buf_init(&b, 0);
	buf_init(&store, 0);
	buf_init(&text, 0);
	assert_int_equal(ipc_pack(&b, IPC_GRANT, 3, 9, 0, &m), 0);
	assert_int_equal(ipc_unpack(b.p, b.len, &pkt, &answer, &store), 0);
	g = pkt.m;
	assert_int_equal(answer, 0);
	assert_int_equal(pkt.session, 3);
	assert_int_equal(pkt.seq, 9);
	assert_memory_equal(g->ticket.p, "0123456789abcdef", 16);
	assert_string_equal(g->path, "Accounts/a.macnt");
	assert_string_equal(g->mailbox, "");
	assert_int_equal(g->instance, 65535);
	assert_true(g->seconds == 0x80000001u);
	ipc_describe(&text, &pkt);
	assert_string_equal(text.p, "GRANT session=3 seq=9 ticket=<16 bytes> "
	    "account=\"a@b\" path=\"Accounts/a.macnt\" mailbox=\"\" "
	    "service=\"POP\" front=7 instance=65535 seconds=2147483649 "
	    "limits=\"\"");
	for (i = 0; i < b.len; i++)
		assert_int_equal(ipc_unpack(b.p, i, &pkt, &answer, &store), -1);
	/* A NUL inside a text. */
	memcpy(memmem(b.p, b.len, "a@b", 3), "a\0b", 3);
	assert_int_equal(ipc_unpack(b.p, b.len, &pkt, &answer, &store), -1);
	m.ticket.len = 17;
	assert_int_equal(ipc_pack(&b, IPC_GRANT, 3, 9, 0, &m), -1);
	assert_int_equal(ipc_pack(&b, IPC_MAX, 3, 9, 0, &m), -1);
	buf_free(&b);
	buf_free(&store);
	buf_free(&text);
}

static void
answers_named(void **state)
{
	assert_int_equal(ipc_answer_type(IPC_ROUTE), IPC_ROUTED);
	assert_int_equal(ipc_answer_type(IPC_GRANT), IPC_DONE);
	assert_int_equal(ipc_answer_type(IPC_NAME_RESERVE), IPC_NAME_RESERVED);
	assert_int_equal(ipc_answer_type(IPC_TICKET_END), IPC_NONE);
	assert_string_equal(ipc_name(IPC_CTL_GO), "CTL_GO");
	assert_string_equal(ipc_name(IPC_MAX), "?");
}

static void
on_committed(const struct ipc_pkt *pkt, void *arg)
{
	const struct msg_committed *m = pkt == NULL ? NULL : pkt->m;

	if (m == NULL) {
		heard.nulls++;
		return;
	}
	heard.answers++;
	heard.fds += pkt->fd != -1;
	assert_int_equal(m->more, 5);
}

static void
commit(void)
{
	struct msg_commit m = { .id = 3, .more = 1 };

	ipc_call(left, IPC_COMMIT, 7, &m, -1, 60000, on_committed, NULL);
	turn();
}

static void *
thread(void *arg)
{
	const struct msg_committed m = { .text = "", .more = 5 };

	ipc_late_answer(&late, IPC_COMMITTED, &m, arg);
	return arg;
}

static void
in_thread(int *fd)
{
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, thread, fd), 0);
	pthread_join(t, NULL);
}

static void
late_answer(void **state)
{
	const struct msg_committed m = { .text = "", .more = 5 };
	int fd = dup(0);

	commit();
	in_thread(&fd);
	assert_int_equal(fd, -1);
	turn();
	assert_int_equal(heard.answers, 1);	/* before the loop's end */
	assert_int_equal(heard.fds, 1);
	ipc_late_end(&late, IPC_COMMITTED, &m, fd);
	/* One that no thread could send is sent at the end. */
	commit();
	ipc_late_end(&late, IPC_COMMITTED, &m, dup(0));
	turn();
	assert_int_equal(heard.answers, 2);
	assert_int_equal(heard.fds, 2);
	assert_int_equal(heard.down, 0);
}

/* The channel ends while the thread works: no other's descriptor is met. */
static void
late_for_nobody(void **state)
{
	const struct msg_committed m = { .text = "", .more = 5 };
	int sv[2], fd = -1;
	char c;

	commit();
	ipc_free(right);
	right = NULL;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	in_thread(&fd);
	assert_int_equal(recv(sv[0], &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(recv(sv[1], &c, 1, MSG_DONTWAIT), -1);
	ipc_late_end(&late, IPC_COMMITTED, &m, fd);
	turn();
	assert_int_equal(heard.answers + heard.nulls, 1);
	assert_int_equal(heard.down, 1);
	close(sv[0]);
	close(sv[1]);
}

/* A child's start: blocking first, then the loop, on one socket. */
static void
blocking_then_loop(void **state)
{
	struct msg_ctl_tls m = { .name = "x.dom" };
	struct msg_ctl_ready ready = { 0 };
	struct ipc_pkt pkt;
	struct buf store;
	int sv[2];

	memset(&heard, 0, sizeof(heard));
	buf_init(&store, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	left = ipc_new(base, sv[0], "child", disp, on_down, NULL);
	ipc_send(left, IPC_CTL_TLS, 0, &m, file_memfd("pem", "pem", 3));
	assert_int_equal(ipc_recv_sync(sv[1], &pkt, &store), 1);
	assert_int_equal(pkt.type, IPC_CTL_TLS);
	assert_true(pkt.fd != -1);
	close(pkt.fd);
	assert_string_equal(((const struct msg_ctl_tls *)pkt.m)->name,
	    "x.dom");
	right = ipc_new(base, sv[1], "server", disp, on_down, NULL);
	ask(1, 1000, NULL);
	turn();
	assert_int_equal(heard.answers, 1);
	assert_int_equal(heard.down, 0);
	ipc_send_sync(sv[1], IPC_CTL_READY, &ready, -1);
	turn();
	assert_int_equal(heard.down, 2);	/* not in the table: closed */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	assert_int_equal(ipc_send_sync(sv[0], IPC_CTL_READY, &ready, -1), 0);
	close(sv[0]);
	assert_int_equal(ipc_recv_sync(sv[1], &pkt, &store), 1);
	assert_int_equal(pkt.type, IPC_CTL_READY);
	assert_int_equal(ipc_recv_sync(sv[1], &pkt, &store), 0);
	close(sv[1]);
	buf_free(&store);
}

#define CHANNEL(f) cmocka_unit_test_setup_teardown(f, begin, finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packs),
		cmocka_unit_test(answers_named),
		CHANNEL(asks),
		CHANNEL(gives_credits),
		CHANNEL(queues),
		CHANNEL(times_out),
		CHANNEL(cancels),
		CHANNEL(passes_descriptors),
		CHANNEL(peer_dies),
		CHANNEL(unread_at_death),
		CHANNEL(freed_in_handler),
		CHANNEL(wrong_answer),
		CHANNEL(unexpected),
		CHANNEL(no_peer),
		CHANNEL(no_room),
		CHANNEL(late_answer),
		CHANNEL(late_for_nobody),
		cmocka_unit_test(bad_packets),
		cmocka_unit_test(over_credit),
		cmocka_unit_test(empty_packet),
		cmocka_unit_test(blocking_then_loop),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
