/*
 * The control channels: what a child is told before it goes, and what the
 * children may ask of cgserver.  routerd gives settings and the listeners
 * wanted; authd may ask for the status, for a trace and for the end of
 * the suite, and has checked that its caller may.  Everybody else says READY, and no more.
 */
#include <sys/mman.h>

#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cgserver.h"
#include "file.h"
#include "host.h"
#include "log.h"

enum {
	STATUS_WAIT = 3000,		/* milliseconds */
	APPLY_WAIT = 2000,
	STATE_MAX = 4096,		/* bytes that a child may tell */
	SHARED_SIZE = 2 * 1024 * 1024
};

static int		settings_fd = -1;	/* the last CTL_SETTINGS */
static bool		wanted;			/* CTL_WANT came */
static time_t		begun;

/* --- before CTL_GO --- */

static void
set_uids(struct val *d)
{
	const struct conf_user *u;
	struct val *uids = val_dict();
	struct val *one;
	int i;

	for (i = PROC_LOGD; i < PROC_MAX; i++) {
		if ((u = conf_user_of(&conf, i)) == NULL)
			continue;
		one = val_dict();
		dict_setf(one, "Uid", "%lu", (unsigned long)u->uid);
		dict_setf(one, "Gid", "%lu", (unsigned long)u->gid);
		dict_set(uids, proc_name(i), one);
	}
	dict_set(d, "Uids", uids);
}

static void
add_group(struct val *groups, enum proc_id id)
{
	char *text = xasprintf("%lu",
	    (unsigned long)conf_user_of(&conf, id)->gid);

	val_append(groups, val_string(text));
	free(text);
}

/* authd hands account directories to stored; routerd domains' to authd. */
static void
set_groups(struct val *d, enum proc_id id)
{
	struct val *groups = val_array();

	if (id == PROC_AUTHD)
		add_group(groups, PROC_STORED);
	if (id == PROC_ROUTERD)
		add_group(groups, PROC_AUTHD);
	dict_set(d, "Groups", groups);
}

static struct val *
config_of(const struct child *c)
{
	const struct conf_user *u = conf_user_of(&conf, c->id);
	struct val *d = val_dict();
	char name[64];

	dict_setf(d, "Base", "%s", conf.base);
	dict_setf(d, "Hostname", "%s", conf.hostname);
	dict_setf(d, "Root", geteuid() == 0 ? "YES" : "NO");
	dict_setf(d, "Weak", conf.weak ? "YES" : "NO");
	dict_setf(d, "Debug", debug ? "YES" : "NO");
	dict_setf(d, "LogAll", log_all ? "YES" : "NO");
	dict_setf(d, "Processes", "%d", conf.processes[c->id]);
	dict_setf(d, "Uid", "%lu", (unsigned long)(u != NULL ? u->uid : 0));
	dict_setf(d, "Gid", "%lu", (unsigned long)(u != NULL ? u->gid : 0));
	set_groups(d, c->id);
	set_uids(d);
	if (c->id == PROC_ROUTERD)
		dict_set(d, "Pinned", val_copy(conf.pinned));
	if (c->id == PROC_AUTHD) {
		dict_setf(d, "PasswordKey", "%s", keys_password());
		dict_setf(d, "OwnerUid", "%lu", (unsigned long)geteuid());
		listen_cgctl_name(name, sizeof(name));
		dict_setf(d, "ControlSocket", "%s", name);
	}
	if (c->id == PROC_AUTHD || is_front(c->id))
		dict_setf(d, "SaltKey", "%s", keys_salt());
	if (c->id == PROC_QUEUED)
		dict_set(d, "TrustedUsers", val_copy(conf.trusted));
	if (c->id == PROC_SENDER) {
		dict_setf(d, "Resolver", "%s",
		    conf.resolver != NULL ? conf.resolver : "");
		dict_setf(d, "ResolverTrusted", "%s",
		    conf.resolver_trusted != NULL ? conf.resolver_trusted :
		    "");
		dict_setf(d, "Authorities", "%s",
		    conf.authorities != NULL ? conf.authorities : "");
	}
	if (c->id == PROC_PRIV) {
		dict_setf(d, "OSPasswords", conf.os_passwords ? "YES" : "NO");
		dict_set(d, "HelperDirs", val_copy(conf.helpers));
		dict_set(d, "ExternalDirs", val_copy(conf.external));
		dict_setf(d, "HelperUid", "%lu",
		    (unsigned long)conf.helper_user.uid);
		dict_setf(d, "HelperGid", "%lu",
		    (unsigned long)conf.helper_user.gid);
		if (conf.pam_dir != NULL)
			dict_setf(d, "PamDir", "%s", conf.pam_dir);
	}
	return d;
}

