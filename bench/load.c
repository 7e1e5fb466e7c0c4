/*
 * The load generator: one process, one epoll loop, so many connections that
 * each repeat one conversation.
 *
 *	load smtp  PORT CLIENTS COUNT SIZE SENDER RCPT...
 *	load pop   PORT CLIENTS COUNT PASSWORD NAME...
 *
 * smtp: COUNT messages of SIZE bytes to the recipients in turn, over CLIENTS
 * connections that stay open.  pop: COUNT times connect, USER, PASS, STAT,
 * QUIT.  Each conversation waits for every answer: it measures the server's
 * answers, not its buffers.  Prints one line: count, seconds, a second, and
 * the median and 99th percentile of milliseconds an operation.  Traffic goes
 * to 127.0.0.1 only; it ends after COUNT or 120 seconds.
 */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_SECONDS = 120, MAXLINE = 1024 };

struct client {
	int	 fd;
	int	 step;
	double	 began;
	const char *name;		/* whom this one is for */
	char	 in[MAXLINE];
	size_t	 inlen;
	char	*out;
	size_t	 outlen, outoff;
};

static int	  port;
static long	  count, started, done;
static char	**names;
static int	  nnames;
static const char *secret, *sender;
static char	 *message;
static size_t	  messagelen;
static double	 *took;
static int	  ep;
static int	  live;
static bool	  pop;

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* A message that looks like mail: a header, then lines of text. */
static void
make_message(size_t size)
{
	static const char head[] = "From: <bench@example.com>\r\n"
	    "To: <someone@example.com>\r\nSubject: a message of the bench\r\n"
	    "Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n"
	    "Message-ID: <bench@example.com>\r\n\r\n";
	size_t i;

	message = malloc(size + sizeof head + 128);
	if (message == NULL)
		err(1, NULL);
	memcpy(message, head, sizeof head - 1);
	messagelen = sizeof head - 1;
	for (i = 0; messagelen < size; i++) {
		if (i % 72 == 71) {
			message[messagelen++] = '\r';
			message[messagelen++] = '\n';
		} else
			message[messagelen++] = 'a' + i % 26;
	}
	memcpy(message + messagelen, "\r\n.\r\n", 5);
	messagelen += 5;
}

static void
flush(struct client *c)
{
	struct epoll_event ev = { .data.ptr = c };
	ssize_t n;

	while (c->outoff < c->outlen) {
		n = send(c->fd, c->out + c->outoff, c->outlen - c->outoff,
		    MSG_NOSIGNAL);
		if (n == -1 && errno == EAGAIN)
			break;
		if (n == -1)
			err(1, "send");
		c->outoff += n;
	}
	ev.events = EPOLLIN | (c->outoff < c->outlen ? EPOLLOUT : 0);
	if (epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev) == -1)
		err(1, "epoll_ctl");
}

static void
say(struct client *c, const char *text, size_t len)
{
	c->out = realloc(c->out, len);
	if (c->out == NULL)
		err(1, NULL);
	memcpy(c->out, text, len);
	c->outlen = len;
	c->outoff = 0;
	flush(c);
}

static void
sayf(struct client *c, const char *fmt, const char *arg)
{
	char line[MAXLINE];
	int n;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	n = snprintf(line, sizeof line, fmt, arg);
#pragma GCC diagnostic pop
	say(c, line, n);
}

static void
dial(struct client *c)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd == -1 || connect(c->fd, (struct sockaddr *)&sin,
	    sizeof sin) == -1)
		err(1, "connect to port %d", port);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) == -1)
		err(1, "epoll_ctl");
	c->step = 0;
	c->inlen = 0;
}

static void
hang_up(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	live--;
}

static void
one_done(struct client *c)
{
	took[done++] = (now() - c->began) * 1000;
}

/* The next mail, or goodbye; PIPELINING is for others to measure. */
static void
smtp_next(struct client *c)
{
	if (started >= count) {
		sayf(c, "QUIT\r\n%s", "");
		c->step = 6;
		return;
	}
	c->began = now();
	c->name = names[started++ % nnames];
	sayf(c, "MAIL FROM:<%s>\r\n", sender);
	c->step = 2;
}

