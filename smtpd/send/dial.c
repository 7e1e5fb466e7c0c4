/*
 * Connections to other hosts while they are made: from an address of ours, if
 * one is said, and not at all while descriptors are short: that is our
 * trouble, so nobody's host is given up for it.  Runs in smtpd's sending role.
 */
#include <sys/resource.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "proc.h"
#include "send.h"

enum {
	CONNECT_TIME = 30,	/* seconds */
	AGAIN = 1,
	RESERVE = 32		/* descriptors for what is no mail host */
};

struct dial {
	const struct dest_addr	*to;
	struct sockaddr_storage	 from;
	socklen_t		 fromlen;	/* 0: any */
	int			 fd;
	int			 err;
	struct event		*ev;
	dial_cb			*cb;
	void			*arg;
};

/* A message's file comes to each channel, beside its socket. */
static bool
is_short(int fd)
{
	struct rlimit l;

	return getrlimit(RLIMIT_NOFILE, &l) == 0 &&
	    (rlim_t)fd * 2 + RESERVE >= l.rlim_cur;
}

void
dial_free(struct dial *d)
{
	if (d == NULL)
		return;
	if (d->ev != NULL)
		event_free(d->ev);
	if (d->fd != -1)
		close(d->fd);
	free(d);
}

/* The callback may free it. */
static void
told(int fd, short what, void *arg)
{
	struct dial *d = arg;
	socklen_t len = sizeof(d->err);
	int mine;

	if (d->fd != -1 && what & EV_TIMEOUT)
		d->err = ETIMEDOUT;
	else if (d->fd != -1 && getsockopt(d->fd, SOL_SOCKET, SO_ERROR,
	    &d->err, &len) == -1)
		d->err = errno;
	mine = d->err == 0 ? d->fd : -1;
	if (d->err == 0)
		d->fd = -1;
	d->cb(mine, d->err, d->arg);
}

static void
wait_for(struct dial *d, short what, int seconds)
{
	const struct timeval tv = { .tv_sec = seconds };

	if (d->ev != NULL)
		event_free(d->ev);
	d->ev = event_new(proc_base(), d->fd, what, told, d);
	if (d->ev == NULL)
		fatal("connecting");
	event_add(d->ev, &tv);
}

static void
failed(struct dial *d, int err)
{
	if (d->fd != -1)
		close(d->fd);
	d->fd = -1;
	d->err = err;
	wait_for(d, 0, 0);
}

static void	start(struct dial *);

static void
again(int fd, short what, void *arg)
{
	start(arg);
}

static void
later(struct dial *d)
{
	const struct timeval tv = { .tv_sec = AGAIN };
	static time_t said;
	time_t now = time(NULL);

	if (d->fd != -1)
		close(d->fd);
	d->fd = -1;
	if (now - said >= 60)
		log_msg(LOG_PROBLEM, "too few file descriptors: connections "
		    "wait");
	if (now - said >= 60)
		said = now;
	if (d->ev != NULL)
		event_free(d->ev);
	if ((d->ev = evtimer_new(proc_base(), again, d)) == NULL)
		fatal("connecting");
	evtimer_add(d->ev, &tv);
}

static void
start(struct dial *d)
{
	const struct dest_addr *a = d->to;
	int on = 1;

	d->fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	if (d->fd == -1 ? errno == EMFILE || errno == ENFILE :
	    is_short(d->fd)) {
		later(d);
		return;
	}
	if (d->fd == -1) {
		failed(d, errno);
		return;
	}
	(void)setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (d->fromlen > 0 && (d->from.ss_family != a->ss.ss_family ||
	    bind(d->fd, (const struct sockaddr *)&d->from, d->fromlen) ==
	    -1)) {
		failed(d, d->from.ss_family != a->ss.ss_family ?
		    EAFNOSUPPORT : errno);
		return;
	}
	if (connect(d->fd, (const struct sockaddr *)&a->ss, a->len) == -1 &&
	    errno != EINPROGRESS) {
		failed(d, errno);
		return;
	}
	wait_for(d, EV_WRITE, CONNECT_TIME);
}

static bool
read_source(struct dial *d, const char *ip)
{
	struct sockaddr_in6 *in6 = (void *)&d->from;
	struct sockaddr_in *in = (void *)&d->from;

	if (inet_pton(AF_INET, ip, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		d->fromlen = sizeof(*in);
	} else if (inet_pton(AF_INET6, ip, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		d->fromlen = sizeof(*in6);
	}
	return d->fromlen > 0;
}

struct dial *
dial_new(const struct dest_addr *to, const char *source, dial_cb *cb,
    void *arg)
{
	struct dial *d = calloc(1, sizeof(*d));

	if (d == NULL)
		fatal("connecting");
	d->to = to;
	d->fd = -1;
	d->cb = cb;
	d->arg = arg;
	if (*source != '\0' && !read_source(d, source))
		failed(d, EINVAL);
	else
		start(d);
	return d;
}
