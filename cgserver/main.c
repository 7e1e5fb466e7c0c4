/*
 * cgserver: the supervisor.  Reads cgserver.conf, makes the base directory's
 * skeleton, binds ports, starts the others, and starts them again.  Runs as
 * root where ports and users need it; parses nothing that came from the
 * network and opens nothing below the base directory but its top.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <unistd.h>

#include "cgserver.h"
#include "log.h"

enum { STOP_POLL_MS = 10, STOP_WAIT_MS = 15000, FILES = 65536 };

struct conf		 conf;
struct event_base	*base;
int			 basefd = -1;
int			 own_log[2];
int			 debug;
bool			 log_all;

bool			 has_started;

static bool		 restart, daemonize, failed;
static int		 parent = -1;		/* --Daemon: tell it once */
static char		**arguments;
static char		*program;		/* an upgrade may replace it */

/* In this order they end: who promises first, who keeps last. */
static const struct phase {
	enum proc_id	 ids[4];
	size_t		 n;
} phases[] = {
	{ { PROC_SMTPD, PROC_POP3D, PROC_IMAPD, PROC_PWDD }, 4 },
	{ { PROC_SENDER }, 1 },
	{ { PROC_QUEUED }, 1 },
	{ { PROC_STORED, PROC_DELIVERY, PROC_TEMPLATE }, 3 },
	{ { PROC_AUTHD, PROC_PRIV, PROC_ROUTERD }, 3 },
	{ { PROC_LOGD }, 1 },
};
static size_t		 phase;
static int		 waited;
static struct event	*stop_timer;

/* The system's own log hears when the suite comes and goes, and why not. */
static void
to_syslog(int level, const char *text)
{
	openlog("cgserver", LOG_PID, LOG_MAIL);
	syslog(level, "%s", text);
	closelog();
}

/* --- the end --- */

static void
finished(void)
{
	lock_release();
	if (failed)
		exit(1);
	to_syslog(LOG_INFO, restart ? "restarting" : "stopped");
	if (restart) {
		execv(program, arguments);
		log_warn("cannot restart");
	}
	exit(0);
}

static void
stop_step(int fd, short what, void *arg)
{
	static const struct timeval tv = { 0, STOP_POLL_MS * 1000 };
	const struct phase *p = &phases[phase];

	children_reap();
	if (children_left(p->ids, p->n) == 0) {
		waited = 0;
		if (++phase == sizeof(phases) / sizeof(*phases))
			finished();
		children_stop(phases[phase].ids, phases[phase].n);
	} else if ((waited += STOP_POLL_MS) == STOP_WAIT_MS) {
		log_warnx("some did not stop in time and are killed");
		children_kill(p->ids, p->n);
	}
	evtimer_add(stop_timer, &tv);
}

void
stop_all(int again)
{
	if (stop_timer != NULL)
		return;
	restart = again;
	log_msg(LOG_MAJOR, again ? "restarting" : "stopping");
	if (!again)
		notify("STOPPING=1");
	stop_timer = evtimer_new(base, stop_step, NULL);
	if (stop_timer == NULL)
		fatalx("no timer");
	children_stop(phases[0].ids, phases[0].n);
	stop_step(-1, 0, NULL);
}

static void
got_term(int sig, short what, void *arg)
{
	stop_all(0);
}

static void
got_child(int sig, short what, void *arg)
{
	children_reap();
}

#define SWAP(a, b) do {				\
	__typeof__(a) kept = (a);		\
	(a) = (b);				\
	(b) = kept;				\
} while (0)

/* Of cgserver.conf only where the files are; the rest wants a restart. */
static void
reread_places(void)
{
	struct conf fresh;
	char *err;

	if (conf_load(&fresh, conf.file, false, &err) == -1) {
		log_warnx("%s; what was read before stays", err);
		free(err);
	} else {
		SWAP(conf.tls_key, fresh.tls_key);
		SWAP(conf.tls_cert, fresh.tls_cert);
		SWAP(conf.tls_more, fresh.tls_more);
		SWAP(conf.ntls_more, fresh.ntls_more);
		SWAP(conf.tls_clients, fresh.tls_clients);
	}
	conf_free(&fresh);
}

