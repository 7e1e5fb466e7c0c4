/*
 * The listening sockets: bound here, as ports below 1024 need root, and given
 * to every process of the front whose module it is.  What is wanted comes
 * from routerd (the Listener settings, manual 10) unless cgserver.conf has
 * `listen` lines for that module.  <base>/Ports tells where we listen.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <unistd.h>

#include "cgserver.h"
#include "file.h"
#include "log.h"

enum { BACKLOG = 1024 };

static const struct module {
	const char	*name;
	enum proc_id	 front;
} modules[] = {
	{ "SMTP", PROC_SMTPD },
	{ "POP", PROC_POP3D },
	{ "IMAP", PROC_IMAPD },
	{ "PWD", PROC_PWDD },
	{ "CGCTL", PROC_PWDD },
};

struct sock {
	TAILQ_ENTRY(sock)	 next;
	int			 fd;
	char			*module;
	char			*address;
	int			 port;		/* the real one */
	bool			 tls, submission;
	char			*restriction, *addresses;
	bool			 keep;
};
static TAILQ_HEAD(, sock)	 socks = TAILQ_HEAD_INITIALIZER(socks);

static enum proc_id
listen_front(const char *module)
{
	size_t i;

	for (i = 0; i < sizeof(modules) / sizeof(*modules); i++)
		if (strcasecmp(modules[i].name, module) == 0)
			return modules[i].front;
	return PROC_MAX;
}

/* --- binding --- */

static int
bind_tcp(const char *address, int port, int *real)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(port) };
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	bool six = strchr(address, ':') != NULL;
	socklen_t len = six ? sizeof(sin6) : sizeof(sin);
	void *sa = six ? (void *)&sin6 : (void *)&sin;
	int fd, one = 1;

	if (inet_pton(six ? AF_INET6 : AF_INET, address,
	    six ? (void *)&sin6.sin6_addr : (void *)&sin.sin_addr) != 1) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(six ? AF_INET6 : AF_INET,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (six)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, sa, len) == -1 || listen(fd, BACKLOG) == -1 ||
	    getsockname(fd, sa, &len) == -1) {
		close(fd);
		return -1;
	}
	*real = ntohs(six ? sin6.sin6_port : sin.sin_port);
	return fd;
}

/*
 * By way of the directory's fd: a base path may be long.  authd is told, and
 * knows by it whom cgctl's door let in.
 */
void
listen_cgctl_name(char *name, size_t size)
{
	snprintf(name, size, "/proc/self/fd/%d/cgctl.sock", basefd);
}

