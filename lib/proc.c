/*
 * A child of cgserver, from its first packet to its loop: see proc.h for the
 * order of things.  Runs in every daemon.  It must never read anything from
 * outside the suite before the walls are proved.
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <bsd/sys/queue.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "log.h"
#include "proc_int.h"

enum { FD_CONTROL = 3, FD_LOG = 4, MAXGROUPS = 32, STOP_SECONDS = 20 };

struct pending {		/* a listener that came before the walls */
	TAILQ_ENTRY(pending)	 next;
	struct listener		*l;
};

const struct proc_def		*proc_def;

static struct proc_conf		 conf;
static struct val		*settings;
static struct event_base	*base;
static struct ipc		*control;
static int			 basefd = -1;
static bool			 going;		/* CTL_GO came */
static bool			 serving;	/* the loop runs, inside walls */
static bool			 stopping;
static bool			 log_all;
static char			*pem;
static size_t			 pemlen;
static TAILQ_HEAD(, pending)	 listeners = TAILQ_HEAD_INITIALIZER(listeners);
static struct { char module[17]; int fd; } shared[4];
static size_t			 nshared;

/* Only programs with TLS or digests have it: the others stay small. */
#pragma weak OPENSSL_init_crypto

#ifdef CG_SANITIZE
/* The leak checker would look through /proc; unit tests look for leaks. */
const char	*__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

static const char *const names[PROC_MAX] = {
	[PROC_SERVER] = "cgserver", [PROC_LOGD] = "logd",
	[PROC_AUTHD] = "authd", [PROC_PRIV] = "authd-priv",
	[PROC_ROUTERD] = "routerd", [PROC_QUEUED] = "queued",
	[PROC_SMTPD] = "smtpd", [PROC_POP3D] = "pop3d",
	[PROC_IMAPD] = "imapd", [PROC_PWDD] = "pwdd",
	[PROC_STORED] = "stored", [PROC_DELIVERY] = "stored-delivery",
	[PROC_TEMPLATE] = "stored-worker", [PROC_SENDER] = "smtpd-send",
};

const char *
proc_name(enum proc_id id)
{
	return (unsigned int)id < PROC_MAX ? names[id] : "?";
}

const struct proc_conf *
proc_conf(void)
{
	return &conf;
}

const struct val *
proc_settings(void)
{
	return settings;
}

struct event_base *
proc_base(void)
{
	return base;
}

int
proc_basefd(void)
{
	return basefd;
}

struct ipc *
proc_control(void)
{
	return control;
}

bool
proc_serving(void)
{
	return serving;
}

bool
proc_stopping(void)
{
	return stopping;
}

void
proc_exit(int status)
{
	exit(status);
}

/* --- configuration and settings --- */

static void
got_config(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ctl_config *m = pkt->m;
	const char *err = "given twice";

	if (conf.conf != NULL || (conf.conf = val_read_fd(pkt->fd,
	    &err)) == NULL)
		fatalx("configuration: %s", err);
	conf.id = m->proc;
	conf.instance = m->instance;
	conf.base = xstrdup(dict_str(conf.conf, "Base", "/"));
	conf.hostname = xstrdup(dict_str(conf.conf, "Hostname", "localhost"));
	conf.root = dict_bool(conf.conf, "Root", false);
	conf.weak = dict_bool(conf.conf, "Weak", false);
	conf.uid = dict_int(conf.conf, "Uid", 0);
	conf.gid = dict_int(conf.conf, "Gid", 0);
	log_init(proc_def->tag, FD_LOG, dict_bool(conf.conf, "Debug", false));
	log_all = dict_bool(conf.conf, "LogAll", false);
	log_set_level(log_all ? LOG_ALL :
	    dict_int(conf.conf, "LogLevel", LOG_PROBLEM));
}

static void
tell_settings(void)
{
	if (proc_def->settings != NULL)
		proc_def->settings(settings);
	if (log_all)
		log_set_level(LOG_ALL);
}

static void
got_settings(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const char *err;
	struct val *v = val_read_fd(pkt->fd, &err), *old = settings;

	if (v == NULL) {
		log_warnx("settings: %s", err);
		return;
	}
	settings = v;
	if (serving)
		tell_settings();
	val_free(old);
}

/* What came before this has been acted upon. */
static void
got_settings_wait(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	struct msg_done done = { .text = "" };

	ipc_answer(ipc_ref(ipc, pkt), IPC_DONE, &done, -1);
}

/* --- what fronts get --- */

static void
got_tls(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	struct stat st;
	char *p;
	ssize_t n;

	if (proc_def->tls == NULL || fstat(pkt->fd, &st) == -1 ||
	    st.st_size > 1024 * 1024 || (p = malloc(st.st_size + 1)) == NULL)
		return;
	n = pread(pkt->fd, p, st.st_size, 0);
	if (n == -1) {
		free(p);
		return;
	}
	p[n] = '\0';
	if (serving) {
		proc_def->tls(p, n);
		explicit_bzero(p, n);
		free(p);
		return;
	}
	free(pem);
	pem = p;
	pemlen = n;
}