static void
smtp_line(struct client *c, const char *line)
{
	static const char want[] = "2222322";	/* what each step awaits */

	if (line[3] == '-')
		return;
	if (line[0] != want[c->step])
		errx(1, "step %d: %s", c->step, line);
	switch (c->step++) {
	case 0:
		sayf(c, "EHLO bench.example.com\r\n%s", "");
		break;
	case 1:
		smtp_next(c);
		break;
	case 2:
		sayf(c, "RCPT TO:<%s>\r\n", c->name);
		break;
	case 3:
		say(c, "DATA\r\n", 6);
		break;
	case 4:
		say(c, message, messagelen);
		break;
	case 5:
		one_done(c);
		smtp_next(c);
		break;
	default:
		hang_up(c);
	}
}

static void
pop_line(struct client *c, const char *line)
{
	if (c->step != 4 && line[0] != '+')
		errx(1, "step %d: %s", c->step, line);
	switch (c->step++) {
	case 0:
		sayf(c, "USER %s\r\n", names[started++ % nnames]);
		break;
	case 1:
		sayf(c, "PASS %s\r\n", secret);
		break;
	case 2:
		sayf(c, "STAT\r\n%s", "");
		break;
	case 3:
		sayf(c, "QUIT\r\n%s", "");
		break;
	default:
		one_done(c);
		close(c->fd);
		if (started >= count) {
			c->fd = -1;
			live--;
			break;
		}
		c->began = now();
		dial(c);
	}
}

static void
readable(struct client *c)
{
	char *nl;
	ssize_t n;
	size_t used;

	n = recv(c->fd, c->in + c->inlen, sizeof c->in - c->inlen - 1, 0);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		if (c->step < 5)
			errx(1, "closed in step %d", c->step);
		hang_up(c);
		return;
	}
	c->inlen += n;
	c->in[c->inlen] = '\0';
	while (c->fd != -1 && (nl = strchr(c->in, '\n')) != NULL) {
		*nl = '\0';
		used = nl + 1 - c->in;
		if (pop)
			pop_line(c, c->in);
		else
			smtp_line(c, c->in);
		if (c->inlen < used)	/* a fresh connection */
			break;
		c->inlen -= used;
		memmove(c->in, c->in + used, c->inlen + 1);
	}
	if (c->inlen == sizeof c->in - 1)
		errx(1, "answer too long");
}

static int
cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	struct epoll_event ev[64];
	struct client *c;
	double t0, t;
	int i, n, nclients;

	if (argc < 7)
		errx(2, "usage: see the top of load.c");
	pop = strcmp(argv[1], "pop") == 0;
	port = atoi(argv[2]);
	nclients = atoi(argv[3]);
	count = atol(argv[4]);
	if (pop) {
		secret = argv[5];
		names = argv + 6;
		nnames = argc - 6;
	} else {
		if (argc < 8)
			errx(2, "no recipient");
		make_message(atol(argv[5]));
		sender = argv[6];
		names = argv + 7;
		nnames = argc - 7;
	}
	took = calloc(count + nclients, sizeof *took);
	c = calloc(nclients, sizeof *c);
	ep = epoll_create1(0);
	if (took == NULL || c == NULL || ep == -1)
		err(1, NULL);
	t0 = now();
	for (i = 0; i < nclients; i++) {
		c[i].began = now();
		dial(&c[i]);
		live++;
	}
	while (live > 0) {
		if (now() - t0 > LIMIT_SECONDS)
			errx(1, "%ld of %ld after %d s", done, count,
			    LIMIT_SECONDS);
		n = epoll_wait(ep, ev, 64, 1000);
		for (i = 0; i < n; i++) {
			struct client *cl = ev[i].data.ptr;

			if (cl->fd != -1 && ev[i].events & EPOLLOUT)
				flush(cl);
			if (cl->fd != -1 && ev[i].events & ~EPOLLOUT)
				readable(cl);
		}
	}
	t = now() - t0;
	qsort(took, done, sizeof *took, cmp);
	printf("%ld %.3f %.0f %.2f %.2f\n", done, t, done / t,
	    took[done / 2], took[done * 99 / 100]);
	return 0;
}