/* cgctl's door: who may is decided by authd from the peer's credentials. */
static int
bind_cgctl(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	listen_cgctl_name(sun.sun_path, sizeof(sun.sun_path));
	unlinkat(basefd, "cgctl.sock", 0);
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    fchmodat(basefd, "cgctl.sock", 0666, 0) == -1 ||
	    listen(fd, BACKLOG) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

static struct sock *
find(const char *module, const char *address, int port, bool tls)
{
	struct sock *s;

	TAILQ_FOREACH(s, &socks, next)
		if (strcmp(s->module, module) == 0 && s->port == port &&
		    strcmp(s->address, address) == 0 && s->tls == tls)
			return s;
	return NULL;
}

static struct sock *
add(const char *module, const char *address, int port, int fd)
{
	struct sock *s = xcalloc(1, sizeof(*s));

	s->fd = fd;
	s->module = xstrdup(module);
	s->address = xstrdup(address);
	s->port = port;
	s->restriction = xstrdup("");
	s->addresses = xstrdup("");
	TAILQ_INSERT_TAIL(&socks, s, next);
	return s;
}

static bool
is_pinned(const char *module)
{
	size_t i;

	for (i = 0; i < conf.nlisten; i++)
		if (strcasecmp(conf.listen[i].module, module) == 0)
			return true;
	return false;
}

/*
 * A line of cgserver.conf must hold; a setting may be mended while the suite
 * runs.  A machine without IPv6 has no "::", and needs none.
 */
static void
cannot_listen(const char *module, const char *address, int port)
{
	bool v6 = strcmp(address, "::") == 0;
	char *text;

	if (v6 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
		return;
	text = xasprintf("%s cannot listen on %s port %d: %s", module, address,
	    port, strerror(errno));
	log_warnx("%s", text);
	if (is_pinned(module))
		start_failed(text);
	else if (!has_started)
		complain(text);
	free(text);
}

static struct sock *
want(const char *module, const char *address, int port, bool tls,
    bool submission)
{
	struct sock *s = find(module, address, port, tls);
	int fd, real = port;

	if (s == NULL || port == 0) {
		fd = bind_tcp(address, port, &real);
		if (fd == -1) {
			cannot_listen(module, address, port);
			return NULL;
		}
		s = add(module, address, real, fd);
		s->tls = tls;
		log_msg(LOG_MAJOR, "%s listens on %s port %d%s", module,
		    address, real, tls ? " (TLS)" : "");
	}
	s->submission = submission;
	s->keep = true;
	return s;
}

static void
restrict_to(struct sock *s, const char *restriction, const char *addresses)
{
	if (s == NULL)
		return;
	/* A word that is none of ours lets nobody in, rather than all. */
	if (*restriction != '\0' && strcasecmp(restriction, "Grant") != 0 &&
	    strcasecmp(restriction, "Deny") != 0) {
		log_warnx("%s port %d: Restriction is Grant or Deny, not %s: "
		    "nobody is let in", s->module, s->port, restriction);
		restriction = "Grant";
		addresses = "";
	}
	free(s->restriction);
	free(s->addresses);
	s->restriction = xstrdup(restriction);
	s->addresses = xstrdup(strlen(addresses) <= 4096 ? addresses : "");
}

/* --- what is wanted --- */

static void
want_entry(const char *module, const struct val *e)
{
	const char *address = dict_str(e, "IPAddress", "");
	const char *security = dict_str(e, "InitialSecurity", "NO");
	int port = (int)dict_int(e, "PortNumber", 0);
	bool tls = strcasecmp(security, "NO") != 0 && *security != '\0';
	bool submission = dict_bool(e, "Submission", false);
	const char *all[] = { "0.0.0.0", "::" };
	size_t i;

	if (port <= 0 || port > 65535)
		return;
	if (*address != '\0' && strcasecmp(address, "all") != 0) {
		restrict_to(want(module, address, port, tls, submission),
		    dict_str(e, "Restriction", ""),
		    dict_str(e, "Addresses", ""));
		return;
	}
	for (i = 0; i < 2; i++)
		restrict_to(want(module, all[i], port, tls, submission),
		    dict_str(e, "Restriction", ""),
		    dict_str(e, "Addresses", ""));
}

/* At the first call only: with "auto" a second one would bind anew. */
static void
want_pinned(void)
{
	static bool done;
	struct conf_listen *l;
	struct sock *s;
	size_t i;

	if (done)
		return;
	done = true;
	for (i = 0; i < conf.nlisten; i++) {
		l = &conf.listen[i];
		want(l->module, *l->address != '\0' ? l->address : "0.0.0.0",
		    l->port, l->tls, l->submission);
		if (*l->address == '\0')
			want(l->module, "::", l->port, l->tls, l->submission);
	}
	if ((i = bind_cgctl()) == (size_t)-1)
		log_warn("cgctl.sock");
	else {
		s = add("CGCTL", "cgctl.sock", 0, (int)i);
		s->keep = true;
	}
}

static void
give_socket(struct child *c, const struct sock *s)
{
	struct msg_ctl_listen m = {
		.module = s->module, .address = s->address, .port = s->port,
		.tls = s->tls, .submission = s->submission,
		.restriction = s->restriction, .addresses = s->addresses
	};

	ipc_send(c->ctl, IPC_CTL_LISTEN, 0, &m,
	    fcntl(s->fd, F_DUPFD_CLOEXEC, 0));
}

void
listen_give(struct child *c)
{
	struct sock *s;

	TAILQ_FOREACH(s, &socks, next)
		if (listen_front(s->module) == c->id)
			give_socket(c, s);
}

static void
drop_unwanted(void)
{
	struct sock *s, *next;

	for (s = TAILQ_FIRST(&socks); s != NULL; s = next) {
		next = TAILQ_NEXT(s, next);
		if (s->keep)
			continue;
		TAILQ_REMOVE(&socks, s, next);
		log_msg(LOG_MAJOR, "%s listens no more on %s port %d",
		    s->module, s->address, s->port);
		close(s->fd);
		free(s->module);
		free(s->address);
		free(s->restriction);
		free(s->addresses);
		free(s);
	}
}

/* Fronts that run: their sockets anew. */
static void
tell_fronts(void)
{
	struct msg_ctl_unlisten m;
	struct child *c;
	size_t i;

	for (c = children; c < children + nchildren; c++) {
		if (c->ctl == NULL || !is_front(c->id))
			continue;
		for (i = 0; i < sizeof(modules) / sizeof(*modules); i++) {
			m.module = modules[i].name;
			if (modules[i].front == c->id)
				ipc_send(c->ctl, IPC_CTL_UNLISTEN, 0, &m, -1);
		}
		listen_give(c);
	}
}

int
listen_wanted(const struct val *all)
{
	const struct val *entries;
	struct sock *s;
	size_t i, k;

	TAILQ_FOREACH(s, &socks, next)
		s->keep = strcmp(s->module, "CGCTL") == 0 ||
		    is_pinned(s->module);
	want_pinned();
	for (i = 0; i < val_count(all); i++) {
		if (is_pinned(val_key(all, i)) ||
		    listen_front(val_key(all, i)) == PROC_MAX)
			continue;
		entries = val_at(all, i);
		for (k = 0; k < val_count(entries); k++)
			want_entry(val_key(all, i), val_at(entries, k));
	}
	drop_unwanted();
	tell_fronts();
	return 0;
}

/* --- telling where --- */

static struct val *
entry_of(const struct sock *s)
{
	struct val *d = val_dict();

	dict_setf(d, "PortNumber", "%d", s->port);
	dict_setf(d, "IPAddress", "%s", s->address);
	dict_setf(d, "TLS", s->tls ? "YES" : "NO");
	dict_setf(d, "Submission", s->submission ? "YES" : "NO");
	return d;
}

int
listen_write_ports(void)
{
	struct val *d = val_dict(), *list;
	struct sock *s;
	struct buf b;
	int r;

	TAILQ_FOREACH(s, &socks, next) {
		if (strcmp(s->module, "CGCTL") == 0)
			continue;
		if (dict_get(d, s->module) == NULL)
			dict_set(d, s->module, val_array());
		list = dict_get(d, s->module);
		val_append(list, entry_of(s));
	}
	buf_init(&b, 0);
	val_write(&b, d, true);
	r = file_replace(basefd, "Ports", 0644, b.p, b.len);
	if (r == -1)
		log_warn("Ports");
	buf_free(&b);
	val_free(d);
	return r;
}