static void
got_listen(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ctl_listen *m = pkt->m;
	struct listener *l;
	struct pending *w;

	if (proc_def->listen == NULL || pkt->fd == -1)
		return;
	l = xcalloc(1, sizeof(*l));
	l->fd = ipc_take_fd(pkt);
	l->module = xstrdup(m->module);
	l->address = xstrdup(m->address);
	l->port = m->port;
	l->tls = m->tls;
	l->submission = m->submission;
	l->restriction = xstrdup(m->restriction);
	l->addresses = xstrdup(m->addresses);
	if (serving) {
		proc_def->listen(l);
		return;
	}
	w = xcalloc(1, sizeof(*w));
	w->l = l;
	TAILQ_INSERT_TAIL(&listeners, w, next);
}

static void
got_unlisten(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ctl_unlisten *m = pkt->m;

	if (serving && proc_def->unlisten != NULL)
		proc_def->unlisten(m->module);
}

static void
got_shared(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ctl_shared *m = pkt->m;

	if (proc_def->shared == NULL || pkt->fd == -1)
		return;
	if (serving) {
		proc_def->shared(m->module, ipc_take_fd(pkt));
		return;
	}
	if (nshared == sizeof(shared) / sizeof(shared[0]))
		return;
	snprintf(shared[nshared].module, sizeof(shared[0].module), "%s",
	    m->module);
	shared[nshared++].fd = ipc_take_fd(pkt);
}

static void
got_logsource(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ctl_logsource *m = pkt->m;

	if (proc_def->logsource != NULL && pkt->fd != -1)
		proc_def->logsource(m->name, ipc_take_fd(pkt));
}

static void
got_go(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	going = true;
	event_base_loopbreak(base);
}

/* --- status and the end --- */

static void
got_status(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	struct val *d = val_dict();
	struct msg_ctl_state m;
	struct buf b;

	buf_init(&b, 60000);
	if (proc_def->status != NULL)
		proc_def->status(d);
	val_write(&b, d, false);
	m.text = b.failed || b.p == NULL ? "{}" : b.p;
	ipc_answer(ipc_ref(ipc, pkt), IPC_CTL_STATE, &m, -1);
	buf_free(&b);
	val_free(d);
}

static void
got_trace(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ctl_trace *m = pkt->m;

	struct msg_done done = { .text = "" };

	ipc_trace(m->name, m->peer, m->seconds);
	ipc_answer(ipc_ref(ipc, pkt), IPC_DONE, &done, -1);
}

/* Whoever cannot finish in time is not waited for. */
static void
stop_now(void)
{
	if (stopping)
		return;
	stopping = true;
	if (!serving || proc_def->stop == NULL)
		proc_exit(0);
	alarm(STOP_SECONDS);
	proc_def->stop();
}

static void
got_stop(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	stop_now();
}

static void
got_signal(int sig, short what, void *arg)
{
	stop_now();
}

/* Without cgserver nobody would start us anew: finish and go. */
static void
control_down(struct ipc *ipc, void *arg)
{
	control = NULL;
	if (!stopping)
		log_warnx("cgserver is gone");
	stop_now();
}

static const struct ipc_disp control_disp[] = {
	{ IPC_CTL_CONFIG, got_config },
	{ IPC_CTL_SETTINGS, got_settings },
	{ IPC_SETTINGS_WAIT, got_settings_wait },
	{ IPC_CTL_TLS, got_tls },
	{ IPC_CTL_LISTEN, got_listen },
	{ IPC_CTL_UNLISTEN, got_unlisten },
	{ IPC_CTL_PEER, proc_got_peer },
	{ IPC_CTL_LOGSOURCE, got_logsource },
	{ IPC_CTL_SHARED, got_shared },
	{ IPC_CTL_GO, got_go },
	{ IPC_CTL_STOP, got_stop },
	{ IPC_CTL_STATUS, got_status },
	{ IPC_CTL_TRACE, got_trace },
	{ IPC_NONE, NULL }
};

/* Ours and the daemon's own (answers to nothing we ask: routerd, authd). */
static void
control_open(void)
{
	static struct ipc_disp all[32];
	const struct ipc_disp *from[] = { control_disp, proc_def->control };
	const struct ipc_disp *d;
	size_t i, n = 0;

	for (i = 0; i < 2; i++)
		for (d = from[i]; d != NULL && d->type != IPC_NONE; d++) {
			if (n == sizeof(all) / sizeof(all[0]) - 1)
				panic("too many control messages");
			all[n++] = *d;
		}
	control = ipc_new(base, FD_CONTROL, "cgserver", all, control_down,
	    NULL);
}

/* --- the walls --- */

