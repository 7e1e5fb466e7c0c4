/*
 * The load generator: one process, one epoll loop, so many connections that
 * each repeat one conversation.
 *
 *	load smtp  PORT CLIENTS COUNT SIZE SENDER RCPT...
 *	load pop   PORT CLIENTS COUNT PASSWORD NAME...
 *	load imap  PORT CLIENTS COUNT PASSWORD NAME...
 *	load append PORT CLIENTS COUNT SIZE PASSWORD NAME...
 *
 * smtp: COUNT messages of SIZE bytes to the recipients in turn, over CLIENTS
 * connections that stay open.  append: the same by IMAP's APPEND to INBOX, the
 * i-th connection logged in as the i-th name.  pop: COUNT times connect, USER,
 * PASS, STAT, QUIT; imap: connect, LOGIN, LOGOUT.  Each conversation waits
 * for every answer: it measures the server's answers, not its buffers.  Prints one line: count, seconds, a second, and
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

#define STAMP	"X-Bench-Sent: "

enum { LIMIT_SECONDS = 120, MAXLINE = 1024, STAMP_DIGITS = 20 };

struct client {
	int	 fd;
	int	 step;
	double	 began;
	const char *name;		/* whom this one is for */
	char	 in[MAXLINE];
	size_t	 inlen;
	char	*out;
	size_t	 outlen, outoff;
	bool	 polled;		/* for room to send */
};

static int	  port;
static long	  count, started, done;
static char	**names;
static int	  nnames;
static const char *secret, *sender;
static char	 *message;
static size_t	  messagelen;
static char	 *stamp;		/* its digits in the message */
static double	 *took;
static int	  ep;
static int	  live;

/* A conversation: what is done with each line of the server. */
struct talk {
	const char	*name;
	bool		 mail;		/* has SIZE and a message */
	int		 last;		/* step from which it may be closed */
	void		(*line)(struct client *, const char *);
};
static const struct talk *talk;

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* When it was sent, for whoever takes it in the end (sink.c). */
static void
make_stamp(void)
{
	char digits[STAMP_DIGITS + 1];

	snprintf(digits, sizeof digits, "%020.0f", now() * 1e9);
	memcpy(stamp, digits, STAMP_DIGITS);
}

/* A message that looks like mail: a header, then lines of text. */
static void
make_message(size_t size)
{
	static const char head[] = "From: <bench@example.com>\r\n"
	    "To: <someone@example.com>\r\nSubject: a message of the bench\r\n"
	    "Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n"
	    "Message-ID: <bench@example.com>\r\n" STAMP
	    "00000000000000000000\r\n\r\n";
	size_t i;

	message = malloc(size + sizeof head + 128);
	if (message == NULL)
		err(1, NULL);
	memcpy(message, head, sizeof head - 1);
	messagelen = sizeof head - 1;
	stamp = message + messagelen - 4 - STAMP_DIGITS;
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

/* The same as one APPEND command. */
static void
make_append(void)
{
	char *p;
	int n;

	n = asprintf(&p, "a APPEND INBOX {%zu+}\r\n%.*s\r\n", messagelen - 3,
	    (int)messagelen - 3, message);
	if (n == -1)
		err(1, NULL);
	free(message);
	message = p;
	messagelen = n;
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
	if (c->polled == (c->outoff < c->outlen))
		return;
	c->polled = !c->polled;
	ev.events = EPOLLIN | (c->polled ? EPOLLOUT : 0);
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
	c->polled = false;
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
		make_stamp();
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

/* One more, from the greeting on; or that was the last. */
static void
again(struct client *c)
{
	one_done(c);
	close(c->fd);
	if (started >= count) {
		c->fd = -1;
		live--;
		return;
	}
	c->began = now();
	dial(c);
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
		again(c);
	}
}

static void
login(struct client *c, const char *name)
{
	char line[MAXLINE];

	say(c, line, snprintf(line, sizeof line, "a LOGIN \"%s\" \"%s\"\r\n", name,
	    secret));
}

/* Untagged lines are passed over, but for the greeting. */
static bool
imap_ok(struct client *c, const char *line)
{
	if (line[0] == '*' && c->step != 0)
		return false;
	if (strncmp(line + 2, "OK", 2) != 0)
		errx(1, "step %d: %s", c->step, line);
	return true;
}

static void
imap_line(struct client *c, const char *line)
{
	if (!imap_ok(c, line))
		return;
	switch (c->step++) {
	case 0:
		login(c, names[started++ % nnames]);
		break;
	case 1:
		sayf(c, "a LOGOUT\r\n%s", "");
		break;
	default:
		again(c);
	}
}

static void
append_line(struct client *c, const char *line)
{
	if (!imap_ok(c, line))
		return;
	if (c->step == 0) {
		login(c, c->name);
		c->step = 1;
		return;
	}
	if (c->step == 2)
		one_done(c);
	if (c->step == 3) {
		hang_up(c);
		return;
	}
	c->step = 2;
	if (started++ < count) {
		c->began = now();
		say(c, message, messagelen);
	} else {
		sayf(c, "a LOGOUT\r\n%s", "");
		c->step = 3;
	}
}

static const struct talk talks[] = {
	{ "smtp", true, 5, smtp_line },
	{ "pop", false, 5, pop_line },
	{ "imap", false, 3, imap_line },
	{ "append", true, 3, append_line }
};

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
		if (c->step < talk->last)
			errx(1, "closed in step %d", c->step);
		hang_up(c);
		return;
	}
	c->inlen += n;
	c->in[c->inlen] = '\0';
	while (c->fd != -1 && (nl = strchr(c->in, '\n')) != NULL) {
		*nl = '\0';
		used = nl + 1 - c->in;
		talk->line(c, c->in);
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

	for (i = 0; argc > 1 && i < (int)(sizeof talks / sizeof talks[0]); i++)
		if (strcmp(argv[1], talks[i].name) == 0)
			talk = &talks[i];
	if (talk == NULL || argc < 7 + talk->mail)
		errx(2, "usage: see the top of load.c");
	port = atoi(argv[2]);
	nclients = atoi(argv[3]);
	count = atol(argv[4]);
	if (talk->mail)
		make_message(atol(argv[5]));
	if (talk->line == append_line)
		make_append();
	sender = secret = argv[5 + talk->mail];
	names = argv + 6 + talk->mail;
	nnames = argc - 6 - talk->mail;
	took = calloc(count + nclients, sizeof *took);
	c = calloc(nclients, sizeof *c);
	ep = epoll_create1(0);
	if (took == NULL || c == NULL || ep == -1)
		err(1, NULL);
	t0 = now();
	for (i = 0; i < nclients; i++) {
		c[i].began = now();
		c[i].name = names[i % nnames];
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
