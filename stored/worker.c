/*
 * stored-worker: the template.  A small program that has seen no mail; for
 * each account that becomes active it forks a worker (worker_main.c), which
 * walls itself into that account's directory before it does anything else.
 * The template keeps CAP_SYS_CHROOT alone, and nothing open but its channels.
 */
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "dict.h"
#include "log.h"
#include "settings.h"
#include "worker.h"

enum { PENDING = 64, FD_LOCK = 5 };

/* SPAWN_DIR comes first, SPAWN_IO right behind it. */
static struct pending {
	bool		 used;
	uint32_t	 account;
	int		 dirfd;
	char		*path;
	char		*file;
} pending[PENDING];

static unsigned	children;
static bool	stopping;

static void
drop(struct pending *p)
{
	if (p->dirfd != -1)
		close(p->dirfd);
	free(p->path);
	free(p->file);
	memset(p, 0, sizeof(*p));
}

static struct pending *
find(bool used, uint32_t account)
{
	int i;

	for (i = 0; i < PENDING; i++)
		if (pending[i].used == used &&
		    (!used || pending[i].account == account))
			return &pending[i];
	return NULL;
}

static void
got_dir(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_spawn_dir *m = pkt->m;
	struct pending *p = find(false, 0);

	if (p == NULL || pkt->fd == -1)
		return;		/* its SPAWN_IO is answered with a failure */
	p->used = true;
	p->account = m->account;
	p->dirfd = ipc_take_fd(pkt);
	p->path = xstrdup(m->path);
	p->file = xstrdup(m->file);
}

/*
 * In the child: nothing of the template's but the log, and the suite's lock:
 * after a kill of cgserver the next one must wait for this worker, too.
 */
static void
close_others(int a, int b)
{
	int low = a < b ? a : b, high = a < b ? b : a;

	close(3);
	if (low > FD_LOCK + 1)
		close_range(FD_LOCK + 1, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0U, 0);
}

/* Sessions go by their modules' levels (live()), the rest by a domain's. */
static void
log_levels(const struct val *all, const char *domain)
{
	const struct val *d = dict_get(dict_get(all, "Domains"), domain);

	log_set_level(dict_int(d, "MailboxesLogLevel",
	    settings_int(all, "Domain", "MailboxesLogLevel")));
	log_set_level_of("ACCOUNT", dict_int(d, "AccountsLogLevel",
	    settings_int(all, "Domain", "AccountsLogLevel")));
}

/* Of "Domains/x.com/jo.sub/john.macnt" or "Accounts/john.mbox". */
static void
log_for(const char *path)
{
	const char *main = settings_text(proc_settings(), "Main",
	    "DomainName"), *slash = strrchr(path, '/');
	struct cur c = cur_str(path), name = cur_str(slash != NULL ?
	    slash + 1 : path);
	struct str of = str_make(main), who = { name.p, cur_left(&name) };
	const char *dot = strrchr(name.p, '.');
	char domain[256], tag[256];

	if (cur_lit(&c, "Domains/"))
		of = cur_until(&c, "/");
	if (dot != NULL)
		who.len = dot - who.p;
	snprintf(tag, sizeof(tag), "MAILBOX(%.*s@%.*s)", (int)who.len, who.p,
	    (int)of.len, of.p);
	log_set_tag(tag);
	if (!dict_bool(proc_conf()->conf, "LogAll", false) &&
	    str_copy(of, domain, sizeof(domain)))
		log_levels(proc_settings(), domain);
}

static void
child(struct pending *p, int io)
{
	static const int mine[] = { SIGTERM, SIGCHLD };
	size_t i;

	live_inherit();
	log_for(p->path);
	for (i = 0; i < sizeof(mine) / sizeof(mine[0]); i++)
		signal(mine[i], SIG_DFL);
	close_others(p->dirfd, io);
	worker_main(p->dirfd, p->file[0] != '\0' ? p->file : NULL, p->path,
	    io);
}

static void
told(struct ipc *ipc, uint32_t account, pid_t pid, int fd)
{
	struct msg_spawned m = { .account = account, .pid = pid,
		.code = fd == -1 };

	ipc_send(ipc, IPC_SPAWNED, 0, &m, fd);
}

static void
got_io(struct ipc *ipc, struct ipc_pkt *pkt, void *arg)
{
	const struct msg_spawn_io *m = pkt->m;
	struct pending *p = find(true, m->account);
	uint32_t account = m->account;
	int io = ipc_take_fd(pkt), fd;
	pid_t pid;

	if (p == NULL || io == -1 || stopping || (pid = fork()) == -1) {
		log_warn("no worker");
		if (p != NULL)
			drop(p);
		if (io != -1)
			close(io);
		told(ipc, account, 0, -1);
		return;
	}
	if (pid == 0)
		child(p, io);
	children++;
	close(io);
	drop(p);
	/* Not reaped before this: the number is still its own. */
	fd = syscall(SYS_pidfd_open, pid, 0);
	if (fd == -1)
		log_warn("pidfd_open");
	told(ipc, account, pid, fd);
}

static void
reap(int sig, short what, void *arg)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		children--;
		if (WIFSIGNALED(status))
			log_warnx("worker %ld: signal %d", (long)pid,
			    WTERMSIG(status));
		else if (WEXITSTATUS(status) != 0)
			log_warnx("worker %ld: status %d", (long)pid,
			    WEXITSTATUS(status));
	}
	if (stopping && children == 0)
		proc_exit(0);
}

static void
init(const struct proc_conf *conf)
{
	if (sandbox_worker_prepare() == -1)
		fatalx("workers' walls cannot be made");
}

static void
start(void)
{
	struct event *ev = evsignal_new(proc_base(), SIGCHLD, reap, NULL);

	if (ev == NULL || event_add(ev, NULL) == -1)
		fatalx("no event for children");
}

/* The broker ends the workers; they would die with us. */
static void
stop(void)
{
	stopping = true;
	if (children == 0)
		proc_exit(0);
}

static void
settings(const struct val *all)
{
	log_levels(all, "");
	live_set(all);
}

static const struct ipc_disp from_broker[] = {
	{ IPC_SPAWN_DIR, got_dir },
	{ IPC_SPAWN_IO, got_io },
	{ IPC_NONE, NULL }
};

static const struct proc_def def = {
	.name = "stored-worker",
	.tag = "ACCOUNT",
	.id = PROC_TEMPLATE,
	.sandbox = {
		.allow = SB_FILES_READ | SB_FILES_WRITE | SB_MMAP_FILE |
		    SB_FLOCK | SB_FORK | SB_CHROOT,
		.empty_root = true,
		.keep_chroot = true,
		.nofile = 1024,
		.fsize = 1UL << 40,
		.as = 4UL << 30,
	},
	.peers = { [PROC_STORED] = from_broker },
	.init = init,
	.start = start,
	.settings = settings,
	.stop = stop,
};

int
main(int argc, char **argv)
{
	return proc_run(argc, argv, &def);
}