static void
send_config(struct child *c)
{
	struct msg_ctl_config m = { .proc = c->id, .instance = c->instance };
	struct val *d = config_of(c);
	struct buf b;
	int fd;

	buf_init(&b, 0);
	val_write(&b, d, false);
	fd = file_memfd("config", b.p, b.len);
	if (fd == -1)
		log_warn("cannot configure %s", c->name);
	ipc_send(c->ctl, IPC_CTL_CONFIG, 0, &m, fd);
	if (b.p != NULL)
		explicit_bzero(b.p, b.len);
	buf_free(&b);
	val_free(d);
}

static const struct shared {
	enum proc_id	 front;
	const char	*module;
} shared[] = {
	{ PROC_SMTPD, "SMTP" }, { PROC_POP3D, "POP" }, { PROC_IMAPD, "IMAP" },
	{ PROC_PWDD, "PWD" },
};

static void
send_shared(struct child *c)
{
	static int fds[PROC_MAX];	/* 0: none yet */
	struct msg_ctl_shared m = { .module = "" };
	int *fd = &fds[c->id];
	size_t i;

	for (i = 0; i < sizeof(shared) / sizeof(*shared); i++)
		if (shared[i].front == c->id)
			m.module = shared[i].module;
	if (*fd <= 0) {
		/* Sealed: who makes it shorter would end the other fronts. */
		*fd = memfd_create("shared", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (*fd == -1 || ftruncate(*fd, SHARED_SIZE) == -1 ||
		    fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
			F_SEAL_SEAL) == -1) {
			log_warn("shared memory");
			return;
		}
	}
	ipc_send(c->ctl, IPC_CTL_SHARED, 0, &m,
	    fcntl(*fd, F_DUPFD_CLOEXEC, 0));
}

static void
send_tls(struct child *c)
{
	struct msg_ctl_tls m = { .name = conf.hostname };

	ipc_send(c->ctl, IPC_CTL_TLS, 0, &m, keys_tls_fd(c->id));
}

static void
send_settings(struct child *c)
{
	struct msg_ctl_settings m = { 0 };

	if (settings_fd != -1 && c->id != PROC_ROUTERD)
		ipc_send(c->ctl, IPC_CTL_SETTINGS, 0, &m,
		    fcntl(settings_fd, F_DUPFD_CLOEXEC, 0));
}

