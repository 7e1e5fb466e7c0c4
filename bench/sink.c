/*
 * A mail host that takes everything and keeps nothing, for what the bench
 * sends through a server.
 *
 *	sink PORT COUNT
 *
 * One process, one epoll loop, PIPELINING.  When COUNT messages have come it
 * prints one line, seconds from the first to the last, a second, and the
 * median and 99th percentile of milliseconds since load(1) sent them, and
 * ends; after 120 seconds it ends in any case.  127.0.0.1 only.
 */
#include <sys/epoll.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STAMP	"X-Bench-Sent: "

enum { LIMIT_SECONDS = 120, ROOM = 256 * 1024, EVENTS = 64 };

struct client {
	int	 fd;
	bool	 data;
	size_t	 len;
	char	 in[ROOM];
};

static long	 count, done;
static double	*took, first, last;

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
report(void)
{
	qsort(took, count, sizeof *took, by_size);
	printf("%ld %.3f %.0f %.2f %.2f\n", done, last - first,
	    (done - 1) / (last - first), took[count / 2] * 1e3,
	    took[count - 1 - count / 100] * 1e3);
	exit(0);
}

static void
say(struct client *c, const char *text)
{
	if (send(c->fd, text, strlen(text), MSG_NOSIGNAL) == -1)
		warn("send");
}

static void
taken(struct client *c, const char *message)
{
	const char *s = strstr(message, STAMP);

	last = now();
	if (done == 0)
		first = last;
	if (s != NULL)
		took[done] = last - atof(s + sizeof STAMP - 1) / 1e9;
	say(c, "250 2.0.0 taken\r\n");
	if (++done == count)
		report();
}

static void
command(struct client *c, const char *line)
{
	if (strncmp(line, "EHLO", 4) == 0)
		say(c, "250-sink.example\r\n250-PIPELINING\r\n250 SIZE\r\n");
	else if (strncmp(line, "DATA", 4) == 0) {
		c->data = true;
		say(c, "354 go on\r\n");
	} else if (strncmp(line, "QUIT", 4) == 0)
		say(c, "221 bye\r\n");
	else
		say(c, "250 ok\r\n");
}

/* One line or message; how many bytes it took, 0: it is not whole. */
static size_t
one(struct client *c, char *p, size_t len)
{
	static const char dot[] = "\r\n.\r\n";
	const char *end = c->data ? dot : "\r\n";
	char *at = memmem(p, len, end, strlen(end));

	if (at == NULL)
		return 0;
	*at = '\0';
	if (c->data) {
		c->data = false;
		taken(c, p);
	} else
		command(c, p);
	return at - p + strlen(end);
}

static void
input(struct client *c)
{
	size_t at = 0, n;
	ssize_t r;

	r = read(c->fd, c->in + c->len, sizeof c->in - c->len);
	if (r <= 0) {
		close(c->fd);
		free(c);
		return;
	}
	c->len += r;
	while ((n = one(c, c->in + at, c->len - at)) > 0)
		at += n;
	memmove(c->in, c->in + at, c->len - at);
	c->len -= at;
}

static void
come_in(int ep, int l)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct client *c = calloc(1, sizeof *c);
	int on = 1;

	if (c == NULL || (c->fd = accept(l, NULL, NULL)) == -1)
		err(1, "accept");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	ev.data.ptr = c;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) == -1)
		err(1, "epoll");
	say(c, "220 sink.example ESMTP\r\n");
}

int
main(int argc, char **argv)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct epoll_event ev = { .events = EPOLLIN }, evs[EVENTS];
	int l, ep, i, n, on = 1;

	if (argc != 3 || (count = atol(argv[2])) < 2)
		errx(2, "usage: sink port count");
	took = calloc(count, sizeof *took);
	sin.sin_port = htons(atoi(argv[1]));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	l = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	ep = epoll_create1(0);
	if (took == NULL || bind(l, (struct sockaddr *)&sin, sizeof sin) ==
	    -1 || listen(l, 200) == -1 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev) == -1)
		err(1, "cannot listen");
	alarm(LIMIT_SECONDS);
	for (;;) {
		n = epoll_wait(ep, evs, EVENTS, -1);
		for (i = 0; i < n; i++)
			if (evs[i].data.ptr == NULL)
				come_in(ep, l);
			else
				input(evs[i].data.ptr);
	}
}