static void
signals(void)
{
	static const int ignored[] = { SIGPIPE, SIGHUP, SIGINT, SIGIO,
		SIGUSR1, SIGUSR2 };
	struct event *ev;
	size_t i;

	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	ev = evsignal_new(base, SIGTERM, got_signal, NULL);
	if (ev == NULL || event_add(ev, NULL) == -1)
		fatalx("no event for signals");
}

/* What libraries would read from the machine's root, before we leave it. */
static void
preload(void)
{
	tzset();
	if (OPENSSL_init_crypto != NULL)
		OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG |
		    OPENSSL_INIT_ADD_ALL_CIPHERS |
		    OPENSSL_INIT_ADD_ALL_DIGESTS, NULL);
}

static void
open_base(void)
{
	/* Behind an empty root a way back out must not lie around. */
	if (proc_def->sandbox.empty_root)
		return;
	basefd = open(conf.base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (basefd == -1)
		fatal("%s", conf.base);
}

static void
drop(void)
{
	const struct val *v = dict_get(conf.conf, "Groups");
	gid_t groups[MAXGROUPS];
	size_t i, n = val_count(v);
	const char *text;

	if (n > MAXGROUPS)
		fatalx("too many groups");
	for (i = 0; i < n; i++) {
		text = val_text(val_at(v, i));
		groups[i] = strtoul(text != NULL ? text : "", NULL, 10);
	}
	if (sandbox_root(&proc_def->sandbox, conf.base, conf.root) == -1)
		fatal("root directory");
	if (sandbox_drop(&proc_def->sandbox, conf.uid, conf.gid, groups, n,
	    conf.root) == -1)
		fatal("dropping rights");
	if (conf.root && !proc_def->sandbox.keep_root) {
		free(conf.base);
		conf.base = xstrdup("/");
	}
}

static void
lock(void)
{
	const char *proved, *what = "?";

	if (sandbox_lock(&proc_def->sandbox, basefd, conf.weak) == -1)
		fatal("sandbox%s", sandbox_landlock_abi() < 2 ?
		    " (no Landlock here; see `sandbox weak')" : "");
	proved = sandbox_prove(&proc_def->sandbox, conf.root, conf.weak, &what);
	if (proved == NULL)
		fatalx("sandbox: %s came through", what);
	log_msg(LOG_MAJOR, "sandbox proved: %s", proved);
}

/* --- serving --- */

static void
tell_all(void)
{
	struct pending *w;
	size_t i;

	for (i = 0; i < nshared; i++)
		proc_def->shared(shared[i].module, shared[i].fd);
	if (pem != NULL) {
		proc_def->tls(pem, pemlen);
		explicit_bzero(pem, pemlen);
		free(pem);
		pem = NULL;
	}
	proc_peers_tell();
	while ((w = TAILQ_FIRST(&listeners)) != NULL) {
		TAILQ_REMOVE(&listeners, w, next);
		proc_def->listen(w->l);
		free(w);
	}
}

void
proc_ready(void)
{
	static bool told;
	struct msg_ctl_ready ready = { 0 };

	if (!told)
		ipc_send(control, IPC_CTL_READY, 0, &ready, -1);
	told = true;
}

static void
serve(void)
{
	proc_peers_open();
	serving = true;
	if (proc_def->start != NULL)
		proc_def->start();
	tell_all();
	if (!proc_def->ready_later)
		proc_ready();
	event_base_dispatch(base);
	proc_exit(0);
}

/* A burst of records waits in our own socket rather than being dropped. */
static void
log_room(void)
{
	int bytes = 1024 * 1024;

	if (setsockopt(FD_LOG, SOL_SOCKET, SO_SNDBUFFORCE, &bytes,
	    sizeof(bytes)) == -1)
		(void)setsockopt(FD_LOG, SOL_SOCKET, SO_SNDBUF, &bytes,
		    sizeof(bytes));
}

int
proc_run(int argc, char **argv, const struct proc_def *d)
{
	struct stat st;

	proc_def = d;
	if (fstat(FD_CONTROL, &st) == -1 || !S_ISSOCK(st.st_mode) ||
	    fstat(FD_LOG, &st) == -1 || !S_ISSOCK(st.st_mode)) {
		fprintf(stderr, "%s is started by cgserver, not by hand\n",
		    d->name);
		return 2;
	}
	fcntl(FD_CONTROL, F_SETFD, FD_CLOEXEC);
	fcntl(FD_LOG, F_SETFD, FD_CLOEXEC);
	log_room();
	umask(006);	/* directories are passed through by others */
	log_init(d->tag, FD_LOG, 0);
	if ((base = event_base_new()) == NULL)
		fatalx("no event loop");
	signals();
	control_open();
	event_base_dispatch(base);
	if (!going || conf.conf == NULL)
		fatalx("no configuration");
	preload();
	if (d->before != NULL)
		d->before(&conf);
	open_base();
	drop();
	if (settings == NULL)	/* only logd and routerd come so early */
		settings = val_dict();
	tell_settings();
	if (d->init != NULL)
		d->init(&conf);
	lock();
	serve();
	return 0;
}