static void
send_logsource(struct child *logd, const char *name, int fd)
{
	struct msg_ctl_logsource m = { .name = name };

	if (logd->ctl != NULL && fd != -1)
		ipc_send(logd->ctl, IPC_CTL_LOGSOURCE, 0, &m,
		    fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

/* logd hears of every new socket; a new logd of all. */
static void
tell_logd(struct child *c)
{
	struct child *o;

	for (o = children; o < children + nchildren; o++)
		if (c->id == PROC_LOGD)
			send_logsource(c, o->name, o->log[0]);
		else if (o->id == PROC_LOGD)
			send_logsource(o, c->name, c->log[0]);
	if (c->id == PROC_LOGD)
		send_logsource(c, "cgserver", own_log[0]);
}

void
control_configure(struct child *c)
{
	if (begun == 0)
		begun = time(NULL);
	send_config(c);
	send_settings(c);
	tell_logd(c);
	if (is_front(c->id) || c->id == PROC_AUTHD)
		send_tls(c);
	if (!is_front(c->id))
		return;
	send_shared(c);
	listen_give(c);
}

/* --- from the children --- */

static void
got_ready(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	struct child *c = arg;

	if (c->state == CHILD_STARTING)
		c->state = CHILD_READY;
	if (c->id == PROC_ROUTERD && wanted)
		children_go_on();
	if (children_ready())
		started();
}

static void
got_settings(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ctl_settings *m = pkt->m;
	struct child *c = arg, *o;

	if (c->id != PROC_ROUTERD || pkt->fd == -1)
		return;
	if (!log_all)
		log_set_level(m->level);
	if (settings_fd != -1)
		close(settings_fd);
	settings_fd = ipc_take_fd(pkt);
	for (o = children; o < children + nchildren; o++)
		if (o->ctl != NULL)
			send_settings(o);
}

struct applying {
	struct ipc_ref	 ref;
	size_t		 waiting;
};

static void
applied(const struct ipc_pkt *pkt, void *arg)
{
	struct msg_done done = { .text = "" };
	struct applying *a = arg;

	if (--a->waiting > 0)
		return;
	ipc_answer(a->ref, IPC_DONE, &done, -1);
	free(a);
}

/* Whoever is silent is not waited for; who starts begins with them. */
static void
got_settings_wait(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	struct msg_settings_wait m = { 0 };
	struct child *c = arg, *o;
	struct applying *a;

	if (c->id != PROC_ROUTERD)
		return;
	a = xcalloc(1, sizeof(*a));
	a->ref = ipc_ref(ipc, pkt);
	a->waiting = 1;
	for (o = children; o < children + nchildren; o++) {
		if (o == c || o->state != CHILD_READY)
			continue;
		a->waiting++;
		ipc_call(o->ctl, IPC_SETTINGS_WAIT, 0, &m, -1, APPLY_WAIT,
		    applied, a);
	}
	applied(NULL, a);
}

static void
got_want(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	struct child *c = arg;
	const char *err;
	struct val *v;

	if (c->id != PROC_ROUTERD)
		return;
	if ((v = val_read_fd(pkt->fd, &err)) == NULL) {
		log_warnx("listeners wanted: %s", err);
		return;
	}
	listen_wanted(v);
	val_free(v);
	wanted = true;
	if (c->state == CHILD_READY)
		children_go_on();
	if (has_started)
		listen_write_ports();
}

static void
got_shutdown(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ctl_shutdown *m = pkt->m;
	struct child *c = arg;

	if (c->id == PROC_AUTHD)
		stop_all(m->restart);
}

/* Is there such a process?  Down or not: it will be there again. */
static bool
is_known(const char *name)
{
	struct child *c;

	for (c = children; c < children + nchildren; c++)
		if (ipc_is_named(c->name, name))
			return true;
	return strcmp(name, proc_name(PROC_SERVER)) == 0;
}

static void
traced(const struct ipc_pkt *pkt, void *arg)
{
}

static void
pass_trace(const struct msg_ctl_trace *m)
{
	struct msg_ctl_trace to = *m;
	struct child *c;

	for (c = children; c < children + nchildren; c++)
		if (ipc_is_named(c->name, m->name)) {
			to.name = c->name;
			ipc_call(c->ctl, IPC_CTL_TRACE, 0, &to, -1,
			    IPC_TIMEOUT, traced, NULL);
		}
	if (strcmp(m->name, proc_name(PROC_SERVER)) == 0)
		ipc_trace(m->name, m->peer, m->seconds);
}

static void
got_trace(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ctl_trace *m = pkt->m;
	struct msg_done done = { .text = "" };
	struct child *c = arg;

	if (c->id != PROC_AUTHD)
		return;
	if (!is_known(m->name) || (*m->peer != '\0' && !is_known(m->peer))) {
		done.code = 1;
		done.text = "there is no such process";
	} else
		pass_trace(m);
	ipc_answer(ipc_ref(ipc, pkt), IPC_DONE, &done, -1);
}

static void
got_peer_lost(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_ctl_peer_lost *m = pkt->m;

	child_reconnect(arg, m->proc, m->instance);
}

/* A child's channel ended: it is dying, or must. */
void
control_down(struct ipc *ipc, void *arg)
{
	struct child *c = arg;

	c->ctl = NULL;
	child_kill(c);
}

/* --- status: everybody is asked; who is silent is told so --- */

struct asking {
	struct ipc_ref	 ref;
	struct val	*processes;
	int		 waiting;
};

struct asked {
	struct asking	*a;
	struct child	*c;
};

static struct val *
child_state(const struct child *c)
{
	static const char *const words[] = { "down", "starting", "ready",
		"stopping" };
	struct val *d = val_dict();

	dict_setf(d, "State", "%s", words[c->state]);
	dict_setf(d, "Pid", "%ld", (long)(c->state == CHILD_DOWN ? 0 : c->pid));
	dict_setf(d, "Restarts", "%u", c->restarts);
	dict_setf(d, "Uptime", "%lld", c->state == CHILD_DOWN ? 0LL :
	    (long long)(time(NULL) - c->started));
	return d;
}

static void
status_done(struct asking *a)
{
	struct msg_ctl_state m;
	struct val *d = val_dict(), *s = val_dict();
	struct buf b;

	dict_setf(s, "Version", "%s", CG_VERSION);
	dict_setf(s, "Hostname", "%s", conf.hostname);
	dict_setf(s, "Base", "%s", conf.base);
	dict_setf(s, "Uptime", "%lld", (long long)(time(NULL) - begun));
	dict_setf(s, "Sandbox", conf.weak ? "weak" : "strict");
	dict_setf(s, "Health", children_ready() ? "OK" : "DEGRADED");
	dict_set(d, "Suite", s);
	dict_set(d, "Processes", a->processes);
	buf_init(&b, 60000);
	val_write(&b, d, false);
	m.text = b.failed || b.p == NULL ? "{}" : b.p;
	ipc_answer(a->ref, IPC_CTL_STATE, &m, -1);
	buf_free(&b);
	val_free(d);
	free(a);
}

static void
status_of_child(const struct ipc_pkt *pkt, void *arg)
{
	struct asked *q = arg;
	struct val *d = child_state(q->c), *more = NULL;
	const struct msg_ctl_state *m;
	const char *err;
	size_t i;

	if (pkt != NULL) {
		m = pkt->m;
		if (strlen(m->text) <= STATE_MAX)
			more = val_parse_all(m->text, strlen(m->text), &err);
	} else
		dict_setf(d, "Silent", "YES");
	if (more != NULL && val_type(more) == VAL_DICT)
		for (i = 0; i < val_count(more); i++)
			dict_set(d, val_key(more, i),
			    val_copy(val_at(more, i)));
	val_free(more);
	dict_set(q->a->processes, q->c->name, d);
	if (--q->a->waiting == 0)
		status_done(q->a);
	free(q);
}

static void
got_status(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	struct msg_ctl_status m = { 0 };
	struct child *c = arg;
	struct asking *a;
	struct asked *q;

	if (c->id != PROC_AUTHD)
		return;
	a = xcalloc(1, sizeof(*a));
	a->ref = ipc_ref(ipc, pkt);
	a->processes = val_dict();
	a->waiting = (int)nchildren;
	for (c = children; c < children + nchildren; c++) {
		q = xcalloc(1, sizeof(*q));
		q->a = a;
		q->c = c;
		ipc_call(c->ctl, IPC_CTL_STATUS, 0, &m, -1, STATUS_WAIT,
		    status_of_child, q);
	}
}

/* routerd's walls keep it from asking the kernel itself. */
static void
got_host(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	struct msg_ctl_host_is m = { .addresses = "" };
	struct buf b;

	buf_init(&b, 60000);
	if (host_addresses(&b) && b.len > 0)
		m.addresses = b.p;
	ipc_answer(ipc_ref(ipc, pkt), IPC_CTL_HOST_IS, &m, -1);
	buf_free(&b);
}

const struct ipc_disp control_disp[] = {
	{ IPC_CTL_READY, got_ready },
	{ IPC_CTL_SETTINGS, got_settings },
	{ IPC_SETTINGS_WAIT, got_settings_wait },
	{ IPC_CTL_WANT, got_want },
	{ IPC_CTL_HOST, got_host },
	{ IPC_CTL_SHUTDOWN, got_shutdown },
	{ IPC_CTL_STATUS, got_status },
	{ IPC_CTL_TRACE, got_trace },
	{ IPC_CTL_PEER_LOST, got_peer_lost },
	{ IPC_NONE, NULL }
};