static void
got_hup(int sig, short what, void *arg)
{
	struct msg_ctl_tls m = { .name = conf.hostname };
	int fd, i;

	reread_places();
	if (keys_load() == -1)
		return;
	for (i = 0; i < PROC_MAX; i++)
		if ((is_front(i) || i == PROC_AUTHD) &&
		    (fd = keys_tls_fd(i)) != -1) {
			children_send(i, IPC_CTL_TLS, &m, fd);
			close(fd);
		}
	log_msg(LOG_MAJOR, "read key and certificate again");
}

/* --- the beginning --- */

void
started(void)
{
	char ok = 0;

	if (has_started)
		return;
	has_started = true;
	log_msg(LOG_MAJOR, "cgate %s started, process %ld", CG_VERSION,
	    (long)getpid());
	to_syslog(LOG_INFO, "started, version " CG_VERSION);
	listen_write_ports();
	notify("READY=1");
	if (parent != -1) {
		if (write(parent, &ok, 1) == -1)
			log_warn("telling the parent");
		close(parent);
		parent = -1;
		dup2(STDOUT_FILENO, STDERR_FILENO);
	}
}

/* What stops a start is for a person and for syslog. */
void
complain(const char *text)
{
	fprintf(stderr, "cgserver: %s\n", text);
	to_syslog(LOG_ERR, text);
}

static void
give_up(const char *text)
{
	complain(text);
	exit(1);
}

/* Something is wrong with this installation: trying on would hide it. */
void
start_failed(const char *text)
{
	if (has_started || stop_timer != NULL)
		return;
	complain(text);
	failed = true;
	stop_all(0);
}

/*
 * The parent passes on what the child says on its standard error until the
 * suite serves (a NUL byte) or cannot (the end).
 */
static void
wait_for_child(int from)
{
	char text[512], *end;
	ssize_t n;

	while ((n = read(from, text, sizeof(text))) > 0) {
		end = memchr(text, '\0', n);
		if (write(STDERR_FILENO, text, end != NULL ? end - text : n) ==
		    -1)
			break;
		if (end != NULL)
			_exit(0);
	}
	_exit(1);
}

static void
go_background(void)
{
	pid_t pid = -1;
	int p[2], null;

	if (pipe2(p, O_CLOEXEC) != -1)
		pid = fork();
	if (pid == -1)
		give_up(strerror(errno));
	if (pid > 0) {
		close(p[1]);
		wait_for_child(p[0]);
	}
	close(p[0]);
	parent = p[1];
	setsid();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null != -1) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	dup2(parent, STDERR_FILENO);
}

static void
on_signal(int sig, event_callback_fn cb)
{
	struct event *ev = evsignal_new(base, sig, cb, NULL);

	if (ev == NULL || event_add(ev, NULL) == -1)
		fatalx("no event for signals");
}

/* A shell's limit of 1,024 open files is for a person, not for a server. */
static void
many_files(void)
{
	struct rlimit rl, more = { FILES, FILES };

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1 || (rl.rlim_max < FILES &&
	    setrlimit(RLIMIT_NOFILE, &more) == 0))
		return;
	rl.rlim_cur = rl.rlim_max < FILES ? rl.rlim_max : FILES;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
}

static void
run(void)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1 ||
	    prctl(PR_SET_DUMPABLE, 0) == -1)
		fatal("prctl");
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	many_files();
	if ((base = event_base_new()) == NULL)
		fatalx("no event loop");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    own_log) == -1)
		fatal("socketpair");
	if (skeleton_make() == -1 || lock_take() == -1 || keys_load() == -1)
		give_up("cannot start, see above");
	log_init("SERVER", own_log[1], debug);
	if (geteuid() != 0)
		log_msg(LOG_MAJOR, "started without root: one user for all, "
		    "no empty roots");
	on_signal(SIGTERM, got_term);
	on_signal(SIGINT, got_term);
	on_signal(SIGHUP, got_hup);
	on_signal(SIGCHLD, got_child);
	children_make();
	children_start();
	event_base_dispatch(base);
}

/* --- options: as the manual has them, in any case --- */

static void
usage(int status)
{
	fprintf(status == 0 ? stdout : stderr,
	    "usage: cgserver [-dnv] [-f file] [--Base dir] [--LogToConsole] "
	    "[--LogAll]\n\t[--Daemon] [--adopt]\n");
	exit(status);
}

/* With a value, without, or known to the manual and harmless here. */
static const struct option_def {
	const char	*name;
	char		 what;
	bool		 value;
} options[] = {
	{ "--Base", 'b', true }, { "--CGateBase", 'b', true },
	{ "--LogToConsole", 'd', false }, { "--LogAll", 'a', false },
	{ "--Daemon", 'D', false }, { "--adopt", 'A', false },
	{ "--NoWebCache", ' ', false }, { "--noLockFile", ' ', false },
	{ "--dropRoot", ' ', false }, { "--ThreadsScope", ' ', true },
	{ "--BatchLogon", ' ', false }, { "--SharedFiles", ' ', false },
	{ "--CGateApplication", ' ', true }, { "--help", 'h', false },
	{ "--version", 'v', false },
	{ "-d", 'd', false }, { "-n", 'n', false }, { "-v", 'v', false },
	{ "-f", 'f', true }, { "-h", 'h', false },
	{ NULL, 0, false }
};

struct chosen {
	const char	*file, *base;
	bool		 only_check, adopt;
};

static void
parse_options(int argc, char **argv, struct chosen *c)
{
	const struct option_def *o;
	const char *value;
	int i;

	for (i = 1; i < argc; i++) {
		for (o = options; o->name != NULL; o++)
			if (strcasecmp(o->name, argv[i]) == 0)
				break;
		if (o->name == NULL || (o->value && i + 1 == argc)) {
			fprintf(stderr, "cgserver: %s: %s\n", argv[i],
			    o->name == NULL ? "unknown option" :
			    "a value is wanted");
			usage(2);
		}
		value = o->value ? argv[++i] : NULL;
		switch (o->what) {
		case 'b': c->base = value; break;
		case 'f': c->file = value; break;
		case 'd': debug = 1; break;
		case 'a': log_all = true; break;
		case 'D': daemonize = true; break;
		case 'A': c->adopt = true; break;
		case 'n': c->only_check = true; break;
		case 'h': usage(0); break;
		case 'v':
			printf("cgate %s\n", CG_VERSION);
			exit(0);
		default: break;
		}
	}
}

static void
load(const struct chosen *c)
{
	const char *file = c->file != NULL ? c->file : getenv("CG_CONF");
	char *err;

	if (conf_load(&conf, file != NULL ? file :
	    CG_SYSCONFDIR "/cgserver.conf", file != NULL, &err) == -1)
		give_up(err);
	if (c->base != NULL) {
		free(conf.base);
		conf.base = xstrdup(c->base);
	}
	if (conf_find_users(&conf, &err) == -1)
		give_up(err);
	if (conf.os_passwords && geteuid() != 0)
		give_up("os-passwords need root");
}

int
main(int argc, char **argv)
{
	struct chosen c = { 0 };

	arguments = argv;
	program = realpath("/proc/self/exe", NULL);
	if (program == NULL)
		program = argv[0];
	parse_options(argc, argv, &c);
	log_init("SERVER", -1, 1);
	log_set_level(log_all ? LOG_ALL : LOG_PROBLEM);
	load(&c);
	if (c.adopt)
		return adopt();
	if (!check_conf() || (c.only_check && !keys_fit()))
		give_up("cannot start, see above");
	if (c.only_check) {
		printf("%s: configuration OK\n", conf.file);
		return 0;
	}
	if (daemonize)
		go_background();
	run();
	return 0;
}
